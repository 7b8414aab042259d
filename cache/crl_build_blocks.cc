// Segments in blocks of neighbouring numbers.
#include <algorithm>
#include <bit>
#include <vector>

#include "cache/crl_build.h"
#include "cache/crl_build_parts.h"

namespace inkan {

using crl_format::DateCoding;
using crl_format::ImageHeader;
using crl_format::Key;
using crl_format::SegmentHeader;
using crl_format::SetCoding;

namespace {

struct SortItem {
  uint64_t offset;
  uint64_t payload;  // code x 16 + symbol
};
static_assert(sizeof(SortItem) * kSortedEntriesMax == kSortBufferBytes);

// What an entry can take at most: a number, a date and a unary reason; its
// share of the zeros of the set; and, alone in its block, the count.
constexpr uint64_t kEntryBytesMax = 24;
// Where numbers take more bits than low parts may have, up to 128 zeros more
// for a block, of which there are at most 256 then.
constexpr uint64_t kBlockBytesMore = 16;
constexpr uint64_t kLongBlocksMax = 256;

unsigned ShiftFor(const SegmentStatistics& statistics) {
  const uint64_t span = statistics.last.words[2] - statistics.first.words[2];
  if (statistics.count <= crl_format::kBlockEntriesUsual) {
    return std::min(63U, static_cast<unsigned>(std::bit_width(span)));
  }
  __extension__ using Wide = unsigned __int128;
  const Wide per_block =
      Wide{crl_format::kBlockEntriesUsual} * span / statistics.count;
  unsigned shift = 0;
  while (shift < 63 && (Wide{2} << shift) <= per_block) ++shift;
  return shift;
}

uint64_t DirectoryBytes(const SegmentStatistics& statistics, unsigned shift) {
  const uint64_t span = statistics.last.words[2] - statistics.first.words[2];
  return ((span >> shift) / crl_format::kBlocksPerGroup + 2) *
         crl_format::kDirectoryGroupBytes;
}

// Takes entries in the order of their numbers and writes blocks.
class BlockWriter {
 public:
  BlockWriter(PayloadCoder* coder, SegmentRoom room, unsigned shift,
              uint64_t directory_bytes)
      : coder_(coder),
        dates_(coder->dates()),
        shift_(shift),
        directory_(room.image + room.offset),
        data_(room.image + room.offset + directory_bytes),
        data_max_(room.size - directory_bytes) {}

  // An entry not below the last one. A number that comes twice gets what
  // both come to.
  void Add(uint64_t offset, const Payload& payload) {
    if (offset == last_offset_ && fill_ > 0) {
      const Payload kept =
          coder_->Merge({code_[fill_ - 1], symbol_[fill_ - 1]}, payload);
      code_[fill_ - 1] = kept.code;
      symbol_[fill_ - 1] = static_cast<uint8_t>(kept.symbol);
      return;
    }
    const uint64_t block = offset >> shift_;
    if (block != block_) {
      Flush();
      block_ = block;
    }
    if (fill_ == crl_format::kBlockEntriesMax) {
      ok_ = false;
      return;
    }
    last_offset_ = offset;
    low_[fill_] = offset & crl_format::Mask(shift_);
    code_[fill_] = payload.code;
    symbol_[fill_] = static_cast<uint8_t>(payload.symbol);
    ++fill_;
    ++count_;
  }

  // Writes what is left, and the directory up to its end. False if there were
  // more entries somewhere than a block can hold.
  bool Finish(uint64_t blocks) {
    Flush();
    // The group after the last says where the last block ends.
    const uint64_t all = (blocks - 1) / crl_format::kBlocksPerGroup + 2;
    while (next_start_ < all * crl_format::kBlocksPerGroup) WriteStart();
    return ok_;
  }

  uint64_t count() const { return count_; }
  uint64_t data_bytes() const { return data_bytes_; }

 private:
  // Where block number next_start_ starts.
  void WriteStart() {
    uint8_t* group = directory_ + next_start_ / crl_format::kBlocksPerGroup *
                                      crl_format::kDirectoryGroupBytes;
    const uint64_t place = next_start_++ % crl_format::kBlocksPerGroup;
    if (data_bytes_ > UINT32_MAX) ok_ = false;
    if (place == 0) {
      const auto base = static_cast<uint32_t>(data_bytes_);
      std::memcpy(group, &base, sizeof(base));
      group_start_ = data_bytes_;
      return;
    }
    const uint64_t more = data_bytes_ - group_start_;
    if (more > UINT16_MAX) ok_ = false;
    const auto difference = static_cast<uint16_t>(more);
    std::memcpy(group + 4 + 2 * (place - 1), &difference, sizeof(difference));
  }

  void Flush() {
    if (fill_ == 0 || !ok_) return;
    while (next_start_ <= block_) WriteStart();
    if (data_bytes_ + fill_ * kEntryBytesMax + kBlockBytesMore +
            sizeof(uint64_t) >
        data_max_) {
      ok_ = false;
      return;
    }
    crl_format::BitWriter out(data_ + data_bytes_);
    out.Put(fill_, crl_format::kBlockCountBits);
    WriteSet(&out);
    WriteDates(&out);
    WriteReasons(&out);
    data_bytes_ += out.bytes();
    fill_ = 0;
  }

  void WriteSet(crl_format::BitWriter* out) const {
    const SetCoding coding = crl_format::SetCodingOf(fill_, shift_);
    // Of a bitmap all bits are high ones, each number its place; in Elias-Fano
    // each value of the high bits is ended by a zero.
    const uint64_t step = coding.bitmap ? 0 : 1;
    uint64_t position = 0;
    for (size_t i = 0; i < fill_; ++i) {
      const uint64_t place = (low_[i] >> coding.low_bits) + i * step;
      out->PutUnary(place - position);
      position = place + 1;
    }
    out->PutZeros(coding.high_bits - position);
    if (coding.low_bits == 0) return;
    for (size_t i = 0; i < fill_; ++i) {
      out->Put(low_[i] & crl_format::Mask(coding.low_bits), coding.low_bits);
    }
  }

  void WriteDates(crl_format::BitWriter* out) const {
    const uint64_t low_mask = crl_format::Mask(dates_.low_bits);
    for (size_t from = 0; from < fill_; from += dates_.group) {
      const auto here =
          static_cast<unsigned>(std::min<size_t>(dates_.group, fill_ - from));
      uint64_t high = 0;
      for (unsigned j = here; j-- > 0;) {
        high = high * dates_.digits + (code_[from + j] >> dates_.low_bits);
      }
      out->Put(high, dates_.width[here]);
      for (unsigned j = 0; j < here; ++j) {
        out->Put(code_[from + j] & low_mask, dates_.low_bits);
      }
    }
  }

  void WriteReasons(crl_format::BitWriter* out) {
    constexpr size_t kAtOnce = 32;
    const auto levels = static_cast<unsigned>(coder_->header().unary_levels);
    size_t left = fill_;
    for (unsigned level = 0; level < levels; ++level) {
      size_t kept = 0;
      for (size_t from = 0; from < left; from += kAtOnce) {
        const size_t here = std::min(kAtOnce, left - from);
        // Without a branch: nothing could foretell a reason.
        uint64_t others = 0;
        for (size_t j = 0; j < here; ++j) {
          const uint8_t symbol = symbol_[from + j];
          const uint64_t other = symbol != level ? 1 : 0;
          symbol_[kept] = symbol;
          kept += other;
          others |= other << j;
        }
        out->Put(others, static_cast<unsigned>(here));
      }
      left = kept;
    }
    const auto bits = static_cast<unsigned>(coder_->header().tail_bits);
    for (size_t i = 0; i < left; ++i) out->Put(symbol_[i] - levels, bits);
  }

  PayloadCoder* const coder_;
  const DateCoding dates_;
  const unsigned shift_;
  uint8_t* const directory_;
  uint8_t* const data_;
  const uint64_t data_max_;

  bool ok_ = true;
  uint64_t last_offset_ = 0;
  uint64_t block_ = 0;
  size_t fill_ = 0;
  uint64_t count_ = 0;
  uint64_t next_start_ = 0;
  uint64_t group_start_ = 0;
  uint64_t data_bytes_ = 0;
  std::array<uint64_t, crl_format::kBlockEntriesMax> low_;
  std::array<uint64_t, crl_format::kBlockEntriesMax> code_;
  std::array<uint8_t, crl_format::kBlockEntriesMax> symbol_;
};

// Entries in no order: cut into ranges that fit the buffer, each sorted and
// written in turn.
class RangeSorter {
 public:
  RangeSorter(CrlEntries* entries, size_t segment,
              const SegmentStatistics& statistics, size_t sorted_max)
      : entries_(entries),
        segment_(segment),
        statistics_(statistics),
        sorted_max_(sorted_max) {}

  // False if it would take too many readings.
  absl::StatusOr<bool> Run(PayloadCoder* coder, BlockWriter* writer) {
    if (statistics_.count > kSortedRangesMax * sorted_max_ / 2) return false;
    absl::StatusOr<bool> planned = Plan();
    if (!planned.ok() || !*planned) return planned;
    std::vector<SortItem> items;
    items.reserve(std::min<uint64_t>(sorted_max_, statistics_.count));
    for (size_t range = 0; range + 1 < bounds_.size(); ++range) {
      items.clear();
      absl::Status status =
          ForEachOffset([&](uint64_t offset, const IndexEntry& entry) {
            const uint64_t bucket = offset >> bucket_shift_;
            if (bucket < bounds_[range] || bucket >= bounds_[range + 1]) return;
            const Payload payload = coder->Encode(entry.revocation);
            items.push_back({offset, payload.code << 4 | payload.symbol});
          });
      if (!status.ok()) return status;
      std::sort(items.begin(), items.end(),
                [](const SortItem& a, const SortItem& b) {
                  return a.offset < b.offset;
                });
      for (const SortItem& item : items) {
        writer->Add(item.offset, {item.payload >> 4,
                                  static_cast<unsigned>(item.payload & 15)});
      }
    }
    return true;
  }

 private:
  template <typename Use>
  absl::Status ForEachOffset(const Use& use) {
    return ForEachEntry(entries_, [&](const IndexEntry& entry) {
      const Key key = crl_format::KeyOfGuarded(entry.serial, entry.serial_size);
      if (crl_format::SegmentOf(key) != segment_) return;
      use(key.words[2] - statistics_.first.words[2], entry);
    });
  }

  absl::StatusOr<bool> Plan() {
    constexpr unsigned kBucketBits = 16;
    const auto span_bits = static_cast<unsigned>(
        std::bit_width(statistics_.last.words[2] - statistics_.first.words[2]));
    bucket_shift_ = span_bits > kBucketBits ? span_bits - kBucketBits : 0;
    std::vector<uint32_t> counts(size_t{1} << kBucketBits);
    absl::Status status =
        ForEachOffset([&](uint64_t offset, const IndexEntry&) {
          ++counts[offset >> bucket_shift_];
        });
    if (!status.ok()) return status;
    bounds_ = {0};
    uint64_t fill = 0;
    for (uint64_t bucket = 0; bucket < counts.size(); ++bucket) {
      if (counts[bucket] > sorted_max_) return false;
      if (fill + counts[bucket] > sorted_max_) {
        bounds_.push_back(bucket);
        fill = 0;
      }
      fill += counts[bucket];
    }
    bounds_.push_back(counts.size());
    return bounds_.size() - 1 <= kSortedRangesMax;
  }

  CrlEntries* const entries_;
  const size_t segment_;
  const SegmentStatistics& statistics_;
  const size_t sorted_max_;
  unsigned bucket_shift_ = 0;
  std::vector<uint64_t> bounds_;
};

}  // namespace

uint64_t BlocksRoom(const SegmentStatistics& statistics) {
  return DirectoryBytes(statistics, ShiftFor(statistics)) +
         statistics.count * kEntryBytesMax + kLongBlocksMax * kBlockBytesMore +
         crl_format::kBitsGuardBytes;
}

bool CanBeBlocks(const SegmentStatistics& statistics) {
  return statistics.first.words[0] == statistics.last.words[0] &&
         statistics.first.words[1] == statistics.last.words[1];
}

absl::StatusOr<bool> BuildBlocks(CrlEntries* entries, size_t segment,
                                 const SegmentStatistics& statistics,
                                 size_t sorted_max, PayloadCoder* coder,
                                 SegmentRoom room, SegmentHeader* header,
                                 uint64_t* end) {
  const unsigned shift = ShiftFor(statistics);
  const uint64_t directory_bytes = DirectoryBytes(statistics, shift);
  const uint64_t exceptions = coder->exceptions();
  auto writer =
      std::make_unique<BlockWriter>(coder, room, shift, directory_bytes);
  bool fits = true;
  absl::Status status;
  if (statistics.in_order) {
    const uint64_t first = statistics.first.words[2];
    status = ForEachEntry(entries, [&](const IndexEntry& entry) {
      const Key key = crl_format::KeyOfGuarded(entry.serial, entry.serial_size);
      if (crl_format::SegmentOf(key) != segment) return;
      writer->Add(key.words[2] - first, coder->Encode(entry.revocation));
    });
  } else {
    RangeSorter sorter(entries, segment, statistics, sorted_max);
    absl::StatusOr<bool> sorted = sorter.Run(coder, writer.get());
    if (sorted.ok()) {
      fits = *sorted;
    } else {
      status = sorted.status();
    }
  }
  if (!status.ok()) return status;
  const uint64_t span = statistics.last.words[2] - statistics.first.words[2];
  if (!fits || !writer->Finish((span >> shift) + 1)) {
    std::memset(
        room.image + room.offset, 0,
        directory_bytes + writer->data_bytes() + crl_format::kBitsGuardBytes);
    coder->set_exceptions(exceptions);
    return false;
  }
  header->form = crl_format::Form::kBlocks;
  header->count = writer->count();
  header->first = statistics.first;
  header->last = statistics.last;
  header->shift = shift;
  header->directory_offset = room.offset;
  header->directory_bytes = directory_bytes;
  header->data_offset = room.offset + directory_bytes;
  header->data_bytes = writer->data_bytes();
  *end = header->data_offset + header->data_bytes;
  return true;
}

}  // namespace inkan
