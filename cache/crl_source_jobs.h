// The books of one source on the network: what is to be asked when, what came
// of it, and what is said about it. No I/O; cache/crl_source_remote.h does
// that.
//
// Thread safety: every method from any thread; none blocks but Next.
#ifndef INKAN_CACHE_CRL_SOURCE_JOBS_H_
#define INKAN_CACHE_CRL_SOURCE_JOBS_H_

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "cache/crl_source_remote.h"
#include "cache/mutex.h"

namespace inkan {

// A CRL that came and has not been judged.
struct RemoteCandidate {
  FileDigest sha256{};  // of the file
  HttpValidators validators;
  absl::Time fetched_at;
  bool from_spool = false;
  uint64_t bytes = 0;  // on disk for this alone
};

// One partition.
struct RemoteItem {
  std::string id;
  std::string place;
  size_t job = 0;
  // What the spool holds of it.
  std::optional<SpoolRecord> record;
  // Whether that, or what came after it, is in use.
  bool good = false;
  // What is in use is what the record names: it could be kept.
  bool kept = false;
  // The last whole search did not find it (LDAP).
  bool gone = false;
  // It is not, and a newer one of its partition, from elsewhere, is.
  bool superseded = false;
  CrlDates dates;
  std::string error;
  // The error is what the place was found with when it was last asked, and no
  // news of what the spool holds.
  bool error_of_place = false;
  absl::Time last_success = absl::InfinitePast();

  // It has lost its place to another partition and only comes from the spool.
  bool displaced() const {
    return record.has_value() && !record->displaced_from.empty();
  }
  // The record's CRL is in use, and what its place is compared with.
  bool holds_record() const { return good && kept && record.has_value(); }
  HttpValidators partial;  // of what the part file holds
  uint64_t partial_bytes = 0;
  std::optional<RemoteCandidate> candidate;
  bool queued = false;  // nobody has taken it
};

class RemoteJobs {
 public:
  explicit RemoteJobs(CrlSourceOptions options);

  // Before any thread uses it.
  size_t AddJob(const std::string& place, const std::string& id);
  void AddItem(const std::string& id, const std::string& place, size_t job,
               std::optional<SpoolRecord> record);

  struct Work {
    size_t job;
    std::string id;
    std::string place;
  };
  // Waits for a job whose time has come and marks it as fetching. Nothing once
  // ended. While what came and has not been judged is more than one CRL may be
  // (limits.bytes_max), none is handed out: on disk lies as much at most, and
  // what was being fetched then.
  std::optional<Work> Next();
  void End();
  bool ended() const;

  // The fetching thread's reports. Postpone: the place is being asked already.
  void Postpone(size_t job);
  std::optional<RemoteItem> Find(const std::string& id) const;
  // False if the part of so many octets is not to be kept: all those of a
  // source together take no more than one CRL may.
  bool SetPartial(const std::string& id, const HttpValidators& partial,
                  uint64_t bytes);
  // What came could not be taken, and there is nothing to judge.
  void Reject(const std::string& id, const std::string& place, size_t job,
              const std::string& error);
  // The place has nothing newer; `record`, if given, is what the spool holds.
  void Unchanged(const std::string& id, std::optional<SpoolRecord> record);
  // To be taken when the fetch is over, so that what one answer says is judged
  // together. In the place of a candidate that waits already, if there is one:
  // that one is returned, and what is said about it from now on is ignored.
  std::optional<FileDigest> Deliver(const std::string& id,
                                    const std::string& place, size_t job,
                                    RemoteCandidate candidate);
  // By the digest of their files: a job's CRLs that are in use or wait to be
  // judged, each with the id that has it.
  absl::flat_hash_map<FileDigest, std::string> HoldersIn(size_t job) const;
  // After an LDAP search: forgets what it did not find and never was good. If
  // it was `whole`, what it did not find is gone, and forgotten if it has been
  // superseded: what the spool holds of those is returned, to be removed.
  std::vector<CrlSpool::Held> MarkGone(
      size_t job, const absl::flat_hash_set<std::string>& found, bool whole);
  // The fetch is over; `error` empty if it went well. What it delivered is
  // judged before the job is asked again, and so is what the spool holds of
  // items that are not in use and of which nothing came: why it was refused
  // before may have passed. Returns whether there is something to judge.
  bool EndFetch(size_t job, const std::string& error,
                std::optional<absl::Duration> retry_after, uint64_t bytes);

  // The keeper's reports.
  std::vector<RemoteItem> TakeCandidates(size_t at_most);
  // How many are to be taken, at most.
  size_t queued() const;
  struct Judgement {
    bool used = false;
    bool superseded = false;
    std::string error;
    std::optional<SpoolRecord>
        kept;        // what the spool holds now, if that is new
    CrlDates dates;  // of what is used
  };
  struct Consequence {
    // What the job fetched has been judged by now, and the claim on the place
    // is to be given back.
    bool release = false;
    // There is something more to judge: what the spool holds in the place of
    // what was refused.
    bool more = false;
  };
  // What became of an item's candidate of this digest.
  Consequence Judge(const std::string& id, const FileDigest& sha256,
                    const Judgement& judgement);
  void Release(const std::string& id, bool superseded);
  // Forgets what is displaced and superseded: what the spool holds of it is
  // returned, to be removed.
  std::vector<CrlSpool::Held> ForgetDisplaced();
  // What is in use under `id` is an item of its own from now on.
  void Displace(const std::string& id, const std::string& own_id,
                const SpoolRecord& own_record);
  size_t CountDisplaced(const std::string& id) const;
  // Ids of what is in use and is in its directory no longer.
  std::vector<std::string> Gone() const;
  // Whether every job has been asked and what came judged, or has something in
  // use.
  bool HasAsked() const;
  void AskNow();

  // At the end: what came and will not be judged any more, and whose part will
  // not be continued. Neither is remembered.
  struct Leftovers {
    std::vector<std::pair<std::string, FileDigest>> crls;
    std::vector<std::string> parts;
  };
  Leftovers TakeLeftovers();
  // Claims that are to be given back now, since nothing more is judged; each is
  // said once, here or by Judge.
  bool TakeClaim(size_t job);
  std::vector<std::string> TakeClaims();
  void AppendStatuses(std::vector<CrlSourceStatus>* out) const;
  void AppendErrors(std::vector<CrlSourceError>* out) const;

 private:
  struct Job {
    enum class Phase { kWaiting, kFetching, kJudging };
    std::string place;
    std::string id;
    Phase phase = Phase::kWaiting;
    absl::Duration next_attempt;  // by SteadyNow
    absl::Time last_attempt = absl::InfinitePast();
    absl::Time last_success = absl::InfinitePast();
    std::string error;
    std::optional<absl::Duration> retry_after;
    bool faulty = false;      // this time, in whatever part
    bool spool_only = false;  // what is judged came from there
    bool asked = false;       // once at least, and what came was judged
    bool ask_now = false;     // as soon as that has been judged
    // Something that was fetched is to be judged; the place is claimed so long.
    bool claimed = false;
    uint32_t failures = 0;                       // in a row
    size_t unjudged = 0;                         // items delivered
    std::vector<std::string> delivered;          // ids, during a fetch
    absl::flat_hash_set<std::string> displaced;  // ids of such items
    uint64_t attempts_total = 0;
    uint64_t failures_total = 0;
    uint64_t bytes_total = 0;
  };

  void Queue(RemoteItem* item) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Offers an item's last good CRL for use. REQUIRES: it has one, and no
  // candidate.
  void OfferRecord(RemoteItem* item) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Once all is judged: when to ask again.
  void Conclude(size_t job) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // What is displaced comes last.
  std::vector<RemoteItem*> ItemsOf(size_t job)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Duration WaitAfterSuccess(size_t job)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // What was wrong with it at the last attempt.
  std::string ErrorOf(const RemoteItem& item) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Takes an item's candidate from it.
  void DropCandidate(RemoteItem* item) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  double Random() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool IsLdap() const { return options_.kind == CrlSourceOptions::Kind::kLdap; }
  const char* KindName() const { return IsLdap() ? "ldap" : "http"; }

  const CrlSourceOptions options_;
  mutable Mutex mutex_;
  CondVar changed_;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<Job> jobs_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, RemoteItem> items_ ABSL_GUARDED_BY(mutex_);
  // Ids of items that are queued, each once.
  std::deque<std::string> untaken_ ABSL_GUARDED_BY(mutex_);
  uint64_t unjudged_bytes_ ABSL_GUARDED_BY(mutex_) = 0;  // of candidates
  uint64_t partial_bytes_ ABSL_GUARDED_BY(mutex_) = 0;   // of parts
  std::mt19937_64 random_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace inkan

#endif  // INKAN_CACHE_CRL_SOURCE_JOBS_H_
