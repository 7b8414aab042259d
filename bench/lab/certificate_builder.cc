#include "bench/lab/certificate_builder.h"

#include <algorithm>
#include <utility>

#include "bench/lab/check.h"
#include "bench/lab/der_writer.h"

namespace inkan::lab {

std::string SerialContents(uint64_t number) {
  DerWriter writer;
  writer.Integer(number);
  return writer.bytes().substr(2);
}

CertificateBuilder& CertificateBuilder::version(unsigned number) {
  version_ = number;
  return *this;
}

CertificateBuilder& CertificateBuilder::serial(uint64_t number) {
  serial_ = SerialContents(number);
  return *this;
}

CertificateBuilder& CertificateBuilder::serial_contents(
    std::string_view contents) {
  serial_ = contents;
  return *this;
}

CertificateBuilder& CertificateBuilder::issuer(Name name) {
  issuer_ = std::move(name);
  return *this;
}

CertificateBuilder& CertificateBuilder::subject(Name name) {
  subject_ = std::move(name);
  return *this;
}

CertificateBuilder& CertificateBuilder::validity(int64_t not_before,
                                                 int64_t not_after) {
  not_before_ = not_before;
  not_after_ = not_after;
  validity_der_.clear();
  return *this;
}

CertificateBuilder& CertificateBuilder::validity_der(std::string element) {
  validity_der_ = std::move(element);
  return *this;
}

CertificateBuilder& CertificateBuilder::public_key(const PrivateKey& key) {
  spki_ = key.public_key();
  key_identifier_ = key.key_identifier();
  return *this;
}

CertificateBuilder& CertificateBuilder::public_key_der(std::string spki) {
  key_identifier_ = Sha1Of(spki);
  spki_ = std::move(spki);
  return *this;
}

CertificateBuilder& CertificateBuilder::issuer_unique_id(
    std::string_view octets) {
  issuer_unique_id_ = octets;
  return *this;
}

CertificateBuilder& CertificateBuilder::subject_unique_id(
    std::string_view octets) {
  subject_unique_id_ = octets;
  return *this;
}

CertificateBuilder& CertificateBuilder::add(Extension extension) {
  extensions_.push_back(std::move(extension));
  return *this;
}

CertificateBuilder& CertificateBuilder::set(Extension extension) {
  for (Extension& existing : extensions_) {
    if (existing.oid == extension.oid) {
      existing = std::move(extension);
      return *this;
    }
  }
  return add(std::move(extension));
}

CertificateBuilder& CertificateBuilder::remove(std::string_view oid) {
  std::erase_if(extensions_, [&](const Extension& e) { return e.oid == oid; });
  return *this;
}

CertificateBuilder& CertificateBuilder::ca(
    std::optional<uint64_t> path_length) {
  Require(!key_identifier_.empty(), "give the public key before ca()");
  set(extension::BasicConstraints(true, path_length));
  set(extension::KeyUsage(kKeyCertSign | kCrlSign));
  return set(extension::SubjectKeyIdentifier(key_identifier_));
}

CertificateBuilder& CertificateBuilder::key_identifier_of(
    const PrivateKey& key) {
  return set(extension::SubjectKeyIdentifier(key.key_identifier()));
}

CertificateBuilder& CertificateBuilder::issued_by(
    const PrivateKey& issuer_key) {
  return set(extension::AuthorityKeyIdentifier(issuer_key.key_identifier()));
}

CertificateBuilder& CertificateBuilder::inner_algorithm_der(
    std::string element) {
  inner_algorithm_ = std::move(element);
  return *this;
}

CertificateBuilder& CertificateBuilder::outer_algorithm_der(
    std::string element) {
  outer_algorithm_ = std::move(element);
  return *this;
}

std::string CertificateBuilder::Tbs(SigningAlgorithm algorithm) const {
  Require(!spki_.empty(), "a certificate needs a public key");
  return Der([&](DerWriter& w) {
    w.Nest(der::kSequence, [&] {
      if (version_ != 1) {
        w.Nest(der::ContextConstructed(0), [&] { w.Integer(version_ - 1); });
      }
      w.IntegerContents(serial_);
      w.Raw(inner_algorithm_.empty() ? AlgorithmIdentifier(algorithm)
                                     : inner_algorithm_);
      w.Raw(issuer_.Encode());
      if (validity_der_.empty()) {
        w.Nest(der::kSequence, [&] {
          w.Time(not_before_);
          w.Time(not_after_);
        });
      } else {
        w.Raw(validity_der_);
      }
      w.Raw(subject_.Encode());
      w.Raw(spki_);
      if (issuer_unique_id_) w.BitString(*issuer_unique_id_, der::Context(1));
      if (subject_unique_id_) w.BitString(*subject_unique_id_, der::Context(2));
      if (!extensions_.empty()) {
        w.Element(der::ContextConstructed(3), EncodeExtensions(extensions_));
      }
    });
  });
}

std::string CertificateBuilder::Assemble(SigningAlgorithm algorithm,
                                         std::string_view tbs,
                                         std::string_view signature) const {
  return Der([&](DerWriter& w) {
    w.Nest(der::kSequence, [&] {
      w.Raw(tbs);
      w.Raw(outer_algorithm_.empty() ? AlgorithmIdentifier(algorithm)
                                     : outer_algorithm_);
      w.BitString(signature);
    });
  });
}

std::string CertificateBuilder::Sign(const PrivateKey& issuer_key) const {
  return Sign(issuer_key, issuer_key.default_algorithm());
}

std::string CertificateBuilder::Sign(const PrivateKey& issuer_key,
                                     SigningAlgorithm algorithm) const {
  const std::string tbs = Tbs(algorithm);
  return Assemble(algorithm, tbs, issuer_key.Sign(algorithm, tbs));
}

std::string SelfSignedCa(const Name& name, const PrivateKey& key,
                         int64_t not_before, int64_t not_after) {
  return CertificateBuilder()
      .issuer(name)
      .subject(name)
      .validity(not_before, not_after)
      .public_key(key)
      .ca()
      .Sign(key);
}

}  // namespace inkan::lab
