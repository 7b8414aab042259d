// Segments as sorted records.
#include <algorithm>
#include <array>
#include <bit>
#include <vector>

#include "cache/crl_build_parts.h"

namespace inkan {

using crl_format::Form;
using crl_format::ImageHeader;
using crl_format::Key;
using crl_format::kKeyBits;
using crl_format::kKeyBytes;
using crl_format::SegmentHeader;

namespace {

// 32 MiB of cursors.
constexpr unsigned kCursorBitsMax = 23;

unsigned Log2(uint64_t value) {
  return static_cast<unsigned>(std::bit_width(value) - 1);
}

unsigned SharedBits(const Key& a, const Key& b) {
  for (size_t i = 0; i < crl_format::kKeyWords; ++i) {
    const uint64_t difference = a.words[i] ^ b.words[i];
    if (difference != 0) {
      return static_cast<unsigned>(
          64 * i + static_cast<size_t>(std::countl_zero(difference)));
    }
  }
  return kKeyBits;
}

SegmentHeader Shape(const SegmentStatistics& statistics,
                    const ImageHeader& image) {
  SegmentHeader header;
  header.form = Form::kRecords;
  header.count = statistics.count;
  header.first = statistics.first;
  header.last = statistics.last;
  header.prefix_bits = SharedBits(statistics.first, statistics.last);
  const unsigned log2 = Log2(statistics.count);
  header.bucket_bits =
      std::min<uint64_t>(std::min(log2 > crl_format::kBucketEntriesLog2
                                      ? log2 - crl_format::kBucketEntriesLog2
                                      : 0,
                                  kCursorBitsMax),
                         kKeyBits - header.prefix_bits);
  header.key_bytes = kKeyBytes - (header.prefix_bits + header.bucket_bits) / 8;
  const uint64_t payloads = image.code_limit * image.symbols;
  header.payload_bytes =
      (static_cast<uint64_t>(std::bit_width(payloads - 1)) + 7) / 8;
  // No record is empty.
  if (header.key_bytes + header.payload_bytes == 0) header.payload_bytes = 1;
  header.directory_bytes =
      ((uint64_t{1} << header.bucket_bits) + 1) * sizeof(uint32_t);
  header.data_bytes =
      statistics.count * (header.key_bytes + header.payload_bytes);
  return header;
}

// Sorts records of one width, known at run time, by their key octets: by one
// octet after the other, in place, and short stretches by insertion. Linear in
// the records for each octet of the key, whatever they hold.
class RecordSorter {
 public:
  RecordSorter(size_t record_bytes, size_t key_bytes)
      : record_bytes_(record_bytes), key_bytes_(key_bytes) {}

  void Sort(uint8_t* records, size_t count, size_t octet = 0) {
    constexpr size_t kShort = 24;
    while (count > kShort && octet < key_bytes_) {
      std::array<size_t, 257> starts;
      Partition(records, count, octet, &starts);
      ++octet;
      // The largest part goes on in this loop, the others are smaller.
      size_t largest = 0;
      for (size_t i = 0; i < 256; ++i) {
        if (starts[i + 1] - starts[i] > starts[largest + 1] - starts[largest]) {
          largest = i;
        }
      }
      for (size_t i = 0; i < 256; ++i) {
        const size_t part = starts[i + 1] - starts[i];
        if (i == largest || part < 2) continue;
        Sort(records + starts[i] * record_bytes_, part, octet);
      }
      records += starts[largest] * record_bytes_;
      count = starts[largest + 1] - starts[largest];
    }
    if (octet < key_bytes_) Insert(records, count);
  }

 private:
  // American flag: each octet's records moved to where they belong.
  void Partition(uint8_t* records, size_t count, size_t octet,
                 std::array<size_t, 257>* starts) {
    starts->fill(0);
    for (size_t i = 0; i < count; ++i) {
      ++(*starts)[records[i * record_bytes_ + octet] + size_t{1}];
    }
    for (size_t i = 0; i < 256; ++i) (*starts)[i + 1] += (*starts)[i];
    std::array<size_t, 257> next = *starts;
    for (size_t value = 0; value < 256; ++value) {
      while (next[value] < (*starts)[value + 1]) {
        uint8_t* record = records + next[value] * record_bytes_;
        const size_t home = record[octet];
        if (home == value) {
          ++next[value];
          continue;
        }
        uint8_t* other = records + next[home]++ * record_bytes_;
        std::swap_ranges(record, record + record_bytes_, other);
      }
    }
  }

  void Insert(uint8_t* records, size_t count) {
    uint8_t moving[kKeyBytes + 8];
    for (size_t i = 1; i < count; ++i) {
      const uint8_t* here = records + i * record_bytes_;
      size_t place = i;
      while (place > 0 && std::memcmp(records + (place - 1) * record_bytes_,
                                      here, key_bytes_) > 0) {
        --place;
      }
      if (place == i) continue;
      std::memcpy(moving, here, record_bytes_);
      std::memmove(records + (place + 1) * record_bytes_,
                   records + place * record_bytes_,
                   (i - place) * record_bytes_);
      std::memcpy(records + place * record_bytes_, moving, record_bytes_);
    }
  }

  const size_t record_bytes_;
  const size_t key_bytes_;
};

class RecordsBuild {
 public:
  RecordsBuild(CrlEntries* entries, size_t segment, PayloadCoder* coder,
               uint8_t* image, SegmentHeader* header)
      : entries_(entries),
        segment_(segment),
        coder_(coder),
        header_(header),
        dropped_bytes_((header->prefix_bits + header->bucket_bits) / 8),
        record_bytes_(header->key_bytes + header->payload_bytes),
        directory_(image + header->directory_offset),
        data_(image + header->data_offset) {
    cursor_bits_ = static_cast<unsigned>(std::clamp<uint64_t>(
        std::min<uint64_t>(static_cast<uint64_t>(std::bit_width(header->count)),
                           kKeyBits - header->prefix_bits),
        header->bucket_bits, kCursorBitsMax));
  }

  absl::Status Run() {
    absl::StatusOr<MemoryBlock> memory =
        MemoryBlock::Allocate(sizeof(uint32_t) << cursor_bits_);
    if (!memory.ok()) return memory.status();
    cursors_ = reinterpret_cast<uint32_t*>(memory->data());
    absl::Status status = ForEachKey(
        [&](const Key& key, const IndexEntry&) { ++cursors_[CursorOf(key)]; });
    if (!status.ok()) return status;
    uint32_t start = 0;
    for (size_t i = 0; i < size_t{1} << cursor_bits_; ++i) {
      const uint32_t count = cursors_[i];
      cursors_[i] = start;
      start += count;
    }
    bool stayed = true;
    status = ForEachKey([&](const Key& key, const IndexEntry& entry) {
      uint32_t& cursor = cursors_[CursorOf(key)];
      stayed &= cursor < header_->count;
      if (!stayed) return;
      Write(cursor++, key, coder_->Encode(entry.revocation));
    });
    if (!status.ok()) return status;
    if (!stayed) return absl::InternalError("entries changed while read");
    SortAndMerge();
    return absl::OkStatus();
  }

 private:
  template <typename Use>
  absl::Status ForEachKey(const Use& use) {
    return ForEachEntry(entries_, [&](const IndexEntry& entry) {
      const Key key = crl_format::KeyOfGuarded(entry.serial, entry.serial_size);
      if (crl_format::SegmentOf(key) == segment_) use(key, entry);
    });
  }

  size_t CursorOf(const Key& key) const {
    return crl_format::KeyField(
        key, static_cast<unsigned>(header_->prefix_bits), cursor_bits_);
  }

  uint8_t* Record(uint64_t i) { return data_ + i * record_bytes_; }

  void WritePayload(uint8_t* record, const Payload& payload) {
    const uint64_t value =
        payload.code * coder_->header().symbols + payload.symbol;
    std::memcpy(record + header_->key_bytes, &value, header_->payload_bytes);
  }

  void Write(uint64_t i, const Key& key, const Payload& payload) {
    uint8_t octets[kKeyBytes];
    crl_format::KeyOctets(key, octets);
    std::memcpy(Record(i), octets + dropped_bytes_, header_->key_bytes);
    WritePayload(Record(i), payload);
  }

  Payload PayloadOf(const uint8_t* record) const {
    const uint64_t value = crl_format::GetPayload(record + header_->key_bytes,
                                                  header_->payload_bytes);
    const uint64_t symbols = coder_->header().symbols;
    return {value / symbols, static_cast<unsigned>(value % symbols)};
  }

  // The records that share a cursor lie together; those that share a bucket of
  // the directory are several cursors' next to each other.
  void SortAndMerge() {
    RecordSorter sorter(record_bytes_, header_->key_bytes);
    const unsigned finer =
        cursor_bits_ - static_cast<unsigned>(header_->bucket_bits);
    uint64_t start = 0;
    uint64_t kept = 0;
    for (size_t i = 0; i < size_t{1} << cursor_bits_; ++i) {
      if ((i & crl_format::Mask(finer)) == 0) WriteBucket(i >> finer, kept);
      const uint64_t end = cursors_[i];
      if (end - start > 1) sorter.Sort(Record(start), end - start);
      const uint64_t first_kept = kept;
      for (uint64_t j = start; j < end; ++j) Keep(j, first_kept, &kept);
      start = end;
    }
    WriteBucket(uint64_t{1} << header_->bucket_bits, kept);
    std::memset(Record(kept), 0, (header_->count - kept) * record_bytes_);
    header_->count = kept;
    header_->data_bytes = kept * record_bytes_;
  }

  void Keep(uint64_t from, uint64_t first_kept, uint64_t* kept) {
    if (*kept > first_kept) {
      uint8_t* last = Record(*kept - 1);
      if (std::memcmp(last, Record(from), header_->key_bytes) == 0) {
        WritePayload(last,
                     coder_->Merge(PayloadOf(last), PayloadOf(Record(from))));
        return;
      }
    }
    if (*kept != from) {
      std::memmove(Record(*kept), Record(from), record_bytes_);
    }
    ++*kept;
  }

  void WriteBucket(uint64_t bucket, uint64_t start) {
    const auto value = static_cast<uint32_t>(start);
    std::memcpy(directory_ + bucket * sizeof(value), &value, sizeof(value));
  }

  CrlEntries* const entries_;
  const size_t segment_;
  PayloadCoder* const coder_;
  SegmentHeader* const header_;
  const size_t dropped_bytes_;
  const size_t record_bytes_;
  uint8_t* const directory_;
  uint8_t* const data_;
  unsigned cursor_bits_ = 0;
  uint32_t* cursors_ = nullptr;
};

}  // namespace

uint64_t RecordsRoom(const SegmentStatistics& statistics,
                     const ImageHeader& image) {
  const SegmentHeader header = Shape(statistics, image);
  return header.directory_bytes + header.data_bytes +
         crl_format::kBitsGuardBytes;
}

absl::Status BuildRecords(CrlEntries* entries, size_t segment,
                          const SegmentStatistics& statistics,
                          PayloadCoder* coder, SegmentRoom room,
                          SegmentHeader* header, uint64_t* end) {
  *header = Shape(statistics, coder->header());
  header->directory_offset = room.offset;
  header->data_offset = room.offset + header->directory_bytes;
  RecordsBuild build(entries, segment, coder, room.image, header);
  if (absl::Status status = build.Run(); !status.ok()) return status;
  *end = header->data_offset + header->data_bytes;
  return absl::OkStatus();
}

}  // namespace inkan
