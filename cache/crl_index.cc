#include "cache/crl_index.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cache/crl_build.h"
#include "cache/crl_entries.h"
#include "cache/crl_index_format.h"
#include "cache/crl_index_view.h"

namespace inkan {

using crl_format::Form;
using crl_format::Key;

namespace {

bool MayBeListed(Bytes serial) {
  return !serial.empty() && serial.size() <= kSerialBytesMax;
}

// DER INTEGER contents: as few octets as leave the sign in place.
Bytes SerialOf(const Key& key, uint8_t* octets) {
  crl_format::KeyOctets(key, octets);
  size_t start = 0;
  while (start + 1 < crl_format::kKeyBytes &&
         ((octets[start] == 0x00 && (octets[start + 1] & 0x80) == 0) ||
          (octets[start] == 0xff && (octets[start + 1] & 0x80) != 0))) {
    ++start;
  }
  return Bytes(octets + start, crl_format::kKeyBytes - start);
}

}  // namespace

absl::StatusOr<CrlIndex> CrlIndex::FromImage(
    std::shared_ptr<const MemoryBlock> memory, Bytes image) {
  auto view = std::make_shared<CrlIndexView>();
  if (absl::Status status = view->Open(image); !status.ok()) return status;
  CrlIndex index;
  index.memory_ = std::move(memory);
  index.image_ = image;
  index.view_ = std::move(view);
  return index;
}

bool CrlIndex::Find(Bytes serial, Revocation* revocation) const {
  if (view_ == nullptr || !MayBeListed(serial)) return false;
  CrlProbe probe;
  probe.key = crl_format::KeyOf(serial.data(), serial.size());
  view_->Start(&probe);
  view_->Locate(&probe);
  return view_->Finish(probe, revocation);
}

void CrlIndex::Prefetch(Bytes serial) const {
  if (view_ == nullptr || !MayBeListed(serial)) return;
  CrlProbe probe;
  probe.key = crl_format::KeyOf(serial.data(), serial.size());
  view_->Start(&probe);
  view_->Locate(&probe);
}

void CrlIndex::FindBatch(absl::Span<const Bytes> serials,
                         absl::Span<Revocation> revocations,
                         absl::Span<bool> found) const {
  if (view_ == nullptr) {
    std::fill(found.begin(), found.end(), false);
    return;
  }
  // Each step so many serials behind the one before that memory has answered
  // by then.
  constexpr size_t kBehind = 10;
  constexpr size_t kProbes = 32;
  static_assert(kProbes > 2 * kBehind);
  CrlProbe probes[kProbes];
  const size_t count = serials.size();
  for (size_t i = 0; i < count + 2 * kBehind; ++i) {
    if (i < count) {
      CrlProbe* probe = &probes[i % kProbes];
      const Bytes serial = serials[i];
      if (MayBeListed(serial)) {
        probe->key = crl_format::KeyOf(serial.data(), serial.size());
        view_->Start(probe);
      } else {
        probe->segment = nullptr;
      }
    }
    const size_t second = i - kBehind;
    if (second < count) view_->Locate(&probes[second % kProbes]);
    const size_t third = i - 2 * kBehind;
    if (third < count) {
      found[third] =
          view_->Finish(probes[third % kProbes], &revocations[third]);
    }
  }
}

void CrlIndex::ForEach(
    const std::function<void(Bytes, const Revocation&)>& use) const {
  if (view_ == nullptr) return;
  uint8_t octets[crl_format::kKeyBytes];
  view_->ForEach([&](const Key& key, const Revocation& revocation) {
    use(SerialOf(key, octets), revocation);
  });
}

size_t CrlIndex::size() const {
  return view_ == nullptr ? 0 : view_->header.entries;
}

size_t CrlIndex::memory_bytes() const {
  return sizeof(*this) + (view_ == nullptr ? 0 : sizeof(CrlIndexView)) +
         image_.size();
}

std::vector<std::string> CrlIndex::Describe() const {
  std::vector<std::string> lines;
  if (view_ == nullptr) return lines;
  const crl_format::ImageHeader& header = view_->header;
  for (const CrlSegment& segment : view_->segments) {
    const crl_format::SegmentHeader& h = segment.header;
    if (h.form == Form::kBlocks) {
      lines.push_back(absl::StrCat(h.count, " serials in ", segment.Blocks(),
                                   " blocks of 2^", h.shift,
                                   " numbers: set and entries ", h.data_bytes,
                                   " octets, directory ", h.directory_bytes));
    } else if (h.form == Form::kRecords) {
      lines.push_back(absl::StrCat(
          h.count, " serials as sorted records of ", h.key_bytes, " + ",
          h.payload_bytes, " octets: ", h.data_bytes, " octets, directory of ",
          uint64_t{1} << h.bucket_bits, " buckets ", h.directory_bytes));
    }
  }
  lines.push_back(absl::StrCat("dates: ", header.days, " days x ",
                               header.window_size, " seconds; in blocks ",
                               view_->dates.GroupBits(), " bits for ",
                               header.group));
  lines.push_back(absl::StrCat("reasons: ", header.symbols, ", the first ",
                               header.unary_levels, " in unary, then ",
                               header.tail_bits, " bits"));
  if (header.exceptions > 0) {
    lines.push_back(absl::StrCat(
        "exceptions, with an invalidityDate or at unusual hours: ",
        header.exceptions, " of ", crl_format::kExceptionBytes, " octets"));
  }
  return lines;
}

void CrlIndexBuilder::Add(Bytes serial, const Revocation& revocation) {
  Item item;
  item.size = static_cast<uint8_t>(serial.size());
  std::memcpy(item.serial, serial.data(), serial.size());
  item.revocation = revocation;
  items_.push_back(item);
}

class CrlIndexBuilder::Entries : public CrlEntries {
 public:
  explicit Entries(const std::vector<Item>& items) : items_(items) {}

  absl::StatusOr<size_t> Read(absl::Span<IndexEntry> out) override {
    const size_t count = std::min(out.size(), items_.size() - next_);
    for (size_t i = 0; i < count; ++i) {
      const Item& item = items_[next_++];
      out[i] = {item.serial, item.size, item.revocation};
    }
    return count;
  }
  absl::Status Rewind() override {
    next_ = 0;
    return absl::OkStatus();
  }

 private:
  const std::vector<Item>& items_;
  size_t next_ = 0;
};

absl::StatusOr<CrlIndex> CrlIndexBuilder::Build() && {
  Entries entries(items_);
  return BuildCrlIndex(&entries);
}

}  // namespace inkan
