// The rules that the lab's citizens live by.
#include <map>
#include <set>

#include "bench/lab/life.h"
#include "bench/lab/population.h"
#include "gtest/gtest.h"

namespace inkan::lab {
namespace {

class PopulationTest : public ::testing::Test {
 protected:
  Population Simulate(unsigned threads) const {
    return SimulatePopulation({.seed = 7,
                               .citizens = 2'000,
                               .clock = clock_,
                               .threads = threads,
                               .municipalities = &places_});
  }

  const LabClock clock_{*ParseRfc3339("2026-03-15T12:00:00+09:00")};
  const std::vector<Municipality> places_ = InventMunicipalities(30);
  const Population population_ = Simulate(1);
};

TEST_F(PopulationTest, IsTheSameForAnyNumberOfThreads) {
  const Population other = Simulate(3);
  ASSERT_EQ(population_.certificates.size(), other.certificates.size());
  for (size_t i = 0; i < other.certificates.size(); ++i) {
    EXPECT_EQ(population_.certificates[i].serial, other.certificates[i].serial);
    EXPECT_EQ(population_.certificates[i].not_after,
              other.certificates[i].not_after);
    EXPECT_EQ(population_.certificates[i].address,
              other.certificates[i].address);
  }
}

TEST_F(PopulationTest, NoSignatureCertificateIsIssuedUnderFifteen) {
  size_t children = 0;
  for (const IssuedCertificate& c : population_.certificates) {
    const int age =
        AgeOn(population_.citizens[c.citizen].birth, DateInJapan(c.not_before));
    if (age >= 15) continue;
    ++children;
    EXPECT_EQ(c.kind, CertificateKind::kAuthentication);
  }
  EXPECT_GT(children, 20U);
}

TEST_F(PopulationTest, CertificatesEndOnABirthdayWithinFiveYears) {
  for (const IssuedCertificate& c : population_.certificates) {
    const Date birth = population_.citizens[c.citizen].birth;
    const Date issued = DateInJapan(c.not_before);
    const Date last = DateInJapan(c.not_after);
    EXPECT_EQ(c.not_after, EndOfDayInJapan(last));
    EXPECT_LE(last, BirthdayAfter(birth, issued, 5));
    EXPECT_EQ(last, BirthdayAfter(birth, AddDays(last, -1), 1));
    EXPECT_GT(c.not_after, c.not_before);
  }
}

TEST_F(PopulationTest, SerialsOfACaGrowWithTime) {
  std::map<CertificateKind, const IssuedCertificate*> last;
  for (const IssuedCertificate& c : population_.certificates) {
    const IssuedCertificate*& previous = last[c.kind];
    if (previous != nullptr) {
      EXPECT_GT(c.serial, previous->serial);
      EXPECT_GE(c.not_before, previous->not_before);
    }
    previous = &c;
  }
  EXPECT_EQ(last.size(), 2U);
}

TEST_F(PopulationTest, AMoveRevokesTheSignatureCertificateOnly) {
  size_t moves = 0;
  for (const IssuedCertificate& c : population_.certificates) {
    if (!c.revocation || c.revocation->reason != Reason::kAffiliationChanged ||
        RoleOf(c.citizen) != Role::kOrdinary) {
      continue;
    }
    ++moves;
    EXPECT_EQ(c.kind, CertificateKind::kSignature);
  }
  EXPECT_GT(moves, 100U);
}

TEST_F(PopulationTest, EveryReasonOccursAndNothingIsRevokedOutsideItsLife) {
  std::set<Reason> reasons;
  for (const IssuedCertificate& c : population_.certificates) {
    if (!c.revocation) continue;
    reasons.insert(c.revocation->reason);
    EXPECT_GE(c.revocation->at, c.not_before);
    EXPECT_LE(c.revocation->at, c.not_after);
    EXPECT_LE(c.revocation->at, clock_.this_update);
  }
  EXPECT_EQ(reasons.size(), 7U);
}

TEST(Rules, ACardThatEndsEarlierEndsItsCertificates) {
  const Date birth = {1990, 5, 1};
  const int64_t issued = StartOfDayInJapan({2024, 3, 1});
  EXPECT_EQ(CertificateNotAfter(birth, issued, {2030, 5, 1}),
            EndOfDayInJapan({2028, 5, 1}));
  EXPECT_EQ(CertificateNotAfter(birth, issued, {2025, 5, 1}),
            EndOfDayInJapan({2025, 5, 1}));
}

TEST(Rules, TheClockPutsTheCrlBeforeNowAndTheSeasonBeforeThat) {
  for (const char* text :
       {"2026-03-15T12:00:00+09:00", "2026-03-15T00:10:00+09:00",
        "2026-03-15T00:30:00+09:00", "2026-03-15T23:59:59+09:00"}) {
    const LabClock clock(*ParseRfc3339(text));
    EXPECT_LE(clock.this_update, clock.now);
    EXPECT_GT(clock.next_update, clock.now);
    EXPECT_LT(clock.season_start, clock.this_update);
    EXPECT_LT(clock.stale_next_update, clock.season_start);
  }
}

}  // namespace
}  // namespace inkan::lab
