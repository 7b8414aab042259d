// Writes the Distinguished Encoding Rules (X.690 section 10), nested.
//
//   std::string der = Der([](DerWriter& w) {
//     w.Nest(der::kSequence, [&] { w.Oid("2.5.29.15"); w.Boolean(true); });
//   });
//
// Bytes are std::string, as protobuf has them. Nothing is checked for sense: a
// lab must be able to write wrong structures too. For one thread; owns its
// output.
#ifndef INKAN_BENCH_LAB_DER_WRITER_H_
#define INKAN_BENCH_LAB_DER_WRITER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "crypto/der.h"

namespace inkan::lab {

class DerWriter {
 public:
  // Bytes that are DER already, or that are meant to be wrong.
  void Raw(std::string_view bytes) { out_.append(bytes); }
  // One element with these contents.
  void Element(uint8_t tag, std::string_view contents);
  // One element whose contents `body` writes to this same writer.
  template <typename Body>
  void Nest(uint8_t tag, Body&& body) {
    const size_t start = out_.size();
    std::forward<Body>(body)();
    InsertHeader(tag, start);
  }

  void Boolean(bool value);
  void Null() { Element(der::kNull, {}); }
  // A non-negative INTEGER (or ENUMERATED, or context tag) in shortest form.
  void Integer(uint64_t value, uint8_t tag = der::kInteger);
  // INTEGER contents as given, however long or odd.
  void IntegerContents(std::string_view contents) {
    Element(der::kInteger, contents);
  }
  // INTEGER from a big-endian magnitude: leading zeros dropped, a zero octet
  // put in front where the sign bit would be set.
  void UnsignedInteger(std::string_view magnitude);
  void Oid(std::string_view dotted, uint8_t tag = der::kOid);
  void OctetString(std::string_view octets) {
    Element(der::kOctetString, octets);
  }
  void BitString(std::string_view octets, uint8_t tag = der::kBitString);
  // Named bits (X.690 section 11.2.2): bit 0 of the string is the least
  // significant bit of `bits`.
  void NamedBits(uint16_t bits, uint8_t tag = der::kBitString);
  // UTCTime through 2049, GeneralizedTime otherwise (RFC 5280 section 4.1.2.5).
  void Time(int64_t unix_seconds);
  void GeneralizedTime(int64_t unix_seconds,
                       uint8_t tag = der::kGeneralizedTime);

  const std::string& bytes() const { return out_; }
  std::string Take() { return std::move(out_); }
  void Clear() { out_.clear(); }

 private:
  void InsertHeader(uint8_t tag, size_t start);

  std::string out_;
};

// What `body(writer)` writes.
template <typename Body>
std::string Der(Body&& body) {
  DerWriter writer;
  std::forward<Body>(body)(writer);
  return writer.Take();
}

// One element around ready contents.
std::string DerElement(uint8_t tag, std::string_view contents);

// Tag and length octets for contents of this size.
std::string DerHeader(uint8_t tag, uint64_t contents_size);

}  // namespace inkan::lab

#endif  // INKAN_BENCH_LAB_DER_WRITER_H_
