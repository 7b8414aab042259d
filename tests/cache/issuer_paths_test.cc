// CA paths of a profile: which are found, which are not, and what it costs.
#include "cache/issuer_paths.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "tests/support/lab_world.h"

namespace inkan {
namespace {

using testing_world::KeyOf;
namespace extension = lab::extension;

lab::Name N(const std::string& name) { return {{"CN", name}}; }

std::string CaBelow(const std::string& name, const std::string& issuer,
                    const std::string& key, const std::string& issuer_key) {
  lab::CertificateBuilder builder;
  builder.subject(N(name)).issuer(N(issuer)).public_key(KeyOf(key)).ca();
  builder.issued_by(KeyOf(issuer_key));
  return builder.Sign(KeyOf(issuer_key));
}

std::string CaBelow(const std::string& name, const std::string& issuer) {
  return CaBelow(name, issuer, name, issuer);
}

std::string Root(const std::string& name) {
  return lab::SelfSignedCa(N(name), KeyOf(name));
}

Profile ProfileOf(const std::vector<std::string>& anchors,
                  const std::vector<std::string>& intermediates) {
  Profile profile;
  for (const std::string& der : anchors) {
    profile.anchors.push_back({"anchor.cer", der});
  }
  for (const std::string& der : intermediates) {
    profile.intermediates.push_back({"intermediate.cer", der});
  }
  return profile;
}

std::shared_ptr<const IssuerPaths> Build(const Profile& profile,
                                         const IssuerPathLimits& limits = {}) {
  auto paths = IssuerPaths::Build(profile, limits);
  EXPECT_TRUE(paths.ok()) << paths.status();
  return paths.ok() ? *paths : nullptr;
}

size_t Count(const IssuerPaths& paths, const std::string& name) {
  return paths.Find(AsBytes(N(name).Encode())).size();
}

TEST(IssuerPaths, LeadDownFromAnchorsInAnyOrderOfIntermediates) {
  const auto paths = Build(
      ProfileOf({Root("root")},
                {CaBelow("c", "b"), CaBelow("stray", "nobody", "stray", "root"),
                 CaBelow("a", "root"), CaBelow("b", "a")}));
  ASSERT_EQ(Count(*paths, "c"), 1U);
  const IssuerPath& path = *paths->Find(AsBytes(N("c").Encode())).front();
  EXPECT_EQ(path.state.chain().size(), 4U);
  EXPECT_TRUE(path.state.broken().ok());
  EXPECT_EQ(path.parent->parent->parent->parent, nullptr);
  EXPECT_EQ(path.issuer_text, "CN=c");
  EXPECT_EQ(&paths->paths()[path.id], &path);
  EXPECT_EQ(Count(*paths, "stray"), 0U);
  EXPECT_THAT(paths->unused(),
              testing::ElementsAre(testing::HasSubstr("leads to no anchor")));
}

// Workers judge by the paths of a snapshot for a moment longer than the
// configuration they came from is in force.
TEST(IssuerPaths, NothingOfTheProfileIsNeededOnceTheyAreBuilt) {
  Profile profile = ProfileOf({Root("root")}, {CaBelow("a", "root")});
  profile.initial_policies = {"\x2a\x03"};  // 1.2.3
  profile.require_explicit_policy = true;
  const auto paths = Build(profile);
  profile.initial_policies[0] = "\x2a\x04";
  profile = Profile();
  lab::CertificateBuilder builder;
  builder.subject(N("leaf")).issuer(N("root")).public_key(KeyOf("leaf"));
  builder.add(extension::CertificatePolicies({"1.2.3"}));
  builder.issued_by(KeyOf("root"));
  const std::string der = builder.Sign(KeyOf("root"));
  Certificate leaf;
  ASSERT_TRUE(ParseCertificate(AsBytes(der), &leaf).ok());
  const IssuerPath& path = *paths->Find(AsBytes(N("root").Encode())).front();
  const PathFault fault = path.state.Accept(leaf, LeafRules(), nullptr);
  EXPECT_TRUE(fault.ok()) << fault.fault.problem;
}

TEST(IssuerPaths, LoopsAndTheSameCaTwiceEnd) {
  const auto paths =
      Build(ProfileOf({Root("root")}, {CaBelow("a", "root"), CaBelow("b", "a"),
                                       CaBelow("a", "b"), CaBelow("a", "a"),
                                       CaBelow("root", "b")}));
  EXPECT_EQ(Count(*paths, "a"), 1U);
  EXPECT_EQ(Count(*paths, "b"), 1U);
  EXPECT_EQ(Count(*paths, "root"), 1U);
}

TEST(IssuerPaths, EveryWayToACrossCertifiedCaIsKeptShortestFirst) {
  const auto paths = Build(ProfileOf(
      {Root("r1"), Root("r2")},
      {CaBelow("far", "r1"), CaBelow("ca", "far"), CaBelow("ca", "r2")}));
  const auto found = paths->Find(AsBytes(N("ca").Encode()));
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0]->state.chain().size(), 2U);
  EXPECT_EQ(found[0]->anchor, 1U);
  EXPECT_EQ(found[1]->state.chain().size(), 3U);
  EXPECT_EQ(found[1]->anchor, 0U);
}

TEST(IssuerPaths, GenerationsUnderOneNameAreToldApartByKey) {
  const auto root = [](const std::string& key) {
    lab::CertificateBuilder builder;
    builder.subject(N("JPKI")).issuer(N("JPKI")).public_key(KeyOf(key)).ca();
    return builder.Sign(KeyOf(key));
  };
  const auto paths = Build(ProfileOf({root("g1"), root("g2")},
                                     {CaBelow("sub", "JPKI", "sub", "g2")}));
  EXPECT_EQ(Count(*paths, "JPKI"), 2U);
  const auto found = paths->Find(AsBytes(N("sub").Encode()));
  // The key identifier points at one of them, so there is no broken path too.
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0]->anchor, 1U);
  EXPECT_TRUE(found[0]->state.broken().ok());
}

TEST(IssuerPaths, AForgedIntermediateIsNeverAWholePath) {
  const auto paths = Build(
      ProfileOf({Root("root")}, {CaBelow("forged", "root", "forged", "someone"),
                                 CaBelow("below", "forged")}));
  for (const IssuerPath& path : paths->paths()) {
    EXPECT_EQ(path.state.broken().ok(), path.parent == nullptr);
  }
  EXPECT_EQ(Count(*paths, "below"), 0U);
}

TEST(IssuerPaths, NamesAreFoundHoweverTheyAreSpelled) {
  const auto spelled = [](const char* name, uint8_t tag) {
    return lab::Name({{"CN", name, tag}});
  };
  constexpr uint8_t kUtf8 = der::kUtf8String;
  constexpr uint8_t kPrintable = der::kPrintableString;
  const auto root = [&](const lab::Name& name, const std::string& key) {
    return lab::SelfSignedCa(name, KeyOf(key));
  };
  // One spelling for one CA: the quick way and the other agree.
  auto paths = Build(ProfileOf(
      {root(spelled("Root", kUtf8), "a"), root(spelled("Other", kUtf8), "b")},
      {}));
  const auto count = [&](const lab::Name& name) {
    return paths->Find(AsBytes(name.Encode())).size();
  };
  EXPECT_EQ(count(spelled("Root", kUtf8)), 1U);
  EXPECT_EQ(count(spelled("ROOT ", kPrintable)), 1U);
  EXPECT_EQ(count(spelled("Root2", kUtf8)), 0U);
  // Two spellings of one name: each leads to both CAs.
  paths = Build(ProfileOf({root(spelled("Root", kUtf8), "a"),
                           root(spelled("root", kPrintable), "b"),
                           root(spelled("Other", kUtf8), "c")},
                          {}));
  EXPECT_EQ(count(spelled("Root", kUtf8)), 2U);
  EXPECT_EQ(count(spelled("root", kPrintable)), 2U);
  EXPECT_EQ(count(spelled("rOOt", kUtf8)), 2U);
  EXPECT_EQ(count(spelled("Other", kUtf8)), 1U);
}

TEST(IssuerPaths, AreEightCasDeepAndNoDeeper) {
  std::vector<std::string> cas;
  std::string issuer = "root";
  for (int i = 1; i <= kPathDepthMax + 1; ++i) {
    const std::string name = "ca " + std::to_string(i);
    cas.push_back(CaBelow(name, issuer));
    issuer = name;
  }
  const auto paths = Build(ProfileOf({Root("root")}, cas));
  EXPECT_EQ(Count(*paths, "ca 8"), 1U);
  EXPECT_EQ(Count(*paths, "ca 9"), 0U);
  EXPECT_EQ(paths->unused().size(), 1U);
}

TEST(IssuerPaths, TheWorkOfBuildingIsBounded) {
  // Four CAs that all certify each other have hundreds of paths.
  const std::vector<std::string> names = {"a", "b", "c", "d"};
  std::vector<std::string> cas;
  for (const std::string& issuer : names) {
    cas.push_back(CaBelow(issuer, "root"));
    for (const std::string& subject : names) {
      if (subject != issuer) cas.push_back(CaBelow(subject, issuer));
    }
  }
  const Profile profile = ProfileOf({Root("root")}, cas);
  EXPECT_EQ(Build(profile)->paths().size(), 1U + 4 + 12 + 24 + 24);
  IssuerPathLimits limits;
  limits.paths_max = 10;
  EXPECT_EQ(Build(profile, limits)->paths().size(), 10U);
  limits = {};
  limits.signatures_max = 3;
  EXPECT_EQ(Build(profile, limits)->paths().size(), 1U + 3);
}

TEST(IssuerPaths, ErrorsNameTheFileAndTheField) {
  const auto error = [](const Profile& profile) {
    return std::string(IssuerPaths::Build(profile, {}).status().message());
  };
  using testing::AllOf;
  using testing::HasSubstr;
  EXPECT_THAT(error(ProfileOf({"junk"}, {})),
              AllOf(HasSubstr("anchor.cer"), HasSubstr("certificate")));
  EXPECT_THAT(error(ProfileOf({Root("root")}, {Root("root") + "x"})),
              AllOf(HasSubstr("intermediate.cer"), HasSubstr("certificate")));
  EXPECT_THAT(error(Profile()), HasSubstr("no trust anchor"));
  lab::CertificateBuilder weak;
  weak.public_key(lab::PrivateKey::RsaFromSeed("weak", 1024)).ca();
  EXPECT_THAT(error(ProfileOf({weak.Sign(KeyOf("root"))}, {})),
              AllOf(HasSubstr("anchor.cer"), HasSubstr("modulus")));
}

TEST(IssuerPaths, ATrustedCertificateIsFoundByItsExactBytes) {
  Profile profile;
  std::string der = Root("root");
  profile.trusted_certificates.push_back({"trusted.cer", der});
  const auto paths = Build(profile);
  EXPECT_NE(paths->FindTrusted(AsBytes(der)), nullptr);
  der.back() = static_cast<char>(der.back() ^ 1);
  EXPECT_EQ(paths->FindTrusted(AsBytes(der)), nullptr);
  EXPECT_EQ(paths->FindTrusted(Bytes()), nullptr);
}

}  // namespace
}  // namespace inkan
