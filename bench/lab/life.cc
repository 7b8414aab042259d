#include "bench/lab/life.h"

#include <algorithm>
#include <optional>
#include <string>

#include "bench/lab/random.h"

namespace inkan::lab {
namespace {

constexpr uint32_t kRolePeriod = 32;
constexpr int kSignatureAge = 15;
constexpr int kAdultAge = 18;
// Cards have been issued since January 2016.
constexpr Date kFirstCards = {2016, 2, 1};

// One citizen in a few has something happen in a year.
constexpr double kEventsPerYear = 0.14;
constexpr double kRenewsInTime = 0.85;

class Life {
 public:
  Life(const PopulationOptions& options, uint32_t index, Citizen* citizen)
      : options_(options),
        clock_(options.clock),
        index_(index),
        random_(options.seed, "citizen", index),
        citizen_(citizen) {}

  std::vector<IssuedCertificate> Run();

 private:
  static constexpr size_t kNone = SIZE_MAX;

  void BeBorn(Date birth);
  void LiveByChance();
  void LiveByRole(Role role);
  void Expire();

  void NewCard(int64_t at);
  void IssueBoth(int64_t at);
  void IssueSignature(int64_t at);
  void Revoke(size_t which, Revocation revocation);
  void RevokeBoth(const Revocation& revocation);
  // One thing that happens in a life; false if it was the last one known.
  bool LifeEvent(int64_t at);
  void Move(int64_t at);
  bool LoseCard(int64_t at);

  Date Today(int64_t at) const { return DateInJapan(at); }
  // Some moment of an office day.
  int64_t OfficeHour(Date day) {
    return StartOfDayInJapan(day) + 9 * 3600 + random_.Between(0, 8 * 3600 - 1);
  }
  int64_t DaysLater(int64_t at, int64_t low, int64_t high) {
    return OfficeHour(
        AddDays(Today(at), static_cast<int>(random_.Between(low, high))));
  }
  uint32_t AnyMunicipality() {
    return kFirstOrdinaryMunicipality +
           static_cast<uint32_t>(random_.Below(options_.municipalities->size() -
                                               kFirstOrdinaryMunicipality));
  }
  void SettleIn(uint32_t municipality) {
    municipality_ = municipality;
    address_ =
        InventAddress(&random_, (*options_.municipalities)[municipality]);
  }

  const PopulationOptions& options_;
  const LabClock& clock_;
  const uint32_t index_;
  DeterministicRandom random_;
  Citizen* citizen_;

  std::string name_;
  std::string address_;
  uint32_t municipality_ = 0;
  Date card_last_day_;
  std::vector<IssuedCertificate> issued_;
  size_t signature_ = kNone;  // the ones in the card now
  size_t authentication_ = kNone;
};

void Life::BeBorn(Date birth) {
  citizen_->birth = birth;
  citizen_->female = random_.Chance(0.51);
  name_ = InventPersonName(&random_, citizen_->female);
  SettleIn(AnyMunicipality());
}

void Life::NewCard(int64_t at) {
  const int age = AgeOn(citizen_->birth, Today(at));
  card_last_day_ =
      BirthdayAfter(citizen_->birth, Today(at), age < kAdultAge ? 5 : 10);
  IssueBoth(at);
}

void Life::IssueBoth(int64_t at) {
  IssuedCertificate certificate;
  certificate.kind = CertificateKind::kAuthentication;
  certificate.citizen = index_;
  certificate.municipality = municipality_;
  certificate.not_before = at;
  certificate.not_after =
      CertificateNotAfter(citizen_->birth, at, card_last_day_);
  authentication_ = issued_.size();
  issued_.push_back(std::move(certificate));
  signature_ = kNone;
  if (AgeOn(citizen_->birth, Today(at)) >= kSignatureAge) IssueSignature(at);
}

void Life::IssueSignature(int64_t at) {
  IssuedCertificate certificate;
  certificate.citizen = index_;
  certificate.municipality = municipality_;
  certificate.name = name_;
  certificate.address = address_;
  certificate.not_before = at;
  certificate.not_after =
      std::min(CertificateNotAfter(citizen_->birth, at, card_last_day_),
               issued_[authentication_].not_after);
  signature_ = issued_.size();
  issued_.push_back(std::move(certificate));
}

void Life::Revoke(size_t which, Revocation revocation) {
  // An expired certificate is not revoked any more.
  if (which == kNone || issued_[which].not_after < revocation.at) return;
  if (revocation.invalidity_date) {
    revocation.invalidity_date =
        std::max(*revocation.invalidity_date, issued_[which].not_before);
  }
  issued_[which].revocation = revocation;
}

void Life::RevokeBoth(const Revocation& revocation) {
  Revoke(signature_, revocation);
  Revoke(authentication_, revocation);
}

void Life::Move(int64_t at) {
  Revoke(signature_, {.at = at, .reason = Reason::kAffiliationChanged});
  SettleIn(AnyMunicipality());
  const int64_t again = DaysLater(at, 1, 30);
  if (signature_ != kNone && again < issued_[authentication_].not_after) {
    IssueSignature(again);
  }
}

// Suspended; then found, or reported stolen and replaced.
bool Life::LoseCard(int64_t at) {
  const int64_t resolved = DaysLater(at, 2, 60);
  Revocation hold = {.at = at, .reason = Reason::kCertificateHold};
  if (resolved > clock_.this_update) {
    RevokeBoth(hold);
    return false;  // no one knows yet how it ends
  }
  if (random_.Chance(0.6)) {
    hold.lifted = resolved;
    RevokeBoth(hold);
    return true;
  }
  RevokeBoth({.at = resolved,
              .reason = Reason::kKeyCompromise,
              .invalidity_date = at});
  NewCard(DaysLater(resolved, 7, 40));
  return true;
}

bool Life::LifeEvent(int64_t at) {
  const uint64_t dice = random_.Below(100);
  if (dice < 50) {
    Move(at);
  } else if (dice < 62) {  // a new name, or a corrected record
    name_ = InventPersonName(&random_, citizen_->female);
    Revoke(signature_, {.at = at, .reason = Reason::kAffiliationChanged});
    if (signature_ != kNone) IssueSignature(at + 600);
  } else if (dice < 68) {  // a new resident-record code
    RevokeBoth({.at = at, .reason = Reason::kSuperseded});
    IssueBoth(DaysLater(at, 1, 14));
  } else if (dice < 84) {
    return LoseCard(at);
  } else if (dice < 92) {  // asked to be without
    RevokeBoth({.at = at, .reason = Reason::kUnspecified});
    return false;
  } else {
    RevokeBoth({.at = at, .reason = Reason::kCessationOfOperation});
    return false;
  }
  return true;
}

void Life::Expire() {
  const int64_t expires = issued_[authentication_].not_after;
  const Date last = Today(expires);
  const bool in_time = random_.Chance(kRenewsInTime);
  int64_t at = in_time
                   ? OfficeHour(AddDays(AddMonths(last, -3),
                                        static_cast<int>(random_.Below(80))))
                   : DaysLater(expires, 10, 400);
  // A short certificate at the end of a card must not be renewed before it was
  // made.
  at = std::max(at, issued_.back().not_before + kSecondsPerDay);
  if (at > clock_.now) {
    signature_ = authentication_ = kNone;
    return;
  }
  if (in_time) RevokeBoth({.at = at, .reason = Reason::kSuperseded});
  // The card itself is replaced when it has ended, or ends with its
  // certificates.
  if (card_last_day_ <= std::max(last, Today(at))) {
    NewCard(at);
  } else {
    IssueBoth(at);
  }
}

void Life::LiveByChance() {
  const Date last_day = AddDays(Today(clock_.now), -90);
  const Date birth = {
      static_cast<int>(random_.Between(last_day.year - 95, last_day.year - 1)),
      static_cast<int>(random_.Between(1, 12)),
      static_cast<int>(random_.Between(1, 28))};
  BeBorn(birth);
  const int64_t first =
      StartOfDayInJapan(std::max(kFirstCards, AddDays(birth, 30)));
  NewCard(
      OfficeHour(Today(random_.Between(first, StartOfDayInJapan(last_day)))));
  int64_t at = issued_.back().not_before;
  for (;;) {
    at = std::max(at, issued_.back().not_before);
    const auto mean_gap = static_cast<int64_t>(365.0 / kEventsPerYear);
    const int64_t event = DaysLater(at, 20, 2 * mean_gap);
    if (event < issued_[authentication_].not_after - 100 * kSecondsPerDay) {
      if (event > clock_.this_update || !LifeEvent(event)) break;
      at = event;
    } else {
      Expire();
      if (authentication_ == kNone) break;
    }
    if (issued_.back().not_before > clock_.now) break;
  }
}

// One card and one thing that happens to it.
void Life::LiveByRole(Role role) {
  const Date today = Today(clock_.now);
  const int age = static_cast<int>(random_.Between(25, 80));
  Date birth = AddDays(Date{today.year - age, today.month, 1},
                       static_cast<int>(random_.Below(300)));
  int64_t issue = DaysLater(clock_.now, -1200, -200);
  if (role == Role::kExpired) {
    // The 5th birthday falls shortly before the season.
    const Date last = AddDays(Today(clock_.season_start),
                              -static_cast<int>(random_.Between(5, 200)));
    birth = {last.year - age, last.month, std::min(last.day, 28)};
    issue =
        OfficeHour(AddDays({last.year - 5, last.month, std::min(last.day, 28)},
                           static_cast<int>(random_.Between(1, 300))));
  } else if (role == Role::kNewInSeason) {
    issue = std::min(DaysLater(clock_.now, -6, -1), clock_.now - 3600);
  }
  BeBorn(birth);
  if (role == Role::kLivesWhereCrlIsStale) SettleIn(kStaleMunicipality);
  if (role == Role::kLivesWhereCrlIsMissing) SettleIn(kMissingMunicipality);
  NewCard(issue);

  static constexpr Reason kReasons[] = {
      Reason::kUnspecified,  Reason::kKeyCompromise,
      Reason::kCaCompromise, Reason::kAffiliationChanged,
      Reason::kSuperseded,   Reason::kCessationOfOperation};
  const int64_t in_season =
      random_.Between(clock_.season_start + 3 * kSecondsPerDay,
                      clock_.this_update - kSecondsPerDay);
  const int64_t earlier = DaysLater(clock_.season_start, -100, -3);
  switch (role) {
    case Role::kMovedInSeason:
      Move(in_season);
      break;
    case Role::kCompromisedInSeason:
      RevokeBoth({.at = in_season,
                  .reason = Reason::kKeyCompromise,
                  .invalidity_date = in_season - 2 * kSecondsPerDay});
      break;
    case Role::kRevokedEarlier:
      RevokeBoth(
          {.at = earlier,
           .reason = kReasons[index_ / kRolePeriod % std::size(kReasons)]});
      break;
    case Role::kOnHold:
      RevokeBoth({.at = earlier, .reason = Reason::kCertificateHold});
      break;
    default:
      break;
  }
}

std::vector<IssuedCertificate> Life::Run() {
  const Role role = RoleOf(index_);
  if (role == Role::kOrdinary) {
    LiveByChance();
  } else {
    LiveByRole(role);
  }
  // What has not happened yet is not known yet.
  std::erase_if(issued_, [&](const IssuedCertificate& certificate) {
    return certificate.not_before > clock_.now;
  });
  for (IssuedCertificate& certificate : issued_) {
    if (certificate.revocation &&
        certificate.revocation->at > clock_.this_update) {
      certificate.revocation.reset();
    }
  }
  return std::move(issued_);
}

}  // namespace

Role RoleOf(uint32_t citizen) {
  const uint32_t place = citizen % kRolePeriod;
  return place < static_cast<uint32_t>(Role::kOrdinary)
             ? static_cast<Role>(place)
             : Role::kOrdinary;
}

std::vector<IssuedCertificate> LiveOneLife(const PopulationOptions& options,
                                           uint32_t index, Citizen* citizen) {
  return Life(options, index, citizen).Run();
}

}  // namespace inkan::lab
