#include "cache/memory_block.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace inkan {
namespace {

// What x86-64 and AArch64 with 4 KiB pages call huge. Smaller blocks than one
// do not ask for them.
constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kPage = 4096;
// Smaller blocks come from the heap: thousands of partitions would use up the
// mappings that a process may have.
constexpr size_t kSmall = size_t{128} << 10;
constexpr size_t kAlignment = 64;

size_t RoundUp(size_t size, size_t unit) {
  return (size + unit - 1) / unit * unit;
}

}  // namespace

MemoryBlock& MemoryBlock::operator=(MemoryBlock&& other) noexcept {
  if (this == &other) return *this;
  Release();
  data_ = std::exchange(other.data_, nullptr);
  size_ = std::exchange(other.size_, 0);
  mapped_ = std::exchange(other.mapped_, 0);
  return *this;
}

void MemoryBlock::Release() {
  if (mapped_ > 0) {
    munmap(data_, mapped_);
  } else {
    std::free(data_);
  }
  data_ = nullptr;
  size_ = mapped_ = 0;
}

absl::StatusOr<MemoryBlock> MemoryBlock::Allocate(size_t size) {
  MemoryBlock block;
  if (size == 0) return block;
  if (size < kSmall) {
    block.data_ = static_cast<uint8_t*>(
        std::aligned_alloc(kAlignment, RoundUp(size, kAlignment)));
    if (block.data_ == nullptr) {
      return absl::ResourceExhaustedError("no memory");
    }
    std::memset(block.data_, 0, size);
    block.size_ = size;
    return block;
  }
  const bool huge = size >= kHugePage;
  // Room to align on a huge page; what is over on both sides goes back.
  const size_t wanted = RoundUp(size, kPage);
  const size_t asked = wanted + (huge ? kHugePage : 0);
  void* start = mmap(nullptr, asked, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (start == MAP_FAILED) {
    return absl::ResourceExhaustedError(
        absl::StrCat("no memory for ", size, " octets"));
  }
  auto* data = static_cast<uint8_t*>(start);
  if (huge) {
    const size_t before =
        RoundUp(reinterpret_cast<uintptr_t>(data), kHugePage) -
        reinterpret_cast<uintptr_t>(data);
    if (before > 0) munmap(data, before);
    data += before;
    if (kHugePage > before) munmap(data + wanted, kHugePage - before);
    // Without them it is only slower.
    madvise(data, wanted, MADV_HUGEPAGE);
  }
  block.data_ = data;
  block.size_ = size;
  block.mapped_ = wanted;
  return block;
}

absl::StatusOr<MemoryBlock> MemoryBlock::MapFile(int fd, size_t size) {
  MemoryBlock block;
  if (size == 0) return block;
  void* start = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (start == MAP_FAILED) {
    return absl::UnavailableError(
        absl::StrCat("cannot map: ", std::strerror(errno)));
  }
  block.data_ = static_cast<uint8_t*>(start);
  block.size_ = size;
  block.mapped_ = RoundUp(size, kPage);
  // An error here instead of a signal later. Systems that do not know it (Linux
  // before 5.14) bring pages in when they are used.
  if (madvise(start, block.mapped_, MADV_POPULATE_READ) != 0 &&
      (errno == EFAULT || errno == EHWPOISON)) {
    return absl::UnavailableError("cannot read what was mapped");
  }
  return block;
}

void MemoryBlock::Shrink(size_t size) {
  const size_t kept = RoundUp(size, kPage);
  if (mapped_ > 0 && kept < mapped_) {
    munmap(data_ + kept, mapped_ - kept);
    mapped_ = kept;
    if (kept == 0) data_ = nullptr;
  }
  size_ = size;
}

absl::Status MemoryBlock::Compact() {
  if (mapped_ == 0 || size_ >= kSmall) return absl::OkStatus();
  absl::StatusOr<MemoryBlock> block = Allocate(size_);
  if (!block.ok()) return block.status();
  if (size_ > 0) std::memcpy(block->data_, data_, size_);
  *this = *std::move(block);
  return absl::OkStatus();
}

absl::Status ReadPiece(int fd, uint64_t offset, uint8_t* to, size_t size,
                       ReadAt read) {
  constexpr size_t kReadBytes = size_t{4} << 20;
  size_t filled = 0;
  while (filled < size) {
    const ssize_t got =
        read(fd, to + filled, std::min(kReadBytes, size - filled),
             static_cast<off_t>(offset + filled));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      return absl::UnavailableError(
          absl::StrCat("cannot read: ", std::strerror(errno)));
    }
    if (got == 0) {
      return absl::UnavailableError("the file became shorter while read");
    }
    filled += static_cast<size_t>(got);
  }
  return absl::OkStatus();
}

absl::StatusOr<MemoryBlock> ReadOpenFile(int fd, size_t size, ReadAt read) {
  absl::StatusOr<MemoryBlock> block = MemoryBlock::Allocate(size);
  if (!block.ok()) return block;
  if (absl::Status status = ReadPiece(fd, 0, block->data(), size, read);
      !status.ok()) {
    return status;
  }
  return block;
}

}  // namespace inkan
