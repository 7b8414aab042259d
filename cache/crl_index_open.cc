// Checking an image before anything is looked up in it.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "cache/crl_index_view.h"
#include "crypto/isa.h"

namespace inkan {

using crl_format::Form;
using crl_format::GetBits;
using crl_format::ImageHeader;
using crl_format::SegmentHeader;
using crl_format::SetCoding;

namespace {

absl::Status Unsound(const char* what) {
  return absl::DataLossError(absl::StrCat("index image: ", what));
}

// Whether a section lies in the image, with room to read past it.
bool Lies(uint64_t offset, uint64_t size, Bytes image) {
  const uint64_t end = image.size() - crl_format::kBitsGuardBytes;
  return offset >= sizeof(ImageHeader) && offset <= end && size <= end - offset;
}

}  // namespace

absl::Status CrlIndexView::OpenHeader(Bytes image) {
  if (image.size() < sizeof(ImageHeader) + crl_format::kBitsGuardBytes) {
    return Unsound("shorter than its header");
  }
  std::memcpy(&header, image.data(), sizeof(header));
  if (header.magic != crl_format::kImageMagic ||
      header.image_bytes != image.size()) {
    return Unsound("not an image of this version and size");
  }
  // Days are counted in 4 octets, and codes stay far from overflow.
  constexpr uint64_t kDaysMax = uint64_t{1} << 24;
  if (header.days > kDaysMax || header.window_size == 0 ||
      header.window_size > 86400 || header.window_offset >= 86400 ||
      header.day_start < 0 || header.day_start >= 86400 ||
      !crl_format::DateCoding::Make(header.code_limit, header.low_bits,
                                    header.group, &dates)) {
    return Unsound("dates");
  }
  const uint64_t symbols = header.symbols;
  if (symbols == 0 || symbols > crl_format::kSymbolsMax ||
      header.unary_levels > symbols || header.tail_bits > 4) {
    return Unsound("reasons");
  }
  for (uint64_t i = 0; i < symbols; ++i) {
    if (header.symbol[i] > crl_reason::kMax &&
        header.symbol[i] != crl_format::kException) {
      return Unsound("reasons");
    }
  }
  if (!Lies(header.days_offset, header.days * sizeof(int32_t), image) ||
      header.exceptions > image.size() / crl_format::kExceptionBytes ||
      !Lies(header.exceptions_offset,
            header.exceptions * crl_format::kExceptionBytes, image)) {
    return Unsound("tables");
  }
  days = image.data() + header.days_offset;
  exceptions = image.data() + header.exceptions_offset;
  return absl::OkStatus();
}

absl::Status CrlIndexView::OpenSegment(Bytes image, size_t i) {
  CrlSegment& segment = segments[i];
  segment.header = header.segments[i];
  const SegmentHeader& h = segment.header;
  if (h.form == Form::kNone) {
    return h.count == 0 ? absl::OkStatus() : Unsound("a segment without form");
  }
  if (!Lies(h.directory_offset, h.directory_bytes, image) ||
      !Lies(h.data_offset, h.data_bytes, image) || h.last < h.first) {
    return Unsound("sections");
  }
  segment.directory = image.data() + h.directory_offset;
  segment.data = image.data() + h.data_offset;
  if (h.form == Form::kBlocks) return CheckBlocks(segment);
  if (h.form != Form::kRecords || h.prefix_bits > crl_format::kKeyBits ||
      h.bucket_bits > 32 ||
      h.prefix_bits + h.bucket_bits > crl_format::kKeyBits ||
      h.payload_bytes > 8) {
    return Unsound("widths of records");
  }
  segment.dropped_bytes = (h.prefix_bits + h.bucket_bits) / 8;
  segment.record_bytes = h.key_bytes + h.payload_bytes;
  if (h.key_bytes != crl_format::kKeyBytes - segment.dropped_bytes) {
    return Unsound("widths of records");
  }
  return CheckRecords(segment);
}

// One block: its count, the shape of its set, its length. How long the parts
// are that a look-up reads follows from these alone.
bool CrlIndexView::BlockIsSound(const CrlSegment& segment, uint64_t block,
                                uint64_t* entries) const {
  const CrlSegment::Range range = segment.Block(block);
  if (range.end < range.start || range.end > segment.header.data_bytes) {
    return false;
  }
  if (range.start == range.end) return true;
  const uint64_t bits = 8 * (range.end - range.start);
  const uint8_t* p = segment.data + range.start;
  const uint64_t count = GetBits(p, 0, crl_format::kBlockCountBits);
  const auto shift = static_cast<unsigned>(segment.header.shift);
  if (count == 0 || (shift < crl_format::kBlockCountBits + 1 &&
                     count > uint64_t{1} << shift)) {
    return false;
  }
  const SetCoding coding = crl_format::SetCodingOf(count, shift);
  uint64_t position = crl_format::kBlockCountBits;
  if (position + coding.bits > bits ||
      crl_format::CountOnes(p, position, coding.high_bits) != count ||
      (!coding.bitmap &&
       crl_format::GetBit(p, position + coding.high_bits - 1))) {
    return false;
  }
  position += coding.bits + dates.Bits(static_cast<uint32_t>(count));
  uint64_t left = count;
  for (uint64_t level = 0; level < header.unary_levels; ++level) {
    if (position + left > bits) return false;
    const uint64_t next = crl_format::CountOnes(p, position, left);
    position += left;
    left = next;
  }
  position += left * header.tail_bits;
  *entries += count;
  return (position + 7) / 8 * 8 == bits;
}

absl::Status CrlIndexView::CheckBlocks(const CrlSegment& segment) const {
  const SegmentHeader& h = segment.header;
  if (h.shift > 63 || h.first.words[0] != h.last.words[0] ||
      h.first.words[1] != h.last.words[1] || h.data_bytes > UINT32_MAX) {
    return Unsound("shape of blocks");
  }
  const uint64_t last = (h.last.words[2] - h.first.words[2]) >> h.shift;
  if (h.directory_bytes / crl_format::kDirectoryGroupBytes <
      last / crl_format::kBlocksPerGroup + 2) {
    return Unsound("directory of blocks");
  }
  const uint64_t blocks = last + 1;
  uint64_t entries = 0;
  for (uint64_t block = 0; block < blocks; ++block) {
    if (!BlockIsSound(segment, block, &entries)) return Unsound("a block");
  }
  return entries == h.count ? absl::OkStatus() : Unsound("entries in blocks");
}

absl::Status CrlIndexView::CheckRecords(const CrlSegment& segment) const {
  const SegmentHeader& h = segment.header;
  const uint64_t buckets = uint64_t{1} << h.bucket_bits;
  if (h.directory_bytes / sizeof(uint32_t) < buckets + 1 ||
      h.count > UINT32_MAX || segment.record_bytes == 0 ||
      h.data_bytes / segment.record_bytes < h.count) {
    return Unsound("directory of records");
  }
  uint64_t last = 0;
  for (uint64_t bucket = 0; bucket < buckets; ++bucket) {
    const CrlSegment::Range range = segment.Bucket(bucket);
    if (range.start != last || range.end < range.start || range.end > h.count) {
      return Unsound("directory of records");
    }
    last = range.end;
  }
  return last == h.count ? absl::OkStatus() : Unsound("directory of records");
}

absl::Status CrlIndexView::Open(Bytes image) {
  popcnt = ChosenIsa().popcnt;
  if (absl::Status status = OpenHeader(image); !status.ok()) return status;
  uint64_t entries = 0;
  for (size_t i = 0; i < segments.size(); ++i) {
    if (absl::Status status = OpenSegment(image, i); !status.ok()) {
      return status;
    }
    entries += header.segments[i].count;
  }
  if (entries != header.entries) return Unsound("number of entries");
  for (CrlSegment& segment : segments) {
    if (segment.header.form != Form::kBlocks || segment.header.count == 0) {
      continue;
    }
    const uint64_t usual =
        std::max<uint64_t>(1, segment.header.count / segment.Blocks());
    const auto shift = static_cast<unsigned>(segment.header.shift);
    const uint64_t set =
        crl_format::kBlockCountBits +
        crl_format::SetCodingOf(
            shift < 63 ? std::min(usual, uint64_t{1} << shift) : usual, shift)
            .bits;
    const uint64_t bits =
        std::max<uint64_t>(1, 8 * segment.header.data_bytes / segment.Blocks());
    segment.dates_start =
        static_cast<uint32_t>(std::min<uint64_t>(65535, (set << 16) / bits));
    segment.dates_share = static_cast<uint32_t>(std::min<uint64_t>(
        65535, (dates.Bits(static_cast<uint32_t>(usual)) << 16) / bits));
  }
  return absl::OkStatus();
}

}  // namespace inkan
