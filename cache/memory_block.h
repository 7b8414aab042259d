// A stretch of memory that is one large thing: heap copies on huge pages, or a
// file mapped read-only.
//
// Large look-up tables are read at random, and with 4 KiB pages each look-up
// would also miss the TLB; huge pages (transparent ones, if the system allows
// them) save that. Memory is zero at first and only uses pages once they are
// touched. Owns its memory; movable. Thread safety: that of plain memory.
#ifndef INKAN_CACHE_MEMORY_BLOCK_H_
#define INKAN_CACHE_MEMORY_BLOCK_H_

#include <sys/types.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "crypto/bytes.h"

namespace inkan {

// pread; in a test, a disk that fails.
using ReadAt = ssize_t (*)(int fd, void* to, size_t size, off_t offset);

class MemoryBlock {
 public:
  MemoryBlock() = default;
  MemoryBlock(MemoryBlock&& other) noexcept { *this = std::move(other); }
  MemoryBlock& operator=(MemoryBlock&& other) noexcept;
  ~MemoryBlock() { Release(); }

  // `size` zero octets; kResourceExhausted if the system has no room for them.
  static absl::StatusOr<MemoryBlock> Allocate(size_t size);
  // The first `size` octets of an open file, read-only, all brought in at once;
  // kUnavailable if some cannot be read. What is evicted later and then cannot
  // be read again ends this process (SIGBUS), as does whoever shortens the
  // file, so only for files of our own.
  static absl::StatusOr<MemoryBlock> MapFile(int fd, size_t size);

  // Gives back what lies beyond `size`. REQUIRES: Allocate, size <= size().
  void Shrink(size_t size);
  // Moves a block that has become small to the heap, where it takes no mapping
  // of its own.
  absl::Status Compact();

  uint8_t* data() { return data_; }
  const uint8_t* data() const { return data_; }
  size_t size() const { return size_; }
  Bytes bytes() const { return Bytes(data_, size_); }

 private:
  void Release();

  uint8_t* data_ = nullptr;
  size_t size_ = 0;
  size_t mapped_ = 0;
};

// Reads `size` octets of an open file into memory, whatever others do to the
// file meanwhile. kUnavailable if it cannot be read or is shorter.
absl::StatusOr<MemoryBlock> ReadOpenFile(int fd, size_t size,
                                         ReadAt read = &pread);

// The same for a piece of it.
absl::Status ReadPiece(int fd, uint64_t offset, uint8_t* to, size_t size,
                       ReadAt read = &pread);

}  // namespace inkan

#endif  // INKAN_CACHE_MEMORY_BLOCK_H_
