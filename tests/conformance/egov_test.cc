// Two real signatures of Japan's e-Gov, made with a government demonstration
// CA's certificates: the signed bytes, the certificate and the signature.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cache/crl_store.h"
#include "crypto/oid.h"
#include "server/verifier.h"
#include "tests/support/conformance.h"

namespace inkan {
namespace {

constexpr int64_t k2016 = 1464739200;  // 2016-06-01T00:00:00Z
constexpr SignatureAlgorithm kSha256 = {SignatureScheme::kRsaPkcs1,
                                        HashAlgorithm::kSha256, 0};

struct Signed {
  std::string document;
  std::string signature;
  std::string certificate;
};

Signed Load(const std::string& dir, const std::string& name) {
  const std::string path = dir + "/egov/" + name;
  return {ReadFile(path + ".signedinfo.xml"), ReadFile(path + ".signature.bin"),
          ReadFile(path + ".cert.der")};
}

constexpr const char* kNames[] = {"append_certificate",
                                  "append_certificate_new"};

ProfileSnapshot ProfileOf(Profile profile) {
  ProfileSnapshot snapshot;
  auto paths = IssuerPaths::Build(profile, {});
  EXPECT_TRUE(paths.ok()) << paths.status();
  snapshot.profile = std::make_shared<const Profile>(std::move(profile));
  snapshot.issuer_paths = *paths;
  snapshot.crls = CrlStore::Link(snapshot.profile, snapshot.issuer_paths, {});
  return snapshot;
}

// As its own trusted certificate, or with a JPKI root as the only anchor.
ProfileSnapshot Trusting(const Signed& filing) {
  Profile profile;
  profile.name = "egov";
  profile.revocation = RevocationMode::kOff;
  profile.required_key_usage = key_usage::kNonRepudiation;
  profile.trusted_certificates.push_back({"signer.cer", filing.certificate});
  return ProfileOf(profile);
}

ProfileSnapshot NotTrusting(const std::string& dir) {
  Profile profile;
  profile.name = "egov";
  profile.anchors.push_back(
      {"signca01.cer", ReadFile(dir + "/jpki/signca01.cer")});
  return ProfileOf(profile);
}

FilingView ViewOf(const Signed& filing, const ProfileSnapshot& profile) {
  FilingView view;
  view.profile = &profile;
  view.algorithm = kSha256;
  view.signature = AsBytes(filing.signature);
  view.content = FilingView::Content::kDocument;
  view.document_or_digest = AsBytes(filing.document);
  view.certificate = AsBytes(filing.certificate);
  view.time = k2016;
  return view;
}

FilingVerdict Judge(const FilingView& view) {
  FilingVerdict verdict;
  Verifier().Verify({&view, 1}, {&verdict, 1});
  return verdict;
}

TEST(Egov, TheSignatureVerifiesAndTheChainIsNotFound) {
  INKAN_CONFORMANCE(dir);
  const ProfileSnapshot profile = NotTrusting(dir);
  for (const char* name : kNames) {
    SCOPED_TRACE(name);
    const Signed filing = Load(dir, name);
    FilingView view = ViewOf(filing, profile);
    view.want_checks = true;
    const FilingVerdict verdict = Judge(view);
    EXPECT_EQ(verdict.outcome, Outcome::kNoCertificateChainFound)
        << verdict.diagnostic;
    int seen = 0;
    for (const CheckRecord& check : verdict.checks) {
      if (check.check != CheckId::kFilingSignature) continue;
      ++seen;
      EXPECT_EQ(check.result, CheckResult::kPassed);
    }
    EXPECT_EQ(seen, 1);
  }
}

TEST(Egov, TheCertificateItselfTrustedAllPassesIn2016) {
  INKAN_CONFORMANCE(dir);
  for (const char* name : kNames) {
    SCOPED_TRACE(name);
    const Signed filing = Load(dir, name);
    const ProfileSnapshot profile = Trusting(filing);
    FilingView view = ViewOf(filing, profile);
    EXPECT_EQ(Judge(view).outcome, Outcome::kPassed) << Judge(view).diagnostic;
    ASSERT_EQ(Judge(view).valid_policies.size(), 1U);
    EXPECT_EQ(OidToText(Judge(view).valid_policies[0]),
              "0.2.440.100145.8.1.1.0.2.200101.100");
    view.time = 1574866800;  // 2019-11-27T15:00:00Z
    EXPECT_EQ(Judge(view).outcome, Outcome::kExpired);
    view.time = 1417154461;  // 2014-11-28T06:01:01Z
    EXPECT_EQ(Judge(view).outcome, Outcome::kNotYetValid);
  }
}

// How many filings pass with one bit of `part` changed.
int PassesWithABitChanged(const Signed& filing, std::string Signed::*part) {
  const ProfileSnapshot profile = Trusting(filing);
  const size_t bits = (filing.*part).size() * 8;
  std::vector<Signed> changed(bits, filing);
  std::vector<FilingView> views;
  for (size_t bit = 0; bit < bits; ++bit) {
    char& octet = (changed[bit].*part)[bit / 8];
    octet = static_cast<char>(octet ^ (1 << bit % 8));
    views.push_back(ViewOf(changed[bit], profile));
  }
  std::vector<FilingVerdict> verdicts(bits);
  Verifier().Verify(views, absl::MakeSpan(verdicts));
  int passed = 0;
  for (const FilingVerdict& verdict : verdicts) {
    passed += verdict.outcome == Outcome::kPassed ? 1 : 0;
  }
  return passed;
}

TEST(Egov, OneChangedBitAnywhereNeverPasses) {
  INKAN_CONFORMANCE(dir);
  for (const char* name : kNames) {
    SCOPED_TRACE(name);
    const Signed filing = Load(dir, name);
    for (const auto part :
         {&Signed::document, &Signed::signature, &Signed::certificate}) {
      EXPECT_EQ(PassesWithABitChanged(filing, part), 0);
    }
  }
}

}  // namespace
}  // namespace inkan
