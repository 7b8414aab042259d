#include "crypto/der.h"

namespace inkan {
namespace {

bool IsDigit(uint8_t c) { return c >= '0' && c <= '9'; }

int TwoDigits(const uint8_t* p) { return (p[0] - '0') * 10 + (p[1] - '0'); }

// Days from 1970-01-01 to the first of March of `year`, minus the usual trick:
// years start in March so that the leap day is the last one.
int64_t DaysFromCivil(int64_t year, int month, int day) {
  const int64_t y = month <= 2 ? year - 1 : year;
  const int64_t era = (y >= 0 ? y : y - 399) / 400;
  const int64_t year_of_era = y - era * 400;
  const int64_t month_from_march = month > 2 ? month - 3 : month + 9;
  const int64_t day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
  const int64_t day_of_era =
      year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + day_of_era - 719468;
}

int DaysInMonth(int year, int month) {
  constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  return month == 2 && leap ? 29 : kDays[month - 1];
}

// `text` is digits only, MMDDHHMMSS.
bool ParseClock(int year, const uint8_t* text, int64_t* unix_seconds) {
  const int month = TwoDigits(text);
  const int day = TwoDigits(text + 2);
  const int hour = TwoDigits(text + 4);
  const int minute = TwoDigits(text + 6);
  const int second = TwoDigits(text + 8);
  if (month < 1 || month > 12 || day < 1 || day > DaysInMonth(year, month) ||
      hour > 23 || minute > 59 || second > 59) {
    return false;
  }
  *unix_seconds = DaysFromCivil(year, month, day) * 86400 + hour * 3600 +
                  minute * 60 + second;
  return true;
}

bool AllDigitsThenZ(Bytes text, size_t digits) {
  if (text.size() != digits + 1 || text[digits] != 'Z') return false;
  for (size_t i = 0; i < digits; ++i) {
    if (!IsDigit(text[i])) return false;
  }
  return true;
}

bool ParseUtcTime(Bytes text, int64_t* unix_seconds) {
  if (!AllDigitsThenZ(text, 12)) return false;
  const int two = TwoDigits(text.data());
  const int year = two >= 50 ? 1900 + two : 2000 + two;
  return ParseClock(year, text.data() + 2, unix_seconds);
}

bool ParseGeneralizedTime(Bytes text, int64_t* unix_seconds) {
  if (!AllDigitsThenZ(text, 14)) return false;
  const int year = TwoDigits(text.data()) * 100 + TwoDigits(text.data() + 2);
  return ParseClock(year, text.data() + 4, unix_seconds);
}

bool IsShortestInteger(Bytes contents) {
  if (contents.empty()) return false;
  if (contents.size() == 1) return true;
  const bool redundant_zero = contents[0] == 0x00 && (contents[1] & 0x80) == 0;
  const bool redundant_ones = contents[0] == 0xff && (contents[1] & 0x80) != 0;
  return !redundant_zero && !redundant_ones;
}

}  // namespace

bool DerReader::ReadBoolean(bool* value) {
  DerReader next = *this;
  Bytes contents;
  if (!next.Read(der::kBoolean, &contents) || contents.size() != 1) {
    return false;
  }
  if (contents[0] != 0x00 && contents[0] != 0xff) return false;
  *value = contents[0] != 0;
  *this = next;
  return true;
}

bool DerReader::ReadIntegerAs(uint8_t tag, Bytes* contents) {
  DerReader next = *this;
  Bytes found;
  if (!next.Read(tag, &found) || !IsShortestInteger(found)) return false;
  *contents = found;
  *this = next;
  return true;
}

bool DerReader::ReadUint64As(uint8_t tag, uint64_t* value) {
  DerReader next = *this;
  Bytes contents;
  if (!next.ReadIntegerAs(tag, &contents) || (contents[0] & 0x80) != 0) {
    return false;
  }
  if (contents[0] == 0 && contents.size() > 1) contents.remove_prefix(1);
  if (contents.size() > 8) return false;
  uint64_t result = 0;
  for (const uint8_t octet : contents) result = (result << 8) | octet;
  *value = result;
  *this = next;
  return true;
}

bool DerReader::ReadOctetAlignedBitString(Bytes* octets) {
  DerReader next = *this;
  Bytes contents;
  if (!next.Read(der::kBitString, &contents) || contents.empty() ||
      contents[0] != 0) {
    return false;
  }
  *octets = contents.subspan(1);
  *this = next;
  return true;
}

bool DerReader::ReadNamedBits(uint8_t tag, uint16_t* bits) {
  DerReader next = *this;
  Bytes contents;
  if (!next.Read(tag, &contents) || contents.empty()) return false;
  const uint8_t unused = contents[0];
  const Bytes octets = contents.subspan(1);
  if (unused > 7 || octets.size() > 2 || (octets.empty() && unused != 0)) {
    return false;
  }
  if (!octets.empty()) {
    // DER drops trailing zero bits, so the last used bit is set and the unused
    // ones are clear.
    const uint8_t last = octets.back();
    const auto lowest_used = static_cast<uint8_t>(1U << unused);
    if ((last & (lowest_used - 1U)) != 0 || (last & lowest_used) == 0) {
      return false;
    }
  }
  uint16_t value = 0;
  for (size_t i = 0; i < octets.size() * 8; ++i) {
    if ((octets[i / 8] >> (7 - i % 8) & 1) != 0) {
      value = static_cast<uint16_t>(value | (1U << i));
    }
  }
  *bits = value;
  *this = next;
  return true;
}

bool DerReader::ReadTime(int64_t* unix_seconds) {
  if (NextIs(der::kGeneralizedTime)) return ReadGeneralizedTime(unix_seconds);
  DerReader next = *this;
  Bytes contents;
  if (!next.Read(der::kUtcTime, &contents) ||
      !ParseUtcTime(contents, unix_seconds)) {
    return false;
  }
  *this = next;
  return true;
}

bool DerReader::ReadGeneralizedTime(int64_t* unix_seconds) {
  DerReader next = *this;
  Bytes contents;
  if (!next.Read(der::kGeneralizedTime, &contents) ||
      !ParseGeneralizedTime(contents, unix_seconds)) {
    return false;
  }
  *this = next;
  return true;
}

}  // namespace inkan
