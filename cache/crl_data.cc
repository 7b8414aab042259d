#include "cache/crl_data.h"

#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/container/node_hash_map.h"
#include "absl/strings/str_cat.h"
#include "cache/crl_build.h"
#include "cache/crl_entries.h"
#include "crypto/digest.h"
#include "crypto/digest_stream.h"
#include "crypto/general_name.h"
#include "crypto/name.h"
#include "crypto/oid.h"

namespace inkan {
namespace {

absl::Status Refuse(const Fault& fault) {
  return absl::InvalidArgumentError(
      absl::StrCat(fault.field, ": ", fault.problem));
}

absl::Status Refuse(const char* field, const char* problem) {
  return Refuse(Fault{field, problem});
}

// Names of one certificate issuer in one entry: its issuer field and, as
// directoryNames, its alternative names (RFC 5280 section 5.3.3). No CA is
// known to write more than one; the bound keeps a hostile CRL from multiplying
// its entries.
constexpr size_t kEntryIssuersMax = 4;

// The directoryNames among GeneralNames, as canonical Names.
std::vector<std::string> CanonicalDirectoryNames(Bytes general_names) {
  std::vector<std::string> names;
  DerReader reader(general_names);
  GeneralName name;
  while (!reader.empty() && ReadGeneralName(&reader, &name)) {
    if (name.kind == GeneralNameKind::kDirectoryName) {
      names.push_back(CanonicalName(name.value));
    }
  }
  return names;
}

void AppendFlag(bool flag, const char* text, std::string* out) {
  if (flag) absl::StrAppend(out, out->empty() ? "" : ", ", text);
}

absl::Status ReadScope(const Crl& crl, CrlData* data) {
  data->scope = crl.scope;
  data->scope.name = {};
  std::string names;
  if (!crl.scope.name.relative_name.empty()) {
    const std::string full =
        NameWithRdn(crl.issuer, crl.scope.name.relative_name);
    if (full.empty()) {
      return Refuse("issuingDistributionPoint",
                    "nameRelativeToCRLIssuer is malformed");
    }
    const GeneralName name = {GeneralNameKind::kDirectoryName, AsBytes(full)};
    data->scope_names.push_back(CanonicalGeneralName(name));
    names = GeneralNameToText(name);
  }
  DerReader reader(crl.scope.name.full_names);
  GeneralName name;
  while (!reader.empty() && ReadGeneralName(&reader, &name)) {
    data->scope_names.push_back(CanonicalGeneralName(name));
    absl::StrAppend(&names, names.empty() ? "" : " | ",
                    GeneralNameToText(name));
  }
  data->scope_encoding = std::string(AsText(crl.scope.name.full_names));
  data->scope_text =
      names.empty() ? "all certificates of the issuer" : std::move(names);
  std::string flags;
  AppendFlag(crl.scope.only_user_certs, "user certificates only", &flags);
  AppendFlag(crl.scope.only_ca_certs, "CA certificates only", &flags);
  AppendFlag(crl.scope.only_attribute_certs, "attribute certificates only",
             &flags);
  AppendFlag(crl.scope.indirect, "indirect", &flags);
  AppendFlag(crl.scope.has_some_reasons, "some reasons only", &flags);
  AppendFlag(data->is_delta, "delta", &flags);
  if (!flags.empty()) absl::StrAppend(&data->scope_text, " (", flags, ")");
  return absl::OkStatus();
}

// What no entry may be, whatever index it goes to.
absl::Status CheckEntry(const CrlEntry& entry, const CrlData& data) {
  if (entry.serial.size() > kSerialBytesMax) {
    return Refuse("userCertificate", "a serial of more than 21 octets");
  }
  if (entry.reason == crl_reason::kRemoveFromCrl && !data.is_delta) {
    return Refuse("reasonCode", "removeFromCRL outside a delta CRL");
  }
  return absl::OkStatus();
}

Revocation RevocationOf(const CrlEntry& entry) {
  return {entry.revoked_at, entry.reason, entry.has_invalidity_date,
          entry.invalidity_date};
}

// The entries of a CRL that is not indirect, straight from its octets. They are
// hashed when they are read for the first time, a few kilobytes at a time, just
// after they were parsed.
class ParsedEntries : public CrlEntries {
 public:
  ParsedEntries(const Crl& crl, const CrlData& data, const CrlControl& control,
                OverlappingDigests* digests)
      : crl_(crl),
        data_(data),
        control_(control),
        digests_(digests),
        reader_(crl) {}

  absl::Status Rewind() override {
    reader_ = CrlEntryReader(crl_);
    next_report_ = 0;
    return absl::OkStatus();
  }

  absl::StatusOr<size_t> Read(absl::Span<IndexEntry> out) override {
    size_t count = 0;
    CrlEntry entry;
    while (count < out.size() && reader_.Next(&entry)) {
      if (!entry.certificate_issuer.empty()) {
        return Refuse("certificateIssuer", "in a CRL that is not indirect");
      }
      if (absl::Status status = CheckEntry(entry, data_); !status.ok()) {
        return status;
      }
      out[count++] = {entry.serial.data(), entry.serial.size(),
                      RevocationOf(entry)};
    }
    if (!reader_.fault().ok()) return Refuse(reader_.fault());
    if (count == 0) return count;
    digests_->AdvanceTo(reader_.position());
    const auto done =
        static_cast<uint64_t>(reader_.position() - crl_.der.data());
    if (done >= next_report_) {
      constexpr uint64_t kReportBytes = uint64_t{1} << 20;
      next_report_ = done + kReportBytes;
      absl::Status status = control_.Report(done, crl_.der.size());
      if (!status.ok()) return status;
    }
    return count;
  }

 private:
  const Crl& crl_;
  const CrlData& data_;
  const CrlControl& control_;
  OverlappingDigests* const digests_;
  CrlEntryReader reader_;
  uint64_t next_report_ = 0;
};

// The entries of an indirect CRL, by the issuer of the certificates.
absl::Status ReadIndirectEntries(const Crl& crl, const CrlControl& control,
                                 CrlData* data) {
  CrlIndexBuilder own;
  absl::node_hash_map<std::string, CrlIndexBuilder> others;
  // An entry is listed under every name its issuer goes by.
  absl::InlinedVector<CrlIndexBuilder*, 1> current = {&own};
  CrlEntryReader entries(crl);
  CrlEntry entry;
  size_t count = 0;
  size_t read = 0;
  while (entries.Next(&entry)) {
    if (!entry.certificate_issuer.empty()) {
      const std::vector<std::string> issuers =
          CanonicalDirectoryNames(entry.certificate_issuer);
      if (issuers.empty()) {
        return Refuse("certificateIssuer", "has no directoryName");
      }
      if (issuers.size() > kEntryIssuersMax) {
        return Refuse("certificateIssuer", "has more than 4 directoryNames");
      }
      current.clear();
      for (const std::string& issuer : issuers) {
        current.push_back(issuer == data->canonical_issuer ? &own
                                                           : &others[issuer]);
      }
      if (others.size() > kIndirectIssuersMax) {
        return Refuse("certificateIssuer",
                      "more than 256 issuers in an indirect CRL");
      }
    }
    count += current.size();
    if (count > kIndirectEntriesMax) {
      return Refuse("revokedCertificates",
                    "more than 1,000,000 entries in an indirect CRL");
    }
    if (absl::Status status = CheckEntry(entry, *data); !status.ok()) {
      return status;
    }
    for (CrlIndexBuilder* index : current) {
      index->Add(entry.serial, RevocationOf(entry));
    }
    constexpr size_t kReportEntries = 16384;
    if (++read % kReportEntries == 0) {
      absl::Status status = control.Report(
          static_cast<uint64_t>(entries.position() - crl.der.data()),
          crl.der.size());
      if (!status.ok()) return status;
    }
  }
  if (!entries.fault().ok()) return Refuse(entries.fault());
  absl::StatusOr<CrlIndex> index = std::move(own).Build();
  if (!index.ok()) return index.status();
  data->index = *std::move(index);
  for (auto& [issuer, builder] : others) {
    absl::Status status = control.Report(crl.der.size(), crl.der.size());
    if (!status.ok()) return status;
    index = std::move(builder).Build();
    if (!index.ok()) return index.status();
    data->indirect[issuer] = *std::move(index);
  }
  return absl::OkStatus();
}

absl::Status ReadEntries(const Crl& crl, const CrlControl& control,
                         OverlappingDigests* digests, CrlData* data) {
  if (crl.scope.indirect) return ReadIndirectEntries(crl, control, data);
  ParsedEntries entries(crl, *data, control, digests);
  absl::StatusOr<CrlIndex> index = BuildCrlIndex(&entries);
  if (!index.ok()) return index.status();
  data->index = *std::move(index);
  return absl::OkStatus();
}

}  // namespace

size_t CrlData::entries() const {
  size_t count = index.size();
  for (const auto& [issuer, other] : indirect) count += other.size();
  return count;
}

size_t CrlData::memory_bytes() const {
  size_t bytes = sizeof(*this) + index.memory_bytes();
  for (const auto& [issuer, other] : indirect) bytes += other.memory_bytes();
  return bytes;
}

absl::StatusOr<std::shared_ptr<const CrlData>> ReadCrl(
    Bytes der, std::string source, const CrlControl& control) {
  Crl crl;
  if (Fault fault = ParseCrl(der, &crl); !fault.ok()) return Refuse(fault);
  if (!crl.unknown_critical_extension.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("crlExtensions: unknown critical extension ",
                     OidToText(crl.unknown_critical_extension)));
  }
  if (Fault fault = CheckAlgorithmStrength(crl.signature_algorithm);
      !fault.ok()) {
    return Refuse(fault);
  }
  if (crl.has_next_update && crl.next_update < crl.this_update) {
    return Refuse("nextUpdate", "before thisUpdate");
  }
  auto data = std::make_shared<CrlData>();
  data->source = std::move(source);
  data->issuer = std::string(AsText(crl.issuer));
  data->canonical_issuer = CanonicalName(crl.issuer);
  data->authority_key_id = std::string(AsText(crl.authority_key_id));
  data->this_update = crl.this_update;
  data->has_next_update = crl.has_next_update;
  data->next_update = crl.next_update;
  data->crl_number = std::string(AsText(crl.crl_number));
  data->is_delta = !crl.base_crl_number.empty();
  data->base_crl_number = std::string(AsText(crl.base_crl_number));
  data->has_expired_certs_on_crl = crl.has_expired_certs_on_crl;
  data->expired_certs_on_crl = crl.expired_certs_on_crl;
  data->signature_algorithm = crl.signature_algorithm;
  data->signature = std::string(AsText(crl.signature));
  data->tbs_digest.resize(DigestSize(crl.signature_algorithm.hash));
  if (absl::Status status = ReadScope(crl, data.get()); !status.ok()) {
    return status;
  }
  if (control.admit) {
    // Whoever asks may verify the signature before an index is made of what
    // anybody may have sent. The octets are hashed once more with the entries.
    const DigestJob hash = {
        crl.signature_algorithm.hash, crl.tbs,
        reinterpret_cast<uint8_t*>(data->tbs_digest.data())};
    DigestBatch({&hash, 1});
    if (absl::Status status = control.admit(*data); !status.ok()) return status;
  }
  OverlappingDigests digests(der, crl.tbs, crl.signature_algorithm.hash);
  if (absl::Status status = ReadEntries(crl, control, &digests, data.get());
      !status.ok()) {
    return status;
  }
  digests.Finish(data->sha256.data(),
                 reinterpret_cast<uint8_t*>(data->tbs_digest.data()));
  return std::shared_ptr<const CrlData>(std::move(data));
}

}  // namespace inkan
