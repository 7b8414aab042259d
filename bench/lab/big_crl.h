// One CRL of any size, for measurements: `inkan-lab crl`.
#ifndef INKAN_BENCH_LAB_BIG_CRL_H_
#define INKAN_BENCH_LAB_BIG_CRL_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "bench/lab/crl_builder.h"

namespace inkan::lab {

struct BigCrlOptions {
  std::string out;
  uint64_t entries = 1'000'000;
  // Random serials of 16 octets in no order, instead of a counter's.
  bool random_serials = false;
  // Dates at any second of the time a certificate was alive, instead of office
  // hours alone.
  bool uniform_dates = false;
  uint64_t seed = 1;
  int64_t now = 0;  // thisUpdate
  bool quiet = false;
};

// Deals the entries of such a CRL, in order: one counter of which each number
// is revoked with a chance of 15 %, numbers given out evenly over five years,
// each revoked at an even moment between its issue and now. Offices are open
// from 9 to 17 o'clock in Japan, on Mondays to Fridays that are no national
// holiday (substitute holidays are left out) and not from 29 December to 3
// January; a lab's offices (bench/lab/life.h) open on every day. Reasons come
// as often as a lab's lives make them happen. What is not modelled: waves of
// revocations when municipalities merge or software changes.
class BigCrlEntries {
 public:
  explicit BigCrlEntries(const BigCrlOptions& options);

  // Entry number `i`. Cheap if it is called with 0, 1, 2, ...
  void Fill(uint64_t i, CrlEntry* entry);
  // The last number that the counter has given out.
  uint64_t last_serial() const { return first_serial_ + numbers_ - 1; }

 private:
  void AdvanceTo(uint64_t i);

  const uint64_t entries_;
  const bool random_serials_;
  const bool uniform_dates_;
  const uint64_t seed_;
  const int64_t now_;
  const uint64_t first_serial_;
  const uint64_t numbers_;
  std::vector<int64_t> office_days_;  // when they open
  uint64_t next_ = 0;
  uint64_t number_ = 0;
};

// Writes the CRL to `out` and its issuer's certificate to `out`.issuer.cer, in
// constant memory. The CRL speaks for all certificates of its issuer.
absl::Status WriteBigCrl(const BigCrlOptions& options);

}  // namespace inkan::lab

#endif  // INKAN_BENCH_LAB_BIG_CRL_H_
