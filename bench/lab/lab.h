// Makes a whole lab in a folder: trust anchors, CRLs, a server configuration,
// and a corpus of filings with the truth beside each.
//
//   absl::Status status = InitLab({.out = "/tmp/lab", .citizens = 1000});
//
// The options but `threads` and `quiet` decide every byte. Uses `threads`
// threads; errors name the path or the option at fault.
#ifndef INKAN_BENCH_LAB_LAB_H_
#define INKAN_BENCH_LAB_LAB_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace inkan::lab {

struct LabOptions {
  std::string out;
  uint32_t citizens = 1000;
  uint32_t municipalities = 20;
  uint64_t filings = 20'000;
  // About so many entries in each municipality's CRL at least: those of people
  // of whom the lab knows nothing else beside its own.
  uint64_t crl_entries = 0;
  uint64_t seed = 1;
  int64_t now = 0;  // Unix seconds
  std::string listen = "127.0.0.1:50051";
  unsigned threads = 1;
  // Write into a folder that is not empty, replacing the lab in it.
  bool force = false;
  bool quiet = false;
};

absl::Status InitLab(const LabOptions& options);

}  // namespace inkan::lab

#endif  // INKAN_BENCH_LAB_LAB_H_
