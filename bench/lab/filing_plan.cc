#include "bench/lab/filing_plan.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "bench/lab/random.h"

namespace inkan::lab {
namespace {

// How many different certificates carry each defect that needs its own.
constexpr size_t kVariantCertificates = 8;
// Clear of the serials that the CA's counter has given by now.
constexpr uint64_t kVariantSerialGap = 100'000;

// The certificates a kind chooses from.
enum class Source : uint8_t {
  kLive,  // valid and unrevoked through the season
  kLiveAuthentication,
  kRevokedLater,  // revoked inside the season
  kRevoked,
  kOnHold,
  kExpired,
  kNew,  // issued inside the season
  kStale,
  kMissing,
  kUnknownIssuer,
  kWrongCaKey,
  kMisissuedAuthentication,
  kWeakKey,
  kUnknownCriticalExtension,
};

using Pools = std::map<Source, std::vector<size_t>>;

Source SourceOf(FilingKind kind) {
  switch (kind) {
    case FilingKind::kGoodAuthentication:
    case FilingKind::kAuthenticationCertificate:
      return Source::kLiveAuthentication;
    case FilingKind::kRevokedAfter:
      return Source::kRevokedLater;
    case FilingKind::kRevokedBefore:
      return Source::kRevoked;
    case FilingKind::kOnHold:
      return Source::kOnHold;
    case FilingKind::kExpired:
      return Source::kExpired;
    case FilingKind::kNotYetValid:
      return Source::kNew;
    case FilingKind::kStaleCrl:
      return Source::kStale;
    case FilingKind::kMissingPartition:
      return Source::kMissing;
    case FilingKind::kUnknownIssuer:
      return Source::kUnknownIssuer;
    case FilingKind::kWrongCaKey:
      return Source::kWrongCaKey;
    case FilingKind::kMisissuedAuthentication:
      return Source::kMisissuedAuthentication;
    case FilingKind::kWeakKey:
      return Source::kWeakKey;
    case FilingKind::kUnknownCriticalExtension:
      return Source::kUnknownCriticalExtension;
    default:
      return Source::kLive;
  }
}

// Valid from before the season until after the CRLs end.
bool Live(const IssuedCertificate& c, const LabClock& clock) {
  return c.not_before <= clock.season_start && c.not_after > clock.next_update;
}

bool NeverRevoked(const IssuedCertificate& c, const LabClock& clock) {
  return !c.revocation ||
         (c.revocation->lifted && *c.revocation->lifted < clock.season_start);
}

void SortRevoked(const IssuedCertificate& c, size_t index,
                 const LabClock& clock, Pools* pools) {
  const Revocation& revocation = *c.revocation;
  if (revocation.lifted) return;
  if (revocation.reason == Reason::kCertificateHold) {
    (*pools)[Source::kOnHold].push_back(index);
    return;
  }
  (*pools)[Source::kRevoked].push_back(index);
  if (revocation.EffectiveFrom() > clock.season_start) {
    (*pools)[Source::kRevokedLater].push_back(index);
  }
}

// Puts a certificate into every pool it belongs to.
void Sort(const IssuedCertificate& c, size_t index, const LabClock& clock,
          Pools* pools) {
  const bool live = Live(c, clock);
  const bool clean = NeverRevoked(c, clock);
  if (c.kind == CertificateKind::kAuthentication) {
    if (live && clean && c.municipality >= kFirstOrdinaryMunicipality) {
      (*pools)[Source::kLiveAuthentication].push_back(index);
    }
    return;
  }
  if (c.municipality < kFirstOrdinaryMunicipality) {
    if (live && clean) {
      (*pools)[c.municipality == kStaleMunicipality ? Source::kStale
                                                    : Source::kMissing]
          .push_back(index);
    }
    return;
  }
  if (live && clean) (*pools)[Source::kLive].push_back(index);
  if (live && !clean) SortRevoked(c, index, clock, pools);
  if (c.not_after < clock.now - kSecondsPerDay) {
    (*pools)[Source::kExpired].push_back(index);
  }
  if (c.not_before > clock.season_start + kSecondsPerDay && clean) {
    (*pools)[Source::kNew].push_back(index);
  }
}

void AddVariants(Variant variant, Source source, uint64_t* serial,
                 Population* population, Pools* pools) {
  const std::vector<size_t>& live = (*pools)[Source::kLive];
  for (size_t i = 0; i < kVariantCertificates && !live.empty(); ++i) {
    const auto like = live[i * live.size() / kVariantCertificates];
    IssuedCertificate copy = population->certificates[like];
    copy.variant = variant;
    copy.serial = ++*serial;
    if (variant == Variant::kMisissuedAuthentication) {
      copy.kind = CertificateKind::kAuthentication;
    }
    (*pools)[source].push_back(population->certificates.size());
    population->certificates.push_back(std::move(copy));
  }
}

Pools MakePools(const LabClock& clock, Population* population) {
  Pools pools;
  for (size_t i = 0; i < population->certificates.size(); ++i) {
    Sort(population->certificates[i], i, clock, &pools);
  }
  uint64_t serial = SerialCounterAt(CertificateKind::kSignature, clock.now) +
                    population->certificates.size() + kVariantSerialGap;
  static constexpr std::pair<Variant, Source> kVariants[] = {
      {Variant::kUnknownIssuer, Source::kUnknownIssuer},
      {Variant::kWrongCaKey, Source::kWrongCaKey},
      {Variant::kMisissuedAuthentication, Source::kMisissuedAuthentication},
      {Variant::kWeakKey, Source::kWeakKey},
      {Variant::kUnknownCriticalExtension, Source::kUnknownCriticalExtension}};
  for (const auto& [variant, source] : kVariants) {
    AddVariants(variant, source, &serial, population, &pools);
  }
  return pools;
}

// When a filing of this kind with this certificate came in.
int64_t ChooseTime(FilingKind kind, const IssuedCertificate& c,
                   const LabClock& clock, DeterministicRandom* random) {
  int64_t from = clock.season_start;
  int64_t to = clock.now;
  switch (kind) {
    case FilingKind::kRevokedAfter:
      to = c.revocation->EffectiveFrom() - 1;
      break;
    case FilingKind::kRevokedBefore:
    case FilingKind::kOnHold:
      from = std::max(from, c.revocation->EffectiveFrom());
      break;
    case FilingKind::kExpired:
      from = std::max(from, c.not_after + 1);
      break;
    case FilingKind::kNotYetValid:
      to = c.not_before - 1;
      break;
    default:
      break;
  }
  return random->Between(from, to);
}

}  // namespace

absl::StatusOr<std::vector<PlannedFiling>> PlanFilings(uint64_t seed,
                                                       uint64_t filings,
                                                       const LabClock& clock,
                                                       Population* population) {
  Pools pools = MakePools(clock, population);
  const std::vector<uint64_t> counts = CountsOfKinds(filings);
  std::vector<PlannedFiling> plan;
  plan.reserve(filings);
  for (size_t k = 0; k < counts.size(); ++k) {
    const auto kind = static_cast<FilingKind>(k);
    if (counts[k] > 0 && pools[SourceOf(kind)].empty()) {
      return absl::FailedPreconditionError(
          absl::StrCat("no citizen has a certificate for filings of kind ",
                       FactsOf(kind).name, "; use more --citizens"));
    }
    plan.resize(plan.size() + counts[k], {.kind = kind});
  }
  DeterministicRandom random(seed, "plan");
  for (size_t i = plan.size(); i > 1; --i) {
    std::swap(plan[i - 1], plan[random.Below(i)]);
  }
  for (PlannedFiling& filing : plan) {
    const std::vector<size_t>& pool = pools[SourceOf(filing.kind)];
    filing.certificate = pool[random.Below(pool.size())];
    filing.time =
        ChooseTime(filing.kind, population->certificates[filing.certificate],
                   clock, &random);
  }
  return plan;
}

}  // namespace inkan::lab
