#include "cache/snapshot_keeper.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cache/background_thread.h"
#include "cache/steady_time.h"
#include "crypto/digest.h"

namespace inkan {
namespace {

// A burst of changes (a day's CRLs copied in) is taken in one go.
constexpr absl::Duration kSettleTime = absl::Milliseconds(100);
// Between two looks for compiled indexes of CRLs that have been replaced.
constexpr absl::Duration kSweepInterval = absl::Hours(1);
// Until an index that could not be written is tried again: soon after somebody
// has made room.
constexpr absl::Duration kWriteAgainInterval = absl::Seconds(10);
// Between two looks whether what is configured no longer may go: a place that
// gave nothing wakes nobody.
constexpr absl::Duration kFormerInterval = absl::Seconds(1);

// Until readers that still hold a replaced snapshot are looked at again. Those
// without work move on once a second (server/batcher.cc).
constexpr absl::Duration kRetiredInterval = absl::Seconds(1);

// Everything of a profile that bears on verdicts, in a fixed order.
std::string DescribeProfile(const Profile& profile) {
  std::string text = absl::StrCat(
      profile.name, "|", profile.require_explicit_policy,
      profile.inhibit_policy_mapping, profile.inhibit_any_policy, "|",
      profile.required_key_usage, "|", profile.forbidden_key_usage, "|",
      profile.rsa_modulus_bits_min, "|", static_cast<int>(profile.revocation),
      "|", profile.crl_grace, "|",
      profile.crl_max_age.has_value() ? absl::StrCat(*profile.crl_max_age)
                                      : "-",
      "|", profile.allow_crl_without_next_update, "|");
  const auto add = [&text](const std::string& item) {
    absl::StrAppend(&text, item.size(), ":", item, ",");
  };
  for (const std::string& policy : profile.initial_policies) add(policy);
  text += '|';
  for (const std::string& usage : profile.required_extended_key_usage) {
    add(usage);
  }
  text += '|';
  for (const SignatureAlgorithm& algorithm : profile.filing_algorithms) {
    absl::StrAppend(&text, static_cast<int>(algorithm.scheme), "/",
                    static_cast<int>(algorithm.hash), ",");
  }
  return text;
}

// What the word of a partition rests on: its CRLs, and what is missing.
std::string DescribePartition(const CrlPartition& partition) {
  std::string text =
      absl::StrCat(partition.delta != nullptr, partition.newer_delta_missing);
  text.append(AsText(Bytes(partition.crl->sha256)));
  if (partition.delta != nullptr) {
    text.append(AsText(Bytes(partition.delta->sha256)));
  }
  for (const Bytes key : partition.keys_missing) {
    absl::StrAppend(&text, key.size(), ":");
    text.append(AsText(key));
  }
  return text;
}

std::array<uint8_t, 32> DigestOf(const Snapshot& snapshot) {
  std::string text;
  const auto add = [&text](const std::array<uint8_t, 32>& digest) {
    text.append(AsText(Bytes(digest)));
  };
  for (const auto& [name, one] : snapshot.profiles) {
    absl::StrAppend(&text, DescribeProfile(*one.profile), "\n");
    for (const auto* certificates :
         {&one.issuer_paths->anchors(), &one.issuer_paths->intermediates(),
          &one.issuer_paths->trusted()}) {
      for (const OwnedCertificate& owned : *certificates) {
        add(owned.fingerprint);
      }
      text += '\n';
    }
    for (const auto& owned : one.issuer_paths->vouched()) {
      add(owned->fingerprint);
    }
    std::set<std::string> partitions;
    for (const CrlPartition& partition : one.crls->partitions()) {
      partitions.insert(DescribePartition(partition));
    }
    for (const std::string& partition : partitions) {
      absl::StrAppend(&text, partition.size(), ":", partition);
    }
  }
  return Sha256(AsBytes(text));
}

bool IsRemote(const CrlSourceOptions& source) {
  return source.kind == CrlSourceOptions::Kind::kHttp ||
         source.kind == CrlSourceOptions::Kind::kLdap;
}

}  // namespace

absl::StatusOr<SnapshotKeeper::Workshop> SnapshotKeeper::Furnish(
    SnapshotOptions options, const Workshop& old) {
  Workshop workshop;
  for (const Profile& profile : options.profiles) {
    auto paths = IssuerPaths::Build(profile, options.path_limits);
    if (!paths.ok()) {
      return absl::Status(paths.status().code(),
                          absl::StrCat("profile ", profile.name, ": ",
                                       paths.status().message()));
    }
    ProfileSnapshot snapshot;
    snapshot.profile = std::make_shared<const Profile>(profile);
    snapshot.issuer_paths = *std::move(paths);
    if (!workshop.profiles.emplace(profile.name, std::move(snapshot)).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("profile ", profile.name, ": the name is used twice"));
    }
  }
  if (workshop.profiles.empty()) {
    return absl::InvalidArgumentError("no profile is configured");
  }
  workshop.options = std::move(options);
  if (absl::Status s = FurnishState(old, &workshop); !s.ok()) return s;
  for (const CrlSourceOptions& source : workshop.options.crl_sources) {
    if (!IsRemote(source)) {
      workshop.sources.emplace_back(source, workshop.loader);
    } else if (workshop.spool == nullptr) {
      return absl::InvalidArgumentError(
          "state_directory: missing; CRLs from the network are kept there");
    }
  }
  return workshop;
}

absl::Status SnapshotKeeper::FurnishState(const Workshop& old,
                                          Workshop* workshop) {
  const std::string& folder = workshop->options.state_directory;
  CrlLoaderOptions loading;
  loading.bytes_max = workshop->options.crl_bytes_max;
  if (!folder.empty() && watch_) loading.cache_folder = folder + "/compiled";
  // It knows which indexes of CRLs that stay are missing.
  workshop->loader = old.loader != nullptr && old.loader->options() == loading
                         ? old.loader
                         : std::make_shared<const CrlLoader>(loading);
  if (folder.empty()) return absl::OkStatus();
  if (old.spool != nullptr) {
    workshop->spool = old.spool;
    workshop->floors = old.floors;
    return absl::OkStatus();
  }
  if (watch_) {
    auto opened = CrlSpool::Open(folder);
    if (!opened.ok()) return opened.status();
    workshop->spool = *std::move(opened);
  } else {
    workshop->spool = CrlSpool::OpenToRead(folder);
  }
  auto floors = CrlFloors::Open(folder + "/floors");
  if (!floors.ok()) return floors.status();
  workshop->floors = *std::move(floors);
  return absl::OkStatus();
}

void SnapshotKeeper::FurnishRemotes(std::vector<RemoteSource> old,
                                    Workshop* workshop) {
  for (const CrlSourceOptions& options : workshop->options.crl_sources) {
    if (!IsRemote(options)) continue;
    RemoteSource source;
    source.identity = CrlRemote::IdentityOf(options);
    source.is_ldap = options.kind == CrlSourceOptions::Kind::kLdap;
    if (source.is_ldap) source.search = CrlRemote::PlaceOf(options.ldap);
    const auto same = std::find_if(
        old.begin(), old.end(), [&source](const RemoteSource& other) {
          return other.identity == source.identity && other.remote != nullptr;
        });
    if (same != old.end()) {
      source = std::move(*same);
      same->remote = nullptr;
      source.remote->AskNow();
    } else {
      source.remote =
          std::make_shared<CrlRemote>(options, workshop->spool, [this] {
            if (wake_fd_ >= 0) eventfd_write(wake_fd_, 1);
          });
    }
    workshop->remotes.push_back(std::move(source));
  }
  for (RemoteSource& source : old) {
    if (source.remote != nullptr) source.remote->Interrupt();
  }
  for (RemoteSource& source : old) {
    if (source.remote != nullptr) source.remote->Stop();
    for (auto& [id, file] : source.files) {
      file.newest = nullptr;  // unjudged
      bool inherited = false;
      for (RemoteSource& heir : workshop->remotes) {
        inherited |= Inherit(source, id, &heir);
      }
      // Who only looks asks nobody, and would wait for ever.
      if (!inherited && watch_) workshop->former.push_back(file);
    }
  }
}

bool SnapshotKeeper::Inherit(const RemoteSource& old, const std::string& id,
                             RemoteSource* heir) {
  // One search finds the same names again, though the disk may have had no room
  // for what they gave.
  const bool same_search =
      old.is_ldap && heir->is_ldap && old.search == heir->search;
  if (!same_search && !heir->remote->Knows(id)) return false;
  heir->files.emplace(id, old.files.at(id));
  const auto path = old.paths.find(id);
  if (path != old.paths.end()) heir->paths.insert(*path);
  return true;
}

absl::StatusOr<std::unique_ptr<SnapshotKeeper>> SnapshotKeeper::Start(
    SnapshotOptions options, bool watch) {
  std::unique_ptr<SnapshotKeeper> keeper(new SnapshotKeeper());
  keeper->watch_ = watch;
  absl::StatusOr<Workshop> workshop =
      keeper->Furnish(std::move(options), Workshop());
  if (!workshop.ok()) return workshop.status();
  if (watch) {
    keeper->wake_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (keeper->wake_fd_ < 0) {
      return absl::ResourceExhaustedError("cannot make an eventfd");
    }
  }
  {
    MutexLock lock(&keeper->build_mutex_);
    keeper->FurnishRemotes({}, &*workshop);
    keeper->workshop_ = *std::move(workshop);
    keeper->Rebuild(/*force=*/true);
    for (RemoteSource& source : keeper->workshop_.remotes) {
      if (watch) source.remote->Start();
    }
  }
  if (watch) {
    keeper->thread_ = std::thread([k = keeper.get()] { k->Watch(); });
  }
  return keeper;
}

SnapshotKeeper::~SnapshotKeeper() {
  // First, so that a build under way ends early instead of being waited for.
  stopping_ = true;
  {
    // Snapshots outlive the keeper, and with them offers.
    MutexLock lock(&build_mutex_);
    for (auto& [name, profile] : workshop_.profiles) {
      if (profile.vouched != nullptr) profile.vouched->Close();
    }
  }
  if (thread_.joinable()) {
    eventfd_write(wake_fd_, 1);
    thread_.join();
  }
  {
    MutexLock lock(&build_mutex_);
    // Each stops its threads; from then on nobody wakes us.
    for (RemoteSource& source : workshop_.remotes) source.remote->Interrupt();
    for (RemoteSource& source : workshop_.remotes) source.remote->Stop();
  }
  if (wake_fd_ >= 0) close(wake_fd_);
}

std::shared_ptr<const Snapshot> SnapshotKeeper::Current() const {
  MutexLock lock(&mutex_);
  return current_;
}

std::vector<CrlSourceError> SnapshotKeeper::source_errors() const {
  std::shared_ptr<const Report> report;
  std::vector<std::shared_ptr<const CrlRemote>> remotes;
  {
    MutexLock lock(&mutex_);
    report = report_;
    remotes = remotes_;
  }
  std::vector<CrlSourceError> errors = report->errors;
  for (const auto& remote : remotes) remote->AppendErrors(&errors);
  return errors;
}

std::vector<CrlSourceStatus> SnapshotKeeper::source_statuses() const {
  std::shared_ptr<const Report> report;
  std::vector<std::shared_ptr<const CrlRemote>> remotes;
  {
    MutexLock lock(&mutex_);
    report = report_;
    remotes = remotes_;
  }
  std::vector<CrlSourceStatus> statuses = report->statuses;
  for (const auto& remote : remotes) remote->AppendStatuses(&statuses);
  return statuses;
}

UnwrittenIndexes SnapshotKeeper::unwritten_indexes() const {
  std::shared_ptr<const CrlLoader> loader;
  {
    MutexLock lock(&mutex_);
    loader = loader_;
  }
  return loader->unwritten();
}

void SnapshotKeeper::SetUnwrittenListener(
    std::function<void(const UnwrittenIndexes&)> listener) {
  MutexLock lock(&tell_mutex_);
  unwritten_listener_ = std::move(listener);
  told_of_unwritten_ = false;
  TellOfUnwritten();
}

void SnapshotKeeper::SetPublishListener(
    std::function<void(const Snapshot&)> listener) {
  MutexLock lock(&mutex_);
  listener_ = std::move(listener);
}

absl::Status SnapshotKeeper::Reload(SnapshotOptions options) {
  MutexLock lock(&build_mutex_);
  if (options.state_directory != workshop_.options.state_directory) {
    return absl::FailedPreconditionError(absl::StrCat(
        "state_directory: is \"", workshop_.options.state_directory,
        "\" and cannot become \"", options.state_directory,
        "\" while the server runs; restart it, or take the change "
        "back"));
  }
  absl::StatusOr<Workshop> workshop = Furnish(std::move(options), workshop_);
  if (!workshop.ok()) return workshop.status();
  workshop->generation = workshop_.generation;
  // What callers sent is validated anew under the new anchors.
  for (auto& [name, profile] : workshop_.profiles) {
    const auto successor = workshop->profiles.find(name);
    if (successor != workshop->profiles.end()) {
      successor->second.vouched = profile.vouched;
    } else {
      profile.vouched->Close();
    }
  }
  // A source that stays keeps what was good.
  for (CrlSource& source : workshop->sources) {
    for (CrlSource& old : workshop_.sources) {
      if (old.options().path == source.options().path) {
        source.files() = old.files();
        for (auto& [path, file] : source.files()) file.size = -1;
      }
    }
  }
  absl::flat_hash_set<const CrlRemote*> running;
  for (const RemoteSource& source : workshop_.remotes) {
    running.insert(source.remote.get());
  }
  workshop->former = std::move(workshop_.former);
  FurnishRemotes(std::move(workshop_.remotes), &*workshop);
  workshop_ = *std::move(workshop);
  Rebuild(/*force=*/true);
  // What is former and nobody waits for is not in force when this returns.
  if (workshop_.to_link) Rebuild(/*force=*/false);
  for (RemoteSource& source : workshop_.remotes) {
    if (watch_ && !running.contains(source.remote.get())) {
      source.remote->Start();
    }
  }
  if (wake_fd_ >= 0) eventfd_write(wake_fd_, 1);  // follow the new folders
  return absl::OkStatus();
}

absl::Status SnapshotKeeper::Refresh() {
  MutexLock lock(&build_mutex_);
  Rebuild(/*force=*/false);
  if (retired_.any()) eventfd_write(wake_fd_, 1);  // only with a thread
  return absl::OkStatus();
}

// Takes in the CA certificates that callers sent and an anchor vouches for.
bool SnapshotKeeper::TakeInVouched(bool force) {
  bool changed = false;
  for (auto& [name, profile] : workshop_.profiles) {
    if (profile.vouched == nullptr) {
      profile.vouched = std::make_shared<VouchedCas>([this] {
        if (wake_fd_ >= 0) eventfd_write(wake_fd_, 1);
      });
      continue;
    }
    if (!profile.vouched->TakeIn() && !force) continue;
    const std::vector<CertificateFile> members = profile.vouched->members();
    if (members.empty()) continue;
    auto paths = IssuerPaths::Build(*profile.profile,
                                    workshop_.options.path_limits, members);
    if (!paths.ok()) continue;  // not reached: it was built without them
    std::vector<CertificateFile> confirmed;
    for (const auto& owned : (*paths)->vouched()) {
      confirmed.push_back(owned->file);
    }
    profile.vouched->SetMembers(std::move(confirmed));
    profile.issuer_paths = *std::move(paths);
    changed = true;
  }
  return changed;
}

void SnapshotKeeper::Rebuild(bool force) {
  bool changed = TakeInVouched(force) || force;
  changed |= std::exchange(workshop_.to_link, false);
  CrlControl control;
  control.cancelled = &stopping_;
  for (CrlSource& source : workshop_.sources) {
    changed |= source.Rescan(control);
    for (auto& [path, file] : source.files()) {
      if (file.newest != nullptr && file.newest != file.last_good &&
          !WhyNotNow(file, *file.newest).empty()) {
        file.awaited = std::move(file.newest);
        file.newest = nullptr;
      }
      if (file.awaited == nullptr) continue;
      file.error = WhyNotNow(file, *file.awaited);
      if (!file.error.empty()) continue;
      file.newest = std::move(file.awaited);
      file.awaited = nullptr;
      changed = true;
    }
  }
  changed |= TakeDeliveries(/*all=*/force);
  if (changed) LinkAll();
  Report report = Settle(/*linked=*/changed);
  const bool unplaced = FindUnplaced();
  Publish(std::move(report),
          changed || unplaced ? NewSnapshot(force || unplaced) : nullptr);
  if (workshop_.to_link && wake_fd_ >= 0) eventfd_write(wake_fd_, 1);
  SweepCompiled();
  WriteIndexesAgain();
}

void SnapshotKeeper::WriteIndexesAgain() {
  workshop_.loader->WriteAgain(kWriteAgainInterval);
  MutexLock lock(&tell_mutex_);
  TellOfUnwritten();
}

void SnapshotKeeper::TellOfUnwritten() {
  const UnwrittenIndexes unwritten = unwritten_indexes();
  const bool any = unwritten.crls > 0;
  if (any == told_of_unwritten_ || !unwritten_listener_) return;
  told_of_unwritten_ = any;
  unwritten_listener_(unwritten);
}

void SnapshotKeeper::SweepCompiled() {
  const CrlLoader& loader = *workshop_.loader;
  const std::string& folder = loader.options().cache_folder;
  const absl::Time now = absl::Now();
  if (folder.empty() || now - workshop_.swept < kSweepInterval) return;
  workshop_.swept = now;
  absl::flat_hash_set<std::string> kept;
  for (CrlSource& source : workshop_.sources) {
    for (const auto& [path, file] : source.files()) {
      kept.insert(loader.CompiledPath(path));
    }
  }
  for (const RemoteSource& source : workshop_.remotes) {
    for (const auto& [id, path] : source.paths) {
      kept.insert(loader.CompiledPath(path));
    }
  }
  std::error_code ignored;
  for (const std::filesystem::path& path : FilesIn(folder)) {
    if (!kept.contains(path.string())) std::filesystem::remove(path, ignored);
  }
}

std::vector<CrlFile*> SnapshotKeeper::AllFiles() {
  std::vector<CrlFile*> files;
  for (CrlSource& source : workshop_.sources) {
    for (auto& [path, file] : source.files()) files.push_back(&file);
  }
  for (RemoteSource& source : workshop_.remotes) {
    for (auto& [id, file] : source.files) files.push_back(&file);
  }
  return files;
}

std::vector<CrlFile*> SnapshotKeeper::AllFilesAndFormer() {
  std::vector<CrlFile*> files = AllFiles();
  for (CrlFile& file : workshop_.former) files.push_back(&file);
  return files;
}

// What is built by now; null if verdicts would not be any different and it is
// not `wanted` anyway.
std::shared_ptr<const Snapshot> SnapshotKeeper::NewSnapshot(bool wanted) {
  auto snapshot = std::make_shared<Snapshot>();
  for (const auto& [name, profile] : workshop_.profiles) {
    snapshot->profiles.emplace(name, profile).first->second.unplaced =
        workshop_.unplaced;
  }
  snapshot->digest = DigestOf(*snapshot);
  const std::shared_ptr<const Snapshot> current = Current();
  if (!wanted && current != nullptr && current->digest == snapshot->digest) {
    return nullptr;
  }
  snapshot->generation = ++workshop_.generation;
  return snapshot;
}

// Links what each file holds now together with what was last good from it, so
// that a newcomer has to prove itself newer before it takes the place.
void SnapshotKeeper::LinkAll() {
  std::vector<std::shared_ptr<const CrlData>> crls;
  absl::flat_hash_set<const CrlData*> listed;
  const auto add = [&](const std::shared_ptr<const CrlData>& crl) {
    if (crl != nullptr && listed.insert(crl.get()).second) crls.push_back(crl);
  };
  for (const CrlFile* file : AllFilesAndFormer()) {
    for (const auto& crl : file->displaced) add(crl);
    add(file->last_good);
    add(file->newest);
  }
  for (auto& [name, profile] : workshop_.profiles) {
    profile.crls = CrlStore::Link(profile.profile, profile.issuer_paths, crls,
                                  profile.crls.get(), workshop_.floors.get());
  }
}

void SnapshotKeeper::Publish(Report report,
                             std::shared_ptr<const Snapshot> published) {
  std::function<void(const Snapshot&)> listener;
  // What is replaced is let go of here, after the lock is given back: requests
  // take this lock.
  std::shared_ptr<const Snapshot> next = published;
  auto told = std::make_shared<const Report>(std::move(report));
  std::vector<std::shared_ptr<const CrlRemote>> remotes;
  for (const RemoteSource& source : workshop_.remotes) {
    remotes.push_back(source.remote);
  }
  {
    MutexLock lock(&mutex_);
    std::swap(report_, told);
    std::swap(remotes_, remotes);
    listener = listener_;
    loader_ = workshop_.loader;
    if (published != nullptr) {
      std::swap(current_, next);
      generation_.store(published->generation, std::memory_order_release);
    }
  }
  if (published != nullptr) {
    // Without a thread nobody would come back for it.
    if (watch_) retired_.Add(std::move(next));
    if (listener) listener(*published);
  }
}

absl::Duration SnapshotKeeper::ShortestPoll() {
  MutexLock lock(&build_mutex_);
  absl::Duration shortest = absl::Hours(1);
  for (const CrlSource& source : workshop_.sources) {
    shortest = std::min(shortest, source.options().poll_interval);
  }
  if (workshop_.loader->unwritten().crls > 0) {
    shortest = std::min(shortest, kWriteAgainInterval);
  }
  if (!workshop_.former.empty()) shortest = std::min(shortest, kFormerInterval);
  return std::max(shortest, absl::Milliseconds(100));
}

void SnapshotKeeper::WatchFolders(int inotify) {
  MutexLock lock(&build_mutex_);
  for (const CrlSource& source : workshop_.sources) {
    const std::filesystem::path path = source.options().path;
    const bool is_folder =
        source.options().kind == CrlSourceOptions::Kind::kDirectory;
    const std::string folder =
        is_folder ? path.string() : path.parent_path().string();
    // Adding a folder again changes nothing; one that cannot be watched is
    // still polled.
    inotify_add_watch(inotify, folder.empty() ? "." : folder.c_str(),
                      IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE);
  }
}

bool SnapshotKeeper::WaitForEvents(int inotify) {
  pollfd fds[] = {{wake_fd_, POLLIN, 0}, {inotify, POLLIN, 0}};
  const absl::Duration until = SteadyNow() + ShortestPoll();
  while (true) {
    bool waits_for_readers = false;
    {
      MutexLock lock(&build_mutex_);
      retired_.Free();
      waits_for_readers = retired_.any();
    }
    const absl::Duration left =
        std::max(until - SteadyNow(), absl::ZeroDuration());
    const absl::Duration wait =
        waits_for_readers ? std::min(left, kRetiredInterval) : left;
    const int seen = poll(fds, inotify >= 0 ? 2 : 1,
                          static_cast<int>(absl::ToInt64Milliseconds(
                              absl::Ceil(wait, absl::Milliseconds(1)))));
    if (seen > 0 || stopping_ || wait == left) return seen > 0;
  }
}

void SnapshotKeeper::Watch() {
  BecomeBackgroundThread();
  GiveWayAtOnce();
  const int inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  const auto close_inotify = absl::MakeCleanup([inotify] {
    if (inotify >= 0) close(inotify);
  });
  while (!stopping_) {
    KeepBackgroundPace();
    if (inotify >= 0) WatchFolders(inotify);
    {
      // After the folders are watched, so that no change falls in between.
      MutexLock lock(&build_mutex_);
      Rebuild(/*force=*/false);
    }
    const bool events_seen = WaitForEvents(inotify);
    if (stopping_) return;
    if (events_seen) absl::SleepFor(kSettleTime);
    eventfd_t ignored;
    eventfd_read(wake_fd_, &ignored);
    char events[4096];
    while (inotify >= 0 && read(inotify, events, sizeof(events)) > 0) {
    }
  }
}

}  // namespace inkan
