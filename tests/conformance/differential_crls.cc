#include "tests/conformance/differential_crls.h"

#include "absl/strings/str_cat.h"

namespace inkan::differential {
namespace {

namespace extension = lab::extension;
using lab::CrlBuilder;
using lab::Name;
using lab::Reason;

constexpr int64_t kDay = 86400;

class CrlMaker {
 public:
  CrlMaker(Dice* dice, PathPlan* plan, std::vector<std::string>* more)
      : dice_(dice), plan_(plan), more_(more) {}

  void About(size_t child, bool plain) {
    child_ = &plan_->nodes[child];
    issuer_ = &plan_->nodes[child - 1];
    level_ = child - 1;
    if (plain || dice_->Percent(70)) {
      Ordinary(Start(*issuer_), *issuer_->key);
      return;
    }
    switch (dice_->Below(7)) {
      case 0:
        dice_->Tell("no CRL");
        return;
      case 1:
        return Scoped();
      case 2:
        return ByReasons();
      case 3:
        return Indirect();
      case 4:
        return WithDelta();
      case 5:
        return OldAndNew();
      default:
        return Flawed();
    }
  }

  std::vector<SignedCrl> Take() { return std::move(crls_); }

 private:
  // A good CRL with unusual but harmless traits.
  CrlBuilder Start(const Node& signer) {
    CrlBuilder builder;
    builder.issuer(signer.name)
        .this_update(plan_->time - kDay)
        .next_update(plan_->time + kDay);
    if (!dice_->Unusual(5, "CRL without AKI")) builder.issued_by(*signer.key);
    return builder;
  }

  void Keep(const CrlBuilder& builder, const lab::PrivateKey& key) {
    crls_.push_back({builder.Sign(key), &key});
  }

  lab::CrlEntry Entry(uint64_t serial, std::optional<Reason> reason) {
    lab::CrlEntry entry;
    entry.serial = lab::SerialContents(serial);
    entry.revoked_at = plan_->time - 30 * kDay;
    entry.reason = reason;
    return entry;
  }

  // The serial of the certificate asked about, rarely, or another.
  uint64_t SerialToRevoke(unsigned percent) {
    return dice_->Unusual(percent, "revoked") ? child_->serial
                                              : 5000 + dice_->Below(100);
  }

  std::optional<Reason> RandomReason() {
    constexpr Reason kReasons[] = {
        Reason::kUnspecified,     Reason::kKeyCompromise,
        Reason::kCaCompromise,    Reason::kAffiliationChanged,
        Reason::kSuperseded,      Reason::kCessationOfOperation,
        Reason::kCertificateHold, Reason::kPrivilegeWithdrawn,
        Reason::kAaCompromise};
    const size_t which = dice_->Below(12);
    if (which >= std::size(kReasons)) return {};
    return kReasons[which];
  }

  void AddEntries(CrlBuilder* builder, unsigned percent) {
    for (size_t n = dice_->Below(3); n > 0; --n) {
      builder->revoke(Entry(SerialToRevoke(percent), RandomReason()));
    }
  }

  void Ordinary(CrlBuilder builder, const lab::PrivateKey& key) {
    if (dice_->Percent(80)) builder.add(extension::CrlNumber(10));
    AddEntries(&builder, 3);
    Keep(builder, key);
  }

  std::vector<std::string> PointName(bool right) {
    return {lab::UriName(absl::StrCat("http://crl.example.jp/",
                                      right ? "" : "other/", level_, ".crl"))};
  }

  // issuingDistributionPoint with names and flags.
  void Scoped() {
    lab::IssuingDistributionPointFields fields;
    lab::DistributionPoint point;
    const std::vector<lab::Attribute> rdn = {{"CN", "CRL 1"}};
    switch (dice_->Below(4)) {
      case 0:
        dice_->Tell("full name");
        fields.full_name = PointName(true);
        point.full_name = PointName(!dice_->Unusual(20, "of another"));
        break;
      case 1:
        dice_->Tell("relative name");
        fields.relative_name = rdn;
        point.relative_name = rdn;
        if (dice_->Unusual(15, "of another")) {
          point.relative_name = {{"CN", "CRL 2"}};
        }
        break;
      case 2: {
        dice_->Tell("relative and full name");
        Name full = issuer_->name;
        full.Add("CN", "CRL 1");
        fields.relative_name = rdn;
        point.full_name = {lab::DirectoryName(full)};
        break;
      }
      default:
        break;
    }
    if (dice_->Unusual(20, "only users")) fields.only_user_certificates = true;
    if (dice_->Unusual(20, "only CAs")) fields.only_ca_certificates = true;
    if (dice_->Unusual(5, "only attributes")) {
      fields.only_attribute_certificates = true;
    }
    if (!point.full_name.empty() || !point.relative_name.empty()) {
      if (!dice_->Unusual(10, "no distribution point")) {
        child_->points.push_back(point);
      }
    }
    CrlBuilder builder = Start(*issuer_);
    builder.add(extension::IssuingDistributionPoint(fields));
    Ordinary(std::move(builder), *issuer_->key);
  }

  // Several CRLs, each for some reasons.
  void ByReasons() {
    dice_->Tell("some reasons");
    constexpr uint16_t kAll = 0x1fe;
    const auto first = static_cast<uint16_t>(dice_->Below(256) << 1);
    auto second = static_cast<uint16_t>(kAll & ~first);
    if (dice_->Unusual(15, "not all reasons")) {
      second = static_cast<uint16_t>(second & (second - 1));
    }
    for (const uint16_t reasons : {first, second}) {
      if (reasons == 0) continue;
      lab::IssuingDistributionPointFields fields;
      fields.only_some_reasons = reasons;
      CrlBuilder builder = Start(*issuer_);
      builder.add(extension::IssuingDistributionPoint(fields));
      Ordinary(std::move(builder), *issuer_->key);
    }
  }

  // A CRL signer of the CA's own, or the anchor's, speaks for the CA.
  void Indirect() {
    dice_->Tell("indirect");
    Node signer;
    signer.name = {{"C", "JP"},
                   {"O", "Inkan Test"},
                   {"CN", absl::StrCat("CRL signer ", level_)}};
    signer.key = &PoolKey(8 + level_);
    const bool named = !dice_->Unusual(5, "no cRLIssuer");
    lab::DistributionPoint point;
    point.full_name = PointName(true);
    if (named) point.crl_issuer = {lab::DirectoryName(signer.name)};
    child_->points.push_back(point);
    lab::IssuingDistributionPointFields fields;
    fields.full_name = PointName(true);
    fields.indirect = !dice_->Unusual(5, "not marked so");
    CrlBuilder builder = Start(signer);
    builder.add(extension::IssuingDistributionPoint(fields));
    builder.add(extension::CrlNumber(10));
    for (size_t n = dice_->Below(3); n > 0; --n) {
      lab::CrlEntry entry = Entry(SerialToRevoke(20), RandomReason());
      if (dice_->Percent(70) && fields.indirect) {
        entry.certificate_issuer = {lab::DirectoryName(issuer_->name)};
      }
      builder.revoke(entry);
    }
    Keep(builder, *signer.key);
    SignSigner(signer);
    // The signer's own status: the CA's ordinary CRL.
    Ordinary(Start(*issuer_), *issuer_->key);
  }

  void SignSigner(const Node& signer) {
    lab::CertificateBuilder builder;
    builder.issuer(issuer_->name)
        .subject(signer.name)
        .serial(700 + level_)
        .validity(plan_->time - 300 * kDay, plan_->time + 300 * kDay)
        .public_key(*signer.key)
        .issued_by(*issuer_->key)
        .key_identifier_of(*signer.key);
    builder.add(extension::KeyUsage(dice_->Unusual(5, "signer without cRLSign")
                                        ? lab::kDigitalSignature
                                        : lab::kCrlSign));
    more_->push_back(builder.Sign(*issuer_->key));
  }

  void WithDelta() {
    dice_->Tell("delta");
    std::vector<lab::DistributionPoint> freshest(1);
    freshest[0].full_name = PointName(true);
    CrlBuilder base = Start(*issuer_);
    base.add(extension::CrlNumber(10)).add(extension::FreshestCrl(freshest));
    base.revoke(Entry(SerialToRevoke(10), RandomReason()));
    CrlBuilder delta = Start(*issuer_);
    delta.this_update(plan_->time - kDay / 2);
    delta.add(extension::DeltaCrlIndicator(10 + dice_->Below(20) / 19));
    delta.add(extension::CrlNumber(11 - dice_->Below(20) / 19));
    delta.revoke(Entry(SerialToRevoke(20), RandomReason()));
    if (dice_->Unusual(10, "removed")) {
      delta.revoke(Entry(child_->serial, Reason::kRemoveFromCrl));
    }
    Keep(base, *issuer_->key);
    Keep(delta, *issuer_->key);
  }

  void OldAndNew() {
    dice_->Tell("old and new CRL");
    CrlBuilder old = Start(*issuer_);
    old.this_update(plan_->time - 3 * kDay)
        .next_update(plan_->time + (dice_->Percent(50) ? kDay : -kDay));
    old.add(extension::CrlNumber(9));
    AddEntries(&old, 0);
    Keep(old, *issuer_->key);
    CrlBuilder fresh = Start(*issuer_);
    fresh.add(extension::CrlNumber(10));
    AddEntries(&fresh, 20);
    Keep(fresh, *issuer_->key);
  }

  // One CRL with one thing wrong, or strange.
  void Flawed() {
    CrlBuilder builder = Start(*issuer_);
    const lab::PrivateKey* key = issuer_->key;
    const std::string null("\x05\x00", 2);
    switch (dice_->Below(10)) {
      case 0:
        dice_->Tell("stale CRL");
        builder.next_update(plan_->time - 1);
        break;
      case 1:
        dice_->Tell("nextUpdate == T + 1");
        builder.next_update(plan_->time + 1);
        break;
      case 2:
        dice_->Tell("no nextUpdate");
        builder.no_next_update();
        break;
      case 3:
        dice_->Tell("CRL of another key");
        key = &PoolKey(15);
        break;
      case 4:
        dice_->Tell("unknown critical CRL extension");
        builder.add({"1.3.6.1.4.1.99999.9", true, null});
        break;
      case 5: {
        dice_->Tell("unknown critical entry extension");
        lab::CrlEntry entry = Entry(SerialToRevoke(20), {});
        entry.extensions.push_back({"1.3.6.1.4.1.99999.9", true, null});
        builder.revoke(entry);
        break;
      }
      case 6:
        dice_->Tell("unknown extensions");
        builder.add({"1.3.6.1.4.1.99999.9", false, null});
        break;
      case 7:
        dice_->Tell("wrong AKI in CRL");
        builder.set(extension::AuthorityKeyIdentifier("not the key"));
        break;
      case 8:
        dice_->Tell("CRL in another's name");
        builder.issuer({{"C", "JP"}, {"CN", "Another"}});
        break;
      default:
        dice_->Tell("invalidityDate");
        lab::CrlEntry entry = Entry(SerialToRevoke(30), Reason::kKeyCompromise);
        entry.invalidity_date = plan_->time - 60 * kDay;
        builder.revoke(entry);
    }
    Ordinary(std::move(builder), *key);
  }

  Dice* dice_;
  PathPlan* plan_;
  std::vector<std::string>* more_;
  Node* child_ = nullptr;
  const Node* issuer_ = nullptr;
  size_t level_ = 0;
  std::vector<SignedCrl> crls_;
};

}  // namespace

std::vector<SignedCrl> MakeCrls(Dice* dice, const Mood& mood, PathPlan* plan,
                                std::vector<std::string>* more) {
  CrlMaker maker(dice, plan, more);
  const bool all_plain = (mood.policies || mood.names) && dice->Percent(70);
  for (size_t child = 1; child < plan->nodes.size(); ++child) {
    maker.About(child, all_plain);
  }
  for (Node& node : plan->nodes) {
    if (!node.points.empty()) {
      node.builder.add(extension::CrlDistributionPoints(node.points));
    }
  }
  return maker.Take();
}

}  // namespace inkan::differential
