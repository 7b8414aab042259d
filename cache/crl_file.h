// Compiled CRLs on disk: what is kept of a CRL, its index included, in one file
// that is mapped and used as it is.
//
//   WriteCompiledCrl(crl, origin, "/var/cache/inkan/8f3a.crlx");
//   auto compiled = OpenCompiledCrl("/var/cache/inkan/8f3a.crlx", "tokyo.crl");
//   if (compiled.ok() && compiled->origin == origin) use compiled->crl;
//
// The layout is drawn in docs/ARCHITECTURE.md, "Compiled CRLs". A file is
// written under another name, synced, renamed and the folder synced, so that at
// every moment the name leads to a whole file or to none. Opening checks the
// version, the size and a SHA-256 over all, then every offset and width: what
// is torn, cut short, changed, of another version or no such file at all is
// kDataLoss, and no content found then can make a look-up leave the file. What
// cannot be read is kUnavailable: a file is hashed by reading before it is
// mapped, because a mapped page that cannot be read is a signal, not an error.
//
// A checksum is no signature: whoever can write the file can write what he
// likes into the index. So only files in folders that the operator answers for
// are opened, and linking still verifies the CRL's signature over the digest
// that the file keeps.
//
// Thread safety: any thread; two writers of one name do no harm.
#ifndef INKAN_CACHE_CRL_FILE_H_
#define INKAN_CACHE_CRL_FILE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cache/crl_control.h"
#include "cache/crl_data.h"
#include "cache/memory_block.h"

namespace inkan {

// To be counted up whenever the layout changes, or what any field of it means:
// the canonical form of names (2; 3: with the version of the Unicode data they
// are by), the strictness of reading and what several entries for one serial
// come to (3). An index of before would be believed.
inline constexpr uint32_t kCompiledCrlVersion = 3;
inline constexpr char kCompiledCrlSuffix[] = ".crlx";

// The CRL file that a compiled one was made from, as it was then. All zero: no
// particular file.
struct CrlOrigin {
  std::string path;
  uint64_t size = 0;
  int64_t modified_ns = 0;
  int64_t changed_ns = 0;
  uint64_t inode = 0;

  friend bool operator==(const CrlOrigin&, const CrlOrigin&) = default;
};

struct CompiledCrl {
  std::shared_ptr<const CrlData> crl;
  CrlOrigin origin;
};

// kUnavailable if it cannot be written, kCancelled; whatever was there before
// stays.
absl::Status WriteCompiledCrl(const CrlData& crl, const CrlOrigin& origin,
                              const std::string& path,
                              const CrlControl& control = {});

// Removes what writers to a folder have left half done. Only for who alone
// writes to it; every writer removes what is older than an hour by itself.
void RemoveUnfinishedCrls(const std::string& folder);

enum class CompiledCrlAccess : uint8_t {
  kMap,   // a file that only ever is replaced by renaming
  kCopy,  // a file that someone may write to in place
};

struct CompiledCrlOptions {
  CompiledCrlAccess access = CompiledCrlAccess::kMap;
  uint64_t bytes_max = UINT64_MAX;
  CrlControl control = {};
  ReadAt read = &pread;
};

// kUnavailable if there is none or it cannot be read, kInvalidArgument if it is
// no regular file or larger than `bytes_max`, kDataLoss if it is not sound,
// kCancelled.
absl::StatusOr<CompiledCrl> OpenCompiledCrl(
    const std::string& path, std::string source,
    const CompiledCrlOptions& options = {});

// The same from memory.
absl::StatusOr<CompiledCrl> ReadCompiledCrl(
    const std::shared_ptr<const MemoryBlock>& memory, std::string source);

// Where the checksum stands, for tests that repair it.
inline constexpr size_t kCompiledCrlChecksumOffset = 24;

}  // namespace inkan

#endif  // INKAN_CACHE_CRL_FILE_H_
