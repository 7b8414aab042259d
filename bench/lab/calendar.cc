#include "bench/lab/calendar.h"

#include <algorithm>
#include <chrono>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"

namespace inkan::lab {
namespace {

absl::CivilSecond CivilUtc(int64_t unix_seconds) {
  return absl::ToCivilSecond(absl::FromUnixSeconds(unix_seconds),
                             absl::UTCTimeZone());
}

Date ToDate(absl::CivilDay day) {
  return {static_cast<int>(day.year()), day.month(), day.day()};
}

absl::CivilDay ToCivil(Date date) {
  return absl::CivilDay(date.year, date.month, date.day);
}

// The birthday that falls in `year`.
Date BirthdayIn(Date birth, int year) {
  Date day = {year, birth.month, birth.day};
  if (birth.month == 2 && birth.day == 29 && ToCivil(day).month() != 2) {
    day.day = 28;
  }
  return day;
}

}  // namespace

std::string CompactUtc(int64_t unix_seconds) {
  const absl::CivilSecond t = CivilUtc(unix_seconds);
  return absl::StrFormat("%04d%02d%02d%02d%02d%02dZ", t.year(), t.month(),
                         t.day(), t.hour(), t.minute(), t.second());
}

std::string Rfc3339Japan(int64_t unix_seconds) {
  const absl::CivilSecond t = CivilUtc(unix_seconds + kJapanOffsetSeconds);
  return absl::StrFormat("%04d-%02d-%02dT%02d:%02d:%02d+09:00", t.year(),
                         t.month(), t.day(), t.hour(), t.minute(), t.second());
}

absl::StatusOr<int64_t> ParseRfc3339(std::string_view text) {
  absl::Time time;
  std::string error;
  const absl::string_view view(text.data(), text.size());
  if (!absl::ParseTime(absl::RFC3339_sec, view, &time, &error) ||
      absl::StrContains(view, '.')) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", view, "\" is not an RFC 3339 time such as ",
                     "2026-03-15T12:00:00+09:00"));
  }
  return absl::ToUnixSeconds(time);
}

int64_t StartOfDayInJapan(Date date) {
  return UtcSeconds(date.year, date.month, date.day) - kJapanOffsetSeconds;
}

int64_t EndOfDayInJapan(Date date) {
  return StartOfDayInJapan(date) + kSecondsPerDay - 1;
}

Date DateInJapan(int64_t unix_seconds) {
  return ToDate(absl::CivilDay(CivilUtc(unix_seconds + kJapanOffsetSeconds)));
}

Date AddDays(Date date, int days) { return ToDate(ToCivil(date) + days); }

Date AddMonths(Date date, int months) {
  const absl::CivilMonth month = absl::CivilMonth(ToCivil(date)) + months;
  const absl::CivilDay last = absl::CivilDay(month + 1) - 1;
  return {static_cast<int>(month.year()), month.month(),
          std::min(date.day, last.day())};
}

Date BirthdayAfter(Date birth, Date from, int n) {
  const int first_year =
      BirthdayIn(birth, from.year) > from ? from.year : from.year + 1;
  return BirthdayIn(birth, first_year + n - 1);
}

int AgeOn(Date birth, Date day) {
  const int years = day.year - birth.year;
  return BirthdayIn(birth, day.year) <= day ? years : years - 1;
}

int64_t UtcSeconds(int year, int month, int day, int hour, int minute,
                   int second) {
  return absl::ToUnixSeconds(
      absl::FromCivil(absl::CivilSecond(year, month, day, hour, minute, second),
                      absl::UTCTimeZone()));
}

}  // namespace inkan::lab
