#include "crypto/policy_qualifier.h"

#include <utility>

#include "crypto/der.h"
#include "crypto/string_prep.h"

namespace inkan {
namespace {

// 1.3.6.1.5.5.7.2.1 id-qt-cps and 1.3.6.1.5.5.7.2.2 id-qt-unotice.
constexpr uint8_t kCps[] = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x02, 0x01};
constexpr uint8_t kUserNotice[] = {0x2b, 0x06, 0x01, 0x05,
                                   0x05, 0x07, 0x02, 0x02};

// `text` with every octet that belongs to no UTF-8 character written out.
std::string Readable(std::string_view text) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  while (!text.empty()) {
    const size_t length = Utf8SequenceLength(text);
    if (length != 0) {
      out.append(text.substr(0, length));
      text.remove_prefix(length);
      continue;
    }
    const auto octet = static_cast<uint8_t>(text[0]);
    out.append("\\x");
    out.push_back(kDigits[octet >> 4]);
    out.push_back(kDigits[octet & 15]);
    text.remove_prefix(1);
  }
  return out;
}

bool ReadText(DerReader* reader, std::string* text) {
  uint8_t tag;
  Bytes value;
  std::string utf8;
  if (!reader->ReadAny(&tag, &value) || !StringToUtf8(tag, value, &utf8)) {
    return false;
  }
  *text = Readable(utf8);
  return true;
}

bool ReadNoticeReference(Bytes contents, PolicyQualifier* qualifier) {
  DerReader reader(contents);
  Bytes numbers;
  if (!ReadText(&reader, &qualifier->notice_organization) ||
      !reader.Read(der::kSequence, &numbers) || !reader.empty()) {
    return false;
  }
  DerReader list(numbers);
  uint64_t number;
  while (qualifier->notice_numbers.size() < kNoticeNumbersMax &&
         list.ReadUint64(&number)) {
    qualifier->notice_numbers.push_back(number);
  }
  return true;
}

bool ReadUserNotice(DerReader* info, PolicyQualifier* qualifier) {
  Bytes notice;
  if (!info->Read(der::kSequence, &notice)) return false;
  DerReader reader(notice);
  Bytes reference;
  if (reader.Read(der::kSequence, &reference) &&
      !ReadNoticeReference(reference, qualifier)) {
    return false;
  }
  return reader.empty() || ReadText(&reader, &qualifier->notice_text);
}

}  // namespace

bool IsKnownPolicyQualifier(Bytes oid) {
  return SameBytes(oid, kCps) || SameBytes(oid, kUserNotice);
}

std::vector<PolicyQualifier> ReadPolicyQualifiers(Bytes contents) {
  std::vector<PolicyQualifier> qualifiers;
  DerReader list(contents);
  Bytes info;
  while (qualifiers.size() < kPolicyQualifiersMax &&
         list.Read(der::kSequence, &info)) {
    DerReader reader(info);
    Bytes oid;
    if (!reader.ReadOid(&oid)) continue;
    PolicyQualifier qualifier;
    const bool read = SameBytes(oid, kCps)
                          ? ReadText(&reader, &qualifier.cps_uri)
                          : SameBytes(oid, kUserNotice) &&
                                ReadUserNotice(&reader, &qualifier);
    if (read && reader.empty()) qualifiers.push_back(std::move(qualifier));
  }
  return qualifiers;
}

}  // namespace inkan
