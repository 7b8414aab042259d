// The citizens of the lab and the certificates their lives bring about: who got
// which certificate when, until when, and when and why it was revoked.
//
//   Population population = SimulatePopulation(options);
//
// Rules: a certificate is valid until 23:59:59 Japan time on the 5th birthday
// after its issue, or the card's last day if that is earlier; a signature
// certificate also no longer than the authentication certificate beside it, and
// none is issued under 15. Cards last to the 10th birthday (5th under 18).
// Renewal is from 3 months before expiry. A change of name, address, sex or
// date of birth revokes the signature certificate only; a change of
// resident-record code, loss that is not resolved, and death revoke both; loss
// first suspends.
//
// Most citizens live by chance. Every 32nd of each kind is cast in a role, so
// that the smallest lab has everything (see Role). Times are Unix seconds.
// Values; the simulation runs one thread per citizen and is the same for any
// number of threads.
#ifndef INKAN_BENCH_LAB_POPULATION_H_
#define INKAN_BENCH_LAB_POPULATION_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/lab/calendar.h"
#include "bench/lab/extensions.h"
#include "bench/lab/place_names.h"

namespace inkan::lab {

inline constexpr uint32_t kCitizensMin = 64;
inline constexpr uint32_t kMunicipalitiesMin = 4;
// The first municipality has a CRL that ended before the season, the second has
// none.
inline constexpr uint32_t kStaleMunicipality = 0;
inline constexpr uint32_t kMissingMunicipality = 1;
inline constexpr uint32_t kFirstOrdinaryMunicipality = 2;

// The instants a lab turns around.
struct LabClock {
  explicit LabClock(int64_t now);

  int64_t now;
  int64_t season_start;  // filings are dated from here to now
  int64_t this_update;   // of every current CRL: this morning, 00:30
  int64_t next_update;   // two days after
  int64_t stale_this_update;
  int64_t stale_next_update;
};

enum class CertificateKind : uint8_t { kSignature, kAuthentication };

// What sets a certificate apart from an ordinary one; all but kOrdinary are
// made for filings with a defect.
enum class Variant : uint8_t {
  kOrdinary,
  kUnknownIssuer,            // a CA no one has heard of
  kWrongCaKey,               // the right CA's name, another key
  kMisissuedAuthentication,  // authentication profile from the signature CA
  kWeakKey,                  // RSA-1024
  kUnknownCriticalExtension,
};

struct Revocation {
  int64_t at = 0;
  Reason reason = Reason::kUnspecified;
  std::optional<int64_t> invalidity_date = {};
  // For certificateHold: when it was lifted, if it was.
  std::optional<int64_t> lifted = {};

  // From when on the certificate counts as revoked.
  int64_t EffectiveFrom() const {
    return reason == Reason::kKeyCompromise && invalidity_date
               ? std::min(at, *invalidity_date)
               : at;
  }
  bool StandsAt(int64_t time) const {
    return at <= time && !(lifted && *lifted <= time);
  }
};

struct IssuedCertificate {
  CertificateKind kind = CertificateKind::kSignature;
  Variant variant = Variant::kOrdinary;
  uint32_t citizen = 0;
  uint32_t municipality = 0;
  uint64_t serial = 0;
  int64_t not_before = 0;
  int64_t not_after = 0;
  std::string name;  // as it was then
  std::string address;
  std::optional<Revocation> revocation = {};
};

struct Citizen {
  Date birth;
  bool female = false;
};

struct PopulationOptions {
  uint64_t seed = 1;
  uint32_t citizens = 1000;
  LabClock clock;
  unsigned threads = 1;
  const std::vector<Municipality>* municipalities = nullptr;
};

struct Population {
  std::vector<Citizen> citizens;
  // In order of kind, then serial.
  std::vector<IssuedCertificate> certificates;
};

Population SimulatePopulation(const PopulationOptions& options);

// A rule of the simulation, for its tests: the last second of a certificate
// issued at `issued_at`.
int64_t CertificateNotAfter(Date birth, int64_t issued_at, Date card_last_day);

// Where the CA's counter stood at a time, read off the serials of the real
// roots and the growth between them.
uint64_t SerialCounterAt(CertificateKind kind, int64_t time);

}  // namespace inkan::lab

#endif  // INKAN_BENCH_LAB_POPULATION_H_
