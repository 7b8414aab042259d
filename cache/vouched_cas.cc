#include "cache/vouched_cas.h"

#include <iterator>
#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "crypto/digest.h"

namespace inkan {
namespace {

// What messages call it: the digest's first octets tell it apart.
std::string SourceOf(const std::array<uint8_t, 32>& fingerprint) {
  const std::string hex = absl::BytesToHexString(absl::string_view(
      reinterpret_cast<const char*>(fingerprint.data()), fingerprint.size()));
  return absl::StrCat("sent by a caller, SHA-256 ", hex.substr(0, 16));
}

}  // namespace

VouchedCas::VouchedCas(std::function<void()> wake) : wake_(std::move(wake)) {}

void VouchedCas::Offer(Bytes der) {
  if (der.empty() || der.size() > kVouchedCaBytesMax) return;
  const std::array<uint8_t, 32> fingerprint = Sha256(der);
  MutexLock lock(&mutex_);
  if (known_.size() >= kVouchedCasMax || !known_.insert(fingerprint).second) {
    return;
  }
  offered_.push_back({SourceOf(fingerprint), std::string(AsText(der))});
  if (wake_) wake_();
}

bool VouchedCas::TakeIn() {
  MutexLock lock(&mutex_);
  if (offered_.empty()) return false;
  members_.insert(members_.end(), std::make_move_iterator(offered_.begin()),
                  std::make_move_iterator(offered_.end()));
  offered_.clear();
  return true;
}

std::vector<CertificateFile> VouchedCas::members() const {
  MutexLock lock(&mutex_);
  return members_;
}

void VouchedCas::SetMembers(std::vector<CertificateFile> confirmed) {
  MutexLock lock(&mutex_);
  members_ = std::move(confirmed);
}

void VouchedCas::Close() {
  MutexLock lock(&mutex_);
  wake_ = nullptr;
}

}  // namespace inkan
