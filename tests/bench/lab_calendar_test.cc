#include "bench/lab/calendar.h"
#include "gtest/gtest.h"

namespace inkan::lab {
namespace {

TEST(Calendar, BirthdaysAreCountedStrictlyAfterTheDayOfIssue) {
  const Date birth = {1980, 6, 15};
  EXPECT_EQ(BirthdayAfter(birth, {2020, 6, 14}, 1), (Date{2020, 6, 15}));
  EXPECT_EQ(BirthdayAfter(birth, {2020, 6, 15}, 1), (Date{2021, 6, 15}));
  EXPECT_EQ(BirthdayAfter(birth, {2020, 6, 16}, 5), (Date{2025, 6, 15}));
}

TEST(Calendar, LeapDayChildrenHaveABirthdayEveryYear) {
  const Date birth = {2004, 2, 29};
  EXPECT_EQ(BirthdayAfter(birth, {2025, 1, 1}, 1), (Date{2025, 2, 28}));
  EXPECT_EQ(BirthdayAfter(birth, {2023, 3, 1}, 1), (Date{2024, 2, 29}));
  EXPECT_EQ(AgeOn(birth, {2019, 2, 27}), 14);
  EXPECT_EQ(AgeOn(birth, {2019, 2, 28}), 15);
}

TEST(Calendar, ADayInJapanEndsAtFourteenFiftyNineUtc) {
  EXPECT_EQ(CompactUtc(EndOfDayInJapan({2026, 3, 15})), "20260315145959Z");
  EXPECT_EQ(DateInJapan(UtcSeconds(2026, 3, 15, 15)), (Date{2026, 3, 16}));
}

TEST(Calendar, MonthsEndOnTheirLastDay) {
  EXPECT_EQ(AddMonths({2026, 5, 31}, -3), (Date{2026, 2, 28}));
  EXPECT_EQ(AddMonths({2025, 11, 30}, 3), (Date{2026, 2, 28}));
  EXPECT_EQ(AddDays({2024, 2, 28}, 2), (Date{2024, 3, 1}));
}

TEST(Calendar, Rfc3339RoundTripsAndRefusesNonsense) {
  const auto time = ParseRfc3339("2026-03-15T12:00:00+09:00");
  ASSERT_TRUE(time.ok());
  EXPECT_EQ(*time, UtcSeconds(2026, 3, 15, 3));
  EXPECT_EQ(Rfc3339Japan(*time), "2026-03-15T12:00:00+09:00");
  EXPECT_FALSE(ParseRfc3339("2026-03-15").ok());
  EXPECT_FALSE(ParseRfc3339("2026-03-15T12:00:00").ok());
  EXPECT_FALSE(ParseRfc3339("2026-03-15T12:00:00.5Z").ok());
}

}  // namespace
}  // namespace inkan::lab
