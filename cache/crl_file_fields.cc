#include "cache/crl_file_fields.h"

#include <cstring>

#include "crypto/der.h"
#include "crypto/string_prep.h"

namespace inkan::crl_file {
namespace {

// Numbers take 8 octets; texts their length and themselves.
class Writer {
 public:
  void Number(uint64_t value) {
    text_.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }
  void Time(int64_t value) { Number(static_cast<uint64_t>(value)); }
  void Text(const std::string& value) {
    Number(value.size());
    text_ += value;
  }
  std::string Take() { return std::move(text_); }

 private:
  std::string text_;
};

class Reader {
 public:
  explicit Reader(Bytes rest) : rest_(rest) {}

  uint64_t Number() {
    uint64_t value = 0;
    if (rest_.size() < sizeof(value)) {
      ok_ = false;
      return 0;
    }
    std::memcpy(&value, rest_.data(), sizeof(value));
    rest_.remove_prefix(sizeof(value));
    return value;
  }
  // At most `max`.
  uint64_t Number(uint64_t max) {
    const uint64_t value = Number();
    ok_ &= value <= max;
    return value <= max ? value : 0;
  }
  bool Flag() { return Number(1) != 0; }
  int64_t Any() { return static_cast<int64_t>(Number()); }
  // A time that DER can write.
  int64_t Time() {
    const int64_t value = Any();
    const bool good = value >= kTimeMin && value <= kTimeMax;
    ok_ &= good;
    return good ? value : 0;
  }
  std::string Text() {
    const uint64_t size = Number();
    if (!ok_ || size > rest_.size()) {
      ok_ = false;
      return "";
    }
    std::string value(AsText(rest_.subspan(0, size)));
    rest_.remove_prefix(size);
    return value;
  }
  std::vector<std::string> Texts() {
    std::vector<std::string> texts;
    for (uint64_t left = Number(); ok_ && left > 0; --left) {
      texts.push_back(Text());
    }
    return texts;
  }
  bool ok() const { return ok_; }
  bool done() const { return ok_ && rest_.empty(); }

 private:
  Bytes rest_;
  bool ok_ = true;
};

void WriteScope(const CrlData& crl, Writer* out) {
  const CrlScope& scope = crl.scope;
  for (const bool flag :
       {scope.present, scope.only_user_certs, scope.only_ca_certs,
        scope.only_attribute_certs, scope.indirect, scope.has_some_reasons}) {
    out->Number(flag ? 1 : 0);
  }
  out->Number(scope.some_reasons);
  out->Number(crl.scope_names.size());
  for (const std::string& name : crl.scope_names) out->Text(name);
  out->Text(crl.scope_encoding);
  out->Text(crl.scope_text);
}

void ReadScope(Reader* in, CrlData* crl) {
  CrlScope& scope = crl->scope;
  for (bool* flag : {&scope.present, &scope.only_user_certs,
                     &scope.only_ca_certs, &scope.only_attribute_certs,
                     &scope.indirect, &scope.has_some_reasons}) {
    *flag = in->Flag();
  }
  scope.some_reasons = static_cast<uint16_t>(in->Number(UINT16_MAX));
  crl->scope_names = in->Texts();
  crl->scope_encoding = in->Text();
  crl->scope_text = in->Text();
}

}  // namespace

std::string WriteFields(const CrlData& crl, const CrlOrigin& origin,
                        const std::vector<std::string>& issuers) {
  Writer out;
  out.Text(std::string(UnicodeVersion()));
  out.Text(std::string(AsText(crl.sha256)));
  out.Text(crl.signer_key_sha256);
  out.Text(origin.path);
  out.Number(origin.size);
  out.Time(origin.modified_ns);
  out.Time(origin.changed_ns);
  out.Number(origin.inode);
  out.Text(crl.issuer);
  out.Text(crl.canonical_issuer);
  out.Text(crl.authority_key_id);
  out.Time(crl.this_update);
  out.Number(crl.has_next_update ? 1 : 0);
  out.Time(crl.next_update);
  out.Text(crl.crl_number);
  out.Number(crl.is_delta ? 1 : 0);
  out.Text(crl.base_crl_number);
  out.Number(crl.has_expired_certs_on_crl ? 1 : 0);
  out.Time(crl.expired_certs_on_crl);
  WriteScope(crl, &out);
  out.Number(static_cast<uint64_t>(crl.signature_algorithm.scheme));
  out.Number(static_cast<uint64_t>(crl.signature_algorithm.hash));
  out.Number(crl.signature_algorithm.pss_salt_bytes);
  out.Text(crl.tbs_digest);
  out.Text(crl.signature);
  out.Number(issuers.size());
  for (const std::string& issuer : issuers) out.Text(issuer);
  return out.Take();
}

bool HasOurUnicode(Bytes fields) {
  Reader in(fields);
  return in.Text() == UnicodeVersion() && in.ok();
}

bool ReadFields(Bytes fields, CrlData* crl, CrlOrigin* origin,
                std::vector<std::string>* issuers) {
  Reader in(fields);
  if (in.Text() != UnicodeVersion()) return false;
  const std::string sha256 = in.Text();
  if (sha256.size() != crl->sha256.size()) return false;
  std::memcpy(crl->sha256.data(), sha256.data(), sha256.size());
  crl->signer_key_sha256 = in.Text();
  origin->path = in.Text();
  origin->size = in.Number();
  origin->modified_ns = in.Any();
  origin->changed_ns = in.Any();
  origin->inode = in.Number();
  crl->issuer = in.Text();
  crl->canonical_issuer = in.Text();
  crl->authority_key_id = in.Text();
  crl->this_update = in.Time();
  crl->has_next_update = in.Flag();
  crl->next_update = in.Time();
  crl->crl_number = in.Text();
  crl->is_delta = in.Flag();
  crl->base_crl_number = in.Text();
  crl->has_expired_certs_on_crl = in.Flag();
  crl->expired_certs_on_crl = in.Time();
  ReadScope(&in, crl);
  crl->signature_algorithm.scheme = static_cast<SignatureScheme>(
      in.Number(static_cast<uint64_t>(SignatureScheme::kEcdsa)));
  crl->signature_algorithm.hash = static_cast<HashAlgorithm>(
      in.Number(static_cast<uint64_t>(HashAlgorithm::kSha512)));
  crl->signature_algorithm.pss_salt_bytes =
      static_cast<uint16_t>(in.Number(UINT16_MAX));
  crl->tbs_digest = in.Text();
  crl->signature = in.Text();
  *issuers = in.Texts();
  // The same that ReadCrl asks for.
  return in.done() && CheckAlgorithmStrength(crl->signature_algorithm).ok() &&
         crl->tbs_digest.size() == DigestSize(crl->signature_algorithm.hash);
}

}  // namespace inkan::crl_file
