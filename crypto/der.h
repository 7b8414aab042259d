// Strict, zero-copy reader of the Distinguished Encoding Rules (X.690 section
// 10), in the subset that RFC 5280 uses.
//
//   DerReader reader(certificate_der);
//   Bytes certificate;
//   if (!reader.Read(der::kSequence, &certificate) || !reader.empty()) refuse;
//
// A Read* function either consumes exactly one element of the tag it names and
// returns true, or returns false and leaves both the reader and its output as
// they were. Refused everywhere: indefinite lengths, lengths not in their
// shortest form, lengths beyond the input, tag numbers above 30 (RFC 5280 has
// none), and values that are not in DER's single form.
//
// Thread safety: a reader is a value for one thread. It allocates nothing and
// does not recurse, so depth of nesting costs nothing.
#ifndef INKAN_CRYPTO_DER_H_
#define INKAN_CRYPTO_DER_H_

#include <cstddef>
#include <cstdint>

#include "crypto/bytes.h"

namespace inkan {

// The span of times that GeneralizedTime can write, in seconds since 1970:
// 0000-01-01T00:00:00Z to 9999-12-31T23:59:59Z.
inline constexpr int64_t kTimeMin = -62'167'219'200;
inline constexpr int64_t kTimeMax = 253'402'300'799;

namespace der {
inline constexpr uint8_t kBoolean = 0x01;
inline constexpr uint8_t kInteger = 0x02;
inline constexpr uint8_t kBitString = 0x03;
inline constexpr uint8_t kOctetString = 0x04;
inline constexpr uint8_t kNull = 0x05;
inline constexpr uint8_t kOid = 0x06;
inline constexpr uint8_t kEnumerated = 0x0a;
inline constexpr uint8_t kUtf8String = 0x0c;
inline constexpr uint8_t kNumericString = 0x12;
inline constexpr uint8_t kPrintableString = 0x13;
inline constexpr uint8_t kTeletexString = 0x14;
inline constexpr uint8_t kIa5String = 0x16;
inline constexpr uint8_t kUtcTime = 0x17;
inline constexpr uint8_t kGeneralizedTime = 0x18;
inline constexpr uint8_t kVisibleString = 0x1a;
inline constexpr uint8_t kUniversalString = 0x1c;
inline constexpr uint8_t kBmpString = 0x1e;
inline constexpr uint8_t kSequence = 0x30;
inline constexpr uint8_t kSet = 0x31;

// Context-specific tags [n], as primitive (IMPLICIT of a primitive) and
// constructed (EXPLICIT, or IMPLICIT of a constructed) encodings.
constexpr uint8_t Context(unsigned n) {
  return static_cast<uint8_t>(0x80U | n);
}
constexpr uint8_t ContextConstructed(unsigned n) {
  return static_cast<uint8_t>(0xa0U | n);
}
}  // namespace der

class DerReader {
 public:
  DerReader() = default;
  explicit DerReader(Bytes input) : rest_(input) {}

  bool empty() const { return rest_.empty(); }
  Bytes rest() const { return rest_; }
  // Whether an element with this tag octet comes next (its length unchecked).
  bool NextIs(uint8_t tag) const { return !rest_.empty() && rest_[0] == tag; }

  // One element of `tag`: its contents.
  bool Read(uint8_t tag, Bytes* contents);
  // One element of `tag`: header and contents.
  bool ReadElement(uint8_t tag, Bytes* element);
  // Any one element.
  bool ReadAny(uint8_t* tag, Bytes* contents);
  bool ReadAnyElement(Bytes* element);
  bool Skip(uint8_t tag);

  // BOOLEAN: 00 or FF only.
  bool ReadBoolean(bool* value);
  // INTEGER or ENUMERATED of any size and sign, shortest form: the contents.
  bool ReadInteger(Bytes* contents) {
    return ReadIntegerAs(der::kInteger, contents);
  }
  bool ReadIntegerAs(uint8_t tag, Bytes* contents);
  // INTEGER in [0, 2^64).
  bool ReadUint64(uint64_t* value) {
    return ReadUint64As(der::kInteger, value);
  }
  bool ReadUint64As(uint8_t tag, uint64_t* value);
  // BIT STRING with no unused bits: its octets.
  bool ReadOctetAlignedBitString(Bytes* octets);
  // BIT STRING used as a list of named bits (X.690 section 11.2.2), at most 16
  // of them: bit 0 of the string is the least significant bit of the value.
  bool ReadNamedBits(uint8_t tag, uint16_t* bits);
  // OBJECT IDENTIFIER: the contents, each arc in its shortest form.
  bool ReadOid(Bytes* oid);
  // UTCTime or GeneralizedTime in the one form RFC 5280 section 4.1.2.5 allows
  // (UTC, seconds present, no fraction): seconds since 1970-01-01T00:00:00Z.
  // UTCTime years are 1950 to 2049. Leap second 60 is refused: X.509 time has
  // no representation for it that a Unix time could hold.
  bool ReadTime(int64_t* unix_seconds);
  bool ReadGeneralizedTime(int64_t* unix_seconds);

 private:
  // Reads the header; on success *header_size + *length <= rest_.size().
  bool PeekHeader(size_t* header_size, size_t* length) const;

  Bytes rest_;
};

// The readers below are in line because parsing is made of nothing else: a leaf
// takes about a hundred of them.

inline bool DerReader::PeekHeader(size_t* header_size, size_t* length) const {
  constexpr uint8_t kTagNumberMask = 0x1f;
  const size_t available = rest_.size();
  if (available < 2) return false;
  const uint8_t* p = rest_.data();
  if ((p[0] & kTagNumberMask) == kTagNumberMask) return false;
  const uint8_t first = p[1];
  if (first < 0x80) {
    *header_size = 2;
    *length = first;
    return *length <= available - 2;
  }
  // 0x80 is the indefinite form; four octets of length reach past any input
  // this process can hold as one message or one CRL.
  const size_t octets = first & 0x7fU;
  if (octets == 0 || octets > 4 || available - 2 < octets) return false;
  size_t value = 0;
  for (size_t i = 0; i < octets; ++i) value = (value << 8) | p[2 + i];
  const bool shortest = value >= 0x80 && (value >> (8 * (octets - 1))) != 0;
  if (!shortest) return false;
  *header_size = 2 + octets;
  *length = value;
  return value <= available - *header_size;
}

inline bool DerReader::ReadAny(uint8_t* tag, Bytes* contents) {
  size_t header_size;
  size_t length;
  if (!PeekHeader(&header_size, &length)) return false;
  const uint8_t* p = rest_.data();
  *tag = p[0];
  *contents = Bytes(p + header_size, length);
  rest_ = Bytes(p + header_size + length, rest_.size() - header_size - length);
  return true;
}

inline bool DerReader::Read(uint8_t tag, Bytes* contents) {
  uint8_t found;
  return NextIs(tag) && ReadAny(&found, contents);
}

inline bool DerReader::ReadAnyElement(Bytes* element) {
  size_t header_size;
  size_t length;
  if (!PeekHeader(&header_size, &length)) return false;
  *element = Bytes(rest_.data(), header_size + length);
  rest_ = Bytes(rest_.data() + header_size + length,
                rest_.size() - header_size - length);
  return true;
}

inline bool DerReader::ReadElement(uint8_t tag, Bytes* element) {
  return NextIs(tag) && ReadAnyElement(element);
}

inline bool DerReader::Skip(uint8_t tag) {
  Bytes ignored;
  return Read(tag, &ignored);
}

inline bool DerReader::ReadOid(Bytes* oid) {
  DerReader next = *this;
  Bytes contents;
  if (!next.Read(der::kOid, &contents) || contents.empty() ||
      (contents.data()[contents.size() - 1] & 0x80) != 0) {
    return false;
  }
  // Attribute types, extensions and the like: three arcs of one octet.
  const bool short_arcs =
      contents.size() == 3 && ((contents[0] | contents[1]) & 0x80) == 0;
  // An arc whose first octet is 0x80 has a leading zero. An octet starts an arc
  // if the one before it ends one.
  uint8_t before = 0;
  for (size_t i = 0; !short_arcs && i < contents.size(); ++i) {
    if (contents[i] == 0x80 && before < 0x80) return false;
    before = contents[i];
  }
  *oid = contents;
  *this = next;
  return true;
}

}  // namespace inkan

#endif  // INKAN_CRYPTO_DER_H_
