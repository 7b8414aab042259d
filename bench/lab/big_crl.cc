#include "bench/lab/big_crl.h"

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

}  // namespace

absl::Status WriteBigCrl(const BigCrlOptions& options) {
  const Name name = {{"C", "JP"}, {"O", "Inkan Lab"}, {"CN", "Big CRL CA"}};
  const PrivateKey key =
      PrivateKey::RsaFromSeed(absl::StrCat(options.seed, "/big-crl"));
  absl::Status issuer =
      WriteFile(options.out + ".issuer.cer", SelfSignedCa(name, key));
  if (!issuer.ok()) return issuer;
  // Revocations of five years, evenly spread.
  const int64_t span = 5 * 365 * kSecondsPerDay;
  const int64_t start = options.now - span;
  static constexpr Reason kReasons[] = {
      Reason::kUnspecified,        Reason::kKeyCompromise,
      Reason::kAffiliationChanged, Reason::kAffiliationChanged,
      Reason::kAffiliationChanged, Reason::kSuperseded,
      Reason::kCertificateHold,    Reason::kCessationOfOperation};
  CrlBuilder builder;
  builder.issuer(name)
      .this_update(options.now)
      .next_update(options.now + 2 * kSecondsPerDay)
      .issued_by(key)
      .add(extension::CrlNumber(1))
      .entries(options.entries, [&](uint64_t i, CrlEntry* entry) {
        if (options.random_serials) {
          SetRandomSerial(options.seed, i, &entry->serial);
        } else {
          entry->serial = SerialContents(kFirstSerial + i);
        }
        entry->revoked_at =
            start + static_cast<int64_t>(static_cast<double>(i) /
                                         static_cast<double>(options.entries) *
                                         static_cast<double>(span));
        entry->reason = kReasons[Mix(i) % std::size(kReasons)];
      });
  Progress progress("CRL entries", options.entries, options.quiet);
  absl::Status status = builder.WriteFile(
      options.out, key, [&](uint64_t done) { progress.Set(done); });
  if (status.ok()) progress.Done();
  return status;
}

}  // namespace inkan::lab
