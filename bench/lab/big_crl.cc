#include "bench/lab/big_crl.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "bench/lab/certificate_builder.h"
#include "bench/lab/crl_builder.h"
#include "bench/lab/files.h"
#include "bench/lab/progress.h"

namespace inkan::lab {
namespace {

constexpr uint64_t kFirstSerial = 100'000'000;

// SplitMix64's finaliser: index to random-looking number, one to one. AES would
// cost more than everything else here.
uint64_t Mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15U;
  x = (x ^ x >> 30U) * 0xbf58476d1ce4e5b9U;
  x = (x ^ x >> 27U) * 0x94d049bb133111ebU;
  return x ^ x >> 31U;
}

// 16 octets with the top bit clear and the next one set: positive, shortest
// form, all different because Mix is one to one.
void SetRandomSerial(uint64_t seed, uint64_t index, std::string* serial) {
  serial->resize(16);
  const uint64_t high = Mix(Mix(seed) ^ index);
  const uint64_t low = Mix(high + seed);
  for (unsigned i = 0; i < 8; ++i) {
    (*serial)[i] = static_cast<char>(high >> (56 - 8 * i) & 0xffU);
    (*serial)[8 + i] = static_cast<char>(low >> (56 - 8 * i) & 0xffU);
  }
  (*serial)[0] =
      static_cast<char>((static_cast<uint8_t>((*serial)[0]) & 0x3fU) | 0x40U);
}

// Whether municipal offices are closed, substitute holidays left out.
bool IsHoliday(const Date& date, int weekday) {
  const auto is = [&](int month, int day) {
    return date.month == month && date.day == day;
  };
  const auto monday = [&](int month, int which) {
    return date.month == month && weekday == 1 && (date.day + 6) / 7 == which;
  };
  return (date.month == 12 && date.day >= 29) ||
         (date.month == 1 && date.day <= 3) || monday(1, 2) || is(2, 11) ||
         is(2, 23) || is(3, 20) || is(4, 29) || is(5, 3) || is(5, 4) ||
         is(5, 5) || monday(7, 3) || is(8, 11) || monday(9, 3) || is(9, 23) ||
         monday(10, 2) || is(11, 3) || is(11, 23);
}

// Of 91 entries, what becomes of 100 events of bench/lab/life.cc: holds that
// were lifted are not listed.
constexpr struct {
  Reason reason;
  unsigned upto;
} kReasons[] = {
    {Reason::kAffiliationChanged, 62},   {Reason::kUnspecified, 70},
    {Reason::kCessationOfOperation, 78}, {Reason::kKeyCompromise, 84},
    {Reason::kSuperseded, 90},           {Reason::kCertificateHold, 91}};

Reason ReasonOf(uint64_t dice) {
  const auto place = static_cast<unsigned>(dice % 91);
  for (const auto& [reason, upto] : kReasons) {
    if (place < upto) return reason;
  }
  return Reason::kUnspecified;
}

constexpr int64_t kSpan = 5 * 365 * kSecondsPerDay;
constexpr double kRevokedShare = 0.15;

}  // namespace

BigCrlEntries::BigCrlEntries(const BigCrlOptions& options)
    : entries_(options.entries),
      random_serials_(options.random_serials),
      uniform_dates_(options.uniform_dates),
      seed_(Mix(options.seed)),
      now_(options.now),
      first_serial_(kFirstSerial),
      numbers_(static_cast<uint64_t>(static_cast<double>(options.entries) /
                                     kRevokedShare) +
               1) {
  const Date today = DateInJapan(now_);
  for (int back = 5 * 365; back > 0; --back) {
    const Date day = AddDays(today, -back);
    const int64_t start = StartOfDayInJapan(day);
    // 1 January 1970 was a Thursday.
    const auto weekday = static_cast<int>(
        ((start + kJapanOffsetSeconds) / kSecondsPerDay + 4) % 7);
    if (weekday == 0 || weekday == 6 || IsHoliday(day, weekday)) continue;
    office_days_.push_back(start + 9 * 3600);
  }
}

void BigCrlEntries::AdvanceTo(uint64_t i) {
  constexpr auto kChance =
      static_cast<uint64_t>(kRevokedShare * 18446744073709551615.0);
  if (i < next_) next_ = number_ = 0;
  while (next_ <= i) {
    while (Mix(seed_ ^ number_) >= kChance) ++number_;
    ++number_;
    ++next_;
  }
}

void BigCrlEntries::Fill(uint64_t i, CrlEntry* entry) {
  double issued = static_cast<double>(i) / static_cast<double>(entries_);
  if (random_serials_) {
    SetRandomSerial(seed_, i, &entry->serial);
  } else {
    AdvanceTo(i);
    entry->serial = SerialContents(first_serial_ + number_ - 1);
    issued = static_cast<double>(number_) / static_cast<double>(numbers_);
  }
  issued = std::min(issued, 0.999);
  const uint64_t dice = Mix(seed_ + 3 * i);
  const uint64_t more_dice = Mix(dice);
  entry->reason = ReasonOf(Mix(more_dice));
  if (uniform_dates_) {
    const auto first = static_cast<int64_t>(issued * kSpan);
    entry->revoked_at =
        now_ - kSpan + first +
        static_cast<int64_t>(dice % static_cast<uint64_t>(kSpan - first));
    return;
  }
  const auto first =
      static_cast<size_t>(issued * static_cast<double>(office_days_.size()));
  const size_t day = first + dice % (office_days_.size() - first);
  entry->revoked_at =
      office_days_[day] + static_cast<int64_t>(more_dice % (8 * 3600));
}

absl::Status WriteBigCrl(const BigCrlOptions& options) {
  const Name name = {{"C", "JP"}, {"O", "Inkan Lab"}, {"CN", "Big CRL CA"}};
  const PrivateKey key =
      PrivateKey::RsaFromSeed(absl::StrCat(options.seed, "/big-crl"));
  absl::Status issuer =
      WriteFile(options.out + ".issuer.cer", SelfSignedCa(name, key));
  if (!issuer.ok()) return issuer;
  BigCrlEntries entries(options);
  CrlBuilder builder;
  builder.issuer(name)
      .this_update(options.now)
      .next_update(options.now + 2 * kSecondsPerDay)
      .issued_by(key)
      .add(extension::CrlNumber(1))
      .entries(options.entries,
               [&](uint64_t i, CrlEntry* entry) { entries.Fill(i, entry); });
  Progress progress("CRL entries", options.entries, options.quiet);
  absl::Status status = builder.WriteFile(options.out, key, [&](uint64_t done) {
    progress.Set(done / CrlBuilder::kPasses);
  });
  if (status.ok()) progress.Done();
  return status;
}

}  // namespace inkan::lab
