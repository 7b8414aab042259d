#include "cache/crl_build.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include "cache/crl_build_parts.h"
#include "crypto/der.h"

namespace inkan {

using crl_format::ImageHeader;

namespace {

constexpr uint64_t kSectionAlignment = 64;

uint64_t Aligned(uint64_t offset) {
  return (offset + kSectionAlignment - 1) / kSectionAlignment *
         kSectionAlignment;
}

// Lays out one image and fills it.
class Build {
 public:
  Build(CrlEntries* entries, size_t sorted_max)
      : entries_(entries), sorted_max_(sorted_max) {}

  absl::StatusOr<CrlIndex> Run() {
    if (!statistics_.ok()) return absl::ResourceExhaustedError("no memory");
    absl::Status status = ForEachEntry(
        entries_, [&](const IndexEntry& entry) { statistics_.Add(entry); });
    if (!status.ok()) return status;
    if (statistics_.entries() == 0) return CrlIndex();
    if (statistics_.entries() > kIndexEntriesMax) {
      return absl::InvalidArgumentError(
          "revokedCertificates: more entries than an index can hold");
    }
    statistics_.ChooseCodings(&view_.header);
    if (status = LayOut(); !status.ok()) return status;
    for (size_t i = 0; i < crl_format::kSegments; ++i) {
      if (status = BuildSegment(i); !status.ok()) return status;
    }
    return Finish();
  }

 private:
  absl::Status LayOut() {
    ImageHeader& header = view_.header;
    header.days_offset = Aligned(sizeof(ImageHeader));
    header.exceptions_offset =
        Aligned(header.days_offset + header.days * sizeof(int32_t));
    // One more than there can be, so that no miscount could reach beyond.
    end_ = Aligned(header.exceptions_offset +
                   (header.exceptions + 1) * crl_format::kExceptionBytes);
    uint64_t room = end_ + crl_format::kBitsGuardBytes;
    for (const SegmentStatistics& segment : statistics_.segments()) {
      if (segment.count == 0) continue;
      room += kSectionAlignment + RoomFor(segment);
    }
    absl::StatusOr<MemoryBlock> image = MemoryBlock::Allocate(room);
    if (!image.ok()) return image.status();
    image_ = *std::move(image);
    statistics_.WriteDays(header, image_.data() + header.days_offset);
    view_.days = image_.data() + header.days_offset;
    view_.exceptions = image_.data() + header.exceptions_offset;
    if (!crl_format::DateCoding::Make(header.code_limit, header.low_bits,
                                      header.group, &view_.dates)) {
      return absl::InternalError("date coding");
    }
    coder_ = std::make_unique<PayloadCoder>(
        statistics_, &view_, image_.data() + header.exceptions_offset);
    return absl::OkStatus();
  }

  uint64_t RoomFor(const SegmentStatistics& segment) const {
    const uint64_t records = RecordsRoom(segment, view_.header);
    return CanBeBlocks(segment) ? std::max(records, BlocksRoom(segment))
                                : records;
  }

  absl::Status BuildSegment(size_t i) {
    const SegmentStatistics& statistics = statistics_.segments()[i];
    if (statistics.count == 0) return absl::OkStatus();
    crl_format::SegmentHeader* header = &view_.header.segments[i];
    const SegmentRoom room = {image_.data(), Aligned(end_),
                              RoomFor(statistics)};
    if (CanBeBlocks(statistics)) {
      absl::StatusOr<bool> done =
          BuildBlocks(entries_, i, statistics, sorted_max_, coder_.get(), room,
                      header, &end_);
      if (!done.ok()) return done.status();
      if (*done) return absl::OkStatus();
    }
    return BuildRecords(entries_, i, statistics, coder_.get(), room, header,
                        &end_);
  }

  absl::StatusOr<CrlIndex> Finish() {
    ImageHeader& header = view_.header;
    header.exceptions = coder_->exceptions();
    header.image_bytes = end_ + crl_format::kBitsGuardBytes;
    for (const crl_format::SegmentHeader& segment : header.segments) {
      header.entries += segment.count;
    }
    std::memcpy(image_.data(), &header, sizeof(header));
    image_.Shrink(header.image_bytes);
    if (absl::Status status = image_.Compact(); !status.ok()) return status;
    auto memory = std::make_shared<MemoryBlock>(std::move(image_));
    const Bytes image = memory->bytes();
    return CrlIndex::FromImage(std::move(memory), image);
  }

  CrlEntries* const entries_;
  const size_t sorted_max_;
  EntryStatistics statistics_;
  CrlIndexView view_;
  MemoryBlock image_;
  uint64_t end_ = 0;
  std::unique_ptr<PayloadCoder> coder_;
};

}  // namespace

PayloadCoder::PayloadCoder(const EntryStatistics& statistics,
                           CrlIndexView* view, uint8_t* exceptions)
    : statistics_(statistics),
      view_(view),
      exceptions_(exceptions),
      exceptions_max_(view->header.exceptions) {
  for (uint64_t i = 0; i < view->header.symbols; ++i) {
    symbol_of_[view->header.symbol[i]] = static_cast<uint8_t>(i);
  }
}

Payload PayloadCoder::Encode(const Revocation& revocation) {
  const ImageHeader& h = view_->header;
  constexpr int64_t kSecondsPerDay = 86400;
  // From a time before all others, so that division rounds down.
  const int64_t since =
      revocation.revoked_at - h.day_start - (kTimeMin - kSecondsPerDay);
  const int64_t day = since / kSecondsPerDay;
  const auto second =
      static_cast<uint64_t>(since - day * kSecondsPerDay) - h.window_offset;
  if (revocation.has_invalidity_date || second >= h.window_size) {
    return EncodeException(revocation);
  }
  const uint64_t rank = statistics_.RankOf(day + kTimeMin / kSecondsPerDay - 1);
  return {rank * h.window_size + second, symbol_of_[revocation.reason]};
}

Payload PayloadCoder::EncodeException(const Revocation& revocation) {
  const uint64_t i = std::min(exceptions_used_, exceptions_max_);
  exceptions_used_ = i + 1;
  view_->header.exceptions = exceptions_max_;
  WriteException(i, revocation);
  return {i, symbol_of_[crl_format::kException]};
}

void PayloadCoder::WriteException(uint64_t i, const Revocation& revocation) {
  using crl_format::kExceptionDateBytes;
  uint8_t* p = exceptions_ + i * crl_format::kExceptionBytes;
  const auto put = [&](size_t offset, int64_t date) {
    const auto value = static_cast<uint64_t>(date - kTimeMin);
    std::memcpy(p + offset, &value, kExceptionDateBytes);
  };
  put(0, revocation.revoked_at);
  put(kExceptionDateBytes,
      revocation.has_invalidity_date ? revocation.invalidity_date : kTimeMin);
  p[2 * kExceptionDateBytes] = revocation.reason;
  p[2 * kExceptionDateBytes + 1] = revocation.has_invalidity_date ? 1 : 0;
}

Revocation PayloadCoder::Decode(const Payload& payload) const {
  Revocation revocation;
  view_->Decode(payload.code, payload.symbol, &revocation);
  return revocation;
}

Payload PayloadCoder::Merge(const Payload& a, const Payload& b) {
  const Revocation of_a = Decode(a);
  const Revocation of_b = Decode(b);
  const Revocation merged = inkan::Merge(of_a, of_b);
  if (merged == of_a) return a;
  if (merged == of_b) return b;
  const unsigned exception = symbol_of_[crl_format::kException];
  for (const Payload& payload : {a, b}) {
    if (exceptions_max_ == 0 || payload.symbol != exception) continue;
    WriteException(payload.code, merged);
    return payload;
  }
  // The date of one and the reason of the other: as usual as both.
  return Encode(merged);
}

absl::StatusOr<CrlIndex> BuildCrlIndex(CrlEntries* entries, size_t sorted_max) {
  return std::make_unique<Build>(entries, sorted_max)->Run();
}

}  // namespace inkan
