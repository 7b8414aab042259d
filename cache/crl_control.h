// How the owner of a long piece of work on a CRL follows it and ends it early.
#ifndef INKAN_CACHE_CRL_CONTROL_H_
#define INKAN_CACHE_CRL_CONTROL_H_

#include <atomic>
#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "cache/background_thread.h"

namespace inkan {

struct CrlData;

struct CrlControl {
  // Called every few milliseconds on the working thread with the octets done
  // and those in all. The work takes several readings, and counts from the
  // start in each.
  std::function<void(uint64_t done, uint64_t total)> progress;
  // The work ends with kCancelled soon after this becomes true.
  const std::atomic<bool>* cancelled = nullptr;
  // Asked once by whoever reads a CRL, before its entries are: what its head
  // says, and the digest that is signed, is all there is then. If it is not OK
  // the work ends with that. Costs one more pass over the octets.
  std::function<absl::Status(const CrlData& head)> admit = {};

  absl::Status Report(uint64_t done, uint64_t total) const {
    KeepBackgroundPace();
    if (cancelled != nullptr && cancelled->load(std::memory_order_relaxed)) {
      return absl::CancelledError("cancelled");
    }
    if (progress) progress(done, total);
    return absl::OkStatus();
  }
};

}  // namespace inkan

#endif  // INKAN_CACHE_CRL_CONTROL_H_
