#include "bench/lab/crl_builder.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bench/lab/der_writer.h"

namespace inkan::lab {
namespace {

// Entries are handed on in pieces of about this size.
constexpr size_t kPieceBytes = 1U << 18U;
// How often progress is told.
constexpr uint64_t kProgressEntries = 1U << 18U;

// Encodes entries one after another. Dates and reasons repeat by the thousand,
// so the last of each is kept encoded.
class EntryEncoder {
 public:
  void Append(const CrlEntry& entry, DerWriter* w) {
    SetDate(entry.revoked_at);
    w->Nest(der::kSequence, [&] {
      w->IntegerContents(entry.serial);
      w->Raw(date_der_);
      const bool plain = !entry.invalidity_date &&
                         entry.certificate_issuer.empty() &&
                         entry.extensions.empty();
      if (plain && !entry.reason) return;
      if (plain) {
        w->Raw(ReasonOnly(*entry.reason));
      } else {
        w->Raw(Extensions(entry));
      }
    });
  }

 private:
  const std::string& ReasonOnly(Reason reason) {
    std::string& cached = reasons_[static_cast<size_t>(reason) % 16];
    if (cached.empty()) {
      cached = EncodeExtensions({extension::ReasonCode(reason)});
    }
    return cached;
  }

  static std::string Extensions(const CrlEntry& entry) {
    std::vector<Extension> all;
    if (entry.reason) all.push_back(extension::ReasonCode(*entry.reason));
    if (entry.invalidity_date) {
      all.push_back(extension::InvalidityDate(*entry.invalidity_date));
    }
    if (!entry.certificate_issuer.empty()) {
      all.push_back(extension::CertificateIssuer(entry.certificate_issuer));
    }
    all.insert(all.end(), entry.extensions.begin(), entry.extensions.end());
    return EncodeExtensions(all);
  }

  // Calendar arithmetic is needed only where a new day begins.
  void SetDate(int64_t time) {
    int64_t second = time % kSecondsPerDay;
    if (second < 0) second += kSecondsPerDay;
    if (time - second != day_) {
      day_ = time - second;
      std::string& date = dates_[day_];
      if (date.empty()) date = Der([&](DerWriter& d) { d.Time(day_); });
      date_der_ = date;
    }
    // Both forms of time end in HHMMSSZ.
    char* digits = date_der_.data() + date_der_.size() - 7;
    for (const int64_t part : {second / 3600, second / 60 % 60, second % 60}) {
      *digits++ = static_cast<char>('0' + part / 10);
      *digits++ = static_cast<char>('0' + part % 10);
    }
  }

  int64_t day_ = INT64_MIN;
  std::string date_der_;
  std::map<int64_t, std::string> dates_;  // by day
  std::string reasons_[16];
};

}  // namespace

CrlBuilder& CrlBuilder::version(unsigned number) {
  version_ = number;
  return *this;
}

CrlBuilder& CrlBuilder::issuer(Name name) {
  issuer_ = std::move(name);
  return *this;
}

CrlBuilder& CrlBuilder::this_update(int64_t time) {
  this_update_ = time;
  return *this;
}

CrlBuilder& CrlBuilder::next_update(int64_t time) {
  next_update_ = time;
  return *this;
}

CrlBuilder& CrlBuilder::no_next_update() {
  next_update_.reset();
  return *this;
}

CrlBuilder& CrlBuilder::add(Extension extension) {
  extensions_.push_back(std::move(extension));
  return *this;
}

CrlBuilder& CrlBuilder::set(Extension extension) {
  for (Extension& existing : extensions_) {
    if (existing.oid == extension.oid) {
      existing = std::move(extension);
      return *this;
    }
  }
  return add(std::move(extension));
}

CrlBuilder& CrlBuilder::issued_by(const PrivateKey& issuer_key) {
  return set(extension::AuthorityKeyIdentifier(issuer_key.key_identifier()));
}

CrlBuilder& CrlBuilder::revoke(CrlEntry entry) {
  listed_.push_back(std::move(entry));
  return *this;
}

CrlBuilder& CrlBuilder::entries(uint64_t count,
                                std::function<void(uint64_t, CrlEntry*)> fill) {
  generated_ = count;
  fill_ = std::move(fill);
  return *this;
}

CrlBuilder& CrlBuilder::inner_algorithm_der(std::string element) {
  inner_algorithm_ = std::move(element);
  return *this;
}

CrlBuilder& CrlBuilder::outer_algorithm_der(std::string element) {
  outer_algorithm_ = std::move(element);
  return *this;
}

// tbsCertList up to revokedCertificates.
std::string CrlBuilder::Head(SigningAlgorithm algorithm) const {
  return Der([&](DerWriter& w) {
    if (version_ != 1) w.Integer(version_ - 1);
    w.Raw(inner_algorithm_.empty() ? AlgorithmIdentifier(algorithm)
                                   : inner_algorithm_);
    w.Raw(issuer_.Encode());
    w.Time(this_update_);
    if (next_update_) w.Time(*next_update_);
  });
}

// What follows revokedCertificates.
std::string CrlBuilder::Tail() const {
  if (extensions_.empty()) return {};
  return DerElement(der::ContextConstructed(0), EncodeExtensions(extensions_));
}

void CrlBuilder::WriteEntries(
    const Sink& sink, const std::function<void(uint64_t)>& progress) const {
  EntryEncoder encoder;
  DerWriter piece;
  for (const CrlEntry& entry : listed_) encoder.Append(entry, &piece);
  CrlEntry entry;
  for (uint64_t i = 0; i < generated_; ++i) {
    fill_(i, &entry);
    encoder.Append(entry, &piece);
    if (piece.bytes().size() >= kPieceBytes) {
      sink(piece.bytes());
      piece.Clear();
    }
    if (progress && i % kProgressEntries == 0) progress(i);
  }
  sink(piece.bytes());
}

CrlBuilder::Lengths CrlBuilder::Measure(
    SigningAlgorithm algorithm,
    const std::function<void(uint64_t)>& progress) const {
  Lengths lengths;
  WriteEntries([&](std::string_view piece) { lengths.entries += piece.size(); },
               progress);
  lengths.tbs = Head(algorithm).size() + Tail().size();
  // An empty list is left out (section 5.1.2.6).
  if (count() > 0) {
    lengths.tbs +=
        DerHeader(der::kSequence, lengths.entries).size() + lengths.entries;
  }
  return lengths;
}

void CrlBuilder::WriteTbs(SigningAlgorithm algorithm, const Lengths& lengths,
                          const Sink& sink,
                          const std::function<void(uint64_t)>& progress) const {
  sink(DerHeader(der::kSequence, lengths.tbs));
  sink(Head(algorithm));
  if (count() > 0) {
    sink(DerHeader(der::kSequence, lengths.entries));
    WriteEntries(sink, progress);
  }
  sink(Tail());
}

void CrlBuilder::WriteAll(const PrivateKey& issuer_key,
                          SigningAlgorithm algorithm, const Sink& sink,
                          const std::function<void(uint64_t)>& progress) const {
  const auto in_pass = [&](uint64_t pass) -> std::function<void(uint64_t)> {
    if (!progress) return nullptr;
    return [&progress, before = pass * generated_](uint64_t done) {
      progress(before + done);
    };
  };
  const Lengths lengths = Measure(algorithm, in_pass(0));
  MessageHash hash(algorithm);
  WriteTbs(
      algorithm, lengths, [&](std::string_view piece) { hash.Update(piece); },
      in_pass(1));
  const std::string end = Der([&](DerWriter& w) {
    w.Raw(outer_algorithm_.empty() ? AlgorithmIdentifier(algorithm)
                                   : outer_algorithm_);
    w.BitString(issuer_key.SignDigest(algorithm, hash.Finish()));
  });
  sink(DerHeader(der::kSequence, DerHeader(der::kSequence, lengths.tbs).size() +
                                     lengths.tbs + end.size()));
  WriteTbs(algorithm, lengths, sink, in_pass(2));
  sink(end);
}

std::string CrlBuilder::Sign(const PrivateKey& issuer_key) const {
  return Sign(issuer_key, issuer_key.default_algorithm());
}

std::string CrlBuilder::Sign(const PrivateKey& issuer_key,
                             SigningAlgorithm algorithm) const {
  std::string out;
  WriteAll(
      issuer_key, algorithm, [&](std::string_view piece) { out.append(piece); },
      nullptr);
  return out;
}

absl::Status CrlBuilder::WriteFile(
    const std::string& path, const PrivateKey& issuer_key,
    const std::function<void(uint64_t)>& progress) const {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(
      std::fopen(path.c_str(), "wb"), &std::fclose);
  bool ok = file != nullptr;
  if (ok) {
    WriteAll(
        issuer_key, issuer_key.default_algorithm(),
        [&](std::string_view piece) {
          ok = ok && std::fwrite(piece.data(), 1, piece.size(), file.get()) ==
                         piece.size();
        },
        progress);
    ok = ok && std::fflush(file.get()) == 0;
  }
  if (ok) return absl::OkStatus();
  return absl::UnavailableError(
      absl::StrCat("cannot write ", path, ": ", std::strerror(errno)));
}

}  // namespace inkan::lab
