// What each place holds and what is in force from it: judged after linking.
#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cache/snapshot_keeper.h"
#include "cache/steady_time.h"
#include "crypto/name.h"

namespace inkan {
namespace {

// How long a delta waits for its complete CRL to be read.
constexpr absl::Duration kDeltaWaitMax = absl::Minutes(2);
// A CRL from further in the future than clocks differ is not in force yet.
constexpr absl::Duration kClockSkewMax = absl::Minutes(5);

// A file is looked at with its folder, so that one without fault was good just
// now.
CrlSourceStatus StatusOf(const std::string& path,
                         const CrlSourceOptions& options, CrlFile* file) {
  const absl::Time now = absl::Now();
  if (file->error.empty()) file->last_success = now;
  CrlSourceStatus status;
  status.source = path;
  status.last_attempt = file->last_attempt;
  status.last_success = file->last_success;
  status.next_attempt = now + options.poll_interval;
  status.last_error = file->error;
  status.in_use = file->last_good != nullptr;
  status.attempts_total = file->attempts;
  status.failures_total = file->failures;
  return status;
}

std::string Describe(const CrlData& crl) {
  return absl::StrCat(NameToText(AsBytes(crl.issuer)),
                      crl.scope_text.empty() ? "" : " for ", crl.scope_text,
                      crl.is_delta ? " (delta)" : "");
}

std::string WhyNotYet(const CrlData& crl) {
  const absl::Time from = absl::FromUnixSeconds(crl.this_update);
  if (from <= absl::Now() + kClockSkewMax) return "";
  return absl::StrCat("thisUpdate: lies in the future (",
                      absl::FormatTime(from, absl::UTCTimeZone()), ")");
}

}  // namespace

bool SnapshotKeeper::IsUsed(const CrlData& crl) const {
  for (const auto& [name, profile] : workshop_.profiles) {
    // Null until the first link after a reload: what was good is taken to be.
    if (profile.crls == nullptr || profile.crls->Uses(crl)) return true;
  }
  return false;
}

bool SnapshotKeeper::IsOlder(const CrlData& crl) const {
  if (IsUsed(crl)) return false;
  for (const auto& [name, profile] : workshop_.profiles) {
    if (profile.crls->Supersedes(crl)) return true;
  }
  return false;
}

bool SnapshotKeeper::IsSuperseded(const CrlData& crl) const {
  return workshop_.floors_saved.ok() && IsOlder(crl);
}

std::string SnapshotKeeper::WhyUnused(
    const CrlData& crl,
    const absl::btree_map<std::string, std::string>& refusals) const {
  const auto refusal = refusals.find(crl.source);
  if (refusal != refusals.end()) return refusal->second;
  // One that came first when it was linked.
  if (IsOlder(crl)) return "cRLNumber: older than the CRL in use";
  return absl::StrCat("issuer: no profile has a CA of this name: ",
                      NameToText(AsBytes(crl.issuer)));
}

bool SnapshotKeeper::HasEnded(const CrlData& crl) const {
  int64_t grace = 0;
  for (const auto& [name, profile] : workshop_.profiles) {
    grace = std::max(grace, profile.profile->crl_grace);
  }
  return crl.has_next_update &&
         crl.next_update + grace < absl::ToUnixSeconds(absl::Now());
}

bool SnapshotKeeper::MayGoAtItsEnd(const CrlData& crl) const {
  for (const auto& [name, profile] : workshop_.profiles) {
    const auto& partitions = profile.crls->partitions();
    for (const CrlPartition& partition : partitions) {
      // Without its delta the complete CRL would speak for what it revoked, and
      // a delta that lives on renews its complete CRL.
      if (partition.delta != nullptr &&
          (partition.delta->sha256 == crl.sha256 ||
           (partition.crl->sha256 == crl.sha256 &&
            !HasEnded(*partition.delta)))) {
        return false;
      }
      // A CRL of the CA's own key, though stale, keeps those of other keys from
      // being asked in its place.
      if (partition.crl->sha256 != crl.sha256) continue;
      for (const CrlPartition& other : partitions) {
        if (other.signer != partition.signer &&
            other.crl->canonical_issuer == crl.canonical_issuer) {
          return false;
        }
      }
    }
  }
  return true;
}

std::string SnapshotKeeper::WhyNotNow(const CrlFile& file,
                                      const CrlData& crl) const {
  std::string why = WhyNotYet(crl);
  return why.empty() ? WhyNotHere(file, crl) : why;
}

bool SnapshotKeeper::IsBeside(const CrlFile& file) const {
  return file.last_good != nullptr &&
         file.last_good->sha256 != file.newest->sha256 &&
         IsUsed(*file.last_good);
}

std::string SnapshotKeeper::TakeIntoPlace(CrlFile* file) {
  if (IsBeside(*file)) {
    if (file->last_good->is_delta) {
      file->displaced.push_back(file->newest);
      return absl::StrCat(
          "this place has been that of ", Describe(*file->last_good), ", and ",
          Describe(*file->newest),
          " does not take it; both are in force; check the address, or with "
          "its operator");
    }
    file->displaced.push_back(file->last_good);
  }
  file->last_good = file->newest;
  return "";
}

std::string SnapshotKeeper::WhyNotHere(const CrlFile& file,
                                       const CrlData& crl) const {
  if (file.last_good == nullptr || file.last_good->sha256 == crl.sha256 ||
      crl.is_delta || !IsUsed(*file.last_good)) {
    return "";
  }
  const CrlData& good = *file.last_good;
  const int64_t now = absl::ToUnixSeconds(absl::Now());
  const auto expired = [now](const CrlData& one) {
    return one.has_next_update && one.next_update < now;
  };
  const bool same_partition = good.canonical_issuer == crl.canonical_issuer &&
                              good.scope_names == crl.scope_names;
  if (!same_partition && expired(crl) && !expired(good)) {
    return absl::StrCat("this is an expired CRL of another partition than ",
                        Describe(good),
                        "; check the address, or with its operator");
  }
  return "";
}

// What was superseded has the floor of what superseded it. (A server from
// before there were floors left none; another source's CRL that is linked first
// may then raise one that is lower than what is unread.)
bool SnapshotKeeper::HasFloor(const CrlData& crl) const {
  bool any = false;
  for (const auto& [name, profile] : workshop_.profiles) {
    const auto keys = CrlStore::SigningKeys(profile.issuer_paths, crl);
    if (!keys.ok()) continue;
    for (const Bytes key : *keys) {
      if (!workshop_.floors->Has(crl, key)) return false;
      any = true;
    }
  }
  return any;
}

bool SnapshotKeeper::IsDeadNews(const CrlDelivery& delivery,
                                const RemoteSource& source,
                                const CrlData& crl) const {
  const auto file = source.files.find(delivery.id);
  const bool holds =
      file != source.files.end() && file->second.last_good != nullptr;
  return !holds && !crl.is_delta && (source.is_ldap || delivery.has_record) &&
         HasEnded(crl);
}

std::string SnapshotKeeper::WhyNotAnew(const CrlDelivery& delivery,
                                       const RemoteSource& source,
                                       const CrlData& crl) const {
  const auto unread = source.unread.find(delivery.id);
  std::error_code ignored;
  if (unread != source.unread.end() && unread->second.expected != crl.sha256 &&
      std::filesystem::exists(
          std::filesystem::symlink_status(unread->second.path, ignored)) &&
      !HasFloor(crl)) {
    return absl::StrCat(
        "the copy kept in the state directory cannot be read now, and it is "
        "not known whether this one is older; check the disk, or remove ",
        unread->second.path);
  }
  if (!IsDeadNews(delivery, source, crl)) return "";
  // Where a directory has nothing else, what has ended is all there is: it
  // still speaks about times before its end.
  const auto lives =
      [&](const auto& item) ABSL_EXCLUSIVE_LOCKS_REQUIRED(build_mutex_) {
        const CrlFile& other = item.second;
        return (other.newest != nullptr && !HasEnded(*other.newest)) ||
               (other.last_good != nullptr && !HasEnded(*other.last_good));
      };
  if (source.is_ldap && !delivery.has_record &&
      std::none_of(source.files.begin(), source.files.end(), lives)) {
    return "";
  }
  return absl::StrCat("nextUpdate: this CRL of ", Describe(crl),
                      " has expired, and has not been in use here before; "
                      "check with its operator");
}

std::string SnapshotKeeper::HeldElsewhere(const CrlFile& file) {
  for (const CrlFile* other : AllFiles()) {
    if (other->last_good != nullptr && other->displaced_from.empty() &&
        other->last_good->sha256 == file.newest->sha256 &&
        other->last_good->source != file.newest->source) {
      return other->last_good->source;
    }
  }
  return "";
}

// Decides for each place what is good now, and what to say about the rest.
SnapshotKeeper::Report SnapshotKeeper::Settle(bool linked) {
  Report report;
  absl::btree_map<std::string, std::string> refusals;
  for (const auto& [name, profile] : workshop_.profiles) {
    for (const CrlStore::Refusal& refusal : profile.crls->refusals()) {
      refusals[refusal.source] = refusal.reason;
    }
  }
  SettleFiles(refusals, &report);
  SettleRemotes(refusals);
  // After what is new is on disk, and before anything older goes from there:
  // whoever starts next has what is in force, or knows that it is missing.
  if (linked || !workshop_.floors_saved.ok()) RaiseFloors();
  if (!workshop_.floors_saved.ok()) {
    report.errors.push_back({workshop_.floors->path(),
                             std::string(workshop_.floors_saved.message()),
                             absl::Now(), false});
  }
  report.errors.insert(report.errors.end(), workshop_.lost.begin(),
                       workshop_.lost.end());
  SettleDisplaced(&report);
  SettleDisplacedOnDisk(&report);
  SettleFormer();
  return report;
}

void SnapshotKeeper::SettleFormer() {
  if (workshop_.former.empty() || workshop_.more_to_read) return;
  for (const RemoteSource& source : workshop_.remotes) {
    if (!source.remote->HasAsked()) return;
  }
  workshop_.former.clear();
  workshop_.to_link = true;
}

void SnapshotKeeper::SettleFiles(
    const absl::btree_map<std::string, std::string>& refusals, Report* report) {
  for (CrlSource& source : workshop_.sources) {
    if (!source.error().empty()) {
      report->errors.push_back(
          {source.options().path, source.error(), absl::Now(), false});
    }
    for (auto& [path, file] : source.files()) {
      if (file.newest != nullptr) {
        if (!IsUsed(*file.newest)) {
          file.error = WhyUnused(*file.newest, refusals);
        } else {
          file.error = file.beside = TakeIntoPlace(&file);
          if (!file.error.empty()) file.newest = nullptr;
        }
      }
      if (file.last_good != nullptr && !IsUsed(*file.last_good)) {
        file.last_good = nullptr;
      }
      // The place is free for what came to it last.
      if (file.last_good == nullptr && file.newest == nullptr &&
          !file.displaced.empty() && IsUsed(*file.displaced.back())) {
        file.last_good = file.displaced.back();
        file.displaced.pop_back();
        if (file.error == file.beside) file.error.clear();
      }
      if (!file.error.empty()) {
        report->errors.push_back(
            {path, file.error, file.last_attempt, file.last_good != nullptr});
      }
      report->statuses.push_back(StatusOf(path, source.options(), &file));
    }
  }
}

void SnapshotKeeper::SettleDisplaced(Report* report) {
  const std::vector<CrlFile*> files = AllFiles();
  if (std::all_of(files.begin(), files.end(), [](const CrlFile* file) {
        return file->displaced.empty();
      })) {
    return;
  }
  absl::flat_hash_set<std::array<uint8_t, 32>> held;
  for (const CrlFile* file : files) {
    if (file->last_good != nullptr) held.insert(file->last_good->sha256);
  }
  for (CrlFile* file : files) {
    const auto is_over = [&](const auto& crl)
                             ABSL_EXCLUSIVE_LOCKS_REQUIRED(build_mutex_) {
                               if (IsUsed(*crl))
                                 return !held.insert(crl->sha256).second;
                               // It may be what the file holds, and of use
                               // another time.
                               file->size = -1;
                               return true;
                             };
    std::erase_if(file->displaced, is_over);
    for (const auto& crl : file->displaced) {
      report->errors.push_back(
          {crl->source,
           absl::StrCat("another partition's CRL has taken the place of that "
                        "of ",
                        Describe(*crl),
                        ", which stays in force until a newer one comes or "
                        "the server is started anew; check what is there"),
           absl::Now(), true});
    }
  }
}

void SnapshotKeeper::SettleDisplacedOnDisk(Report* report) {
  absl::flat_hash_set<std::array<uint8_t, 32>> placed;
  for (const RemoteSource& source : workshop_.remotes) {
    for (const auto& [id, file] : source.files) {
      if (file.last_good != nullptr && file.displaced_from.empty()) {
        placed.insert(file.last_good->sha256);
      }
    }
  }
  for (RemoteSource& source : workshop_.remotes) {
    for (auto it = source.files.begin(); it != source.files.end();) {
      CrlFile& file = it->second;
      if (file.displaced_from.empty() || file.last_good == nullptr) {
        ++it;
        continue;
      }
      const CrlData& crl = *file.last_good;
      const bool over =
          placed.contains(crl.sha256) || (HasEnded(crl) && MayGoAtItsEnd(crl));
      if (over && workshop_.floors_saved.ok()) {
        source.remote->Release(it->first, /*superseded=*/true);
        source.paths.erase(it->first);
        it = source.files.erase(it);
        workshop_.to_link = true;
        continue;
      }
      report->errors.push_back(
          {crl.source,
           absl::StrCat("another partition's CRL has taken the place of that "
                        "of ",
                        Describe(crl),
                        ", which stays in force until a newer one comes or it "
                        "ends; check what is there"),
           absl::Now(), true});
      ++it;
    }
    if (workshop_.floors_saved.ok()) source.remote->ForgetDisplaced();
  }
}

std::string SnapshotKeeper::WhyNotTaken(
    const CrlDelivery& delivery, const CrlFile& file,
    const RemoteSource& source,
    const absl::btree_map<std::string, std::string>& refusals) {
  if (!IsUsed(*file.newest)) return WhyUnused(*file.newest, refusals);
  if (IsBeside(file)) {
    const std::string holder = HeldElsewhere(file);
    if (holder.empty()) return "";
    // Nothing is gained by it, and the place would lose one.
    return absl::StrCat("this is the CRL of ", holder, ", not one of ",
                        Describe(*file.last_good),
                        "; check the address, or with its operator");
  }
  if (!source.is_ldap || delivery.has_record) return "";
  // A directory has endless names for one CRL.
  for (const auto& [id, other] : source.files) {
    if (id != delivery.id && other.last_good != nullptr &&
        other.displaced_from.empty() &&
        other.last_good->sha256 == file.newest->sha256) {
      return absl::StrCat("this is the CRL of ", other.last_good->source,
                          " once more; check with the directory's operator");
    }
  }
  return "";
}

std::string SnapshotKeeper::TakeIntoRemotePlace(const std::string& id,
                                                RemoteSource* source) {
  CrlFile& file = source->files[id];
  if (IsBeside(file)) {
    const auto own_id = source->remote->Displace(id);
    if (!own_id.ok()) {
      file.displaced.push_back(file.newest);
      return absl::StrCat(
          "this place has been that of ", Describe(*file.last_good), ", and ",
          Describe(*file.newest),
          " does not take it; both are in force until the server is started "
          "anew (they cannot both be kept: ",
          own_id.status().message(),
          "); check the address, or with its "
          "operator");
    }
    CrlFile& own = source->files[*own_id];
    own.last_good = file.last_good;
    own.displaced_from = id;
    source->paths.erase(*own_id);  // its index is made at the next start
  }
  file.last_good = file.newest;
  return "";
}

void SnapshotKeeper::ReleaseUnused(RemoteSource* source) {
  for (auto it = source->files.begin(); it != source->files.end();) {
    CrlFile& file = it->second;
    if (file.last_good != nullptr && !IsUsed(*file.last_good)) {
      source->remote->Release(it->first, IsSuperseded(*file.last_good));
      source->paths.erase(it->first);
      file.last_good = nullptr;
    }
    const bool empty = file.last_good == nullptr && file.newest == nullptr &&
                       file.displaced.empty();
    it = empty ? source->files.erase(it) : std::next(it);
  }
}

void SnapshotKeeper::SettleRemotes(
    const absl::btree_map<std::string, std::string>& refusals) {
  for (RemoteSource& source : workshop_.remotes) {
    for (auto it = source.unjudged.begin(); it != source.unjudged.end();) {
      const std::string& id = it->first;
      const CrlDelivery& delivery = it->second.delivery;
      CrlFile& file = source.files[id];
      if (workshop_.more_to_read && file.newest->is_delta &&
          !IsUsed(*file.newest) &&
          SteadyNow() - it->second.read_at < kDeltaWaitMax) {
        ++it;
        continue;
      }
      std::string error = WhyNotTaken(delivery, file, source, refusals);
      if (error.empty()) error = TakeIntoRemotePlace(id, &source);
      if (error.empty()) {
        source.paths[id] = delivery.path;
        source.remote->Accept(id, delivery.sha256, *file.newest);
      } else {
        Refuse(delivery, error, IsSuperseded(*file.newest), &source);
      }
      file.newest = nullptr;
      it = source.unjudged.erase(it);
    }
    ReleaseUnused(&source);
  }
  if (workshop_.spool != nullptr) workshop_.spool->SyncKept();
}

void SnapshotKeeper::RaiseFloors() {
  CrlFloors* const floors = workshop_.floors.get();
  if (floors == nullptr) return;
  for (const auto& [name, profile] : workshop_.profiles) {
    profile.crls->RaiseFloors(floors);
  }
  if (watch_) workshop_.floors_saved = floors->Save();
}

bool SnapshotKeeper::FindUnplaced() {
  absl::flat_hash_set<std::array<uint8_t, 32>> placed;
  absl::flat_hash_set<std::array<uint8_t, 32>> unplaced;
  absl::flat_hash_set<const CrlFile*> gone;
  for (RemoteSource& source : workshop_.remotes) {
    for (const std::string& id : source.remote->Gone()) {
      const auto file = source.files.find(id);
      if (file != source.files.end()) gone.insert(&file->second);
    }
  }
  // What is former is not lost yet: what takes its place may be on the way.
  for (const CrlFile* file : AllFilesAndFormer()) {
    for (const auto& crl : file->displaced) unplaced.insert(crl->sha256);
    if (file->last_good == nullptr) continue;
    const bool lost = !file->displaced_from.empty() || gone.contains(file);
    (lost ? unplaced : placed).insert(file->last_good->sha256);
  }
  absl::erase_if(unplaced, [&placed](const auto& digest) {
    return placed.contains(digest);
  });
  const auto& last = workshop_.unplaced;
  if (last != nullptr ? unplaced == *last : unplaced.empty()) return false;
  workshop_.unplaced =
      unplaced.empty()
          ? nullptr
          : std::make_shared<
                const absl::flat_hash_set<std::array<uint8_t, 32>>>(
                std::move(unplaced));
  return true;
}

}  // namespace inkan
