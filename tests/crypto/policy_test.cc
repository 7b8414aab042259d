// Policy processing: mapping, inhibition, anyPolicy, limits. The PKITS suite
// covers the ordinary ground (tests/conformance).
#include "crypto/policy.h"

#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bench/lab/certificate_builder.h"
#include "crypto/oid.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace inkan {
namespace {

using lab::CertificateBuilder;
using lab::PrivateKey;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;
namespace extension = lab::extension;

constexpr char kAny[] = "2.5.29.32.0";
constexpr char kA[] = "1.2.1";
constexpr char kB[] = "1.2.2";
constexpr char kC[] = "1.2.3";

// A certificate's policy extensions; distinct names, so not self-issued.
struct Step {
  std::vector<lab::Policy> policies;
  std::vector<std::pair<std::string, std::string>> mappings = {};
  std::optional<uint64_t> require_explicit = {};
  std::optional<uint64_t> inhibit_mapping = {};
  std::optional<uint64_t> inhibit_any = {};
  bool self_issued = false;
};

class Path {
 public:
  Path(std::vector<std::string> initial, bool require_explicit,
       bool inhibit_mapping = false, bool inhibit_any = false) {
    for (const std::string& oid : initial) {
      initial_.push_back(*OidFromText(oid));
    }
    state_ =
        PolicyState(initial_, require_explicit, inhibit_mapping, inhibit_any);
  }

  Path& Extend(const Step& step) {
    const Fault fault = state_.Extend(Parse(step));
    broken_ |= !fault.ok();
    return *this;
  }

  // The user-constrained set, or {"refused"}.
  std::vector<std::string> Accept(const Step& leaf) {
    PolicySet set;
    if (broken_ || !state_.Accept(Parse(leaf), &set).ok()) return {"refused"};
    std::vector<std::string> oids;
    for (const Bytes oid : set) oids.push_back(OidToText(oid));
    return oids;
  }

 private:
  const Certificate& Parse(const Step& step) {
    static const PrivateKey kKey = PrivateKey::RsaFromSeed("policy");
    CertificateBuilder builder;
    builder.public_key(kKey)
        .issuer({{"CN", "x"}})
        .subject({{"CN", step.self_issued ? "x" : "y"}});
    if (!step.policies.empty()) {
      builder.add(extension::CertificatePolicies(step.policies));
    }
    if (!step.mappings.empty()) {
      builder.add(extension::PolicyMappings(step.mappings));
    }
    if (step.require_explicit || step.inhibit_mapping) {
      builder.add(extension::PolicyConstraints(step.require_explicit,
                                               step.inhibit_mapping));
    }
    if (step.inhibit_any) {
      builder.add(extension::InhibitAnyPolicy(*step.inhibit_any));
    }
    ders_.push_back(builder.Sign(kKey));
    Certificate& certificate = certificates_.emplace_back();
    EXPECT_TRUE(ParseCertificate(AsBytes(ders_.back()), &certificate).ok());
    return certificate;
  }

  std::vector<std::string> initial_;
  PolicyState state_;
  bool broken_ = false;
  std::deque<std::string> ders_;
  std::deque<Certificate> certificates_;
};

const std::vector<std::string> kRefused = {"refused"};

TEST(Policy, ALeafStraightBelowTheAnchorNeedsARequiredPolicy) {
  EXPECT_THAT(Path({kA}, true).Accept({{kA}}), ElementsAre(kA));
  EXPECT_THAT(Path({kA}, true).Accept({{kB, kA}}), ElementsAre(kA));
  EXPECT_THAT(Path({kA}, true).Accept({{kAny}}), ElementsAre(kA));
  EXPECT_EQ(Path({kA}, true).Accept({{kB}}), kRefused);
  EXPECT_EQ(Path({kA}, true).Accept({{}}), kRefused);
  EXPECT_EQ(Path({kA}, true, false, true).Accept({{kAny}}), kRefused);
  // Without an explicit policy being required, none is a fine set of policies.
  EXPECT_THAT(Path({kA}, false).Accept({{kB}}), IsEmpty());
  EXPECT_THAT(Path({}, true).Accept({{kAny}}), ElementsAre(kAny));
  EXPECT_EQ(Path({}, true).Accept({{}}), kRefused);
}

TEST(Policy, EveryCertificateOnThePathMustCarryIt) {
  EXPECT_THAT(Path({kA}, true).Extend({{kA}}).Accept({{kA}}), ElementsAre(kA));
  EXPECT_EQ(Path({kA}, true).Extend({{kB}}).Accept({{kA}}), kRefused);
  EXPECT_EQ(Path({kA}, true).Extend({{}}).Accept({{kA}}), kRefused);
  EXPECT_EQ(Path({kA}, true).Extend({{kA}}).Accept({{kB}}), kRefused);
  EXPECT_THAT(Path({}, true).Extend({{kA, kB}}).Accept({{kB, kC}}),
              ElementsAre(kB));
  EXPECT_THAT(Path({}, true).Extend({{kAny}}).Accept({{kB}}), ElementsAre(kB));
  EXPECT_THAT(Path({}, true).Extend({{kA}}).Accept({{kAny}}), ElementsAre(kA));
}

TEST(Policy, AMappedPolicyCountsAsTheOneItComesFrom) {
  EXPECT_THAT(Path({kA}, true).Extend({{kA}, {{kA, kB}}}).Accept({{kB}}),
              ElementsAre(kA));
  // The old name is gone below.
  EXPECT_EQ(Path({kA}, true).Extend({{kA}, {{kA, kB}}}).Accept({{kA}}),
            kRefused);
  // What is mapped to is nothing in the anchor's domain.
  EXPECT_EQ(Path({kB}, true).Extend({{kA}, {{kA, kB}}}).Accept({{kB}}),
            kRefused);
  EXPECT_THAT(
      Path({}, true).Extend({{kA, kC}, {{kA, kB}, {kC, kB}}}).Accept({{kB}}),
      UnorderedElementsAre(kA, kC));
  EXPECT_THAT(Path({kA}, true).Extend({{kAny}, {{kA, kB}}}).Accept({{kB}}),
              ElementsAre(kA));
  EXPECT_EQ(Path({}, true).Extend({{kA}, {{kA, kAny}}}).Accept({{kA}}),
            kRefused);
  EXPECT_EQ(Path({}, true).Extend({{kA}, {{kAny, kB}}}).Accept({{kB}}),
            kRefused);
}

TEST(Policy, InhibitedMappingLosesThePolicy) {
  EXPECT_EQ(Path({kA}, true, true).Extend({{kA}, {{kA, kB}}}).Accept({{kB}}),
            kRefused);
  EXPECT_EQ(Path({kA}, true)
                .Extend({{kA}, {}, {}, 0})
                .Extend({{kA}, {{kA, kB}}})
                .Accept({{kB}}),
            kRefused);
  EXPECT_THAT(Path({kA}, true)
                  .Extend({{kA}, {}, {}, 1})
                  .Extend({{kA}, {{kA, kB}}})
                  .Accept({{kB}}),
              ElementsAre(kA));
}

TEST(Policy, AnExplicitPolicyCanBeRequiredFromBelow) {
  EXPECT_EQ(Path({}, false).Extend({{kA}, {}, 0}).Accept({{kB}}), kRefused);
  EXPECT_THAT(Path({}, false).Extend({{kA}, {}, 2}).Accept({{kB}}), IsEmpty());
  EXPECT_EQ(Path({}, false).Extend({{kA}, {}, 1}).Accept({{kB}}), kRefused);
  EXPECT_EQ(Path({kA}, false).Accept({{kB}, {}, 0}), kRefused);
}

TEST(Policy, InhibitedAnyPolicyIsSparedOnSelfIssuedCasOnly) {
  const Step no_any = {{kA}, {}, {}, {}, 0};
  Step rollover = {{kAny}};
  rollover.self_issued = true;
  EXPECT_EQ(Path({kA}, true).Extend(no_any).Extend({{kAny}}).Accept({{kA}}),
            kRefused);
  EXPECT_THAT(Path({kA}, true).Extend(no_any).Extend(rollover).Accept({{kA}}),
              ElementsAre(kA));
  EXPECT_EQ(Path({kA}, true).Extend(no_any).Accept(rollover), kRefused);
}

TEST(Policy, AListedTwicePolicyIsRefused) {
  EXPECT_EQ(Path({}, false).Accept({{kA, kB, kA}}), kRefused);
  EXPECT_EQ(Path({}, false).Extend({{kA, kA}}).Accept({{kA}}), kRefused);
}

std::vector<lab::Policy> Many(size_t count) {
  std::vector<lab::Policy> policies;
  for (size_t i = 0; i < count; ++i) {
    policies.emplace_back("1.2.9." + std::to_string(i));
  }
  return policies;
}

TEST(Policy, OneHundredTwentyEightAreProcessedAndOneMoreIsNot) {
  EXPECT_EQ(Path({}, true).Accept({Many(kPoliciesMax)}).size(), kPoliciesMax);
  EXPECT_EQ(Path({}, true).Accept({Many(kPoliciesMax + 1)}), kRefused);
  const auto mapping = [](size_t count) {
    Step step = {Many(1)};
    for (size_t i = 0; i < count; ++i) {
      step.mappings.emplace_back("1.2.9.0", "1.2.8." + std::to_string(i));
    }
    return step;
  };
  const Step last = {{"1.2.8.127"}};
  EXPECT_THAT(Path({}, true).Extend(mapping(kPoliciesMax)).Accept(last),
              ElementsAre("1.2.9.0"));
  EXPECT_EQ(Path({}, true).Extend(mapping(kPoliciesMax + 1)).Accept(last),
            kRefused);
}

// RFC 5280's tree would double at each level; what is kept here must not.
TEST(Policy, ALongPathOfCrossMappingsStaysSmall) {
  Path path({}, true);
  Step step = {Many(100)};
  for (int from = 0; from < 100; ++from) {
    step.mappings.emplace_back("1.2.9." + std::to_string(from),
                               "1.2.9." + std::to_string((from + 1) % 100));
  }
  for (int i = 0; i < 50; ++i) path.Extend(step);
  EXPECT_EQ(path.Accept({Many(100)}).size(), 100U);
}

}  // namespace
}  // namespace inkan
