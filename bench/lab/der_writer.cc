#include "bench/lab/der_writer.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "bench/lab/calendar.h"
#include "bench/lab/check.h"

namespace inkan::lab {
namespace {

void AppendBase128(uint64_t arc, std::string* out) {
  char groups[10];
  size_t count = 0;
  do {
    groups[count++] = static_cast<char>(arc & 0x7fU);
    arc >>= 7U;
  } while (arc != 0);
  while (count > 1) out->push_back(static_cast<char>(groups[--count] | 0x80));
  out->push_back(groups[0]);
}

std::string OidContents(std::string_view dotted) {
  std::string contents;
  uint64_t first = 0;
  size_t index = 0;
  for (absl::string_view piece :
       absl::StrSplit(absl::string_view(dotted.data(), dotted.size()), '.')) {
    uint64_t arc = 0;
    Require(absl::SimpleAtoi(piece, &arc), "not a dotted OID");
    if (index == 0) {
      first = arc;
    } else if (index == 1) {
      AppendBase128(first * 40 + arc, &contents);
    } else {
      AppendBase128(arc, &contents);
    }
    ++index;
  }
  return contents;
}

}  // namespace

std::string DerHeader(uint8_t tag, uint64_t contents_size) {
  std::string header(1, static_cast<char>(tag));
  if (contents_size < 0x80) {
    header.push_back(static_cast<char>(contents_size));
    return header;
  }
  std::string length;
  for (uint64_t rest = contents_size; rest != 0; rest >>= 8U) {
    length.insert(length.begin(), static_cast<char>(rest & 0xffU));
  }
  header.push_back(static_cast<char>(0x80U | length.size()));
  return header + length;
}

std::string DerElement(uint8_t tag, std::string_view contents) {
  std::string element = DerHeader(tag, contents.size());
  element.append(contents);
  return element;
}

void DerWriter::Element(uint8_t tag, std::string_view contents) {
  if (contents.size() < 0x80) {
    out_.push_back(static_cast<char>(tag));
    out_.push_back(static_cast<char>(contents.size()));
  } else {
    out_.append(DerHeader(tag, contents.size()));
  }
  out_.append(contents);
}

void DerWriter::InsertHeader(uint8_t tag, size_t start) {
  out_.insert(start, DerHeader(tag, out_.size() - start));
}

void DerWriter::Boolean(bool value) {
  Element(der::kBoolean, std::string_view(value ? "\xff" : "\0", 1));
}

void DerWriter::Integer(uint64_t value, uint8_t tag) {
  char octets[9] = {0};
  for (size_t i = 8; i > 0; --i, value >>= 8U) {
    octets[i] = static_cast<char>(value & 0xffU);
  }
  size_t start = 0;
  // Drop leading zeros while the sign bit of what follows stays clear.
  while (start < 8 && octets[start] == 0 &&
         (static_cast<uint8_t>(octets[start + 1]) & 0x80U) == 0) {
    ++start;
  }
  Element(tag, std::string_view(octets + start, 9 - start));
}

void DerWriter::UnsignedInteger(std::string_view magnitude) {
  while (!magnitude.empty() && magnitude.front() == '\0') {
    magnitude.remove_prefix(1);
  }
  std::string contents(magnitude);
  if (contents.empty() || (static_cast<uint8_t>(contents[0]) & 0x80U) != 0) {
    contents.insert(contents.begin(), '\0');
  }
  Element(der::kInteger, contents);
}

void DerWriter::Oid(std::string_view dotted, uint8_t tag) {
  Element(tag, OidContents(dotted));
}

void DerWriter::BitString(std::string_view octets, uint8_t tag) {
  std::string contents(1, '\0');
  contents.append(octets);
  Element(tag, contents);
}

void DerWriter::NamedBits(uint16_t bits, uint8_t tag) {
  uint8_t octets[2] = {0, 0};
  unsigned used = 0;  // bits up to and including the last one set
  for (unsigned i = 0; i < 16; ++i) {
    if ((bits >> i & 1U) == 0) continue;
    octets[i / 8] = static_cast<uint8_t>(octets[i / 8] | (0x80U >> (i % 8)));
    used = i + 1;
  }
  const unsigned size = (used + 7) / 8;
  std::string contents(1, static_cast<char>(size * 8 - used));
  for (unsigned i = 0; i < size; ++i) {
    contents.push_back(static_cast<char>(octets[i]));
  }
  Element(tag, contents);
}

void DerWriter::Time(int64_t unix_seconds) {
  const std::string text = CompactUtc(unix_seconds);
  const bool utc_time = text >= "1950" && text < "2050";
  if (utc_time) {
    Element(der::kUtcTime, std::string_view(text).substr(2));
  } else {
    Element(der::kGeneralizedTime, text);
  }
}

void DerWriter::GeneralizedTime(int64_t unix_seconds, uint8_t tag) {
  Element(tag, CompactUtc(unix_seconds));
}

}  // namespace inkan::lab
