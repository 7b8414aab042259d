#include "bench/lab/population.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "bench/lab/check.h"
#include "bench/lab/life.h"
#include "bench/lab/parallel.h"

namespace inkan::lab {
namespace {

constexpr int kSeasonDays = 28;
constexpr int64_t kPublishedAfterMidnight = 30 * 60;

struct CounterReading {
  int64_t time;
  uint64_t serial;
};

// The real roots' own notBefore and serial, then the same growth going on.
const CounterReading* Readings(CertificateKind kind) {
  static const CounterReading signature[] = {
      {UtcSeconds(2015, 10, 20), 1},
      {UtcSeconds(2019, 9, 14), 20'104'363},
      {UtcSeconds(2023, 7, 16), 108'816'929},
      {UtcSeconds(2035, 7, 16), 400'000'000}};
  static const CounterReading authentication[] = {
      {UtcSeconds(2015, 10, 20), 1},
      {UtcSeconds(2019, 9, 14), 20'169'545},
      {UtcSeconds(2023, 7, 16), 114'393'094},
      {UtcSeconds(2035, 7, 16), 420'000'000}};
  return kind == CertificateKind::kSignature ? signature : authentication;
}

// One growing counter for each CA, over all its generations.
void AssignSerials(std::vector<IssuedCertificate>* certificates) {
  std::stable_sort(certificates->begin(), certificates->end(),
                   [](const IssuedCertificate& a, const IssuedCertificate& b) {
                     return std::tie(a.kind, a.not_before) <
                            std::tie(b.kind, b.not_before);
                   });
  uint64_t last = 0;
  CertificateKind kind = CertificateKind::kSignature;
  for (IssuedCertificate& certificate : *certificates) {
    if (certificate.kind != kind) {
      kind = certificate.kind;
      last = 0;
    }
    last = std::max(last + 1, SerialCounterAt(kind, certificate.not_before));
    certificate.serial = last;
  }
}

}  // namespace

LabClock::LabClock(int64_t now_in) : now(now_in) {
  Date today = DateInJapan(now);
  this_update = StartOfDayInJapan(today) + kPublishedAfterMidnight;
  if (this_update > now) {
    this_update -= kSecondsPerDay;
    today = AddDays(today, -1);
  }
  next_update = this_update + 2 * kSecondsPerDay;
  season_start = StartOfDayInJapan(AddDays(today, -kSeasonDays));
  stale_this_update = season_start - 3 * kSecondsPerDay;
  stale_next_update = season_start - kSecondsPerDay;
}

uint64_t SerialCounterAt(CertificateKind kind, int64_t time) {
  const CounterReading* readings = Readings(kind);
  Require(time >= readings[0].time, "before the first CA");
  int i = 0;
  while (i < 2 && readings[i + 1].time <= time) ++i;
  const CounterReading& from = readings[i];
  const CounterReading& to = readings[i + 1];
  // In integers, so that no rounding mode can change a serial.
  return from.serial + (to.serial - from.serial) *
                           static_cast<uint64_t>(time - from.time) /
                           static_cast<uint64_t>(to.time - from.time);
}

int64_t CertificateNotAfter(Date birth, int64_t issued_at, Date card_last_day) {
  const Date fifth = BirthdayAfter(birth, DateInJapan(issued_at), 5);
  return EndOfDayInJapan(std::min(fifth, card_last_day));
}

Population SimulatePopulation(const PopulationOptions& options) {
  Population population;
  population.citizens.resize(options.citizens);
  std::vector<std::vector<IssuedCertificate>> lives(options.citizens);
  ParallelFor(options.citizens, options.threads, [&](uint64_t i) {
    lives[i] =
        LiveOneLife(options, static_cast<uint32_t>(i), &population.citizens[i]);
  });
  for (std::vector<IssuedCertificate>& life : lives) {
    for (IssuedCertificate& certificate : life) {
      population.certificates.push_back(std::move(certificate));
    }
  }
  AssignSerials(&population.certificates);
  return population;
}

}  // namespace inkan::lab
