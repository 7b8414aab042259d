// The whole judgement: every defect and every two of them, batches, chains the
// caller sends, and every bit of a filing.
#include "server/verifier.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "crypto/name.h"
#include "crypto/oid.h"
#include "crypto/policy_qualifier.h"
#include "gmock/gmock.h"
#include "server/verifier_path.h"
#include "tests/support/lab_world.h"

namespace inkan {
namespace {

using lab::SigningAlgorithm;
using lab::UtcSeconds;
using testing::AllOf;
using testing::HasSubstr;
using testing::SizeIs;
using testing_world::CaDer;
using testing_world::CaName;
using testing_world::CrlFor;
using testing_world::KeyOf;
using testing_world::LeafBuilder;
using testing_world::Read;
using testing_world::Revoked;
namespace extension = lab::extension;

const int64_t kNow = UtcSeconds(2026, 3, 16);
constexpr char kPolicy[] = "1.2.392.200149.8.5.1.1.20";
constexpr SignatureAlgorithm kSha256 = {SignatureScheme::kRsaPkcs1,
                                        HashAlgorithm::kSha256, 0};

// What a test's filings are judged by.
ProfileSnapshot MakeProfile(
    Profile profile, const std::vector<std::shared_ptr<const CrlData>>& crls,
    const IssuerPathLimits& limits = {}) {
  ProfileSnapshot snapshot;
  auto paths = IssuerPaths::Build(profile, limits);
  EXPECT_TRUE(paths.ok()) << paths.status();
  snapshot.profile = std::make_shared<const Profile>(std::move(profile));
  snapshot.issuer_paths = *paths;
  snapshot.crls = CrlStore::Link(snapshot.profile, snapshot.issuer_paths, crls);
  return snapshot;
}

Profile FilingProfile() {
  Profile profile;
  profile.name = "filing";
  profile.anchors.push_back({"ca.cer", CaDer("ca")});
  profile.initial_policies.push_back(*OidFromText(kPolicy));
  profile.require_explicit_policy = true;
  profile.required_key_usage = key_usage::kNonRepudiation;
  profile.filing_algorithms.push_back(kSha256);
  return profile;
}

Profile OffProfile() {
  Profile profile = FilingProfile();
  profile.revocation = RevocationMode::kOff;
  return profile;
}

// Serial 13 is revoked, 14 on hold, 15 revoked later; point Osaka is stale.
const ProfileSnapshot& FilingSnapshot() {
  static const auto* const kSnapshot = [] {
    const int64_t before = kNow - 1000;
    const auto kyoto =
        CrlFor("Kyoto")
            .revoke(Revoked(13, before))
            .revoke(Revoked(14, before, lab::Reason::kCertificateHold))
            .revoke(Revoked(15, kNow + 1))
            .Sign(KeyOf("ca"));
    const auto osaka = CrlFor("Osaka")
                           .this_update(kNow - 1000)
                           .next_update(kNow - 1)
                           .Sign(KeyOf("ca"));
    return new ProfileSnapshot(
        MakeProfile(FilingProfile(), {Read(kyoto), Read(osaka)}));
  }();
  return *kSnapshot;
}

// A filing before it is signed and sent. Defects change it.
struct Draft {
  lab::CertificateBuilder leaf = [] {
    lab::CertificateBuilder builder = LeafBuilder(7, "ca", "Kyoto");
    builder.add(extension::CertificatePolicies({kPolicy}));
    return builder;
  }();
  std::string ca_key = "ca";
  SigningAlgorithm certificate_algorithm = SigningAlgorithm::kRsaPkcs1Sha256;
  std::string signer_key = "leaf";
  std::string document = "<return><tax>0</tax></return>";
  SignatureAlgorithm algorithm = kSha256;
  FilingView::Content content = FilingView::Content::kDocument;
  int64_t time = kNow;
  bool known_profile = true;
  // On what is sent.
  std::function<void(std::string* certificate)> alter_certificate;
  std::function<void(std::string* signature)> alter_signature;
  std::function<void(std::string* content)> alter_content;
};

// A filing as it is sent; owns its bytes.
struct Filing {
  explicit Filing(const Draft& draft = {},
                  const ProfileSnapshot* profile = &FilingSnapshot()) {
    certificate =
        draft.leaf.Sign(KeyOf(draft.ca_key), draft.certificate_algorithm);
    signature = KeyOf(draft.signer_key)
                    .Sign(SigningAlgorithm::kRsaPkcs1Sha256, draft.document);
    content = draft.content == FilingView::Content::kDigest
                  ? lab::Sha256Of(draft.document)
                  : draft.document;
    if (draft.alter_certificate) draft.alter_certificate(&certificate);
    if (draft.alter_signature) draft.alter_signature(&signature);
    if (draft.alter_content) draft.alter_content(&content);
    view.profile = draft.known_profile ? profile : nullptr;
    view.profile_name = "filing";
    view.algorithm = draft.algorithm;
    view.content = draft.content;
    view.time = draft.time;
  }

  FilingView View() {
    for (const std::string& der : intermediates) {
      bundle.push_back(AsBytes(der));
    }
    view.certificate = AsBytes(certificate);
    view.signature = AsBytes(signature);
    view.document_or_digest = AsBytes(content);
    view.intermediates = bundle;
    return view;
  }

  std::string certificate;
  std::string signature;
  std::string content;
  std::vector<std::string> intermediates;
  std::vector<Bytes> bundle;
  FilingView view;
};

// What is left of a verdict when the filing is gone.
struct Said {
  Outcome outcome;
  int certificate_index;
  std::string diagnostic;
  std::vector<CheckRecord> checks;
  RevocationStatus revocation = RevocationStatus::kUnknown;
};

Said Judge(Filing filing) {
  FilingVerdict verdict;
  Verifier verifier;
  const FilingView view = filing.View();
  verifier.Verify({&view, 1}, {&verdict, 1});
  return {verdict.outcome, verdict.certificate_index, verdict.diagnostic,
          verdict.checks, verdict.revocation.status};
}

Said Judge(const Draft& draft) { return Judge(Filing(draft)); }

// --- Defects -----------------------------------------------------------------

struct Defect {
  const char* what;
  // Two defects of one slot cannot hold at once.
  char slot;
  Outcome outcome;
  std::function<void(Draft*)> apply;
};

void FlipLastBit(std::string* bytes) {
  bytes->back() = static_cast<char>(bytes->back() ^ 1);
}

const std::vector<Defect>& Defects() {
  static const auto* const kDefects = new std::vector<Defect>{
      {"unknown profile", 'p', Outcome::kGeneric,
       [](Draft* d) { d->known_profile = false; }},
      {"certificate truncated", 'c', Outcome::kFormatFailure,
       [](Draft* d) {
         d->alter_certificate = [](std::string* der) { der->pop_back(); };
       }},
      {"octets after the certificate", 'c', Outcome::kFormatFailure,
       [](Draft* d) {
         d->alter_certificate = [](std::string* der) { der->push_back('\0'); };
       }},
      {"no certificate", 'c', Outcome::kFormatFailure,
       [](Draft* d) {
         d->alter_certificate = [](std::string* der) { der->clear(); };
       }},
      {"no algorithm", 'a', Outcome::kFormatFailure,
       [](Draft* d) { d->algorithm = {}; }},
      {"no signature", 's', Outcome::kFormatFailure,
       [](Draft* d) {
         d->alter_signature = [](std::string* s) { s->clear(); };
       }},
      {"digest too short", 'd', Outcome::kFormatFailure,
       [](Draft* d) {
         d->content = FilingView::Content::kDigest;
         d->alter_content = [](std::string* digest) { digest->resize(20); };
       }},
      {"no document", 'd', Outcome::kSignedDataNotFound,
       [](Draft* d) { d->content = FilingView::Content::kNone; }},
      {"weak key", 'k', Outcome::kCryptoConstraintsFailure,
       [](Draft* d) {
         d->leaf.public_key(lab::PrivateKey::RsaFromSeed("weak", 1024));
       }},
      {"SHA-1 on the filing", 'a', Outcome::kCryptoConstraintsFailure,
       [](Draft* d) { d->algorithm.hash = HashAlgorithm::kSha1; }},
      {"an algorithm the profile does not list", 'a',
       Outcome::kCryptoConstraintsFailure,
       [](Draft* d) {
         d->algorithm = {SignatureScheme::kRsaPss, HashAlgorithm::kSha256, 32};
       }},
      {"SHA-1 on the certificate", 'g', Outcome::kCryptoConstraintsFailure,
       [](Draft* d) {
         d->certificate_algorithm = SigningAlgorithm::kRsaPkcs1Sha1;
       }},
      {"unknown issuer", 'i', Outcome::kNoCertificateChainFound,
       [](Draft* d) {
         d->ca_key = "stranger";
         d->leaf.issuer({{"CN", "Stranger"}});
       }},
      {"right name, another CA key", 'i', Outcome::kNoCertificateChainFound,
       [](Draft* d) {
         d->ca_key = "stranger";
         d->leaf.issued_by(KeyOf("stranger"));
       }},
      {"certificate altered", 'g', Outcome::kCertificateChainGeneralFailure,
       [](Draft* d) { d->alter_certificate = FlipLastBit; }},
      {"log-in certificate", 'u', Outcome::kChainConstraintsFailure,
       [](Draft* d) {
         d->leaf.set(extension::KeyUsage(lab::kDigitalSignature));
       }},
      {"no key usage stated", 'u', Outcome::kChainConstraintsFailure,
       [](Draft* d) { d->leaf.remove("2.5.29.15"); }},
      {"another policy", 'o', Outcome::kChainConstraintsFailure,
       [](Draft* d) {
         d->leaf.set(extension::CertificatePolicies({"1.2.3"}));
       }},
      {"no policy", 'o', Outcome::kChainConstraintsFailure,
       [](Draft* d) { d->leaf.remove("2.5.29.32"); }},
      {"unknown critical extension", 'e', Outcome::kChainConstraintsFailure,
       [](Draft* d) {
         d->leaf.add({"1.2.3", true, std::string("\5\0", 2)});
       }},
      {"not yet valid", 't', Outcome::kNotYetValid,
       [](Draft* d) { d->leaf.validity(kNow + 1, kNow + 100); }},
      {"expired", 't', Outcome::kExpired,
       [](Draft* d) { d->leaf.validity(kNow - 100, kNow - 1); }},
      {"revoked", 'r', Outcome::kRevoked, [](Draft* d) { d->leaf.serial(13); }},
      {"on hold", 'r', Outcome::kRevoked, [](Draft* d) { d->leaf.serial(14); }},
      {"stale CRL", 'r', Outcome::kTryLater,
       [](Draft* d) {
         lab::DistributionPoint point;
         point.full_name = {lab::DirectoryName({{"CN", "Osaka"}})};
         d->leaf.set(extension::CrlDistributionPoints({point}));
       }},
      {"no partition", 'r', Outcome::kTryLater,
       [](Draft* d) {
         lab::DistributionPoint point;
         point.full_name = {lab::DirectoryName({{"CN", "Nara"}})};
         d->leaf.set(extension::CrlDistributionPoints({point}));
       }},
      {"no distribution point", 'r', Outcome::kTryLater,
       [](Draft* d) { d->leaf.remove("2.5.29.31"); }},
      {"signature altered", 's', Outcome::kSigCryptoFailure,
       [](Draft* d) { d->alter_signature = FlipLastBit; }},
      {"signature of another key", 's', Outcome::kSigCryptoFailure,
       [](Draft* d) { d->signer_key = "someone"; }},
      {"signature cut short", 's', Outcome::kSigCryptoFailure,
       [](Draft* d) {
         d->alter_signature = [](std::string* s) { s->pop_back(); };
       }},
      {"document altered", 'd', Outcome::kHashFailure,
       [](Draft* d) { d->alter_content = FlipLastBit; }},
      {"document empty", 'd', Outcome::kHashFailure,
       [](Draft* d) {
         d->alter_content = [](std::string* text) { text->clear(); };
       }},
      {"digest of another document", 'd', Outcome::kHashFailure,
       [](Draft* d) {
         d->content = FilingView::Content::kDigest;
         d->alter_content = FlipLastBit;
       }},
  };
  return *kDefects;
}

TEST(Verifier, AGoodFilingPasses) {
  EXPECT_EQ(Judge(Draft()).outcome, Outcome::kPassed);
  EXPECT_EQ(Judge(Draft()).diagnostic, "");
  EXPECT_EQ(Judge(Draft()).certificate_index, -1);
  Draft digest;
  digest.content = FilingView::Content::kDigest;
  EXPECT_EQ(Judge(digest).outcome, Outcome::kPassed);
  Draft later;
  later.leaf.serial(15);
  EXPECT_EQ(Judge(later).outcome, Outcome::kPassed);
  EXPECT_EQ(Judge(later).revocation, RevocationStatus::kRevokedLater);
}

TEST(Verifier, EveryDefectGivesItsOutcomeWithAndWithoutChecks) {
  for (const Defect& defect : Defects()) {
    SCOPED_TRACE(defect.what);
    Draft draft;
    defect.apply(&draft);
    for (const bool want_checks : {false, true}) {
      Filing filing(draft);
      filing.view.want_checks = want_checks;
      const Said said = Judge(std::move(filing));
      EXPECT_EQ(OutcomeName(said.outcome), OutcomeName(defect.outcome))
          << said.diagnostic;
      EXPECT_NE(said.diagnostic, "");
      EXPECT_EQ(said.checks.empty(), !want_checks);
    }
  }
}

TEST(Verifier, OfTwoDefectsTheHigherRankIsReported) {
  for (const Defect& one : Defects()) {
    for (const Defect& other : Defects()) {
      if (one.slot >= other.slot) continue;
      // Both set what is done to the certificate's octets.
      if (one.slot == 'c' && other.slot == 'g' &&
          other.outcome == Outcome::kCertificateChainGeneralFailure) {
        continue;
      }
      // Twenty octets are what SHA-1 has.
      if (one.what == std::string("SHA-1 on the filing") &&
          other.what == std::string("digest too short")) {
        continue;
      }
      SCOPED_TRACE(std::string(one.what) + " and " + other.what);
      Draft draft;
      one.apply(&draft);
      other.apply(&draft);
      for (const bool want_checks : {false, true}) {
        Filing filing(draft);
        filing.view.want_checks = want_checks;
        const Said said = Judge(std::move(filing));
        EXPECT_EQ(OutcomeName(said.outcome),
                  OutcomeName(Worse(one.outcome, other.outcome)))
            << said.diagnostic;
      }
    }
  }
}

// --- Batches -----------------------------------------------------------------

TEST(Verifier, VerdictsKeepTheOrderOfTheirFilingsInAnyMix) {
  std::vector<Filing> filings;
  std::vector<Outcome> expected;
  std::mt19937 random(7);
  for (int i = 0; i < 400; ++i) {
    Draft draft;
    const size_t pick = random() % (Defects().size() * 2);
    const Defect* defect = pick < Defects().size() ? &Defects()[pick] : nullptr;
    if (defect != nullptr) defect->apply(&draft);
    filings.emplace_back(draft);
    expected.push_back(defect == nullptr ? Outcome::kPassed : defect->outcome);
  }
  std::vector<FilingView> views;
  for (Filing& filing : filings) views.push_back(filing.View());
  VerifiedCertificates verified(1024);
  Verifier verifier(&verified);
  // Batches of every kind of size, one verifier for all of them. From the third
  // on, what is remembered of the ones before must change nothing.
  for (const size_t size : {400U, 1U, 7U, 64U, 65U, 128U, 399U}) {
    std::vector<FilingVerdict> verdicts(views.size());
    for (size_t start = 0; start < views.size(); start += size) {
      const size_t count = std::min(size, views.size() - start);
      verifier.Verify(absl::MakeSpan(views).subspan(start, count),
                      absl::MakeSpan(verdicts).subspan(start, count));
    }
    for (size_t i = 0; i < views.size(); ++i) {
      ASSERT_EQ(verdicts[i].outcome, expected[i]) << size << " " << i;
    }
  }
  verifier.Verify({}, {});
  EXPECT_GT(verified.counters().hits, 100U);
}

// --- What is remembered of certificates --------------------------------------

Outcome OutcomeBy(Verifier* verifier, Filing filing) {
  FilingVerdict verdict;
  const FilingView view = filing.View();
  verifier->Verify({&view, 1}, {&verdict, 1});
  return verdict.outcome;
}

// Has the verifier remember the filing's certificate, if it does.
void Learn(Verifier* verifier, const Filing& filing) {
  for (int i = 0; i < 3; ++i) OutcomeBy(verifier, filing);
}

TEST(Verifier, AVerifiedCertificateIsRememberedAndItsFilingJudgedAnew) {
  VerifiedCertificates verified(64);
  Verifier verifier(&verified);
  const Filing good{Draft()};
  Learn(&verifier, good);
  EXPECT_EQ(verified.counters().hits, 1U);
  EXPECT_EQ(verified.counters().misses, 2U);
  EXPECT_EQ(OutcomeBy(&verifier, good), Outcome::kPassed);
  EXPECT_EQ(verified.counters().hits, 2U);
  // All but the issuer's signature is looked at, with the same certificate.
  Draft expired;
  expired.time = UtcSeconds(2099, 1, 1);
  EXPECT_EQ(OutcomeBy(&verifier, Filing(expired)), Outcome::kExpired);
  Draft altered;
  altered.alter_content = &FlipLastBit;
  EXPECT_EQ(OutcomeBy(&verifier, Filing(altered)), Outcome::kHashFailure);
  const auto lists_7 =
      CrlFor("Kyoto").revoke(Revoked(7, kNow - 10)).Sign(KeyOf("ca"));
  const ProfileSnapshot revoking =
      MakeProfile(FilingProfile(), {Read(lists_7)});
  EXPECT_EQ(OutcomeBy(&verifier, Filing(Draft(), &revoking)),
            Outcome::kRevoked);
  const ProfileSnapshot blind = MakeProfile(FilingProfile(), {});
  EXPECT_EQ(OutcomeBy(&verifier, Filing(Draft(), &blind)), Outcome::kTryLater);
  // The list of checks has it as any other.
  Filing asking = good;
  asking.view.want_checks = true;
  FilingVerdict verdict;
  const FilingView view = asking.View();
  verifier.Verify({&view, 1}, {&verdict, 1});
  const bool listed = std::any_of(
      verdict.checks.begin(), verdict.checks.end(), [](const CheckRecord& c) {
        return c.check == CheckId::kCertificateSignature &&
               c.result == CheckResult::kPassed;
      });
  EXPECT_TRUE(listed);
}

TEST(Verifier, AForgedCertificateIsNeverRemembered) {
  VerifiedCertificates verified(64);
  Verifier verifier(&verified);
  Learn(&verifier, Filing(Draft()));
  // The signed part of the good one under another signature, and one that a
  // stranger signed in the CA's name.
  Draft resigned;
  resigned.alter_certificate = &FlipLastBit;
  Draft strange;
  strange.ca_key = "stranger";
  for (const Draft& draft : {resigned, strange}) {
    for (int i = 0; i < 4; ++i) {
      EXPECT_EQ(OutcomeBy(&verifier, Filing(draft)),
                Outcome::kCertificateChainGeneralFailure);
    }
  }
  EXPECT_EQ(verified.counters().added, 1U);
}

TEST(Verifier, WhatOneKeySignedIsNotRememberedOfAnother) {
  VerifiedCertificates verified(64);
  Verifier verifier(&verified);
  const ProfileSnapshot first = MakeProfile(OffProfile(), {});
  Profile other = OffProfile();
  other.anchors = {{"g2.cer", CaDer("ca g2")}};
  const ProfileSnapshot second = MakeProfile(other, {});
  Draft draft;
  draft.leaf.remove("2.5.29.35");  // so that only the signature tells
  Learn(&verifier, Filing(draft, &first));
  EXPECT_EQ(OutcomeBy(&verifier, Filing(draft, &first)), Outcome::kPassed);
  EXPECT_EQ(OutcomeBy(&verifier, Filing(draft, &second)),
            Outcome::kCertificateChainGeneralFailure);
  EXPECT_EQ(OutcomeBy(&verifier, Filing(draft, &first)), Outcome::kPassed);
}

TEST(Verifier, OfSizeZeroTheMemoryIsOff) {
  VerifiedCertificates none(0);
  Verifier verifier(&none);
  Learn(&verifier, Filing(Draft()));
  EXPECT_EQ(OutcomeBy(&verifier, Filing(Draft())), Outcome::kPassed);
  EXPECT_EQ(none.counters().hits + none.counters().misses, 0U);
}

// --- Every bit ---------------------------------------------------------------

// Judges `filing` with each bit of `part` changed; how many passed. The
// unchanged certificate is remembered as verified.
int PassesWithABitChanged(const Filing& filing, std::string Filing::*part) {
  constexpr size_t kBatch = 512;
  const size_t bits = (filing.*part).size() * 8;
  VerifiedCertificates verified(64);
  Verifier verifier(&verified);
  Learn(&verifier, filing);
  int passed = 0;
  for (size_t start = 0; start < bits; start += kBatch) {
    const size_t count = std::min(kBatch, bits - start);
    std::vector<Filing> changed(count, filing);
    std::vector<FilingView> views;
    std::vector<FilingVerdict> verdicts(count);
    for (size_t i = 0; i < count; ++i) {
      std::string& bytes = changed[i].*part;
      const size_t bit = start + i;
      bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
      views.push_back(changed[i].View());
    }
    verifier.Verify(views, absl::MakeSpan(verdicts));
    for (const FilingVerdict& verdict : verdicts) {
      passed += verdict.outcome == Outcome::kPassed ? 1 : 0;
    }
  }
  return passed;
}

TEST(Verifier, OneChangedBitAnywhereNeverPasses) {
  const Filing good{Draft()};
  ASSERT_EQ(Judge(good).outcome, Outcome::kPassed);
  for (const auto part :
       {&Filing::certificate, &Filing::signature, &Filing::content}) {
    EXPECT_EQ(PassesWithABitChanged(good, part), 0);
  }
}

// --- Generations -------------------------------------------------------------

TEST(Verifier, TheGenerationIsChosenByKeyIdentifierElseByTrying) {
  Profile profile = OffProfile();
  profile.anchors.push_back({"g2.cer", CaDer("ca g2")});
  profile.anchors.push_back({"g3.cer", CaDer("ca g3")});
  const ProfileSnapshot snapshot = MakeProfile(profile, {});
  for (const char* key : {"ca", "ca g2", "ca g3"}) {
    SCOPED_TRACE(key);
    Draft draft;
    draft.ca_key = key;
    draft.leaf.issued_by(KeyOf(key));
    EXPECT_EQ(Judge(Filing(draft, &snapshot)).outcome, Outcome::kPassed);
    draft.leaf.remove("2.5.29.35");
    EXPECT_EQ(Judge(Filing(draft, &snapshot)).outcome, Outcome::kPassed);
    // The identifier is a hint: one that misleads is got over.
    draft.leaf.issued_by(KeyOf("ca g2"));
    EXPECT_EQ(Judge(Filing(draft, &snapshot)).outcome, Outcome::kPassed);
    draft.ca_key = "stranger";
    EXPECT_EQ(Judge(Filing(draft, &snapshot)).outcome,
              Outcome::kCertificateChainGeneralFailure);
  }
}

TEST(Verifier, ARevokedSerialOfOneGenerationIsNotTheOthers) {
  Profile profile = FilingProfile();
  profile.anchors.push_back({"g2.cer", CaDer("ca g2")});
  const auto lists_7 =
      CrlFor("Kyoto").revoke(Revoked(7, kNow - 10)).Sign(KeyOf("ca"));
  const auto empty = CrlFor("Kyoto").Sign(KeyOf("ca g2"));
  const ProfileSnapshot both =
      MakeProfile(profile, {Read(lists_7), Read(empty)});
  const ProfileSnapshot first = MakeProfile(profile, {Read(empty)});
  Draft g2;
  g2.ca_key = "ca g2";
  g2.leaf.issued_by(KeyOf("ca g2"));
  EXPECT_EQ(Judge(Filing(Draft(), &both)).outcome, Outcome::kRevoked);
  EXPECT_EQ(Judge(Filing(g2, &both)).outcome, Outcome::kPassed);
  EXPECT_EQ(Judge(Filing(Draft(), &first)).outcome, Outcome::kTryLater);
}

// --- Chains ------------------------------------------------------------------

std::string SubCa(const std::string& name, const std::string& issuer,
                  uint64_t serial = 90) {
  lab::CertificateBuilder builder;
  builder.serial(serial)
      .subject({{"CN", name}})
      .issuer({{"CN", issuer}})
      .public_key(KeyOf(name))
      .ca()
      .issued_by(KeyOf(issuer))
      .add(extension::CertificatePolicies({kPolicy}));
  return builder.Sign(KeyOf(issuer));
}

Draft BelowSubCa(const std::string& name) {
  Draft draft;
  draft.ca_key = name;
  draft.leaf.issuer({{"CN", name}}).issued_by(KeyOf(name));
  return draft;
}

Profile RootProfile() {
  Profile profile = OffProfile();
  profile.anchors = {{"root.cer", CaDer("root", {{"CN", "root"}})}};
  return profile;
}

TEST(Verifier, ChainsTheCallerSendsAreFollowedAndForgotten) {
  const ProfileSnapshot snapshot = MakeProfile(RootProfile(), {});
  const std::string a = SubCa("a", "root");
  const std::string b = SubCa("b", "a");
  const struct {
    const char* what;
    std::vector<std::string> sent;
    Outcome outcome;
  } kCases[] = {
      {"none", {}, Outcome::kNoCertificateChainFound},
      {"one missing", {b}, Outcome::kNoCertificateChainFound},
      {"in order", {b, a}, Outcome::kPassed},
      {"the other way", {a, b}, Outcome::kPassed},
      {"with surplus",
       {"junk", SubCa("x", "root"), b, SubCa("b", "b"), b, SubCa("a", "b"), a},
       Outcome::kPassed},
      {"none again", {}, Outcome::kNoCertificateChainFound},
      {"forged",
       {b, lab::CertificateBuilder()
               .subject({{"CN", "a"}})
               .issuer({{"CN", "root"}})
               .public_key(KeyOf("a"))
               .ca()
               .Sign(KeyOf("stranger"))},
       Outcome::kNoCertificateChainFound},
      {"an end entity as CA",
       {b, lab::CertificateBuilder()
               .subject({{"CN", "a"}})
               .issuer({{"CN", "root"}})
               .public_key(KeyOf("a"))
               .Sign(KeyOf("root"))},
       Outcome::kNoCertificateChainFound},
      {"self-signed, of an anchor's name",
       {b, a, lab::SelfSignedCa({{"CN", "root"}}, KeyOf("stranger"))},
       Outcome::kPassed},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.what);
    Filing filing(BelowSubCa("b"), &snapshot);
    filing.intermediates = c.sent;
    const Said said = Judge(std::move(filing));
    EXPECT_EQ(OutcomeName(said.outcome), OutcomeName(c.outcome))
        << said.diagnostic;
  }
}

TEST(Verifier, AChainTheCallerSendsStillNeedsItsCrls) {
  Profile profile = RootProfile();
  profile.revocation = RevocationMode::kRequired;
  const auto of_root = CrlFor("").issuer({{"CN", "root"}}).Sign(KeyOf("root"));
  const auto of_a = CrlFor("").issuer({{"CN", "a"}}).Sign(KeyOf("a"));
  const ProfileSnapshot snapshot =
      MakeProfile(profile, {Read(of_root), Read(of_a)});
  Filing filing(BelowSubCa("a"), &snapshot);
  filing.intermediates = {SubCa("a", "root")};
  // The CRL of a CA nobody configured is not believed.
  EXPECT_EQ(Judge(std::move(filing)).outcome, Outcome::kTryLater);
}

TEST(Verifier, CasOnThePathAreCheckedForRevocationToo) {
  Profile profile = RootProfile();
  profile.revocation = RevocationMode::kRequired;
  profile.intermediates.push_back({"a.cer", SubCa("a", "root", 90)});
  const auto root_crl = [](uint64_t revoked) {
    return Read(CrlFor("")
                    .issuer({{"CN", "root"}})
                    .revoke(Revoked(revoked, kNow - 10))
                    .Sign(KeyOf("root")));
  };
  const auto a_crl = Read(CrlFor("").issuer({{"CN", "a"}}).Sign(KeyOf("a")));
  const ProfileSnapshot good = MakeProfile(profile, {root_crl(91), a_crl});
  const ProfileSnapshot bad = MakeProfile(profile, {root_crl(90), a_crl});
  const ProfileSnapshot blind = MakeProfile(profile, {a_crl});
  EXPECT_EQ(Judge(Filing(BelowSubCa("a"), &good)).outcome, Outcome::kPassed);
  const Said revoked = Judge(Filing(BelowSubCa("a"), &bad));
  EXPECT_EQ(revoked.outcome, Outcome::kRevoked);
  EXPECT_EQ(revoked.certificate_index, 1);
  const Said unknown = Judge(Filing(BelowSubCa("a"), &blind));
  EXPECT_EQ(unknown.outcome, Outcome::kTryLater);
  EXPECT_EQ(unknown.certificate_index, 1);
}

// `count` certificates of CN=a that name each other as issuers; forged, but
// with as many keys and serials as certificates.
std::vector<std::string> Crowd(int count, const std::string& issuer) {
  std::vector<std::string> crowd;
  std::string der = lab::CertificateBuilder()
                        .serial_contents("12345678")
                        .subject({{"CN", "a"}})
                        .issuer({{"CN", issuer}})
                        .public_key(KeyOf("a"))
                        .ca()
                        .Sign(KeyOf("a"));
  const size_t serial = der.find("12345678");
  for (int i = 0; i < count; ++i) {
    const std::string number = std::to_string(10'000'000 + i);
    crowd.push_back(der.replace(serial, number.size(), number));
  }
  return crowd;
}

TEST(Verifier, TenThousandHostileIntermediatesEndInMilliseconds) {
  const ProfileSnapshot snapshot = MakeProfile(RootProfile(), {});
  for (const char* issuer : {"a", "root"}) {
    for (const bool with_a_true_one : {false, true}) {
      SCOPED_TRACE(issuer);
      Filing filing(BelowSubCa("a"), &snapshot);
      filing.view.algorithm = kSha256;
      filing.certificate = LeafBuilder(7, "stranger", "")
                               .issuer({{"CN", "a"}})
                               .Sign(KeyOf("stranger"));
      filing.intermediates = Crowd(10'000, issuer);
      if (with_a_true_one) {
        filing.intermediates.insert(filing.intermediates.begin() + 500,
                                    SubCa("a", "root"));
      }
      const absl::Time start = absl::Now();
      const Said said = Judge(std::move(filing));
      // Milliseconds by themselves; room for a sanitizer on a busy machine.
      EXPECT_LT(absl::Now() - start, absl::Seconds(2));
      EXPECT_EQ(said.outcome, Outcome::kNoCertificateChainFound);
      EXPECT_THAT(said.diagnostic, HasSubstr("budget"));
    }
  }
}

TEST(Verifier, TheSignatureBudgetOfOneFilingIsAsConfigured) {
  IssuerPathLimits limits;
  const auto outcome = [&](size_t signatures_max) {
    limits.filing_signatures_max = signatures_max;
    const ProfileSnapshot snapshot = MakeProfile(RootProfile(), {}, limits);
    Filing filing(BelowSubCa("b"), &snapshot);
    filing.intermediates = {SubCa("b", "a"), SubCa("a", "root")};
    return Judge(std::move(filing)).outcome;
  };
  EXPECT_EQ(outcome(2), Outcome::kPassed);
  EXPECT_EQ(outcome(1), Outcome::kNoCertificateChainFound);
}

// With one signature to spend, whoever has the key identifier that the
// certificate below names is tried, wherever in the bundle it stands.
TEST(Verifier, TheNamedIssuerOfABundleIsTriedFirst) {
  IssuerPathLimits limits;
  limits.filing_signatures_max = 1;
  const ProfileSnapshot snapshot = MakeProfile(RootProfile(), {}, limits);
  const auto namesake = [](const std::string& key) {
    return lab::CertificateBuilder()
        .subject({{"CN", "a"}})
        .issuer({{"CN", "root"}})
        .public_key(KeyOf(key))
        .ca()
        .issued_by(KeyOf("root"))
        .Sign(KeyOf("root"));
  };
  const auto outcome = [&](std::vector<std::string> sent, bool names_issuer) {
    Draft draft = BelowSubCa("a");
    if (!names_issuer) draft.leaf.remove("2.5.29.35");
    Filing filing(draft, &snapshot);
    filing.intermediates = std::move(sent);
    return Judge(std::move(filing)).outcome;
  };
  const std::string a = SubCa("a", "root");
  const std::string b = namesake("b");
  const std::string c = namesake("c");
  EXPECT_EQ(outcome({a, b, c}, true), Outcome::kPassed);
  EXPECT_EQ(outcome({b, a, c}, true), Outcome::kPassed);
  EXPECT_EQ(outcome({b, c, a}, true), Outcome::kPassed);
  EXPECT_EQ(outcome({a, b, c}, false), Outcome::kPassed);
  EXPECT_EQ(outcome({b, c, a}, false), Outcome::kNoCertificateChainFound);
}

TEST(Verifier, LongNamesAndKeyIdentifiersInABundleCostNoStepMore) {
  // All of one name and one key identifier, each the issuer of each.
  const lab::Name name = {{"CN", std::string(15'000, 'a')}};
  const std::string key_id(30'000, 'k');
  std::vector<std::string> crowd;
  for (uint64_t serial = 1; serial <= 16; ++serial) {
    lab::CertificateBuilder builder;
    builder.serial(serial)
        .subject(name)
        .issuer(name)
        .public_key(KeyOf("a"))
        .ca()
        .set(extension::SubjectKeyIdentifier(key_id))
        .set(extension::AuthorityKeyIdentifier(key_id));
    crowd.push_back(builder.Sign(KeyOf("a")));
  }
  const ProfileSnapshot snapshot = MakeProfile(RootProfile(), {});
  Draft draft;
  draft.ca_key = "a";
  draft.leaf.issuer(name).set(extension::AuthorityKeyIdentifier(key_id));
  Filing filing(draft, &snapshot);
  filing.intermediates = crowd;
  const Said said = Judge(std::move(filing));
  EXPECT_EQ(said.outcome, Outcome::kNoCertificateChainFound);
  EXPECT_THAT(said.diagnostic, HasSubstr("budget"));
}

// --- The best of all paths ---------------------------------------------------

// A CA named `name` with the key of that name, below `issuer`, for another
// policy than the profile's.
std::string OtherPolicyCa(const std::string& name, const std::string& issuer) {
  lab::CertificateBuilder builder;
  builder.serial(91)
      .subject({{"CN", name}})
      .issuer({{"CN", issuer}})
      .public_key(KeyOf(name))
      .ca()
      .issued_by(KeyOf(issuer))
      .add(extension::CertificatePolicies({"1.2.3"}));
  return builder.Sign(KeyOf(issuer));
}

TEST(Verifier, ABetterPathThroughTheBundleIsFoundBesideAConfiguredOne) {
  Profile profile = RootProfile();
  profile.intermediates.push_back({"a.cer", OtherPolicyCa("a", "root")});
  const ProfileSnapshot snapshot = MakeProfile(profile, {});
  const auto judge = [&](const Draft& draft, std::vector<std::string> sent) {
    Filing filing(draft, &snapshot);
    filing.intermediates = std::move(sent);
    return Judge(std::move(filing));
  };
  const Draft draft = BelowSubCa("a");
  EXPECT_EQ(judge(draft, {}).outcome, Outcome::kChainConstraintsFailure);
  EXPECT_EQ(judge(draft, {OtherPolicyCa("a", "root")}).outcome,
            Outcome::kChainConstraintsFailure);
  const Said better = judge(draft, {"junk", SubCa("a", "root")});
  EXPECT_EQ(better.outcome, Outcome::kPassed) << better.diagnostic;
  // With a mislead key identifier the issuer is found by trying first.
  Draft unnamed = draft;
  unnamed.leaf.issued_by(KeyOf("stranger"));
  EXPECT_EQ(judge(unnamed, {SubCa("a", "root")}).outcome, Outcome::kPassed);
  // What is wrong with the filing itself stays so.
  Draft forged = draft;
  forged.alter_content = FlipLastBit;
  EXPECT_EQ(judge(forged, {SubCa("a", "root")}).outcome, Outcome::kHashFailure);
  Draft expired = draft;
  expired.leaf.validity(kNow - 100, kNow - 1);
  EXPECT_EQ(judge(expired, {SubCa("a", "root")}).outcome, Outcome::kExpired);
  // A path through another key of that name is none.
  EXPECT_EQ(judge(draft, {lab::CertificateBuilder()
                              .subject({{"CN", "a"}})
                              .issuer({{"CN", "root"}})
                              .public_key(KeyOf("stranger"))
                              .ca()
                              .Sign(KeyOf("root"))})
                .outcome,
            Outcome::kChainConstraintsFailure);
}

TEST(Verifier, ARevokedCertificateStaysRevokedWhateverTheBundle) {
  Profile profile = RootProfile();
  profile.revocation = RevocationMode::kRequired;
  profile.intermediates.push_back({"a.cer", SubCa("a", "root", 90)});
  const auto of_root = CrlFor("").issuer({{"CN", "root"}}).Sign(KeyOf("root"));
  const auto of_a = CrlFor("")
                        .issuer({{"CN", "a"}})
                        .revoke(Revoked(7, kNow - 10))
                        .Sign(KeyOf("a"));
  const ProfileSnapshot snapshot =
      MakeProfile(profile, {Read(of_root), Read(of_a)});
  Filing filing(BelowSubCa("a"), &snapshot);
  filing.intermediates = {SubCa("a", "root", 92)};
  EXPECT_EQ(Judge(std::move(filing)).outcome, Outcome::kRevoked);
}

// A CA below two anchors, which may sign CRLs by one of its certificates alone:
// what its CRL says is known on that path and not on the other.
TEST(Verifier, OnePathsRevocationStandsThoughAnotherKnowsTooLittle) {
  Profile profile = RootProfile();
  profile.revocation = RevocationMode::kRequired;
  profile.anchors.push_back({"b.cer", CaDer("root b", {{"CN", "root b"}})});
  const CertificateFile by_root = {"a.cer", SubCa("a", "root", 90)};
  const CertificateFile by_b = {
      "a b.cer", lab::CertificateBuilder()
                     .serial(91)
                     .subject({{"CN", "a"}})
                     .issuer({{"CN", "root b"}})
                     .public_key(KeyOf("a"))
                     .ca()
                     .set(extension::KeyUsage(lab::kKeyCertSign))
                     .issued_by(KeyOf("root b"))
                     .add(extension::CertificatePolicies({kPolicy}))
                     .Sign(KeyOf("root b"))};
  const auto crl = [](const std::string& ca, uint64_t revoked,
                      lab::Reason reason = lab::Reason::kSuperseded) {
    return Read(CrlFor("")
                    .issuer({{"CN", ca}})
                    .revoke(Revoked(revoked, kNow - 10, reason))
                    .Sign(KeyOf(ca)));
  };
  const auto judge =
      [&](const Profile& by,
          const std::vector<std::shared_ptr<const CrlData>>& crls,
          const std::vector<std::string>& bundle) {
        const ProfileSnapshot snapshot = MakeProfile(by, crls);
        Filing filing(BelowSubCa("a"), &snapshot);
        filing.intermediates = bundle;
        return Judge(std::move(filing)).outcome;
      };
  const auto root = crl("root", 1);
  const auto root_b = crl("root b", 1);
  for (const bool root_first : {true, false}) {
    Profile both = profile;
    both.intermediates = {root_first ? by_root : by_b,
                          root_first ? by_b : by_root};
    EXPECT_EQ(judge(both, {root, root_b, crl("a", 7)}, {}), Outcome::kRevoked);
    EXPECT_EQ(
        judge(both, {root, root_b, crl("a", 7, lab::Reason::kCertificateHold)},
              {}),
        Outcome::kRevoked);
    // A path that passes is taken, and a CA's revocation is about its path.
    EXPECT_EQ(judge(both, {root, root_b, crl("a", 8)}, {}), Outcome::kPassed);
    EXPECT_EQ(judge(both, {crl("root", 90), root_b, crl("a", 8)}, {}),
              Outcome::kTryLater);
  }
  // The same through what the filing brings along.
  Profile blind = profile;
  blind.intermediates = {by_b};
  const CertificateFile& sent = by_root;
  EXPECT_EQ(judge(blind, {root, root_b, crl("a", 7)}, {}), Outcome::kTryLater);
  EXPECT_EQ(judge(blind, {root, root_b, crl("a", 7)}, {sent.der}),
            Outcome::kTryLater)
      << "a CRL is believed under configured CAs alone";
}

// Judges a filing of `draft` that brings `bundle` along.
Said JudgeBy(Verifier* verifier, const ProfileSnapshot& snapshot,
             const Draft& draft, const std::vector<std::string>& bundle) {
  Filing filing(draft, &snapshot);
  filing.intermediates = bundle;
  FilingVerdict verdict;
  const FilingView view = filing.View();
  verifier->Verify({&view, 1}, {&verdict, 1});
  return {verdict.outcome, verdict.certificate_index, verdict.diagnostic,
          verdict.checks, verdict.revocation.status};
}

// What is remembered of a certificate is that the profile's own path, which
// does not pass, ends in the key that issued it. The verdict stays what the
// filing alone would get: a bundle with a better path passes as before, and no
// other gains by what went before it.
TEST(Verifier, ARememberedCertificateIsJudgedByTheFilingsOwnBundle) {
  Profile profile = RootProfile();
  profile.revocation = RevocationMode::kRequired;
  profile.intermediates.push_back({"a.cer", SubCa("a", "root", 90)});
  profile.intermediates.push_back({"b.cer", OtherPolicyCa("b", "root")});
  const auto of_root = CrlFor("")
                           .issuer({{"CN", "root"}})
                           .revoke(Revoked(90, kNow - 10))
                           .Sign(KeyOf("root"));
  const auto of_a = CrlFor("").issuer({{"CN", "a"}}).Sign(KeyOf("a"));
  const auto of_b = CrlFor("").issuer({{"CN", "b"}}).Sign(KeyOf("b"));
  const ProfileSnapshot snapshot =
      MakeProfile(profile, {Read(of_root), Read(of_a), Read(of_b)});

  for (const auto& [ca, alone] :
       {std::pair("a", Outcome::kRevoked),
        std::pair("b", Outcome::kChainConstraintsFailure)}) {
    const std::string better = SubCa(ca, "root", 92);
    std::string forged = better;
    FlipLastBit(&forged);
    const std::vector<std::vector<std::string>> bundles = {
        {},
        {better},
        {SubCa(ca, "root", 90)},      // "a": as revoked as the profile's own
        {OtherPolicyCa(ca, "root")},  // no better than "b"'s own
        {forged},
        {forged, better},
        {SubCa("c", "root"), "junk"}};
    const Draft good = BelowSubCa(ca);
    Draft altered = good;
    altered.alter_content = &FlipLastBit;
    Draft expired = good;
    expired.leaf.validity(kNow - 100, kNow - 1);
    Draft misled = good;  // a key identifier that names nobody
    misled.leaf.issued_by(KeyOf("stranger"));

    for (const Draft& draft : {good, altered, expired, misled}) {
      VerifiedCertificates verified(64);
      Verifier remembers(&verified);
      for (int i = 0; i < 3; ++i) {
        for (const auto& bundle : bundles) {
          JudgeBy(&remembers, snapshot, draft, bundle);
        }
      }
      const uint64_t hits = verified.counters().hits;
      for (const auto& bundle : bundles) {
        Verifier forgets;
        const Said want = JudgeBy(&forgets, snapshot, draft, bundle);
        const Said said = JudgeBy(&remembers, snapshot, draft, bundle);
        EXPECT_EQ(OutcomeName(said.outcome), OutcomeName(want.outcome));
        EXPECT_EQ(said.diagnostic, want.diagnostic);
        EXPECT_EQ(said.certificate_index, want.certificate_index);
        EXPECT_EQ(said.revocation, want.revocation);
      }
      // It was the memory that answered, each time.
      EXPECT_EQ(verified.counters().hits, hits + bundles.size());
    }
    Verifier plain;
    EXPECT_EQ(JudgeBy(&plain, snapshot, good, {}).outcome, alone);
    EXPECT_EQ(JudgeBy(&plain, snapshot, good, {better}).outcome,
              Outcome::kPassed);
    EXPECT_EQ(JudgeBy(&plain, snapshot, altered, {better}).outcome,
              Outcome::kHashFailure);
  }
}

TEST(Verifier,
     TenThousandIntermediatesBesideAConfiguredIssuerEndInMilliseconds) {
  Profile profile = RootProfile();
  profile.intermediates.push_back({"a.cer", OtherPolicyCa("a", "root")});
  const ProfileSnapshot snapshot = MakeProfile(profile, {});
  for (const char* issuer : {"a", "root"}) {
    Filing filing(BelowSubCa("a"), &snapshot);
    filing.intermediates = Crowd(10'000, issuer);
    const absl::Time start = absl::Now();
    const Said said = Judge(std::move(filing));
    // Milliseconds by themselves; room for a sanitizer on a busy machine.
    EXPECT_LT(absl::Now() - start, absl::Seconds(5));
    EXPECT_EQ(said.outcome, Outcome::kChainConstraintsFailure);
    EXPECT_THAT(said.diagnostic, HasSubstr("budget"));
  }
}

TEST(Verifier, NamesOfABundleAreComparedUpToABound) {
  // Names of which every octet must be folded by Unicode's rules, as long as
  // they may be.
  lab::Name name;
  std::string value;
  while (value.size() < 990) value += "\xef\xb7\xba";
  for (int i = 0; i < 4; ++i) name.Add("CN", value);
  const auto crowd = [&](size_t name_bytes) {
    std::vector<std::string> certificates;
    for (uint64_t serial = 1; name_bytes >= 2 * name.Encode().size();
         ++serial) {
      certificates.push_back(lab::CertificateBuilder()
                                 .serial(serial)
                                 .subject(name)
                                 .issuer(name)
                                 .public_key(KeyOf("a"))
                                 .ca()
                                 .Sign(KeyOf("a")));
      name_bytes -= 2 * name.Encode().size();
    }
    return certificates;
  };
  const ProfileSnapshot snapshot = MakeProfile(RootProfile(), {});
  const auto outcome = [&](std::vector<std::string> sent) {
    sent.push_back(SubCa("a", "root"));
    Filing filing(BelowSubCa("a"), &snapshot);
    filing.intermediates = std::move(sent);
    return Judge(std::move(filing));
  };
  EXPECT_EQ(outcome(crowd(kBundleNameBytesMax - 100)).outcome,
            Outcome::kPassed);
  const Said past =
      outcome(crowd(kBundleNameBytesMax + 2 * name.Encode().size() - 1));
  EXPECT_EQ(past.outcome, Outcome::kNoCertificateChainFound);
  EXPECT_THAT(past.diagnostic, HasSubstr("budget"));
}

// --- CAs that callers sent are remembered ------------------------------------

TEST(Verifier, AVouchedCaIsOfferedForTheNextSnapshotAndNothingElse) {
  Profile profile = RootProfile();
  profile.intermediates.push_back({"x.cer", SubCa("x", "root", 95)});
  ProfileSnapshot snapshot = MakeProfile(profile, {});
  snapshot.vouched = std::make_shared<VouchedCas>();
  const auto judge = [&](const Draft& draft, std::vector<std::string> sent) {
    Filing filing(draft, &snapshot);
    filing.intermediates = std::move(sent);
    return Judge(std::move(filing)).outcome;
  };
  const std::string a = SubCa("a", "root");
  const std::string b = SubCa("b", "a");
  // Not: what was sent without need, forged, a CA of another policy, a CA whose
  // leaf did not verify.
  EXPECT_EQ(judge(BelowSubCa("x"), {a, b}), Outcome::kPassed);
  Draft forged = BelowSubCa("a");
  forged.ca_key = "stranger";
  EXPECT_NE(judge(forged, {a}), Outcome::kPassed);
  EXPECT_NE(judge(BelowSubCa("a"), {OtherPolicyCa("a", "root")}),
            Outcome::kPassed);
  EXPECT_NE(judge(BelowSubCa("b"), {b}), Outcome::kPassed);
  EXPECT_FALSE(snapshot.vouched->TakeIn());
  // The path that was used, and no surplus.
  EXPECT_EQ(judge(BelowSubCa("b"), {SubCa("c", "root"), b, a, "junk"}),
            Outcome::kPassed);
  EXPECT_TRUE(snapshot.vouched->TakeIn());
  std::vector<std::string> kept;
  for (const CertificateFile& file : snapshot.vouched->members()) {
    kept.push_back(file.der);
  }
  EXPECT_THAT(kept, testing::UnorderedElementsAre(a, b));
}

TEST(Verifier, CrlsOfARememberedCaAreBelieved) {
  Profile profile = RootProfile();
  profile.revocation = RevocationMode::kRequired;
  const auto of_root = CrlFor("").issuer({{"CN", "root"}}).Sign(KeyOf("root"));
  const auto of_a = CrlFor("")
                        .issuer({{"CN", "a"}})
                        .revoke(Revoked(8, kNow - 10))
                        .Sign(KeyOf("a"));
  const std::vector<std::shared_ptr<const CrlData>> crls = {Read(of_root),
                                                            Read(of_a)};
  ProfileSnapshot snapshot = MakeProfile(profile, crls);
  snapshot.vouched = std::make_shared<VouchedCas>();
  Filing first(BelowSubCa("a"), &snapshot);
  first.intermediates = {SubCa("a", "root")};
  EXPECT_EQ(Judge(std::move(first)).outcome, Outcome::kTryLater);
  ASSERT_TRUE(snapshot.vouched->TakeIn());
  // What the keeper does.
  ProfileSnapshot next = snapshot;
  next.issuer_paths =
      *IssuerPaths::Build(profile, {}, snapshot.vouched->members());
  next.crls = CrlStore::Link(next.profile, next.issuer_paths, crls);
  EXPECT_EQ(Judge(Filing(BelowSubCa("a"), &next)).outcome, Outcome::kPassed);
  Draft revoked = BelowSubCa("a");
  revoked.leaf.serial(8);
  EXPECT_EQ(Judge(Filing(revoked, &next)).outcome, Outcome::kRevoked);
}

// --- Certificates trusted as they are ----------------------------------------

TEST(Verifier, ATrustedCertificateNeedsNoChainButAllElse) {
  Profile profile = OffProfile();
  Draft draft = BelowSubCa("stranger");
  const std::string der = Filing(draft).certificate;
  profile.trusted_certificates.push_back({"trusted.cer", der});
  const ProfileSnapshot off = MakeProfile(profile, {});
  EXPECT_EQ(Judge(Filing(draft, &off)).outcome, Outcome::kPassed);
  draft.time = UtcSeconds(2041, 1, 1);
  EXPECT_EQ(Judge(Filing(draft, &off)).outcome, Outcome::kExpired);
  draft.time = kNow;
  Draft forged = draft;
  forged.alter_content = FlipLastBit;
  EXPECT_EQ(Judge(Filing(forged, &off)).outcome, Outcome::kHashFailure);
  Draft other = draft;
  other.alter_certificate = FlipLastBit;
  EXPECT_EQ(Judge(Filing(other, &off)).outcome,
            Outcome::kNoCertificateChainFound);
  profile.required_key_usage = key_usage::kKeyCertSign;
  const ProfileSnapshot strict = MakeProfile(profile, {});
  EXPECT_EQ(Judge(Filing(draft, &strict)).outcome,
            Outcome::kChainConstraintsFailure);
  profile.required_key_usage = 0;
  profile.revocation = RevocationMode::kRequired;
  const ProfileSnapshot required = MakeProfile(profile, {});
  EXPECT_EQ(Judge(Filing(draft, &required)).outcome, Outcome::kTryLater);
}

// --- Checks, and the rest of the request
// --------------------------------------

TEST(Verifier, WantedChecksListEachRuleOnceWithItsResult) {
  Filing filing{Draft()};
  filing.view.want_checks = true;
  const Said said = Judge(std::move(filing));
  std::vector<std::string> names;
  for (const CheckRecord& check : said.checks) {
    EXPECT_EQ(check.result, CheckResult::kPassed) << CheckName(check.check);
    names.emplace_back(CheckName(check.check));
  }
  EXPECT_THAT(
      names,
      testing::ElementsAre(
          "filing_format", "certificate_format", "algorithm_strength",
          "filing_algorithm", "chain", "certificate_signature",
          "basic_constraints", "key_usage", "extended_key_usage",
          "critical_extensions", "name_constraints", "certificate_policies",
          "validity", "validity", "revocation", "filing_signature"));

  Draft draft;
  draft.leaf.serial(13).validity(kNow - 100, kNow - 1);
  draft.alter_signature = FlipLastBit;
  Filing bad(draft);
  bad.view.want_checks = true;
  int failed = 0;
  for (const CheckRecord& check : Judge(std::move(bad)).checks) {
    if (check.result != CheckResult::kFailed) continue;
    ++failed;
    EXPECT_NE(check.detail, "");
    EXPECT_THAT(check.check,
                testing::AnyOf(CheckId::kValidity, CheckId::kRevocation,
                               CheckId::kFilingSignature));
  }
  EXPECT_EQ(failed, 3);
}

// A CA certificate that nobody is known to have issued can have a fault that
// outranks that. The chain is not called good for it.
TEST(Verifier, AChainOfWhichALinkIsNotVerifiedIsNotReportedAsPassed) {
  const auto ca = [](const std::string& signer, SigningAlgorithm algorithm) {
    lab::CertificateBuilder builder;
    builder.subject({{"CN", "a"}})
        .issuer({{"CN", "root"}})
        .public_key(KeyOf("a"))
        .ca()
        .issued_by(KeyOf("root"))
        .add(extension::CertificatePolicies({kPolicy}));
    return builder.Sign(KeyOf(signer), algorithm);
  };
  constexpr auto kSha1 = SigningAlgorithm::kRsaPkcs1Sha1;
  constexpr auto kGood = SigningAlgorithm::kRsaPkcs1Sha256;
  const struct {
    const char* what;
    std::string ca;
    Outcome outcome;
    CheckResult chain;
  } kCases[] = {
      {"issued", ca("root", kGood), Outcome::kPassed, CheckResult::kPassed},
      // A refused algorithm proves nothing, whoever used it.
      {"issued, by a weak signature", ca("root", kSha1),
       Outcome::kCryptoConstraintsFailure, CheckResult::kIndeterminate},
      {"not issued, with a weak signature", ca("stranger", kSha1),
       Outcome::kCryptoConstraintsFailure, CheckResult::kIndeterminate},
  };
  for (const auto& c : kCases) {
    for (const bool configured : {false, true}) {
      SCOPED_TRACE(c.what);
      Profile profile = RootProfile();
      if (configured) profile.intermediates.push_back({"a.cer", c.ca});
      const ProfileSnapshot snapshot = MakeProfile(profile, {});
      Filing filing(BelowSubCa("a"), &snapshot);
      filing.view.want_checks = true;
      if (!configured) filing.intermediates = {c.ca};
      const Said said = Judge(std::move(filing));
      EXPECT_EQ(OutcomeName(said.outcome), OutcomeName(c.outcome))
          << said.diagnostic;
      int chains = 0;
      for (const CheckRecord& check : said.checks) {
        if (check.check != CheckId::kChain) continue;
        ++chains;
        EXPECT_EQ(check.result, c.chain) << check.detail;
        EXPECT_EQ(check.detail.find("is not verified") != std::string::npos,
                  c.chain != CheckResult::kPassed);
      }
      EXPECT_EQ(chains, 1);
    }
  }
}

TEST(Verifier, WantedChecksTellTheValuesCompared) {
  Filing filing{Draft()};
  filing.view.want_checks = true;
  const Said said = Judge(std::move(filing));
  std::string note;
  for (const CheckRecord& check : said.checks) {
    note += std::to_string(check.certificate_index) + " " +
            std::string(CheckName(check.check)) + ": " + check.detail + "\n";
  }
  for (const char* part :
       {"0 validity: notBefore ", " <= T 2026-03-16T00:00:00Z <= notAfter ",
        "1 validity: notBefore ", "1 basic_constraints: ", "cA TRUE",
        "0 algorithm_strength: RSA 2048 bits, exponent 65537 (RSA: at least "
        "2048 bits); signed with RSA PKCS#1 v1.5 with SHA-256",
        "0 key_usage: keyUsage digitalSignature, nonRepudiation; the profile "
        "requires nonRepudiation",
        "0 certificate_policies: certificatePolicies ",
        "1.2.392.200149.8.5.1.1.20", "valid on this path: ",
        "0 revocation: serial 07: on no CRL that covers it at T ",
        "; CRL number 01 of ", "-1 filing_signature: RSA PKCS#1 v1.5"}) {
    EXPECT_THAT(note, HasSubstr(part));
  }
}

TEST(Verifier, ADiagnosticNamesCertificateFieldAndRule) {
  const struct {
    const char* what;
    std::function<void(Draft*)> defect;
    const char* diagnostic;
  } kCases[] = {
      {"truncated",
       [](Draft* d) {
         d->alter_certificate = [](std::string* der) { der->pop_back(); };
       },
       "certificate 0: certificate: not a complete DER SEQUENCE (truncated, or "
       "not a certificate) (RFC 5280 4.1)"},
      {"a distribution point",
       [](Draft* d) {
         d->leaf.set({"2.5.29.31", false, std::string("\x30\x02\x30\x00", 4)});
       },
       "certificate 0: cRLDistributionPoints: not a SEQUENCE of 1 to 64 "
       "DistributionPoints, with at most 16 names and 4 cRLIssuers each (RFC "
       "5280 4.2.1.13)"},
      {"key usage",
       [](Draft* d) {
         d->leaf.set(extension::KeyUsage(lab::kDigitalSignature));
       },
       "certificate 0: keyUsage: lacks a use the profile requires (RFC 5280 "
       "6.1.4 (n), profile)"},
      {"expired", [](Draft* d) { d->time = UtcSeconds(2099, 1, 1); },
       "<= T 2099-01-01T00:00:00Z > notAfter "},
      {"revoked", [](Draft* d) { d->leaf.serial(13); },
       "verification time 2026-03-16T00:00:00Z (RFC 5280 6.1.3 (a)(3), 6.3)"},
      {"no document", [](Draft* d) { d->content = FilingView::Content::kNone; },
       "content: neither document nor digest was sent (inkan.v1.Filing)"},
  };
  for (const auto& c : kCases) {
    Draft draft;
    c.defect(&draft);
    EXPECT_THAT(Judge(draft).diagnostic, HasSubstr(c.diagnostic)) << c.what;
  }
}

TEST(Verifier, AnEcKeyThatIsNoPointNeverPasses) {
  const lab::PrivateKey key =
      lab::PrivateKey::EcFromSeed("ec leaf", lab::Curve::kP256);
  const ProfileSnapshot snapshot = MakeProfile(OffProfile(), {});
  Draft draft;
  draft.leaf.public_key(key);
  Filing filing(draft, &snapshot);
  filing.view.certificate_only = true;
  EXPECT_EQ(Judge(filing).outcome, Outcome::kPassed);
  std::string off = key.public_key();
  FlipLastBit(&off);
  draft.leaf.public_key_der(off);
  Filing bad(draft, &snapshot);
  bad.view.certificate_only = true;
  const Said said = Judge(bad);
  EXPECT_EQ(said.outcome, Outcome::kCryptoConstraintsFailure);
  EXPECT_THAT(said.diagnostic, HasSubstr("EC point is not on its curve"));
}

TEST(Verifier, QualifiersOfTheValidPoliciesAreReported) {
  Draft draft;
  draft.leaf.set(extension::CertificatePolicies(
      {{kPolicy, "http://cps.example"}, {"1.2.3", "http://other.example"}}));
  Filing filing(draft);
  const FilingView view = filing.View();
  FilingVerdict verdict;
  Verifier verifier;
  verifier.Verify({&view, 1}, {&verdict, 1});
  EXPECT_EQ(verdict.outcome, Outcome::kPassed) << verdict.diagnostic;
  ASSERT_THAT(verdict.policy_qualifiers, SizeIs(1));
  EXPECT_EQ(OidToText(verdict.policy_qualifiers[0].policy), kPolicy);
  const auto read =
      ReadPolicyQualifiers(verdict.policy_qualifiers[0].qualifiers);
  ASSERT_THAT(read, SizeIs(1));
  EXPECT_EQ(read[0].cps_uri, "http://cps.example");
}

TEST(Verifier, AnUnknownQualifierInACriticalExtensionRefuses) {
  lab::Policy policy(kPolicy);
  policy.raw_qualifiers = std::string("\x30\x06\x06\x02\x2a\x03\x05\x00", 8);
  lab::Extension extension = extension::CertificatePolicies({policy});
  for (const bool critical : {false, true}) {
    extension.critical = critical;
    Draft draft;
    draft.leaf.set(extension);
    EXPECT_EQ(Judge(draft).outcome,
              critical ? Outcome::kChainConstraintsFailure : Outcome::kPassed);
  }
}

TEST(Verifier, ACertificateAloneIsJudgedWithoutASignature) {
  Filing filing{Draft()};
  filing.view.certificate_only = true;
  filing.view.algorithm = {};
  filing.view.content = FilingView::Content::kNone;
  filing.signature.clear();
  EXPECT_EQ(Judge(filing).outcome, Outcome::kPassed);
  FlipLastBit(&filing.certificate);
  EXPECT_EQ(Judge(filing).outcome, Outcome::kCertificateChainGeneralFailure);
}

TEST(Verifier, AnyTimeAtAllGetsAVerdict) {
  for (const auto& [time, outcome] :
       {std::pair(INT64_MIN, Outcome::kNotYetValid),
        std::pair(INT64_MAX, Outcome::kExpired),
        std::pair(int64_t{0}, Outcome::kNotYetValid)}) {
    Draft draft;
    draft.time = time;
    EXPECT_EQ(Judge(draft).outcome, outcome);
  }
}

TEST(Verifier, DiagnosticsStayShortWhateverTheNames) {
  Draft draft;
  lab::Name name;
  for (int i = 0; i < 30; ++i) {
    name.Add("1.2.3.4", "\xe6\x97\xa5" + std::string(100, '\n'));
  }
  draft.ca_key = "stranger";
  draft.leaf.issuer(name);
  Filing filing(draft);
  filing.view.want_checks = true;
  const Said said = Judge(std::move(filing));
  EXPECT_EQ(said.outcome, Outcome::kNoCertificateChainFound);
  EXPECT_LT(said.diagnostic.size(), 1100U);
  for (const CheckRecord& check : said.checks) {
    EXPECT_LT(check.detail.size(), 1100U);
  }
}

TEST(Verifier, AMalformedDistributionPointIsAFormatFailure) {
  Draft draft;
  draft.leaf.set({"2.5.29.31", false, std::string("\x30\x02\x30\x00", 4)});
  EXPECT_EQ(Judge(draft).outcome, Outcome::kFormatFailure);
}

TEST(Verifier, FactsOfTheCertificateAndItsPoliciesAreReported) {
  Filing filing{Draft()};
  FilingVerdict verdict;
  const FilingView view = filing.View();
  Verifier verifier;
  verifier.Verify({&view, 1}, {&verdict, 1});
  ASSERT_TRUE(verdict.has_certificate);
  EXPECT_EQ(AsText(verdict.certificate.der), filing.certificate);
  EXPECT_EQ(verdict.fingerprint, Sha256(AsBytes(filing.certificate)));
  ASSERT_EQ(verdict.valid_policies.size(), 1U);
  EXPECT_EQ(OidToText(verdict.valid_policies[0]), kPolicy);
  ASSERT_TRUE(verdict.has_revocation);
  EXPECT_EQ(verdict.revocation.status, RevocationStatus::kGood);
  ASSERT_NE(verdict.revocation.crl, nullptr);
  EXPECT_EQ(verdict.revocation.crl->scope_text, "CN=Kyoto");
}

}  // namespace
}  // namespace inkan
