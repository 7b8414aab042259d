// From a CRL's file to what is kept of it, by way of the cache folder.
//
//   CrlLoader loader({.cache_folder = "/var/cache/inkan", .bytes_max = max});
//   auto crl = loader.Load("/var/lib/inkan/crls/tokyo.crl", "tokyo.crl");
//
// A CRL that was read before has a compiled index in the cache folder
// (cache/crl_file.h). If that file truly belongs to the CRL file as it is now
// (size, times, inode), it is checked and mapped instead of reading the CRL;
// otherwise, or if it is damaged or cannot be read, the CRL is read, DER or
// PEM, and its compiled index written.
// A file whose name ends in .crlx and that an operator put in place is a
// compiled index itself; bytes that came from a network never are, so what was
// fetched must not be stored under such a name.
//
// Errors: kUnavailable if the file cannot be read now, kInvalidArgument if what
// it holds is refused, kResourceExhausted if there is no memory for it,
// kCancelled. That a cache folder cannot be written is no error of Load: see
// unwritten(), and WriteAgain for when there is room again. Trust is not
// decided here but by linking (cache/crl_store.h).
//
// Thread safety: any thread at once. One Load holds the CRL's bytes (of PEM the
// text, then the DER in its place) and its index in memory, and a fixed buffer
// of kBuildBufferBytes (cache/crl_build.h).
#ifndef INKAN_CACHE_CRL_LOADER_H_
#define INKAN_CACHE_CRL_LOADER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cache/crl_control.h"
#include "cache/crl_data.h"
#include "cache/crl_file.h"
#include "cache/mutex.h"

namespace inkan {

// Nanoseconds since 1970.
int64_t WallClockNs();

struct CrlLoaderOptions {
  // Where compiled indexes are kept; empty: nowhere.
  std::string cache_folder;
  // Larger CRL files are refused before they are read.
  uint64_t bytes_max = uint64_t{4} << 30;
  // Tests have another one.
  int64_t (*clock_ns)() = &WallClockNs;

  friend bool operator==(const CrlLoaderOptions&,
                         const CrlLoaderOptions&) = default;
};

// CRLs whose compiled index could not be written when they were read.
struct UnwrittenIndexes {
  size_t crls = 0;
  std::string error;  // why, of one of them, and what to do; empty if of none
};

class CrlLoader {
 public:
  explicit CrlLoader(CrlLoaderOptions options) : options_(std::move(options)) {}

  // Reads the CRL at `path`. `source` is how it is called in reports.
  absl::StatusOr<std::shared_ptr<const CrlData>> Load(
      const std::string& path, std::string source,
      const CrlControl& control = {}) const;

  // The compiled index of a CRL file in the cache folder.
  std::string CompiledPath(const std::string& path) const;

  const CrlLoaderOptions& options() const { return options_; }

  UnwrittenIndexes unwritten() const;
  // Writes those whose CRL is still held by somebody and whose file is still
  // the same, as far as there is room, and forgets the others; does nothing
  // within `interval` of the last time, or of the first that could not be
  // written.
  void WriteAgain(absl::Duration interval) const;

 private:
  struct Unwritten {
    std::string source;
    std::weak_ptr<const CrlData> crl;
    CrlOrigin origin;
    std::string error;
  };
  // By the path of the CRL.
  using UnwrittenByPath = std::map<std::string, Unwritten>;

  absl::Status Write(const std::shared_ptr<const CrlData>& crl,
                     const CrlOrigin& origin,
                     const CrlControl& control = {}) const;
  void Forget(const std::string& path) const;

  const CrlLoaderOptions options_;
  mutable Mutex mutex_;
  mutable UnwrittenByPath unwritten_ ABSL_GUARDED_BY(mutex_);
  // By SteadyNow.
  mutable absl::Duration last_attempt_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace inkan

#endif  // INKAN_CACHE_CRL_LOADER_H_
