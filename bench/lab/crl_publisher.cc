#include "bench/lab/crl_publisher.h"

#include <algorithm>
#include <map>
#include <memory>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bench/lab/random.h"

namespace inkan::lab {
namespace {

bool IsListed(const IssuedCertificate& certificate, const CrlPlan& plan) {
  return certificate.variant == Variant::kOrdinary && certificate.revocation &&
         certificate.revocation->StandsAt(plan.this_update) &&
         certificate.not_after >= plan.this_update;
}

CrlEntry EntryOf(const IssuedCertificate& certificate) {
  const Revocation& revocation = *certificate.revocation;
  return {.serial = SerialContents(certificate.serial),
          .revoked_at = revocation.at,
          .reason = revocation.reason,
          .invalidity_date = revocation.invalidity_date};
}

CrlEntry EntryOf(const Stranger& stranger) {
  return {.serial = SerialContents(stranger.serial),
          .revoked_at = stranger.revoked_at,
          .reason = Reason::kAffiliationChanged,
          .invalidity_date = {}};
}

bool IsOfPopulation(const Population& population, CertificateKind kind,
                    uint64_t serial) {
  const auto key = std::make_pair(kind, serial);
  const auto found = std::lower_bound(
      population.certificates.begin(), population.certificates.end(), key,
      [](const IssuedCertificate& certificate, const auto& wanted) {
        return std::make_pair(certificate.kind, certificate.serial) < wanted;
      });
  return found != population.certificates.end() &&
         std::make_pair(found->kind, found->serial) == key;
}

// Citizens and strangers by serial, for CrlBuilder::entries.
struct Listed {
  std::vector<const IssuedCertificate*> citizens;
  std::vector<Stranger> strangers;
  // Indexes: below citizens.size() of a citizen, else of a stranger behind.
  std::vector<uint32_t> order;

  uint64_t SerialOf(uint32_t i) const {
    return i < citizens.size() ? citizens[i]->serial
                               : strangers[i - citizens.size()].serial;
  }
  CrlEntry Entry(uint64_t place) const {
    const uint32_t i = order[place];
    return i < citizens.size() ? EntryOf(*citizens[i])
                               : EntryOf(strangers[i - citizens.size()]);
  }
};

}  // namespace

std::vector<CrlPlan> PlanCrls(const Authorities& authorities,
                              const Population& population,
                              const std::vector<Municipality>& places,
                              const LabClock& clock) {
  std::vector<CrlPlan> plans;
  std::map<std::pair<const Authority*, uint32_t>, size_t> index;
  for (const Authority& ca : authorities.all()) {
    for (uint32_t m = 0; m < places.size(); ++m) {
      if (m == kMissingMunicipality) continue;
      const bool stale = m == kStaleMunicipality;
      CrlPlan plan;
      plan.ca = &ca;
      plan.municipality = m;
      plan.this_update = stale ? clock.stale_this_update : clock.this_update;
      plan.next_update = stale ? clock.stale_next_update : clock.next_update;
      if (plan.this_update > ca.not_after) continue;
      plan.file_name =
          absl::StrCat(ca.file_stem, "-", places[m].Slug(), ".crl");
      index[{&ca, m}] = plans.size();
      plans.push_back(std::move(plan));
    }
  }
  for (const IssuedCertificate& certificate : population.certificates) {
    const Authority& ca =
        authorities.At(certificate.kind, certificate.not_before);
    const auto found = index.find({&ca, certificate.municipality});
    if (found == index.end()) continue;
    CrlPlan& plan = plans[found->second];
    if (IsListed(certificate, plan)) plan.revoked.push_back(&certificate);
  }
  return plans;
}

std::vector<Stranger> InventStrangers(const CrlPlan& plan,
                                      const Population& population,
                                      uint64_t entries, uint64_t seed) {
  std::vector<Stranger> strangers;
  if (entries <= plan.revoked.size()) return strangers;
  const uint64_t wanted = entries - plan.revoked.size();
  const CertificateKind kind = plan.ca->kind;
  const uint64_t step = SerialCounterAt(kind, plan.this_update) / wanted;
  if (step == 0) return strangers;
  DeterministicRandom random(seed, plan.file_name);
  strangers.reserve(wanted);
  constexpr int64_t kYears = 4 * 365 * kSecondsPerDay;
  for (uint64_t i = 0; i < wanted; ++i) {
    const uint64_t serial = 1 + i * step + random.Below(step);
    const int64_t revoked_at = plan.this_update - random.Between(1, kYears);
    if (IsOfPopulation(population, kind, serial)) continue;
    strangers.push_back({serial, revoked_at});
  }
  return strangers;
}

CrlBuilder BuildCrl(const CrlPlan& plan,
                    const std::vector<Municipality>& places,
                    std::vector<Stranger> strangers) {
  IssuingDistributionPointFields scope;
  scope.full_name = {DirectoryName(
      DistributionPointName(plan.ca->kind, places[plan.municipality]))};
  // One CRL a day since the CA began.
  const int64_t number =
      (plan.this_update - plan.ca->not_before) / kSecondsPerDay;
  CrlBuilder builder;
  builder.issuer(plan.ca->name)
      .this_update(plan.this_update)
      .next_update(plan.next_update)
      .issued_by(plan.ca->key)
      .add(extension::CrlNumber(static_cast<uint64_t>(number)))
      .add(extension::IssuingDistributionPoint(scope));
  if (strangers.empty()) {
    for (const IssuedCertificate* certificate : plan.revoked) {
      builder.revoke(EntryOf(*certificate));
    }
    return builder;
  }
  auto listed = std::make_shared<Listed>();
  listed->citizens = plan.revoked;
  listed->strangers = std::move(strangers);
  listed->order.resize(listed->citizens.size() + listed->strangers.size());
  std::iota(listed->order.begin(), listed->order.end(), 0);
  std::sort(listed->order.begin(), listed->order.end(),
            [&](uint32_t a, uint32_t b) {
              return listed->SerialOf(a) < listed->SerialOf(b);
            });
  builder.entries(listed->order.size(), [listed](uint64_t i, CrlEntry* entry) {
    *entry = listed->Entry(i);
  });
  return builder;
}

}  // namespace inkan::lab
