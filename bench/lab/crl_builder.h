// Builds CRLs (RFC 5280 section 5), right ones and wrong ones, of any size.
//
//   std::string der = CrlBuilder()
//       .issuer(ca_name)
//       .this_update(now).next_update(now + 86400)
//       .issued_by(ca)                               // authorityKeyIdentifier
//       .add(extension::CrlNumber(7))
//       .revoke({.serial = SerialContents(17), .revoked_at = yesterday,
//                .reason = Reason::kKeyCompromise})
//       .Sign(ca);
//
// A CRL of tens of millions of entries is written without holding it: entries()
// takes a function that can produce any entry again, and WriteFile() runs it
// kPasses times (to know the lengths, to hash, to write). One thread per
// object.
#ifndef INKAN_BENCH_LAB_CRL_BUILDER_H_
#define INKAN_BENCH_LAB_CRL_BUILDER_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "bench/lab/calendar.h"
#include "bench/lab/extensions.h"
#include "bench/lab/keys.h"
#include "bench/lab/name.h"

namespace inkan::lab {

struct CrlEntry {
  std::string serial;  // INTEGER contents; SerialContents(n) for a number
  int64_t revoked_at = 0;
  std::optional<Reason> reason = {};
  std::optional<int64_t> invalidity_date = {};
  std::vector<std::string> certificate_issuer = {};  // GeneralName elements
  std::vector<Extension> extensions = {};            // after the named ones
};

class CrlBuilder {
 public:
  // 1 or 2 (default 2); version 1 is left out.
  CrlBuilder& version(unsigned number);
  // Default CN=Lab CA.
  CrlBuilder& issuer(Name name);
  // Default 2026-03-15T00:00:00Z, and two days later.
  CrlBuilder& this_update(int64_t time);
  CrlBuilder& next_update(int64_t time);
  CrlBuilder& no_next_update();
  // Appends a CRL extension; set() replaces the first of this OID; issued_by()
  // puts the authorityKeyIdentifier.
  CrlBuilder& add(Extension extension);
  CrlBuilder& set(Extension extension);
  CrlBuilder& issued_by(const PrivateKey& issuer_key);
  // Appends one entry.
  CrlBuilder& revoke(CrlEntry entry);
  // `fill(index, &entry)` for index 0 to count - 1, after the appended ones. It
  // is called several times for each index and must answer the same; `entry`
  // holds what the last call left.
  CrlBuilder& entries(uint64_t count,
                      std::function<void(uint64_t, CrlEntry*)> fill);
  // Overrides of the two AlgorithmIdentifier elements.
  CrlBuilder& inner_algorithm_der(std::string element);
  CrlBuilder& outer_algorithm_der(std::string element);

  // The signed CRL, DER.
  std::string Sign(const PrivateKey& issuer_key) const;
  std::string Sign(const PrivateKey& issuer_key,
                   SigningAlgorithm algorithm) const;
  // The same into a file, in constant memory. `progress` hears how many of
  // kPasses times all entries it has gone through.
  static constexpr uint64_t kPasses = 3;
  absl::Status WriteFile(
      const std::string& path, const PrivateKey& issuer_key,
      const std::function<void(uint64_t)>& progress = nullptr) const;

 private:
  using Sink = std::function<void(std::string_view)>;

  struct Lengths {
    uint64_t entries = 0;  // contents of revokedCertificates
    uint64_t tbs = 0;      // contents of tbsCertList
  };

  std::string Head(SigningAlgorithm algorithm) const;
  std::string Tail() const;
  Lengths Measure(SigningAlgorithm algorithm,
                  const std::function<void(uint64_t)>& progress) const;
  uint64_t count() const { return listed_.size() + generated_; }
  void WriteEntries(const Sink& sink,
                    const std::function<void(uint64_t)>& progress) const;
  void WriteTbs(SigningAlgorithm algorithm, const Lengths& lengths,
                const Sink& sink,
                const std::function<void(uint64_t)>& progress) const;
  void WriteAll(const PrivateKey& issuer_key, SigningAlgorithm algorithm,
                const Sink& sink,
                const std::function<void(uint64_t)>& progress) const;

  unsigned version_ = 2;
  Name issuer_ = {{"CN", "Lab CA"}};
  int64_t this_update_ = UtcSeconds(2026, 3, 15);
  std::optional<int64_t> next_update_ = UtcSeconds(2026, 3, 17);
  std::vector<Extension> extensions_;
  std::vector<CrlEntry> listed_;
  uint64_t generated_ = 0;
  std::function<void(uint64_t, CrlEntry*)> fill_;
  std::string inner_algorithm_;
  std::string outer_algorithm_;
};

}  // namespace inkan::lab

#endif  // INKAN_BENCH_LAB_CRL_BUILDER_H_
