// The world of the benchmarks of whole filings: one CA, a filing each of some
// thousands of citizens, every one with a certificate and key of its own, and
// CRLs of any size on which none of them is.
//
//   const FilingWorld& world = FilingWorld::Get();
//   auto snapshot = world.SnapshotWith(/*crl_entries=*/1000);
//
// INKAN_BENCH_FILINGS sets how many there are (a multiple of 512, or up to
// 512), for runs under callgrind. What cannot be made ends the program. One
// thread.
#ifndef INKAN_BENCH_FILING_WORLD_H_
#define INKAN_BENCH_FILING_WORLD_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bench/lab/authority.h"
#include "bench/lab/place_names.h"
#include "cache/snapshot_keeper.h"
#include "server/verifier.h"

namespace inkan {

// Ends the program with `what` unless `holds`.
void Require(bool holds, const char* what);
void RequirePassed(absl::Span<const FilingVerdict> verdicts);

class FilingWorld {
 public:
  static const FilingWorld& Get();

  static constexpr const char* kProfile = "jpki-signature";
  // T of every filing, when everything is valid.
  static int64_t Time();

  size_t size() const { return certificates.size(); }
  // A CRL of serials between those of the filings.
  std::string Crl(uint64_t entries) const;
  // Profile kProfile, with the CRL in this file.
  SnapshotOptions Options(const std::string& crl_file) const;
  // The snapshot with a CRL of so many entries; made once for each number.
  std::shared_ptr<const Snapshot> SnapshotWith(uint64_t crl_entries) const;
  std::vector<FilingView> Views(const Snapshot& snapshot) const;

  // DER; a kilobyte of XML; PKCS#1 v1.5 with SHA-256 over it.
  std::vector<std::string> certificates;
  std::vector<std::string> documents;
  std::vector<std::string> signatures;

  const std::string& ca_certificate() const { return ca_.certificate; }

 private:
  FilingWorld();

  lab::Authorities authorities_{1, 2};
  const lab::Authority& ca_;
  lab::Municipality place_ = lab::InventMunicipalities(4)[2];
  mutable std::map<uint64_t, std::unique_ptr<SnapshotKeeper>> keepers_;
};

}  // namespace inkan

#endif  // INKAN_BENCH_FILING_WORLD_H_
