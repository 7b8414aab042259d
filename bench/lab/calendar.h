// Dates as certificates and the rules of JPKI need them: Unix seconds in UTC,
// civil days in Japan (UTC+9, no summer time since 1951).
//
// Pure functions, any thread.
#ifndef INKAN_BENCH_LAB_CALENDAR_H_
#define INKAN_BENCH_LAB_CALENDAR_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace inkan::lab {

inline constexpr int64_t kSecondsPerDay = 86400;
inline constexpr int64_t kJapanOffsetSeconds = 9 * 3600;

// A day of the proleptic Gregorian calendar.
struct Date {
  int year = 1970;
  int month = 1;
  int day = 1;

  friend auto operator<=>(const Date&, const Date&) = default;
};

// "YYYYMMDDHHMMSSZ".
std::string CompactUtc(int64_t unix_seconds);
// "2026-03-15T12:00:00+09:00".
std::string Rfc3339Japan(int64_t unix_seconds);
// RFC 3339 with any offset; fractions of a second are refused.
absl::StatusOr<int64_t> ParseRfc3339(std::string_view text);

// The start, or last second, of a day in Japan.
int64_t StartOfDayInJapan(Date date);
int64_t EndOfDayInJapan(Date date);
Date DateInJapan(int64_t unix_seconds);

Date AddDays(Date date, int days);
// The same day some months on, or the last day of that month if it has none.
Date AddMonths(Date date, int months);
// The n-th birthday strictly after `from`. Someone born on 29 February has it
// on the 28th of other years, when the law lets the year of age be completed.
Date BirthdayAfter(Date birth, Date from, int n);
// Completed years of age on `day`.
int AgeOn(Date birth, Date day);

// Seconds since 1970-01-01T00:00:00Z, for literals in tests and tables.
int64_t UtcSeconds(int year, int month, int day, int hour = 0, int minute = 0,
                   int second = 0);

}  // namespace inkan::lab

#endif  // INKAN_BENCH_LAB_CALENDAR_H_
