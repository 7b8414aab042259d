// Keeps the snapshot in force: reads CRLs from files and folders, follows their
// changes, has others fetched from the network, and publishes a new snapshot
// when something changed.
//
//   auto keeper = SnapshotKeeper::Start(std::move(options));   // StatusOr
//   std::shared_ptr<const Snapshot> now = (*keeper)->Current();
//
// Reading, hashing and indexing happen on the keeper's own thread, one of low
// priority (or on the thread that calls Start or Reload), never on one that
// answers requests, and fetching on threads of each source's own. A CRL that
// cannot be used is refused, named in source_errors(), and the last good one
// from the same source stays in force. So does one that is the newest of its
// partition, whatever its place holds now.
//
// Thread safety: every method may be called from any thread. The destructor
// stops and joins the keeper's thread; snapshots handed out stay valid.
#ifndef INKAN_CACHE_SNAPSHOT_KEEPER_H_
#define INKAN_CACHE_SNAPSHOT_KEEPER_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cache/crl_floors.h"
#include "cache/crl_loader.h"
#include "cache/crl_source.h"
#include "cache/crl_source_remote.h"
#include "cache/crl_spool.h"
#include "cache/mutex.h"
#include "cache/retired.h"
#include "cache/snapshot.h"

namespace inkan {

struct SnapshotOptions {
  std::vector<Profile> profiles;
  std::vector<CrlSourceOptions> crl_sources;
  uint64_t crl_bytes_max = uint64_t{1} << 31;
  // Where CRLs from the network and compiled indexes are kept; empty: nowhere.
  // Needed if a source is kHttp or kLdap.
  std::string state_directory = {};
  // Signatures checked and paths kept while building one profile's CA paths.
  IssuerPathLimits path_limits;
  // Thousands of CRLs that come from the network at once are read and published
  // in slices of about this length. The first snapshot, and that of another
  // configuration, wait for all that is there.
  absl::Duration read_time_max = absl::Seconds(1);
};

class SnapshotKeeper {
 public:
  // Builds the first snapshot before it returns. Fails (kInvalidArgument) if a
  // profile is unusable (no anchor, a certificate that does not parse, anchor
  // with a weak key): the message names profile, file and field. CRLs that are
  // missing or bad do not fail it: their filings get TRY_LATER, and
  // source_errors() says so. With `watch` false no thread is started, nothing
  // is fetched and nothing is written (for one-off use): of places on the
  // network what the state directory holds is used.
  static absl::StatusOr<std::unique_ptr<SnapshotKeeper>> Start(
      SnapshotOptions options, bool watch = true);
  ~SnapshotKeeper();

  SnapshotKeeper(const SnapshotKeeper&) = delete;
  SnapshotKeeper& operator=(const SnapshotKeeper&) = delete;

  std::shared_ptr<const Snapshot> Current() const ABSL_LOCKS_EXCLUDED(mutex_);
  // The generation of Current(), for readers that cache it.
  uint64_t generation() const {
    return generation_.load(std::memory_order_acquire);
  }

  // Replaces the options and reads every source again. On error nothing
  // changes: kFailedPrecondition if state_directory is another one, whose
  // copies and floors would be believed beside those of the sources that go on.
  absl::Status Reload(SnapshotOptions options);
  // Reads every source again under the options in force.
  absl::Status Refresh();

  std::vector<CrlSourceError> source_errors() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Every place CRLs come from and how it goes there, as of now. Waits for no
  // reading, fetching or building.
  std::vector<CrlSourceStatus> source_statuses() const
      ABSL_LOCKS_EXCLUDED(mutex_);

  // CRLs in use whose index cannot be kept in the state directory. It is tried
  // again every ten seconds, or at the next look at the sources.
  UnwrittenIndexes unwritten_indexes() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Called after each publication, on the thread that made it, e.g. to log. Set
  // before traffic starts.
  void SetPublishListener(std::function<void(const Snapshot&)> listener)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Called when indexes cannot be written, with the reason, and when all are
  // again, with none. At once if it is so now. Must not call the keeper.
  void SetUnwrittenListener(
      std::function<void(const UnwrittenIndexes&)> listener)
      ABSL_LOCKS_EXCLUDED(tell_mutex_, mutex_);

 private:
  // A source on the network and, by item id, what was made of what it gave.
  struct RemoteSource {
    std::string identity;
    bool is_ldap = false;
    std::string search;  // is_ldap: CrlRemote::PlaceOf
    std::shared_ptr<CrlRemote> remote;
    std::map<std::string, CrlFile> files;
    // What `newest` was read from, to be judged once linked.
    struct Unjudged {
      CrlDelivery delivery;
      absl::Duration read_at;  // by SteadyNow
    };
    std::map<std::string, Unjudged> unjudged;
    std::map<std::string, std::string> paths;  // of what is in use
    // What the spool holds, could not be read for a passing reason, and is no
    // partition's newest by the floors: it was superseded, or there were none
    // yet. Until it is read, or its file is gone, nobody knows what is older.
    std::map<std::string, CrlDelivery> unread;
    // What is read after all else that was delivered, to be seen beside that.
    std::deque<CrlDelivery> last;
  };
  // What building works on; the keeper's thread and Reload take turns.
  struct Workshop {
    SnapshotOptions options;
    // By name: profiles with their paths, and the store linked last.
    absl::btree_map<std::string, ProfileSnapshot> profiles;
    std::vector<CrlSource> sources;
    std::vector<RemoteSource> remotes;
    // What was in force from places on the network that are configured no
    // longer. It stays until those that are there now have been asked, so that
    // a change of addresses leaves no gap.
    std::vector<CrlFile> former;
    // What had lost its place, and was found damaged on disk.
    std::vector<CrlSourceError> lost;
    std::shared_ptr<const CrlLoader> loader;
    std::shared_ptr<CrlSpool> spool;  // null without a state directory
    // The same; and whether what is linked has been saved to it.
    std::shared_ptr<CrlFloors> floors;
    absl::Status floors_saved;
    // What the last snapshot calls unplaced.
    std::shared_ptr<const absl::flat_hash_set<std::array<uint8_t, 32>>>
        unplaced;
    // The sources on the network have delivered more than has been read.
    bool more_to_read = false;
    bool to_link = false;     // something has been let go of
    size_t first_source = 0;  // whose turn it is to be read
    uint64_t generation = 0;
    absl::Time swept = absl::InfinitePast();
  };

  SnapshotKeeper() = default;

  // Profiles, and sources of files. The spool, the floors and the loader of
  // `old` are used again if the options they depend on are the same.
  absl::StatusOr<Workshop> Furnish(SnapshotOptions options,
                                   const Workshop& old);
  absl::Status FurnishState(const Workshop& old, Workshop* workshop);
  // Sources on the network: those that stay go on as they are. Of the others
  // what is in force goes on under the source that has its place now, or is
  // former.
  void FurnishRemotes(std::vector<RemoteSource> old, Workshop* workshop);
  // False if `heir` does not have the place.
  static bool Inherit(const RemoteSource& old, const std::string& id,
                      RemoteSource* heir);
  // Looks at every source, links, and publishes if something that bears on
  // verdicts changed, or `force`.
  void Rebuild(bool force) ABSL_EXCLUSIVE_LOCKS_REQUIRED(build_mutex_);
  // Reads what the sources on the network have delivered by now, `all` of it or
  // as much as read_time_max allows; the rest, and what comes meanwhile, is
  // left for another time, soon. True if there was anything.
  bool TakeDeliveries(bool all) ABSL_EXCLUSIVE_LOCKS_REQUIRED(build_mutex_);
  // Whether some profile has the key that signed the CRL with this head.
  absl::Status AdmitSigned(const CrlData& head) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(build_mutex_);
  void Read(const CrlDelivery& delivery, RemoteSource* source)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(build_mutex_);
  // The same if the spool's copy is not what it should be, or cannot be read.
  void ReadBadCopy(const CrlDelivery& delivery,
                   const absl::StatusOr<std::shared_ptr<const CrlData>>& crl,
                   RemoteSource* source)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(build_mutex_);
  // A file that was fetched is gone after this, and its index too.
  void Refuse(const CrlDelivery& delivery, const std::string& reason,
              bool superseded, RemoteSource* source)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(build_mutex_);
  // Judges it, once linked. A delta whose complete CRL may be among what is
  // still to be read waits for that.
  void SettleRemotes(const absl::btree_map<std::string, std::string>& refusals)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(build_mutex_);
  // Tries again to write indexes that could not be written, and tells the
  // listener when that begins and ends.
  void WriteIndexesAgain() ABSL_EXCLUSIVE_LOCKS_REQUIRED(build_mutex_);
  void TellOfUnwritten() ABSL_EXCLUSIVE_LOCKS_REQUIRED(tell_mutex_);
  // Now and then: removes compiled indexes of CRLs that are there no more.
  void SweepCompiled() ABSL_EXCLUSIVE_LOCKS_REQUIRED(build_mutex_);
  bool IsUsed(const CrlData& crl) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(build_mutex_);
  // Whether it is not used because a newer one of its partition is, or was.
  bool IsOlder(const CrlData& crl) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(build_mutex_);
  // `refusals`: by source, what linking said.
  std::string WhyUnused(
      const CrlData& crl,
      const absl::btree_map<std::string, std::string>& refusals) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(build_mutex_);
  // Whether it is older, and that can be told after a restart too.
  bool IsSuperseded(const CrlData& crl) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(build_mutex_);
  // Whether `crl`, which has lost its place, may be let go for its age: nobody
  // would be asked in its place who was not asked before.
  bool MayGoAtItsEnd(const CrlData& crl) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(build_mutex_);
  // Whether its nextUpdate and every profile's grace have passed.
  bool HasEnded(const CrlData& crl) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(build_mutex_);
  // Of every source.
  std::vector<CrlFile*> AllFiles() ABSL_EXCLUSIVE_LOCKS_REQUIRED(build_mutex_);
  std::vector<CrlFile*> AllFilesAndFormer()
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(build_mutex_);
  // Whether another CRL than `file.newest` is the last good one there and still
  // the newest of its partition.
  bool IsBeside(const CrlFile& file) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(build_mutex_);
  // Takes `file->newest`, which is in use, for the last good one. What says
  // nothing newer about its partition stays beside it: as many as have
  // partitions of their own, as if each had been configured. Where the last
  // good one is a delta it is the newcomer that stands beside, so that at the
  // file's end it is the delta that stays; then the error says so.
  std::string TakeIntoPlace(CrlFile* file)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(build_mutex_);
  // The same for a place on the network, where what stays beside is kept on
  // disk under an id of its own. Where that cannot be done, it is the newcomer
  // that stands beside, until the end of the process.
  std::string TakeIntoRemotePlace(const std::string& id, RemoteSource* source)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(build_mutex_);
  // Why what has been linked is not to be taken into its place; empty if it is.
  std::string WhyNotTaken(
      const CrlDelivery& delivery, const CrlFile& file,
      const RemoteSource& source,
      const absl::btree_map<std::string, std::string>& refusals)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(build_mutex_);
  // What is in force now is what nothing older may ever follow.
  void RaiseFloors() ABSL_EXCLUSIVE_LOCKS_REQUIRED(build_mutex_);
  // Finds what no place gives any more. True if that is news.
  bool FindUnplaced() ABSL_EXCLUSIVE_LOCKS_REQUIRED(build_mutex_);
  // Why `crl` cannot come to the place of `file` whatever else is linked, empty
  // if it can. Asked before it is linked, so that it supersedes nothing. No
  // place takes an expired complete CRL of another partition: nothing would
  // ever supersede it.
  std::string WhyNotHere(const CrlFile& file, const CrlData& crl) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(build_mutex_);
  // Whether the floors keep what is older than was in force out of the
  // partition of `crl`, whatever else is known of it.
  bool HasFloor(const CrlData& crl) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(build_mutex_);
  // Whether it is a complete CRL that has ended, and comes to a place that has
  // nothing else and is not a URL that never gave anything.
  bool IsDeadNews(const CrlDelivery& delivery, const RemoteSource& source,
                  const CrlData& crl) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(build_mutex_);
  // The same as WhyNotHere of what comes from the network: not while what the
  // place had is `unread`, unless a floor stands in for it. And no dead news
  // while anything of the same directory lives: a directory may name what
  // nobody ever configured, and what expired there would stay for ever.
  std::string WhyNotAnew(const CrlDelivery& delivery,
                         const RemoteSource& source, const CrlData& crl) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(build_mutex_);
  // The same as WhyNotHere, or that it is from the future.
  std::string WhyNotNow(const CrlFile& file, const CrlData& crl) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(build_mutex_);
  // Which other place has `file.newest` for its last good one; empty if none.
  std::string HeldElsewhere(const CrlFile& file)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(build_mutex_);
  bool TakeInVouched(bool force) ABSL_EXCLUSIVE_LOCKS_REQUIRED(build_mutex_);
  void LinkAll() ABSL_EXCLUSIVE_LOCKS_REQUIRED(build_mutex_);
  // What there is to say about sources after a look at them.
  struct Report {
    std::vector<CrlSourceError> errors;
    std::vector<CrlSourceStatus> statuses;
  };
  Report Settle(bool linked) ABSL_EXCLUSIVE_LOCKS_REQUIRED(build_mutex_);
  void SettleFiles(const absl::btree_map<std::string, std::string>& refusals,
                   Report* report) ABSL_EXCLUSIVE_LOCKS_REQUIRED(build_mutex_);
  // Lets go of what has been superseded, or has a place again, and names the
  // rest.
  void SettleDisplaced(Report* report)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(build_mutex_);
  // The same for what is on disk; what has ended is let go of too. (Of a CA's
  // old key, say: while that CRL is held, the new key's does not speak about
  // the old one's certificates.)
  void SettleDisplacedOnDisk(Report* report)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(build_mutex_);
  // Lets go of what is former once nothing is waited for.
  void SettleFormer() ABSL_EXCLUSIVE_LOCKS_REQUIRED(build_mutex_);
  // Lets go of what is not in use any more.
  void ReleaseUnused(RemoteSource* source)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(build_mutex_);
  std::shared_ptr<const Snapshot> NewSnapshot(bool wanted)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(build_mutex_);
  // `published` null: only the report is new.
  void Publish(Report report, std::shared_ptr<const Snapshot> published)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(build_mutex_);
  void Watch();
  // Until something happens, or it is time to look anyway. True if something
  // has.
  bool WaitForEvents(int inotify) ABSL_LOCKS_EXCLUDED(build_mutex_);
  absl::Duration ShortestPoll() ABSL_LOCKS_EXCLUDED(build_mutex_);
  void WatchFolders(int inotify) ABSL_LOCKS_EXCLUDED(build_mutex_);

  Mutex build_mutex_ ABSL_ACQUIRED_BEFORE(tell_mutex_, mutex_);
  Workshop workshop_ ABSL_GUARDED_BY(build_mutex_);
  // Replaced snapshots that readers still hold; they are freed on the keeper's
  // thread.
  Retired retired_ ABSL_GUARDED_BY(build_mutex_);

  // Held while the listener is told, so that it hears all in order.
  Mutex tell_mutex_ ABSL_ACQUIRED_BEFORE(mutex_);
  std::function<void(const UnwrittenIndexes&)> unwritten_listener_
      ABSL_GUARDED_BY(tell_mutex_);
  bool told_of_unwritten_ ABSL_GUARDED_BY(tell_mutex_) = false;

  mutable Mutex mutex_;
  std::shared_ptr<const Snapshot> current_ ABSL_GUARDED_BY(mutex_);
  // Replaced as a whole, so that nothing is copied while readers wait.
  std::shared_ptr<const Report> report_ ABSL_GUARDED_BY(mutex_) =
      std::make_shared<const Report>();
  // Those of the workshop, to be asked how they fare without waiting for it.
  std::vector<std::shared_ptr<const CrlRemote>> remotes_
      ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<const CrlLoader> loader_ ABSL_GUARDED_BY(mutex_);
  std::function<void(const Snapshot&)> listener_ ABSL_GUARDED_BY(mutex_);
  std::atomic<uint64_t> generation_{0};

  bool watch_ = false;
  int wake_fd_ = -1;  // eventfd: stop, or look again
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

// A thread's own view of the keeper: takes the lock only when the generation
// has moved. Not thread-safe; one for each thread.
class SnapshotReader {
 public:
  explicit SnapshotReader(const SnapshotKeeper& keeper) : keeper_(keeper) {}

  const std::shared_ptr<const Snapshot>& Pin() {
    const uint64_t generation = keeper_.generation();
    if (pinned_ == nullptr || pinned_->generation != generation) {
      pinned_ = keeper_.Current();
    }
    return pinned_;
  }

 private:
  const SnapshotKeeper& keeper_;
  std::shared_ptr<const Snapshot> pinned_;
};

}  // namespace inkan

#endif  // INKAN_CACHE_SNAPSHOT_KEEPER_H_
