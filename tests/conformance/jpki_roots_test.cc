// The six real roots of JPKI: three generations of the signature CA and of the
// authentication CA, each set under one name.
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "bench/lab/certificate_builder.h"
#include "cache/issuer_paths.h"
#include "crypto/name.h"
#include "crypto/signature.h"
#include "server/verifier.h"
#include "server/verifier_path.h"
#include "tests/support/conformance.h"

namespace inkan {
namespace {

constexpr const char* kRoots[] = {"signca01", "signca02", "signca03",
                                  "authca01", "authca02", "authca03"};

Profile RealProfile(const std::string& dir) {
  Profile profile;
  profile.name = "jpki";
  profile.revocation = RevocationMode::kOff;
  for (const char* name : kRoots) {
    profile.anchors.push_back({name, ReadFile(dir + "/jpki/" + name + ".cer")});
  }
  return profile;
}

std::shared_ptr<const IssuerPaths> Paths(const Profile& profile) {
  auto paths = IssuerPaths::Build(profile, {});
  EXPECT_TRUE(paths.ok()) << paths.status();
  return paths.ok() ? *paths : nullptr;
}

TEST(JpkiRoots, AllSixLoadAsAnchorsUnderTwoNames) {
  INKAN_CONFORMANCE(dir);
  const auto paths = Paths(RealProfile(dir));
  ASSERT_NE(paths, nullptr);
  ASSERT_EQ(paths->paths().size(), 6U);
  std::set<std::string> names;
  for (const IssuerPath& path : paths->paths()) {
    EXPECT_TRUE(path.state.broken().ok());
    EXPECT_NE(path.state.prepared_key(), nullptr);
    EXPECT_EQ(path.state.key().rsa_modulus_bits, 2048U);
    EXPECT_EQ(path.state.key().rsa_exponent, 65537U);
    EXPECT_EQ(paths->Find(path.state.last().subject).size(), 3U);
    names.insert(path.issuer_text);
  }
  EXPECT_EQ(names,
            (std::set<std::string>{
                "OU=Japan Agency for Local Authority Information Systems,"
                "OU=JPKI for digital signature,O=JPKI,C=JP",
                "OU=Japan Agency for Local Authority Information Systems,"
                "OU=JPKI for user authentication,O=JPKI,C=JP"}));
}

TEST(JpkiRoots, EachSignatureVerifiesWithItsOwnKeyAndNoOther) {
  INKAN_CONFORMANCE(dir);
  const auto paths = Paths(RealProfile(dir));
  for (const IssuerPath& issuer : paths->paths()) {
    for (const IssuerPath& subject : paths->paths()) {
      EXPECT_EQ(Issued(issuer, subject.state.last()), &issuer == &subject);
    }
  }
}

TEST(JpkiRoots, TheGenerationALeafNamesIsTriedFirst) {
  INKAN_CONFORMANCE(dir);
  const auto paths = Paths(RealProfile(dir));
  const auto key = lab::PrivateKey::RsaFromSeed("leaf");
  for (const IssuerPath& wanted : paths->paths()) {
    SCOPED_TRACE(wanted.id);
    const std::string key_id(AsText(wanted.state.last().subject_key_id));
    const std::string der =
        lab::CertificateBuilder()
            .issuer(lab::Name::FromDer(
                std::string(AsText(wanted.state.last().subject))))
            .public_key(key)
            .add(lab::extension::AuthorityKeyIdentifier(key_id))
            .Sign(key);
    Certificate leaf;
    ASSERT_TRUE(ParseCertificate(AsBytes(der), &leaf).ok());
    const PathCandidates candidates = FindIssuers(*paths, leaf);
    ASSERT_EQ(candidates.size(), 3U);
    EXPECT_EQ(candidates[0], &wanted);
    EXPECT_TRUE(KeyIdentifierFits(*candidates[0], leaf));
    EXPECT_FALSE(KeyIdentifierFits(*candidates[1], leaf));
    EXPECT_FALSE(Issued(wanted, leaf));
  }
}

// The same names and validity as the real roots, with keys of our own, so that
// leaves can be signed.
TEST(JpkiRoots, LeavesOfCasWithTheSameNamesFindTheirGeneration) {
  INKAN_CONFORMANCE(dir);
  Profile profile = RealProfile(dir);
  std::vector<lab::PrivateKey> keys;
  std::vector<lab::Name> names;
  for (size_t i = 0; i < 6; ++i) {
    Certificate root;
    ASSERT_TRUE(ParseCertificate(AsBytes(profile.anchors[i].der), &root).ok());
    keys.push_back(lab::PrivateKey::RsaFromSeed(kRoots[i]));
    names.push_back(lab::Name::FromDer(std::string(AsText(root.subject))));
    profile.anchors.push_back(
        {kRoots[i],
         lab::SelfSignedCa(names[i], keys[i], root.validity.not_before,
                           root.validity.not_after)});
  }
  ProfileSnapshot snapshot;
  snapshot.issuer_paths = Paths(profile);
  snapshot.profile = std::make_shared<const Profile>(profile);
  snapshot.crls = CrlStore::Link(snapshot.profile, snapshot.issuer_paths, {});
  for (const bool with_key_id : {true, false}) {
    for (size_t i = 0; i < 6; ++i) {
      SCOPED_TRACE(kRoots[i]);
      lab::CertificateBuilder builder;
      builder.issuer(names[i]).public_key(keys[0]);
      if (with_key_id) builder.issued_by(keys[i]);
      const std::string der = builder.Sign(keys[i]);
      FilingView view;
      view.profile = &snapshot;
      view.certificate_only = true;
      view.certificate = AsBytes(der);
      view.want_checks = true;
      // All three generations are valid on this day.
      view.time = lab::UtcSeconds(2024, 1, 1);
      FilingVerdict verdict;
      Verifier().Verify({&view, 1}, {&verdict, 1});
      EXPECT_EQ(verdict.outcome, Outcome::kPassed) << verdict.diagnostic;
      // Before the CA was there, it is that generation that is not valid yet.
      view.time = lab::UtcSeconds(2022, 1, 1);
      Verifier().Verify({&view, 1}, {&verdict, 1});
      EXPECT_EQ(verdict.outcome,
                i % 3 == 2 ? Outcome::kNotYetValid : Outcome::kPassed);
    }
  }
}

}  // namespace
}  // namespace inkan
