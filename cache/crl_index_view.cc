// Looking into an image.
#include "cache/crl_index_view.h"

#include <algorithm>

#include "crypto/der.h"

namespace inkan {

using crl_format::DateCoding;
using crl_format::Form;
using crl_format::GetBit;
using crl_format::GetBits;
using crl_format::Key;
using crl_format::SetCoding;

namespace {
constexpr uint64_t kLine = 64;
}  // namespace

namespace crl_format {

template <class Ones>
bool FindInSet(const uint8_t* block, uint64_t position, const SetCoding& coding,
               uint64_t low, uint32_t* rank) {
  if (coding.bitmap) {
    if (!GetBit(block, position + low)) return false;
    *rank = static_cast<uint32_t>(CountOnes<Ones>(block, position, low));
    return true;
  }
  // The unary part has a zero after the ones of each value of the high bits:
  // those of this one start behind as many zeros.
  const uint64_t bucket = low >> coding.low_bits;
  uint64_t at = 0;
  if (bucket > 0) {
    const uint64_t first = position >> 3;
    const auto skipped = static_cast<unsigned>(position & 7);
    uint64_t zeros = ~Load64(block + first) & ~Mask(skipped);
    uint64_t zeros_left = bucket;
    uint64_t word = 0;
    for (unsigned here; (here = Ones::Count(zeros)) < zeros_left;) {
      zeros_left -= here;
      zeros = ~Load64(block + first + 8 * ++word);
    }
    at = 64 * word - skipped +
         SelectOne(zeros, static_cast<unsigned>(zeros_left)) + 1;
  }
  const uint64_t wanted = low & Mask(coding.low_bits);
  const uint64_t lows = position + coding.high_bits;
  for (uint64_t i = at - bucket; GetBit(block, position + at); ++i, ++at) {
    const uint64_t found =
        GetBits(block, lows + i * coding.low_bits, coding.low_bits);
    if (found < wanted) continue;
    *rank = static_cast<uint32_t>(i);
    return found == wanted;
  }
  return false;
}

}  // namespace crl_format

CrlSegment::Range CrlSegment::Block(uint64_t block) const {
  // Without a branch: which of the four it is, nothing could foretell.
  const auto start = [this](uint64_t b) {
    const uint8_t* group = directory + b / crl_format::kBlocksPerGroup *
                                           crl_format::kDirectoryGroupBytes;
    const uint64_t place = b % crl_format::kBlocksPerGroup;
    uint32_t base;
    std::memcpy(&base, group, sizeof(base));
    uint16_t more;
    std::memcpy(&more, group + 2 + 2 * place, sizeof(more));
    return uint64_t{base} + (place == 0 ? 0U : more);
  };
  return {start(block), start(block + 1)};
}

CrlSegment::Range CrlSegment::Bucket(uint64_t bucket) const {
  uint32_t bounds[2];
  std::memcpy(bounds, directory + bucket * sizeof(uint32_t), sizeof(bounds));
  return {bounds[0], bounds[1]};
}

bool CrlSegment::SharesPrefix(const Key& key) const {
  auto left = static_cast<unsigned>(header.prefix_bits);
  for (size_t i = 0; left > 0; ++i) {
    const unsigned bits = std::min(left, 64U);
    if (((key.words[i] ^ header.first.words[i]) >> (64 - bits)) != 0) {
      return false;
    }
    left -= bits;
  }
  return true;
}

void CrlIndexView::Decode(uint64_t code, unsigned symbol,
                          Revocation* revocation) const {
  using crl_format::kExceptionBytes;
  using crl_format::kExceptionDateBytes;
  *revocation = Revocation();
  const uint8_t reason = header.symbol[symbol & (crl_format::kSymbolsMax - 1)];
  // What a sound image never holds is answered as revoked ever since.
  revocation->revoked_at = kTimeMin;
  if (reason == crl_format::kException) {
    if (code >= header.exceptions) return;
    const uint8_t* p = exceptions + code * kExceptionBytes;
    const auto date = [](const uint8_t* at) {
      return kTimeMin + static_cast<int64_t>(
                            crl_format::GetPayload(at, kExceptionDateBytes));
    };
    revocation->revoked_at = date(p);
    revocation->reason = p[2 * kExceptionDateBytes];
    revocation->has_invalidity_date = p[2 * kExceptionDateBytes + 1] != 0;
    if (revocation->has_invalidity_date) {
      revocation->invalidity_date = date(p + kExceptionDateBytes);
    }
    return;
  }
  const uint64_t rank = code / header.window_size;
  if (rank >= header.days) return;
  revocation->reason = reason;
  int32_t day;
  std::memcpy(&day, days + rank * sizeof(day), sizeof(day));
  revocation->revoked_at =
      day * int64_t{86400} + header.day_start +
      static_cast<int64_t>(header.window_offset + code % header.window_size);
}

template <class Ones>
void CrlIndexView::DecodeInBlock(const uint8_t* block, uint64_t position,
                                 uint32_t count, uint32_t i,
                                 Revocation* revocation) const {
  const uint64_t code = dates.Get(block, position, count, i);
  position += dates.Bits(count);
  const auto levels = static_cast<unsigned>(header.unary_levels);
  uint64_t left = count;
  uint64_t place = i;
  unsigned symbol = 0;
  for (; symbol < levels; ++symbol) {
    if (!GetBit(block, position + place)) break;
    place = crl_format::CountOnes<Ones>(block, position, place);
    const uint64_t next = crl_format::CountOnes<Ones>(block, position, left);
    position += left;
    left = next;
  }
  if (symbol == levels) {
    const auto bits = static_cast<unsigned>(header.tail_bits);
    symbol +=
        static_cast<unsigned>(GetBits(block, position + place * bits, bits));
  }
  Decode(code, symbol, revocation);
}

void CrlIndexView::DecodeRecord(const CrlSegment& segment,
                                const uint8_t* record,
                                Revocation* revocation) const {
  const uint64_t payload = crl_format::GetPayload(
      record + segment.header.key_bytes, segment.header.payload_bytes);
  Decode(payload / header.symbols,
         static_cast<unsigned>(payload % header.symbols), revocation);
}

template <class Ones>
bool CrlIndexView::FindInBlock(const CrlProbe& probe,
                               Revocation* revocation) const {
  const CrlSegment& segment = *probe.segment;
  const auto shift = static_cast<unsigned>(segment.header.shift);
  const uint64_t low = (probe.key.words[2] - segment.header.first.words[2]) &
                       crl_format::Mask(shift);
  const uint8_t* block = segment.data + probe.range.start;
  const auto count =
      static_cast<uint32_t>(GetBits(block, 0, crl_format::kBlockCountBits));
  const SetCoding coding = crl_format::SetCodingOf(count, shift);
  uint32_t rank;
  if (!crl_format::FindInSet<Ones>(block, crl_format::kBlockCountBits, coding,
                                   low, &rank)) {
    return false;
  }
  DecodeInBlock<Ones>(block, crl_format::kBlockCountBits + coding.bits, count,
                      rank, revocation);
  return true;
}

bool CrlIndexView::FindInBucket(const CrlProbe& probe,
                                Revocation* revocation) const {
  const CrlSegment& segment = *probe.segment;
  const Key& key = probe.key;
  CrlSegment::Range range = probe.range;
  uint8_t octets[crl_format::kKeyBytes + 8] = {};
  crl_format::KeyOctets(key, octets);
  const uint8_t* wanted = octets + segment.dropped_bytes;
  const size_t key_bytes = segment.header.key_bytes;
  // The leading octets of a random number nearly always decide.
  const uint64_t head_mask =
      key_bytes == 0 ? 0
                     : ~uint64_t{0} << 8 * (8 - std::min<size_t>(key_bytes, 8));
  const uint64_t wanted_head = crl_format::LoadBigEndian(wanted, 8) & head_mask;
  const auto compare = [&](uint64_t i) {
    const uint8_t* record = segment.data + i * segment.record_bytes;
    const uint64_t head = crl_format::LoadBigEndian(record, 8) & head_mask;
    if (head != wanted_head) return head < wanted_head ? -1 : 1;
    return key_bytes > 8 ? std::memcmp(record + 8, wanted + 8, key_bytes - 8)
                         : 0;
  };
  while (range.end - range.start > crl_format::kBucketEntriesUsual) {
    const uint64_t middle = range.start + (range.end - range.start) / 2;
    (compare(middle) > 0 ? range.end : range.start) = middle;
  }
  // Where it would lie if they were evenly spread, and from there on.
  const uint64_t part =
      crl_format::KeyField(key,
                           static_cast<unsigned>(segment.header.prefix_bits +
                                                 segment.header.bucket_bits),
                           32);
  uint64_t at = range.start + ((range.end - range.start) * part >> 32);
  int order = compare(at);
  while (order < 0 && at + 1 < range.end) order = compare(++at);
  while (order > 0 && at > range.start) {
    order = compare(--at);
    if (order < 0) return false;
  }
  if (order != 0) return false;
  DecodeRecord(segment, segment.data + at * segment.record_bytes, revocation);
  return true;
}

void CrlIndexView::Start(CrlProbe* probe) const {
  const Key& key = probe->key;
  const CrlSegment& segment = segments[crl_format::SegmentOf(key)];
  const crl_format::SegmentHeader& header = segment.header;
  probe->segment = nullptr;
  if (header.form == Form::kNone || key < header.first || key > header.last) {
    return;
  }
  const uint8_t* entry;
  if (header.form == Form::kBlocks) {
    probe->place = (key.words[2] - header.first.words[2]) >> header.shift;
    entry = segment.directory + probe->place / crl_format::kBlocksPerGroup *
                                    crl_format::kDirectoryGroupBytes;
  } else {
    if (!segment.SharesPrefix(key)) return;
    probe->place = segment.BucketOf(key);
    entry = segment.directory + probe->place * sizeof(uint32_t);
  }
  __builtin_prefetch(entry);
  probe->segment = &segment;
}

void CrlIndexView::Locate(CrlProbe* probe) const {
  if (probe->segment == nullptr) return;
  const CrlSegment& segment = *probe->segment;
  const bool blocks = segment.header.form == Form::kBlocks;
  probe->range =
      blocks ? segment.Block(probe->place) : segment.Bucket(probe->place);
  if (probe->range.start == probe->range.end) {
    probe->segment = nullptr;
  } else if (blocks) {
    PrefetchBlock(*probe);
  } else {
    const uint64_t part =
        crl_format::KeyField(probe->key,
                             static_cast<unsigned>(segment.header.prefix_bits +
                                                   segment.header.bucket_bits),
                             32);
    const uint64_t at = probe->range.start +
                        ((probe->range.end - probe->range.start) * part >> 32);
    const uint8_t* record = segment.data + at * segment.record_bytes;
    __builtin_prefetch(record);
    __builtin_prefetch(record + kLine);
    __builtin_prefetch(record - kLine);
  }
}

void CrlIndexView::PrefetchBlock(const CrlProbe& probe) const {
  const CrlSegment& segment = *probe.segment;
  const auto shift = static_cast<unsigned>(segment.header.shift);
  const uint64_t low = (probe.key.words[2] - segment.header.first.words[2]) &
                       crl_format::Mask(shift);
  const uint8_t* start = segment.data + probe.range.start;
  const uint64_t size = probe.range.end - probe.range.start;
  // The set, where the date will be if entries are evenly spread, and the
  // reasons.
  const uint64_t part = shift < 16 ? low << (16 - shift) : low >> (shift - 16);
  const uint64_t date = (size * segment.dates_start >> 16) +
                        ((size * segment.dates_share >> 16) * part >> 16);
  __builtin_prefetch(start);
  __builtin_prefetch(start + std::min(size, kLine));
  __builtin_prefetch(start + std::min(size, date));
  __builtin_prefetch(start + size - std::min(size, kLine / 2));
}

bool CrlIndexView::Finish(const CrlProbe& probe, Revocation* revocation) const {
  if (probe.segment == nullptr) return false;
  if (probe.segment->header.form == Form::kRecords) {
    return FindInBucket(probe, revocation);
  }
  return popcnt ? FindInBlock<crl_format::PopcntOnes>(probe, revocation)
                : FindInBlock<crl_format::PortableOnes>(probe, revocation);
}

namespace {

// The number `base` + `offset`, which does not overflow in a sound image.
Key KeyPlus(const Key& base, uint64_t offset) {
  Key key = base;
  key.words[2] += offset;
  return key;
}

}  // namespace

void CrlIndexView::ForEach(
    const std::function<void(const Key&, const Revocation&)>& use) const {
  Revocation revocation;
  for (const CrlSegment& segment : segments) {
    if (segment.header.form == Form::kRecords) {
      for (uint64_t bucket = 0;
           bucket < uint64_t{1} << segment.header.bucket_bits; ++bucket) {
        const CrlSegment::Range range = segment.Bucket(bucket);
        for (uint64_t i = range.start; i < range.end; ++i) {
          const uint8_t* record = segment.data + i * segment.record_bytes;
          uint8_t octets[crl_format::kKeyBytes];
          // The leading octets: those of the prefix, then the bucket's bits.
          Key key = segment.header.first;
          crl_format::SetKeyField(
              &key, static_cast<unsigned>(segment.header.prefix_bits),
              static_cast<unsigned>(segment.header.bucket_bits), bucket);
          crl_format::KeyOctets(key, octets);
          std::memcpy(octets + segment.dropped_bytes, record,
                      segment.header.key_bytes);
          for (size_t w = 0; w < crl_format::kKeyWords; ++w) {
            key.words[w] = crl_format::LoadBigEndian(octets + 8 * w, 8);
          }
          DecodeRecord(segment, record, &revocation);
          use(key, revocation);
        }
      }
    }
    if (segment.header.form != Form::kBlocks) continue;
    const auto shift = static_cast<unsigned>(segment.header.shift);
    for (uint64_t b = 0; b < segment.Blocks(); ++b) {
      const CrlSegment::Range range = segment.Block(b);
      if (range.start == range.end) continue;
      const uint8_t* block = segment.data + range.start;
      const auto count =
          static_cast<uint32_t>(GetBits(block, 0, crl_format::kBlockCountBits));
      const SetCoding coding = crl_format::SetCodingOf(count, shift);
      const uint64_t set = crl_format::kBlockCountBits;
      uint32_t i = 0;
      for (uint64_t at = 0; at < coding.high_bits && i < count; ++at) {
        if (!GetBit(block, set + at)) continue;
        const uint64_t low =
            coding.bitmap ? at
                          : ((at - i) << coding.low_bits) +
                                GetBits(block,
                                        set + coding.high_bits +
                                            uint64_t{i} * coding.low_bits,
                                        coding.low_bits);
        DecodeInBlock<crl_format::PortableOnes>(block, set + coding.bits, count,
                                                i, &revocation);
        use(KeyPlus(segment.header.first, (b << shift) + low), revocation);
        ++i;
      }
    }
  }
}

}  // namespace inkan
