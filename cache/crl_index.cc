#include "cache/crl_index.h"

#include <algorithm>
#include <cstring>

namespace inkan {
namespace {

constexpr size_t kNarrowOctets = 8;

// The value of a DER INTEGER of at most 8 octets, sign-extended: distinct
// contents give distinct values, because DER has one form for each value.
uint64_t NarrowSerial(Bytes serial) {
  uint64_t value = (serial[0] & 0x80) != 0 ? ~uint64_t{0} : 0;
  for (const uint8_t octet : serial) value = value << 8 | octet;
  return value;
}

int CompareWide(const uint8_t* a, size_t a_size, const uint8_t* b,
                size_t b_size) {
  if (a_size != b_size) return a_size < b_size ? -1 : 1;
  return std::memcmp(a, b, a_size);
}

}  // namespace

void CrlIndex::Fill(const CrlIndex& index, int64_t revoked_at, uint32_t reason,
                    uint32_t extra, Revocation* revocation) {
  revocation->revoked_at = revoked_at;
  revocation->reason = static_cast<uint8_t>(reason);
  revocation->has_invalidity_date = extra != 0;
  revocation->invalidity_date = extra != 0 ? index.extras_[extra - 1] : 0;
}

bool CrlIndex::Find(Bytes serial, Revocation* revocation) const {
  if (serial.empty() || serial.size() > kSerialBytesMax) return false;
  if (serial.size() <= kNarrowOctets) {
    const uint64_t value = NarrowSerial(serial);
    const auto entry = std::lower_bound(
        entries_.begin(), entries_.end(), value,
        [](const Entry& e, uint64_t v) { return e.serial < v; });
    if (entry != entries_.end() && entry->serial == value) {
      Fill(*this, epoch_ + entry->revoked_after_epoch,
           entry->reason_and_extra & 0xff, entry->reason_and_extra >> 8,
           revocation);
      return true;
    }
  }
  const auto wide = std::lower_bound(
      wide_.begin(), wide_.end(), serial, [](const WideEntry& e, Bytes s) {
        return CompareWide(e.serial, e.size, s.data(), s.size()) < 0;
      });
  if (wide == wide_.end() || CompareWide(wide->serial, wide->size,
                                         serial.data(), serial.size()) != 0) {
    return false;
  }
  Fill(*this, wide->revoked_at, wide->reason, wide->extra, revocation);
  return true;
}

size_t CrlIndex::memory_bytes() const {
  return sizeof(*this) + entries_.capacity() * sizeof(Entry) +
         wide_.capacity() * sizeof(WideEntry) +
         extras_.capacity() * sizeof(int64_t);
}

void CrlIndexBuilder::Add(Bytes serial, const Revocation& revocation) {
  Item item;
  item.size = static_cast<uint8_t>(serial.size());
  std::memcpy(item.serial, serial.data(), serial.size());
  item.revocation = revocation;
  items_.push_back(item);
}

CrlIndex CrlIndexBuilder::Build() && {
  // Sorted so that of two entries for a serial the stricter one comes first.
  std::sort(items_.begin(), items_.end(), [](const Item& a, const Item& b) {
    const int order = CompareWide(a.serial, a.size, b.serial, b.size);
    if (order != 0) return order < 0;
    const bool a_removes = a.revocation.reason == crl_reason::kRemoveFromCrl;
    const bool b_removes = b.revocation.reason == crl_reason::kRemoveFromCrl;
    if (a_removes != b_removes) return b_removes;
    if (a.revocation.EffectiveAt() != b.revocation.EffectiveAt()) {
      return a.revocation.EffectiveAt() < b.revocation.EffectiveAt();
    }
    // A hold can be lifted, any other revocation cannot.
    return a.revocation.reason != crl_reason::kCertificateHold &&
           b.revocation.reason == crl_reason::kCertificateHold;
  });
  CrlIndex index;
  index.epoch_ = 0;
  for (size_t i = 0; i < items_.size(); ++i) {
    const int64_t at = items_[i].revocation.revoked_at;
    if (i == 0 || at < index.epoch_) index.epoch_ = at;
  }
  const Item* last = nullptr;
  for (const Item& item : items_) {
    if (last != nullptr &&
        CompareWide(last->serial, last->size, item.serial, item.size) == 0) {
      continue;
    }
    last = &item;
    const Revocation& revocation = item.revocation;
    uint32_t extra = 0;
    if (revocation.has_invalidity_date) {
      index.extras_.push_back(revocation.invalidity_date);
      extra = static_cast<uint32_t>(index.extras_.size());
    }
    const int64_t after_epoch = revocation.revoked_at - index.epoch_;
    if (item.size <= kNarrowOctets && after_epoch <= UINT32_MAX &&
        extra < 1U << 24) {
      index.entries_.push_back({NarrowSerial(Bytes(item.serial, item.size)),
                                static_cast<uint32_t>(after_epoch),
                                extra << 8 | revocation.reason});
    } else {
      CrlIndex::WideEntry wide = {};
      wide.size = item.size;
      std::memcpy(wide.serial, item.serial, item.size);
      wide.reason = revocation.reason;
      wide.extra = extra;
      wide.revoked_at = revocation.revoked_at;
      index.wide_.push_back(wide);
    }
  }
  std::sort(index.entries_.begin(), index.entries_.end(),
            [](const auto& a, const auto& b) { return a.serial < b.serial; });
  index.entries_.shrink_to_fit();
  index.wide_.shrink_to_fit();
  index.extras_.shrink_to_fit();
  index.size_ = index.entries_.size() + index.wide_.size();
  return index;
}

}  // namespace inkan
