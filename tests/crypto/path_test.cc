// The state machine of RFC 5280 section 6.1 by itself: what each CA certificate
// must be, what breaks a path, and that a broken one never passes.
#include "crypto/path.h"

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bench/lab/certificate_builder.h"
#include "gtest/gtest.h"

namespace inkan {
namespace {

using lab::CertificateBuilder;
using lab::Name;
using lab::PrivateKey;
using lab::SigningAlgorithm;
using lab::UtcSeconds;
namespace extension = lab::extension;

const PrivateKey& KeyOf(const std::string& name) {
  static auto* const keys = new std::map<std::string, PrivateKey>;
  const auto found = keys->find(name);
  if (found != keys->end()) return found->second;
  return keys->emplace(name, PrivateKey::RsaFromSeed(name)).first->second;
}

// Certificates that stay where they are.
class Store {
 public:
  const Certificate& Add(std::string der) {
    ders_.push_back(std::move(der));
    Certificate& certificate = certificates_.emplace_back();
    const Fault fault = ParseCertificate(AsBytes(ders_.back()), &certificate);
    EXPECT_TRUE(fault.ok()) << fault.field << ": " << fault.problem;
    return certificate;
  }

 private:
  std::deque<std::string> ders_;
  std::deque<Certificate> certificates_;
};

CertificateBuilder Ca(const std::string& name, const std::string& issuer) {
  CertificateBuilder builder;
  builder.subject({{"CN", name}})
      .issuer({{"CN", issuer}})
      .public_key(KeyOf(name))
      .ca();
  return builder;
}

CertificateBuilder Leaf(const std::string& issuer) {
  CertificateBuilder builder;
  builder.subject({{"CN", "leaf"}})
      .issuer({{"CN", issuer}})
      .public_key(KeyOf("leaf"))
      .add(extension::KeyUsage(lab::kDigitalSignature | lab::kNonRepudiation));
  return builder;
}

std::string Root() { return Ca("root", "root").Sign(KeyOf("root")); }

Outcome AcceptBelow(const PathState& state, Store* store,
                    const LeafRules& rules = {}) {
  const std::string name = "issuer";
  return state
      .Accept(store->Add(Leaf(name).Sign(KeyOf("root"))), rules, nullptr)
      .outcome;
}

TEST(PathState, AnOrdinaryPathPasses) {
  Store store;
  PathState state = PathState::FromAnchor(store.Add(Root()), {});
  EXPECT_TRUE(state.broken().ok());
  state.Extend(store.Add(Ca("ca", "root").Sign(KeyOf("root"))));
  state.Extend(store.Add(Ca("sub", "ca").Sign(KeyOf("ca"))));
  EXPECT_TRUE(state.broken().ok());
  EXPECT_EQ(state.chain().size(), 3U);
  EXPECT_EQ(AcceptBelow(state, &store), Outcome::kPassed);
}

TEST(PathState, AChainOfSignaturesOnceBrokenIsToldApartFromOtherFaults) {
  Store store;
  const PathState root = PathState::FromAnchor(store.Add(Root()), {});
  EXPECT_TRUE(root.issued());
  const auto below_root = [&](const CertificateBuilder& ca, const char* key,
                              SigningAlgorithm algorithm) {
    PathState state = root;
    state.Extend(store.Add(ca.Sign(KeyOf(key), algorithm)));
    return state;
  };
  constexpr auto kSha256 = SigningAlgorithm::kRsaPkcs1Sha256;
  constexpr auto kSha1 = SigningAlgorithm::kRsaPkcs1Sha1;
  const CertificateBuilder ca = Ca("ca", "root");
  EXPECT_TRUE(below_root(ca, "root", kSha256).issued());
  EXPECT_FALSE(below_root(ca, "other", kSha256).issued());
  // A key too weak is as bad a fault, but the signature is good.
  CertificateBuilder weak_ca = ca;
  weak_ca.public_key(PrivateKey::RsaFromSeed("weak", 1024));
  const PathState weak = below_root(weak_ca, "root", kSha256);
  EXPECT_EQ(weak.broken().outcome, Outcome::kCryptoConstraintsFailure);
  EXPECT_TRUE(weak.issued());
  // A refused algorithm outranks that nobody vouches for the certificate.
  PathState forged = below_root(ca, "other", kSha1);
  EXPECT_EQ(forged.broken().outcome, Outcome::kCryptoConstraintsFailure);
  EXPECT_FALSE(forged.issued());
  // And so it stays below.
  forged.Extend(store.Add(Ca("sub", "ca").Sign(KeyOf("ca"))));
  EXPECT_FALSE(forged.issued());
}

struct BadCa {
  const char* what;
  std::function<std::string()> der;
  Outcome outcome;
  CheckId check;
};

TEST(PathState, ACaCertificateMustHoldAsSuchAndABrokenPathNeverPasses) {
  const auto signed_by_root = [](CertificateBuilder builder) {
    return builder.Sign(KeyOf("root"));
  };
  constexpr Outcome kConstraints = Outcome::kChainConstraintsFailure;
  const BadCa kCases[] = {
      {"signed by another key",
       [] { return Ca("ca", "root").Sign(KeyOf("other")); },
       Outcome::kCertificateChainGeneralFailure,
       CheckId::kCertificateSignature},
      {"not a CA",
       [&] {
         return signed_by_root(
             Ca("ca", "root").set(extension::BasicConstraints(false)));
       },
       kConstraints, CheckId::kBasicConstraints},
      {"no basicConstraints",
       [&] { return signed_by_root(Ca("ca", "root").remove("2.5.29.19")); },
       kConstraints, CheckId::kBasicConstraints},
      {"version 1",
       [&] {
         CertificateBuilder builder;
         builder.version(1)
             .subject({{"CN", "ca"}})
             .issuer({{"CN", "root"}})
             .public_key(KeyOf("ca"));
         return signed_by_root(builder);
       },
       kConstraints, CheckId::kBasicConstraints},
      {"no keyCertSign",
       [&] {
         return signed_by_root(
             Ca("ca", "root").set(extension::KeyUsage(lab::kCrlSign)));
       },
       kConstraints, CheckId::kKeyUsage},
      {"unknown critical extension",
       [&] {
         return signed_by_root(
             Ca("ca", "root").add({"1.2.3", true, std::string("\5\0", 2)}));
       },
       kConstraints, CheckId::kCriticalExtensions},
      {"bound to another purpose",
       [&] {
         return signed_by_root(
             Ca("ca", "root")
                 .add(extension::ExtendedKeyUsage({"1.3.6.1.5.5.7.3.9"})
                          .MakeCritical()));
       },
       kConstraints, CheckId::kExtendedKeyUsage},
      {"a weak key",
       [] {
         return Ca("ca", "root")
             .public_key(PrivateKey::RsaFromSeed("weak", 1024))
             .Sign(KeyOf("root"));
       },
       Outcome::kCryptoConstraintsFailure, CheckId::kAlgorithmStrength},
      {"signed with SHA-1",
       [] {
         return Ca("ca", "root")
             .Sign(KeyOf("root"), SigningAlgorithm::kRsaPkcs1Sha1);
       },
       Outcome::kCryptoConstraintsFailure, CheckId::kAlgorithmStrength},
  };
  for (const BadCa& c : kCases) {
    SCOPED_TRACE(c.what);
    Store store;
    PathState state = PathState::FromAnchor(store.Add(Root()), {});
    state.Extend(store.Add(c.der()));
    EXPECT_EQ(state.broken().outcome, c.outcome);
    EXPECT_EQ(state.broken().check, c.check);
    EXPECT_EQ(state.broken().certificate, 1);
    EXPECT_EQ(AcceptBelow(state, &store), c.outcome);
    // Nothing that follows mends it.
    state.Extend(store.Add(Ca("sub", "ca").Sign(KeyOf("ca"))));
    EXPECT_EQ(AcceptBelow(state, &store), c.outcome);
  }
}

TEST(PathState, ACaWhoseKeyIsForAnyPurposeMayIssue) {
  Store store;
  PathState state = PathState::FromAnchor(store.Add(Root()), {});
  state.Extend(store.Add(
      Ca("ca", "root")
          .add(extension::ExtendedKeyUsage({"2.5.29.37.0"}).MakeCritical())
          .Sign(KeyOf("root"))));
  EXPECT_TRUE(state.broken().ok());
}

TEST(PathState, PathLengthCountsCasThatAreNotSelfIssued) {
  const auto path = [](std::optional<uint64_t> root_length,
                       const std::vector<std::string>& subjects) {
    Store store;
    std::string issuer = "root";
    CertificateBuilder root = Ca("root", "root");
    root.set(extension::BasicConstraints(true, root_length));
    PathState state =
        PathState::FromAnchor(store.Add(root.Sign(KeyOf("root"))), {});
    for (const std::string& subject : subjects) {
      state.Extend(store.Add(Ca(subject, issuer).Sign(KeyOf(issuer))));
      issuer = subject;
    }
    return AcceptBelow(state, &store);
  };
  EXPECT_EQ(path(0, {}), Outcome::kPassed);
  EXPECT_EQ(path(0, {"a"}), Outcome::kChainConstraintsFailure);
  EXPECT_EQ(path(1, {"a"}), Outcome::kPassed);
  EXPECT_EQ(path(1, {"a", "b"}), Outcome::kChainConstraintsFailure);
  EXPECT_EQ(path(0, {"root"}), Outcome::kPassed);
  EXPECT_EQ(path(1, {"a", "a"}), Outcome::kPassed);
  EXPECT_EQ(path({}, std::vector<std::string>(1, "a")), Outcome::kPassed);
}

TEST(PathState, EightCasBelowTheAnchorAreFollowedAndNineAreNot) {
  Store store;
  PathState state = PathState::FromAnchor(store.Add(Root()), {});
  std::string issuer = "root";
  for (int i = 1; i <= kPathDepthMax; ++i) {
    const std::string subject = i % 2 == 1 ? "a" : "b";
    state.Extend(store.Add(Ca(subject, issuer).Sign(KeyOf(issuer))));
    issuer = subject;
  }
  EXPECT_EQ(AcceptBelow(state, &store), Outcome::kPassed);
  state.Extend(store.Add(Ca("c", issuer).Sign(KeyOf(issuer))));
  EXPECT_EQ(AcceptBelow(state, &store), Outcome::kChainConstraintsFailure);
}

TEST(PathState, AnAnchorIsHeldToWhatItSaysOfItself) {
  Store store;
  const auto broken = [&](std::string der) {
    return PathState::FromAnchor(store.Add(std::move(der)), {})
        .broken()
        .outcome;
  };
  // Its own signature proves nothing and is not looked at.
  EXPECT_EQ(broken(Ca("root", "root").Sign(KeyOf("other"))), Outcome::kPassed);
  EXPECT_EQ(broken(Ca("root", "root")
                       .set(extension::BasicConstraints(false))
                       .Sign(KeyOf("root"))),
            Outcome::kChainConstraintsFailure);
  EXPECT_EQ(broken(Ca("root", "root")
                       .public_key(PrivateKey::RsaFromSeed("weak", 1024))
                       .Sign(KeyOf("root"))),
            Outcome::kCryptoConstraintsFailure);
  CertificateBuilder old;
  old.version(1).public_key(KeyOf("root"));
  EXPECT_EQ(broken(old.Sign(KeyOf("root"))), Outcome::kPassed);
}

TEST(PathState, ValidityOfEveryCaIsJudgedAtTheTime) {
  Store store;
  const int64_t begin = UtcSeconds(2024, 1, 1);
  const int64_t end = UtcSeconds(2026, 1, 1);
  PathState state = PathState::FromAnchor(store.Add(Root()), {});
  state.Extend(
      store.Add(Ca("ca", "root").validity(begin, end).Sign(KeyOf("root"))));
  state.Extend(store.Add(
      Ca("sub", "ca").validity(begin - 10, end + 10).Sign(KeyOf("ca"))));
  EXPECT_EQ(state.CheckValidity(begin - 1).outcome, Outcome::kNotYetValid);
  EXPECT_EQ(state.CheckValidity(begin - 1).certificate, 1);
  EXPECT_TRUE(state.CheckValidity(begin).ok());
  EXPECT_TRUE(state.CheckValidity(end).ok());
  EXPECT_EQ(state.CheckValidity(end + 1).outcome, Outcome::kExpired);
  EXPECT_EQ(state.CheckValidity(end + 1).certificate, 1);
  EXPECT_EQ(state.CheckValidity(end + 11).certificate, 2);
  EXPECT_EQ(state.CheckValidity(INT64_MIN).outcome, Outcome::kNotYetValid);
  EXPECT_EQ(state.CheckValidity(INT64_MAX).outcome, Outcome::kExpired);
  // Of one that has expired and one to come, the higher rank is reported.
  state.Extend(store.Add(
      Ca("next", "sub").validity(end + 20, end + 30).Sign(KeyOf("sub"))));
  EXPECT_EQ(state.CheckValidity(end + 5).outcome, Outcome::kNotYetValid);
}

struct UsageCase {
  const char* what;
  std::optional<uint16_t> usage;
  uint16_t required;
  uint16_t forbidden;
  Outcome outcome;
};

TEST(PathState, TheProfilesKeyUsageMustBeStated) {
  constexpr uint16_t kSign = key_usage::kDigitalSignature;
  constexpr uint16_t kCommit = key_usage::kNonRepudiation;
  constexpr Outcome kBad = Outcome::kChainConstraintsFailure;
  const UsageCase kCases[] = {
      {"signature certificate", kSign | kCommit, kCommit, 0, Outcome::kPassed},
      {"log-in certificate on a filing", kSign, kCommit, 0, kBad},
      {"log-in certificate", kSign, kSign, kCommit, Outcome::kPassed},
      {"signature certificate at log-in", kSign | kCommit, kSign, kCommit,
       kBad},
      {"no usage at all", 0, kSign, 0, kBad},
      {"absent, required", {}, kCommit, 0, kBad},
      {"absent, forbidden", {}, 0, kCommit, kBad},
      {"absent, not asked", {}, 0, 0, Outcome::kPassed},
  };
  for (const UsageCase& c : kCases) {
    SCOPED_TRACE(c.what);
    Store store;
    const PathState state = PathState::FromAnchor(store.Add(Root()), {});
    CertificateBuilder builder = Leaf("root");
    builder.remove("2.5.29.15");
    if (c.usage) builder.add(extension::KeyUsage(*c.usage));
    LeafRules rules;
    rules.required_key_usage = c.required;
    rules.forbidden_key_usage = c.forbidden;
    const Certificate& leaf = store.Add(builder.Sign(KeyOf("root")));
    EXPECT_EQ(state.Accept(leaf, rules, nullptr).outcome, c.outcome);
    EXPECT_EQ(CheckLeafAlone(leaf, rules, 2048).outcome, c.outcome);
  }
}

TEST(PathState, ExtendedKeyUsageIsAskedForOrCritical) {
  const std::string wanted = "\x2b\x06\x01\x05\x05\x07\x03\x02";
  const std::vector<std::string> required = {wanted};
  const struct {
    const char* what;
    std::vector<std::string> usages;
    bool critical;
    bool ask;
    bool passes;
  } kCases[] = {
      {"asked and there", {"1.3.6.1.5.5.7.3.2"}, true, true, true},
      {"asked and not there", {"1.3.6.1.5.5.7.3.1"}, false, true, false},
      {"asked and absent", {}, false, true, false},
      {"any purpose is not the one asked for",
       {"2.5.29.37.0"},
       false,
       true,
       false},
      {"not asked", {"1.3.6.1.5.5.7.3.1"}, false, false, true},
      {"not asked, critical", {"1.3.6.1.5.5.7.3.1"}, true, false, false},
      {"not asked, critical, any", {"2.5.29.37.0"}, true, false, true},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.what);
    Store store;
    const PathState state = PathState::FromAnchor(store.Add(Root()), {});
    CertificateBuilder builder = Leaf("root");
    if (!c.usages.empty()) {
      builder.add(
          extension::ExtendedKeyUsage(c.usages).MakeCritical(c.critical));
    }
    LeafRules rules;
    if (c.ask) rules.required_extended_key_usage = required;
    EXPECT_EQ(
        state.Accept(store.Add(builder.Sign(KeyOf("root"))), rules, nullptr)
            .ok(),
        c.passes);
  }
}

TEST(PathState, TheWorstOfSeveralFaultsIsReportedAndEveryCheckObserved) {
  Store store;
  const PathState state = PathState::FromAnchor(store.Add(Root()), {});
  const Certificate& leaf =
      store.Add(Leaf("root")
                    .public_key(PrivateKey::RsaFromSeed("weak", 1024))
                    .add({"1.2.3", true, std::string("\5\0", 2)})
                    .Sign(KeyOf("root")));
  std::vector<std::pair<CheckId, bool>> seen;
  const auto observe = [](void* context, CheckId check,
                          const PathFault& fault) {
    static_cast<decltype(seen)*>(context)->emplace_back(check, fault.ok());
  };
  EXPECT_EQ(state.Accept(leaf, {}, nullptr, observe, &seen).outcome,
            Outcome::kCryptoConstraintsFailure);
  const std::vector<std::pair<CheckId, bool>> expected = {
      {CheckId::kAlgorithmStrength, false},
      {CheckId::kKeyUsage, true},
      {CheckId::kExtendedKeyUsage, true},
      {CheckId::kCriticalExtensions, false},
      {CheckId::kNameConstraints, true},
      {CheckId::kPolicies, true}};
  EXPECT_EQ(seen, expected);
}

}  // namespace
}  // namespace inkan
