#include "crypto/crl.h"

#include <cstring>

#include "crypto/general_name.h"
#include "crypto/name.h"

namespace inkan {
namespace {

constexpr Fault kNoFault;

// RFC 5280 section 5.2.3 allows cRLNumber 20 octets.
constexpr size_t kCrlNumberOctetsMax = 20;

bool ReadImplicitBoolean(DerReader* reader, unsigned n, bool* value) {
  if (!reader->NextIs(der::Context(n))) return true;
  Bytes contents;
  if (!reader->Read(der::Context(n), &contents) || contents.size() != 1 ||
      (contents[0] != 0x00 && contents[0] != 0xff)) {
    return false;
  }
  *value = contents[0] != 0;
  return true;
}

bool ReadExplicitName(DerReader* reader, DistributionPointName* name) {
  if (!reader->NextIs(der::ContextConstructed(0))) return true;
  Bytes contents;
  return reader->Read(der::ContextConstructed(0), &contents) &&
         ParseDistributionPointName(contents, name);
}

// Whether `contents` is no more than `max` elements.
bool HasAtMost(int max, Bytes contents) {
  DerReader reader(contents);
  uint8_t tag;
  Bytes ignored;
  for (; !reader.empty(); --max) {
    if (max == 0 || !reader.ReadAny(&tag, &ignored)) return false;
  }
  return true;
}

Fault ParseIssuingDistributionPoint(Bytes value, CrlScope* scope) {
  constexpr const char* kField = "issuingDistributionPoint";
  DerReader outer(value);
  Bytes contents;
  if (!outer.Read(der::kSequence, &contents) || !outer.empty()) {
    return {kField, "not a SEQUENCE"};
  }
  DerReader reader(contents);
  scope->present = true;
  if (!ReadExplicitName(&reader, &scope->name)) {
    return {kField, "distributionPoint is malformed"};
  }
  if (!ReadImplicitBoolean(&reader, 1, &scope->only_user_certs) ||
      !ReadImplicitBoolean(&reader, 2, &scope->only_ca_certs)) {
    return {kField, "a flag is not a DER BOOLEAN"};
  }
  if (reader.NextIs(der::Context(3))) {
    scope->has_some_reasons = true;
    if (!reader.ReadNamedBits(der::Context(3), &scope->some_reasons)) {
      return {kField, "onlySomeReasons is not a DER BIT STRING"};
    }
  }
  if (!ReadImplicitBoolean(&reader, 4, &scope->indirect) ||
      !ReadImplicitBoolean(&reader, 5, &scope->only_attribute_certs)) {
    return {kField, "a flag is not a DER BOOLEAN"};
  }
  if (!reader.empty()) return {kField, "unexpected element"};
  if (scope->only_user_certs + scope->only_ca_certs +
          scope->only_attribute_certs >
      1) {
    return {kField, "more than one onlyContains flag"};
  }
  return kNoFault;
}

Fault ParseNumber(Bytes value, const char* field, Bytes* number) {
  DerReader reader(value);
  if (!reader.ReadInteger(number) || !reader.empty() ||
      (number->front() & 0x80) != 0 ||
      number->size() > kCrlNumberOctetsMax + 1) {
    return {field, "not a non-negative INTEGER of at most 20 octets"};
  }
  return kNoFault;
}

Fault ParseKeyId(Bytes value, Bytes* key_id) {
  constexpr const char* kField = "authorityKeyIdentifier";
  DerReader outer(value);
  Bytes contents;
  if (!outer.Read(der::kSequence, &contents) || !outer.empty()) {
    return {kField, "not a SEQUENCE"};
  }
  DerReader reader(contents);
  if (reader.NextIs(der::Context(0)) && !reader.Read(der::Context(0), key_id)) {
    return {kField, "keyIdentifier is malformed"};
  }
  return kNoFault;
}

// SEQUENCE SIZE (1..MAX) OF DistributionPoint.
Fault ParseFreshestCrl(Bytes value, Crl* crl) {
  DerReader reader(value);
  if (!reader.Read(der::kSequence, &crl->freshest_crl) || !reader.empty() ||
      !AreWellFormedDistributionPoints(crl->freshest_crl)) {
    return {
        "freshestCRL",
        "not a SEQUENCE of 1 to 64 DistributionPoints, with at most 16 names "
        "and 4 cRLIssuers each"};
  }
  return kNoFault;
}

Fault ParseExtensionValue(int id_ce, Bytes value, Crl* crl, bool* processed) {
  *processed = true;
  switch (id_ce) {
    case 20:
      return ParseNumber(value, "cRLNumber", &crl->crl_number);
    case 27:
      return ParseNumber(value, "deltaCRLIndicator", &crl->base_crl_number);
    case 28:
      return ParseIssuingDistributionPoint(value, &crl->scope);
    case 35:
      return ParseKeyId(value, &crl->authority_key_id);
    case 46:
      return ParseFreshestCrl(value, crl);
    case 60: {
      DerReader reader(value);
      if (!reader.ReadGeneralizedTime(&crl->expired_certs_on_crl) ||
          !reader.empty()) {
        return {"expiredCertsOnCRL", "not a GeneralizedTime"};
      }
      crl->has_expired_certs_on_crl = true;
      return kNoFault;
    }
    default:
      *processed = false;
      return kNoFault;
  }
}

bool ReadExtension(DerReader* extensions, Bytes* oid, bool* critical,
                   Bytes* value) {
  Bytes extension;
  if (!extensions->Read(der::kSequence, &extension)) return false;
  DerReader reader(extension);
  *critical = false;
  return reader.ReadOid(oid) &&
         (!reader.NextIs(der::kBoolean) || reader.ReadBoolean(critical)) &&
         reader.Read(der::kOctetString, value) && reader.empty();
}

int IdCeNumber(Bytes oid) {
  return oid.size() == 3 && oid[0] == 0x55 && oid[1] == 0x1d ? oid[2] : -1;
}

Fault ParseExtensions(Bytes contents, Crl* crl) {
  constexpr int kExtensionsMax = 16;
  DerReader extensions(contents);
  Bytes seen[kExtensionsMax];
  int count = 0;
  if (extensions.empty()) return {"crlExtensions", "an empty SEQUENCE"};
  while (!extensions.empty()) {
    Bytes oid;
    Bytes value;
    bool critical;
    if (!ReadExtension(&extensions, &oid, &critical, &value)) {
      return {"crlExtensions", "an extension is malformed"};
    }
    if (count == kExtensionsMax) return {"crlExtensions", "more than 16"};
    for (int i = 0; i < count; ++i) {
      if (SameBytes(seen[i], oid)) {
        return {"crlExtensions", "an extension appears twice"};
      }
    }
    seen[count++] = oid;
    bool processed;
    if (Fault fault =
            ParseExtensionValue(IdCeNumber(oid), value, crl, &processed);
        !fault.ok()) {
      return fault;
    }
    if (critical && !processed && crl->unknown_critical_extension.empty()) {
      crl->unknown_critical_extension = oid;
    }
  }
  return kNoFault;
}

// A UTCTime element: tag, length, YYMMDDhhmmssZ.
constexpr size_t kUtcTimeElementBytes = 15;

// Days from 1970-01-01 to the first day of each month of 1950 to 2049.
struct MonthStarts {
  int32_t days[100][13];
};

constexpr MonthStarts MakeMonthStarts() {
  constexpr int kMonthDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  MonthStarts starts = {};
  int32_t day = -20 * 365 - 5;  // leap years 1952 to 1968
  for (int year = 1950; year < 2050; ++year) {
    for (int month = 0; month < 12; ++month) {
      starts.days[year % 100][month] = day;
      day += kMonthDays[month] + (month == 1 && year % 4 == 0 ? 1 : 0);
    }
    starts.days[year % 100][12] = day;
  }
  return starts;
}

constexpr MonthStarts kMonthStarts = MakeMonthStarts();
static_assert(kMonthStarts.days[70][0] == 0);

// The value of eight decimal digits at `p`, pair by pair in the bytes 0, 2, 4
// and 6; false if one is not a digit.
bool ReadDigitPairs(const uint8_t* p, uint64_t* pairs) {
  uint64_t text;
  std::memcpy(&text, p, sizeof(text));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  text = __builtin_bswap64(text);
#endif
  constexpr uint64_t kHighNibbles = 0xf0f0f0f0f0f0f0f0U;
  constexpr uint64_t kZeros = 0x3030303030303030U;
  if ((text & kHighNibbles) != kZeros ||
      ((text + 0x0606060606060606U) & kHighNibbles) != kZeros) {
    return false;
  }
  const uint64_t digits = text - kZeros;
  *pairs = digits * 10 + (digits >> 8);
  return true;
}

// Reads what DerReader::ReadTime would, if it is a good UTCTime.
bool ReadUtcTimeElement(const uint8_t* element, int64_t* unix_seconds) {
  uint64_t date;
  uint64_t time;
  if (element[0] != der::kUtcTime || element[1] != 13 || element[14] != 'Z' ||
      !ReadDigitPairs(element + 2, &date) ||
      !ReadDigitPairs(element + 6, &time)) {
    return false;
  }
  // `time` holds the pairs of DDhhmmss, 16 bits each. The high bit of a pair's
  // octet comes up where it is over its limit.
  constexpr uint64_t kPairs = 0x00ff'00ff'00ff'00ffU;
  constexpr uint64_t kOverLimit = (uint64_t{0x7f - 59} << 48) +
                                  (uint64_t{0x7f - 59} << 32) +
                                  (uint64_t{0x7f - 23} << 16) + (0x7f - 31);
  constexpr uint64_t kHighBits = 0x0080'0080'0080'0080U;
  time &= kPairs;
  const auto year = static_cast<unsigned>(date & 0xff);
  const auto month = static_cast<unsigned>(date >> 16 & 0xff) - 1;
  const auto day = static_cast<int32_t>(time & 0xff) - 1;
  if (((time + kOverLimit) & kHighBits) != 0 || month > 11 || day < 0) {
    return false;
  }
  const int32_t* starts = kMonthStarts.days[year] + month;
  if (starts[0] + day >= starts[1]) return false;
  const auto hour = static_cast<uint32_t>(time >> 16 & 0xff);
  const auto minute = static_cast<uint32_t>(time >> 32 & 0xff);
  const auto second = static_cast<uint32_t>(time >> 48);
  *unix_seconds =
      (int64_t{starts[0]} + day) * 86400 + (hour * 60 + minute) * 60 + second;
  return true;
}

Fault ParseTbs(Bytes contents, Bytes outer_algorithm, Crl* crl) {
  DerReader tbs(contents);
  if (tbs.NextIs(der::kInteger)) {
    uint64_t version;
    if (!tbs.ReadUint64(&version) || version != 1) {
      return {"version", "not 2"};
    }
    crl->version = 2;
  }
  Bytes algorithm;
  if (!tbs.ReadElement(der::kSequence, &algorithm)) {
    return {"signature", "not an AlgorithmIdentifier"};
  }
  if (!SameBytes(algorithm, outer_algorithm)) {
    return {"signatureAlgorithm", "differs from tbsCertList.signature"};
  }
  if (!tbs.ReadElement(der::kSequence, &crl->issuer) ||
      !IsWellFormedName(crl->issuer) || IsEmptyName(crl->issuer)) {
    return {"issuer",
            "not a non-empty Name, or too long in text beyond ASCII (1,024 "
            "octets a text, 4,096 a name)"};
  }
  if (!tbs.ReadTime(&crl->this_update)) {
    return {"thisUpdate", "not a UTCTime or GeneralizedTime in DER"};
  }
  if (tbs.NextIs(der::kUtcTime) || tbs.NextIs(der::kGeneralizedTime)) {
    if (!tbs.ReadTime(&crl->next_update)) {
      return {"nextUpdate", "not a UTCTime or GeneralizedTime in DER"};
    }
    crl->has_next_update = true;
  }
  if (tbs.NextIs(der::kSequence) && !tbs.Read(der::kSequence, &crl->entries)) {
    return {"revokedCertificates", "not a SEQUENCE"};
  }
  if (tbs.NextIs(der::ContextConstructed(0))) {
    Bytes wrapper;
    if (crl->version != 2 || !tbs.Read(der::ContextConstructed(0), &wrapper)) {
      return {"crlExtensions", "malformed, or in a version 1 CRL"};
    }
    DerReader reader(wrapper);
    if (!reader.Read(der::kSequence, &contents) || !reader.empty()) {
      return {"crlExtensions", "not a SEQUENCE"};
    }
    if (Fault fault = ParseExtensions(contents, crl); !fault.ok()) {
      return fault;
    }
  }
  if (!tbs.empty()) return {"tbsCertList", "trailing octets"};
  return kNoFault;
}

}  // namespace

bool ParseDistributionPointName(Bytes contents, DistributionPointName* name) {
  DerReader reader(contents);
  if (reader.NextIs(der::ContextConstructed(0))) {
    return reader.Read(der::ContextConstructed(0), &name->full_names) &&
           reader.empty() && AreWellFormedGeneralNames(name->full_names);
  }
  return reader.Read(der::ContextConstructed(1), &name->relative_name) &&
         reader.empty() && !name->relative_name.empty();
}

bool AreWellFormedDistributionPoints(Bytes contents) {
  DerReader points(contents);
  if (points.empty()) return false;
  DistributionPoint point;
  int count = 0;
  while (!points.empty()) {
    if (++count > kDistributionPointsMax ||
        !ReadDistributionPoint(&points, &point)) {
      return false;
    }
  }
  return true;
}

bool ReadDistributionPoint(DerReader* points, DistributionPoint* point) {
  Bytes contents;
  if (!points->Read(der::kSequence, &contents)) return false;
  *point = DistributionPoint();
  DerReader reader(contents);
  if (!ReadExplicitName(&reader, &point->name)) return false;
  if (reader.NextIs(der::Context(1))) {
    point->has_reasons = true;
    if (!reader.ReadNamedBits(der::Context(1), &point->reasons)) return false;
  }
  if (reader.NextIs(der::ContextConstructed(2)) &&
      (!reader.Read(der::ContextConstructed(2), &point->crl_issuer) ||
       !AreWellFormedGeneralNames(point->crl_issuer))) {
    return false;
  }
  // Section 4.2.1.13: reasons alone say nothing about where to look.
  return reader.empty() &&
         (point->name.relative_name.empty() ||
          IsWellFormedRdn(point->name.relative_name)) &&
         HasAtMost(kPointNamesMax, point->name.full_names) &&
         HasAtMost(kPointCrlIssuersMax, point->crl_issuer) &&
         (point->name.present() || !point->crl_issuer.empty());
}

Fault ParseCrl(Bytes der, Crl* crl) {
  *crl = Crl();
  crl->der = der;
  DerReader outer(der);
  Bytes contents;
  if (!outer.Read(der::kSequence, &contents)) {
    return {"certificateList",
            "not a complete DER SEQUENCE (truncated, or not a CRL)"};
  }
  if (!outer.empty()) return {"certificateList", "octets after the CRL"};
  DerReader reader(contents);
  Bytes algorithm;
  if (!reader.ReadElement(der::kSequence, &crl->tbs)) {
    return {"tbsCertList", "not a SEQUENCE"};
  }
  if (!reader.ReadElement(der::kSequence, &algorithm)) {
    return {"signatureAlgorithm", "not a SEQUENCE"};
  }
  if (Fault fault =
          ParseSignatureAlgorithm(algorithm, &crl->signature_algorithm);
      !fault.ok()) {
    return fault;
  }
  if (!reader.ReadOctetAlignedBitString(&crl->signature)) {
    return {"signatureValue", "not a BIT STRING of whole octets"};
  }
  if (!reader.empty()) return {"certificateList", "more than three elements"};
  DerReader tbs(crl->tbs);
  if (!tbs.Read(der::kSequence, &contents)) {
    return {"tbsCertList", "not a SEQUENCE"};
  }
  return ParseTbs(contents, algorithm, crl);
}

bool CrlEntryReader::ReadExtensions(Bytes contents, CrlEntry* entry) {
  DerReader extensions(contents);
  Bytes oid;
  Bytes value;
  bool critical;
  uint64_t seen = 0;
  while (!extensions.empty()) {
    if (!ReadExtension(&extensions, &oid, &critical, &value)) {
      fault_ = {"crlEntryExtensions", "an extension is malformed"};
      return false;
    }
    const int id_ce = IdCeNumber(oid);
    if (id_ce >= 0 && id_ce < 64) {
      if ((seen >> id_ce & 1) != 0) {
        fault_ = {"crlEntryExtensions", "an extension appears twice"};
        return false;
      }
      seen |= uint64_t{1} << id_ce;
    }
    DerReader reader(value);
    switch (id_ce) {
      case 21: {
        uint64_t reason;
        if (!reader.ReadUint64As(der::kEnumerated, &reason) ||
            !reader.empty() || reason > 10 || reason == 7) {
          fault_ = {"reasonCode", "not a CRLReason"};
          return false;
        }
        entry->reason = static_cast<uint8_t>(reason);
        break;
      }
      case 24:
        if (!reader.ReadGeneralizedTime(&entry->invalidity_date) ||
            !reader.empty()) {
          fault_ = {"invalidityDate", "not a GeneralizedTime"};
          return false;
        }
        entry->has_invalidity_date = true;
        break;
      case 29:
        if (!reader.Read(der::kSequence, &entry->certificate_issuer) ||
            !reader.empty() ||
            !AreWellFormedGeneralNames(entry->certificate_issuer)) {
          fault_ = {"certificateIssuer", "not GeneralNames"};
          return false;
        }
        break;
      default:
        if (critical) {
          fault_ = {"crlEntryExtensions", "an unknown critical extension"};
          return false;
        }
    }
  }
  return true;
}

bool CrlEntryReader::NextUsual(CrlEntry* entry) {
  // SEQUENCE { INTEGER, UTCTime, SEQUENCE { reasonCode alone }, if any }, all
  // lengths in one octet, and enough input after it to load words blindly.
  constexpr size_t kLookAhead = 128 + 2;
  constexpr size_t kReasonBytes = 14;
  static constexpr uint8_t kReasonStart[] = {0x30, 0x0c, 0x30, 0x0a, 0x06,
                                             0x03, 0x55, 0x1d, 0x15, 0x04,
                                             0x03, 0x0a, 0x01};
  const Bytes rest = entries_.rest();
  if (rest.size() < kLookAhead) return false;
  const uint8_t* p = rest.data();
  const size_t size = p[1];
  const size_t serial_size = p[3];
  if (p[0] != der::kSequence || size >= 0x80 || p[2] != der::kInteger ||
      serial_size == 0 || 2 + serial_size + kUtcTimeElementBytes > size) {
    return false;
  }
  const uint8_t* serial = p + 4;
  // X.690 section 8.3.2: the first nine bits are not all alike.
  if (serial_size > 1 && (serial[0] == 0 || serial[0] == 0xff) &&
      (serial[0] & 0x80) == (serial[1] & 0x80)) {
    return false;
  }
  const uint8_t* time = serial + serial_size;
  const uint8_t* end = p + 2 + size;
  const uint8_t* extensions = time + kUtcTimeElementBytes;
  const auto left = static_cast<size_t>(end - extensions);
  uint8_t reason = 0;
  if (left != 0) {
    if (left != kReasonBytes || version_ != 2 ||
        std::memcmp(extensions, kReasonStart, sizeof(kReasonStart)) != 0) {
      return false;
    }
    reason = extensions[kReasonBytes - 1];
    if (reason > 10 || reason == 7) return false;
  }
  int64_t revoked_at;
  if (!ReadUtcTimeElement(time, &revoked_at)) return false;
  *entry = CrlEntry();
  entry->serial = Bytes(serial, serial_size);
  entry->revoked_at = revoked_at;
  entry->reason = reason;
  entries_ = DerReader(rest.subspan(2 + size));
  return true;
}

bool CrlEntryReader::Next(CrlEntry* entry) {
  if (entries_.empty() || !fault_.ok()) return false;
  if (NextUsual(entry)) return true;
  *entry = CrlEntry();
  Bytes contents;
  if (!entries_.Read(der::kSequence, &contents)) {
    fault_ = {"revokedCertificates", "an entry is not a SEQUENCE"};
    return false;
  }
  DerReader reader(contents);
  if (!reader.ReadInteger(&entry->serial)) {
    fault_ = {"userCertificate", "not a DER INTEGER"};
    return false;
  }
  if (!reader.ReadTime(&entry->revoked_at)) {
    fault_ = {"revocationDate", "not a UTCTime or GeneralizedTime in DER"};
    return false;
  }
  if (reader.empty()) return true;
  if (version_ != 2 || !reader.Read(der::kSequence, &contents) ||
      !reader.empty() || contents.empty()) {
    fault_ = {"crlEntryExtensions", "malformed, or in a version 1 CRL"};
    return false;
  }
  return ReadExtensions(contents, entry);
}

}  // namespace inkan
