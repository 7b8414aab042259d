#include "bench/lab/crl_publisher.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"

namespace inkan::lab {
namespace {

bool IsListed(const IssuedCertificate& certificate, const CrlPlan& plan) {
  return certificate.variant == Variant::kOrdinary && certificate.revocation &&
         certificate.revocation->StandsAt(plan.this_update) &&
         certificate.not_after >= plan.this_update;
}

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

CrlBuilder BuildCrl(const CrlPlan& plan,
                    const std::vector<Municipality>& places) {
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
  for (const IssuedCertificate* certificate : plan.revoked) {
    const Revocation& revocation = *certificate->revocation;
    builder.revoke({.serial = SerialContents(certificate->serial),
                    .revoked_at = revocation.at,
                    .reason = revocation.reason,
                    .invalidity_date = revocation.invalidity_date});
  }
  return builder;
}

}  // namespace inkan::lab
