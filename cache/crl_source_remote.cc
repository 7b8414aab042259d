#include "cache/crl_source_remote.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "cache/background_thread.h"
#include "cache/crl_fetch_http.h"
#include "cache/crl_source_jobs.h"
#include "cache/pem.h"
#include "cache/steady_time.h"
#include "crypto/digest.h"

namespace inkan {
namespace {

// How long Stop waits for fetches to notice.
constexpr absl::Duration kStopTime = absl::Seconds(3);

absl::Status WriteWholeFile(const std::string& path, Bytes bytes) {
  const int fd =
      open(path.c_str(), O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);
  bool good = fd >= 0;
  while (good && !bytes.empty()) {
    const ssize_t put = write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    good = put > 0;
    if (good) bytes = bytes.subspan(static_cast<size_t>(put));
  }
  const int error = errno;
  if (fd >= 0) close(fd);
  if (good) return absl::OkStatus();
  return absl::UnavailableError(
      absl::StrCat("cannot write ", path, ": ", std::strerror(error),
                   "; check the state directory's disk"));
}

}  // namespace

// What the threads work on; they keep it alive.
class CrlRemote::State {
 public:
  State(const CrlSourceOptions& source, std::shared_ptr<CrlSpool> crl_spool,
        std::function<void()> wake_keeper)
      : options_(source),
        source_name_(source.kind == CrlSourceOptions::Kind::kHttp
                         ? "http"
                         : PlaceOf(source.ldap)),
        spool_(std::move(crl_spool)),
        jobs_(source),
        wake_(std::move(wake_keeper)) {
    if (options_.kind == CrlSourceOptions::Kind::kHttp) {
      absl::flat_hash_map<std::string, size_t> places;  // ids -> jobs
      for (const std::string& url : options_.urls) {
        const std::string id = CrlSpool::IdOf(url);
        const size_t job = jobs_.AddJob(url, id);
        const auto held = spool_->Load(id);
        jobs_.AddItem(
            id, url, job,
            held.has_value() ? std::optional(held->record) : std::nullopt);
        places.emplace(id, job);
      }
      for (const CrlSpool::Held& held : spool_->LoadAll(source_name_)) {
        const auto place = places.find(held.record.displaced_from);
        if (place == places.end()) continue;
        jobs_.AddItem(held.id, held.record.place, place->second, held.record);
      }
      return;
    }
    const size_t job = jobs_.AddJob(source_name_, CrlSpool::IdOf(source_name_));
    for (const CrlSpool::Held& held : spool_->LoadAll(source_name_)) {
      jobs_.AddItem(held.id, held.record.place, job, held.record);
    }
  }

  RemoteJobs& jobs() { return jobs_; }
  const CrlSourceOptions& options() const { return options_; }

  void Run() {
    BecomeBackgroundThread();
    GiveWayAtOnce();
    HttpFetcher fetcher;
    while (const auto work = jobs_.Next()) {
      KeepBackgroundPace();
      if (!spool_->TryClaim(work->id)) {
        jobs_.Postpone(work->job);
        continue;
      }
      const bool judging = options_.kind == CrlSourceOptions::Kind::kHttp
                               ? FetchUrl(*work, &fetcher)
                               : FetchDirectory(*work);
      // While it is judged the claim stays. At the end nobody judges, and the
      // claim is ours unless End has given it back already.
      if (!judging || (stopping_.load() && jobs_.TakeClaim(work->job))) {
        spool_->Release(work->id);
      }
      if (judging) Wake();
    }
    MutexLock lock(&mutex_);
    --running_;
    ended_.SignalAll();
  }

  void AddThread() {
    MutexLock lock(&mutex_);
    ++running_;
  }

  void Interrupt() {
    stopping_ = true;
    jobs_.End();
  }

  // True if every thread has come to its end.
  bool End() {
    Interrupt();
    const absl::Duration deadline = SteadyNow() + kStopTime;
    MutexLock lock(&mutex_);
    wake_ = nullptr;
    while (running_ > 0 && SteadyNow() < deadline) {
      ended_.WaitFor(&mutex_, std::chrono::milliseconds(50));
    }
    // While the places are still claimed. (What a thread that hangs has begun
    // is removed at the next start.)
    const RemoteJobs::Leftovers leftovers = jobs_.TakeLeftovers();
    for (const auto& [id, digest] : leftovers.crls) spool_->Drop(id, digest);
    for (const std::string& id : leftovers.parts) spool_->DropPart(id);
    for (const std::string& id : jobs_.TakeClaims()) spool_->Release(id);
    return running_ == 0;
  }

  std::vector<CrlDelivery> Take(size_t at_most) {
    std::vector<CrlDelivery> deliveries;
    for (const RemoteItem& item : jobs_.TakeCandidates(at_most)) {
      CrlDelivery delivery;
      delivery.id = item.id;
      delivery.place = item.place;
      delivery.sha256 = item.candidate->sha256;
      delivery.path = spool_->CrlPath(item.id, delivery.sha256);
      if (item.candidate->from_spool) {
        delivery.expected = item.record->crl_sha256;
      }
      delivery.has_record = item.record.has_value();
      if (item.displaced()) {
        delivery.displaced_from = item.record->displaced_from;
      }
      deliveries.push_back(std::move(delivery));
    }
    return deliveries;
  }

  void Accept(const std::string& id, const FileDigest& sha256,
              const CrlData& crl) {
    const auto item = jobs_.Find(id);
    if (!IsCandidate(item, sha256)) return;
    RemoteJobs::Judgement judgement;
    judgement.used = true;
    judgement.dates.this_update = absl::FromUnixSeconds(crl.this_update);
    if (crl.has_next_update) {
      judgement.dates.next_update = absl::FromUnixSeconds(crl.next_update);
    }
    SpoolRecord record;
    record.place = item->place;
    record.source = source_name_;
    record.validators = item->candidate->validators;
    record.sha256 = item->candidate->sha256;
    record.crl_sha256 = crl.sha256;
    record.fetched_at = item->candidate->fetched_at;
    if (item->displaced()) {
      record.displaced_from = item->record->displaced_from;
    }
    absl::Status kept;
    if (!item->candidate->from_spool) {
      kept = spool_->Keep(
          id, record,
          item->record.has_value() ? item->record->sha256 : record.sha256);
    }
    // In use it is all the same; it will be fetched, and kept, again.
    judgement.error = std::string(kept.message());
    if (kept.ok()) judgement.kept = record;
    Judge(*item, judgement);
  }

  void Refuse(const std::string& id, const FileDigest& sha256,
              const std::string& reason, bool superseded) {
    const auto item = jobs_.Find(id);
    if (!IsCandidate(item, sha256)) return;
    if (!IsKept(*item, sha256)) spool_->Drop(id, sha256);
    RemoteJobs::Judgement judgement;
    judgement.error = reason;
    judgement.superseded = superseded;
    Judge(*item, judgement);
  }

  absl::StatusOr<std::string> Displace(const std::string& id) {
    const auto item = jobs_.Find(id);
    if (!item.has_value() || !item->holds_record() || item->displaced()) {
      return absl::FailedPreconditionError("it is not on disk");
    }
    if (jobs_.CountDisplaced(id) >= kDisplacedMax) {
      return absl::ResourceExhaustedError(absl::StrCat(
          "this place has lost ", kDisplacedMax, " partitions already"));
    }
    auto own_id = spool_->Displace(id, *item->record);
    if (!own_id.ok()) return own_id;
    SpoolRecord own_record = *item->record;
    own_record.displaced_from = id;
    jobs_.Displace(id, *own_id, own_record);
    return own_id;
  }

  void ForgetDisplaced() { spool_->Forget(jobs_.ForgetDisplaced()); }

 private:
  static bool IsCandidate(const std::optional<RemoteItem>& item,
                          const FileDigest& sha256) {
    return item.has_value() && item->candidate.has_value() &&
           item->candidate->sha256 == sha256;
  }
  static bool IsKept(const RemoteItem& item, const FileDigest& sha256) {
    return item.record.has_value() && item.record->sha256 == sha256;
  }

  void Wake() {
    MutexLock lock(&mutex_);
    if (wake_) wake_();
  }

  void Judge(const RemoteItem& item, const RemoteJobs::Judgement& judgement) {
    std::string claim = CrlSpool::IdOf(source_name_);
    if (options_.kind == CrlSourceOptions::Kind::kHttp) {
      claim = item.displaced() ? item.record->displaced_from : item.id;
    }
    // Whatever was judged last: what the spool holds may be offered again while
    // what was fetched waits.
    const RemoteJobs::Consequence consequence =
        jobs_.Judge(item.id, item.candidate->sha256, judgement);
    if (consequence.release) spool_->Release(claim);
    if (consequence.more) Wake();
  }

  // Whether the last good CRL is there as it was kept, so that "not modified"
  // and "the same again" are good news.
  bool HoldsGood(const RemoteItem& item) const {
    return item.holds_record() &&
           spool_->IsIntact(item.id, item.record->sha256);
  }

  // Both return whether there is something for the keeper to judge.
  bool FetchUrl(const RemoteJobs::Work& work, HttpFetcher* fetcher) {
    const RemoteItem item = *jobs_.Find(work.id);
    HttpRequest request;
    request.url = work.place;
    request.ca_file = options_.ca_file;
    request.part_file = spool_->PartPath(work.id);
    request.limits = options_.limits;
    if (HoldsGood(item)) request.known = item.record->validators;
    request.partial = item.partial;
    HttpReply reply = fetcher->Get(request, stopping_);
    HttpValidators partial;
    if (reply.outcome == HttpOutcome::kFailed) partial = reply.validators;
    if (reply.outcome == HttpOutcome::kNotModified) {
      jobs_.Unchanged(work.id, std::nullopt);
    } else if (reply.outcome == HttpOutcome::kFetched) {
      reply.error = TakeFetched(item, reply.validators, work.job);
    }
    const uint64_t bytes = partial.empty() ? 0 : spool_->PartBytes(work.id);
    if (!jobs_.SetPartial(work.id, partial, bytes)) spool_->DropPart(work.id);
    return jobs_.EndFetch(work.job, reply.error, reply.retry_after,
                          reply.bytes_received);
  }

  // A whole part file. Returns what is wrong, or nothing.
  std::string TakeFetched(const RemoteItem& item,
                          const HttpValidators& validators, size_t job) {
    const auto digest = spool_->Finish(item.id);
    if (!digest.ok()) return std::string(digest.status().message());
    if (IsKept(item, *digest) && item.holds_record()) {
      // In use already; the file has been written anew, in case it was damaged.
      SpoolRecord record = *item.record;
      record.validators = validators;
      record.fetched_at = absl::Now();
      const absl::Status kept = spool_->Keep(item.id, record, record.sha256);
      jobs_.Unchanged(item.id, record);
      return kept.ok() ? "" : std::string(kept.message());
    }
    RemoteCandidate candidate;
    candidate.sha256 = *digest;
    candidate.validators = validators;
    candidate.fetched_at = absl::Now();
    if (!IsKept(item, *digest)) {
      candidate.bytes = spool_->CrlBytes(item.id, *digest);
    }
    const auto replaced = jobs_.Deliver(item.id, item.place, job, candidate);
    if (replaced.has_value() && *replaced != *digest &&
        !IsKept(item, *replaced)) {
      spool_->Drop(item.id, *replaced);
    }
    return "";
  }

  // One search: what came under which name, and which items that is. A CRL that
  // an item has already is that item's under whatever name it comes, so that
  // neither names made up for it nor values that change places matter.
  struct Search {
    absl::flat_hash_set<std::string> names;  // ids of
    absl::flat_hash_map<FileDigest, std::string> holders;
    absl::flat_hash_set<std::string> found;  // ids of items
    std::string twice;                       // the first name that came twice
  };

  bool FetchDirectory(const RemoteJobs::Work& work) {
    LdapRequest request = options_.ldap;
    request.limits = options_.limits;
    Search search;
    search.holders = jobs_.HoldersIn(work.job);
    const std::vector<std::string> gone_before = jobs_.Gone();
    std::string disk_error;
    const LdapReply reply = SearchLdap(
        request, stopping_,
        [&](const std::string& place, absl::Span<const Bytes> values) {
          disk_error = TakeValues(place, values, work.job, &search);
          return disk_error.empty();
        });
    spool_->Forget(jobs_.MarkGone(work.job, search.found, reply.ok));
    if (jobs_.Gone() != gone_before) Wake();  // for what is said about it
    std::string error = disk_error.empty() ? reply.error : disk_error;
    if (error.empty() && !search.twice.empty()) {
      error = absl::StrCat("the directory sent ", search.twice,
                           " twice in one answer, and the first of them was "
                           "taken; check with its operator, or the proxy's");
    }
    return jobs_.EndFetch(work.job, error, std::nullopt, reply.bytes_received);
  }

  // The values of one attribute, in whatever order. First those that an item
  // has already; the others take the names that are left, so that none takes
  // the place of one that has only moved.
  // Returns what is wrong with the disk, or nothing.
  std::string TakeValues(const std::string& place,
                         absl::Span<const Bytes> values, size_t job,
                         Search* search) {
    std::vector<std::string> places;
    std::vector<std::string> names;
    for (size_t i = 0; i < values.size(); ++i) AddName(place, &places, &names);
    if (!values.empty() && !search->names.insert(names[0]).second) {
      // Nobody could say which of them is meant.
      if (search->twice.empty()) search->twice = place;
      return "";
    }
    std::vector<size_t> unknown;
    std::vector<FileDigest> digests;
    for (size_t i = 0; i < values.size(); ++i) {
      digests.push_back(Sha256(values[i]));
      const auto holder = search->holders.find(digests[i]);
      if (holder == search->holders.end()) {
        unknown.push_back(i);
        continue;
      }
      if (!search->found.insert(holder->second).second) continue;
      std::string error =
          TakeValue(holder->second, nullptr, values[i], digests[i], job);
      if (!error.empty()) return error;
    }
    for (const size_t i : unknown) {
      // One value twice is one value.
      if (search->holders.contains(digests[i])) continue;
      size_t at = i;
      for (size_t other = 0; search->found.contains(names[at]); ++other) {
        // Taken for CRLs that other entries had as well.
        if (other == names.size()) AddName(place, &places, &names);
        at = other;
      }
      search->found.insert(names[at]);
      // What it had is nobody's now, should it come yet.
      if (const auto former = jobs_.Find(names[at]);
          former.has_value() && former->record.has_value()) {
        const auto holder = search->holders.find(former->record->sha256);
        if (holder != search->holders.end() && holder->second == names[at]) {
          search->holders.erase(holder);
        }
      }
      search->holders.emplace(digests[i], names[at]);
      std::string error =
          TakeValue(names[at], &places[at], values[i], digests[i], job);
      if (!error.empty()) return error;
    }
    return "";
  }

  // The next name of an attribute: its place, then that with #2 and so on.
  void AddName(const std::string& place, std::vector<std::string>* places,
               std::vector<std::string>* names) const {
    places->push_back(
        places->empty() ? place : absl::StrCat(place, "#", places->size() + 1));
    names->push_back(
        CrlSpool::IdOf(absl::StrCat(source_name_, "\n", places->back())));
  }

  // `place` null: that of the item.
  std::string TakeValue(const std::string& id, const std::string* place,
                        Bytes value, const FileDigest& digest, size_t job) {
    RemoteItem item = jobs_.Find(id).value_or(RemoteItem());
    if (place != nullptr) item.place = *place;
    item.id = id;
    if (LooksLikePem(value)) {
      // Text around it would make one CRL many files.
      jobs_.Reject(
          id, item.place, job,
          "the value is PEM; a directory gives CRLs as DER (RFC 4523); "
          "check with its operator");
      return "";
    }
    if (IsKept(item, digest) && HoldsGood(item)) {
      jobs_.Unchanged(id, std::nullopt);
      return "";
    }
    const absl::Status written = WriteWholeFile(spool_->PartPath(id), value);
    std::string error(written.message());
    if (written.ok()) error = TakeFetched(item, HttpValidators(), job);
    if (!error.empty()) spool_->DropPart(id);  // nobody goes on with it
    return error;
  }

  const CrlSourceOptions options_;
  const std::string source_name_;
  const std::shared_ptr<CrlSpool> spool_;
  RemoteJobs jobs_;
  StopFlag stopping_{false};

  Mutex mutex_;
  CondVar ended_;
  int running_ ABSL_GUARDED_BY(mutex_) = 0;
  std::function<void()> wake_ ABSL_GUARDED_BY(mutex_);
};

CrlRemote::CrlRemote(const CrlSourceOptions& options,
                     std::shared_ptr<CrlSpool> spool,
                     std::function<void()> wake)
    : state_(std::make_shared<State>(options, std::move(spool),
                                     std::move(wake))) {}

CrlRemote::~CrlRemote() { Stop(); }

std::string CrlRemote::PlaceOf(const LdapRequest& ldap) {
  return absl::StrCat(ldap.url, ldap.url.ends_with('/') ? "" : "/",
                      ldap.base_dn, "?", absl::StrJoin(ldap.attributes, ","),
                      "?", static_cast<int>(ldap.scope), "?", ldap.filter);
}

std::string CrlRemote::IdentityOf(const CrlSourceOptions& options) {
  const LdapRequest& ldap = options.ldap;
  const auto text = [](absl::Duration d) { return absl::FormatDuration(d); };
  return absl::StrCat(
      static_cast<int>(options.kind), "\n", absl::StrJoin(options.urls, "\n"),
      "\n", options.ca_file, "\n", PlaceOf(ldap), "\n", ldap.start_tls, "\n",
      ldap.ca_file, "\n", ldap.bind_dn, "\n", ldap.password, "\n",
      ldap.entries_max, " ", ldap.values_max, " ", options.parallel, " ",
      options.limits.bytes_max, " ", text(options.limits.connect_timeout), " ",
      text(options.limits.stall_timeout), " ",
      text(options.limits.total_timeout), " ",
      text(options.schedule.poll_interval), " ",
      text(options.schedule.retry_first), " ",
      text(options.schedule.retry_max));
}

void CrlRemote::Start() {
  const unsigned count =
      state_->options().kind == CrlSourceOptions::Kind::kLdap
          ? 1
          : std::clamp(state_->options().parallel, 1U,
                       static_cast<unsigned>(
                           std::max<size_t>(1, state_->options().urls.size())));
  for (unsigned i = 0; i < count; ++i) {
    state_->AddThread();
    threads_.emplace_back([state = state_] { state->Run(); });
  }
}

void CrlRemote::Interrupt() { state_->Interrupt(); }

void CrlRemote::Stop() {
  if (stopped_.exchange(true)) return;
  const bool all_ended = state_->End();
  for (std::thread& thread : threads_) {
    if (all_ended) {
      thread.join();
    } else {
      thread.detach();
    }
  }
  threads_.clear();
}

std::vector<CrlDelivery> CrlRemote::Take(size_t at_most) {
  return state_->Take(at_most);
}
void CrlRemote::Accept(const std::string& id, const FileDigest& sha256,
                       const CrlData& crl) {
  state_->Accept(id, sha256, crl);
}
void CrlRemote::Refuse(const std::string& id, const FileDigest& sha256,
                       const std::string& reason, bool superseded) {
  state_->Refuse(id, sha256, reason, superseded);
}
size_t CrlRemote::queued() const { return state_->jobs().queued(); }
void CrlRemote::Release(const std::string& id, bool superseded) {
  state_->jobs().Release(id, superseded);
}
void CrlRemote::ForgetDisplaced() { state_->ForgetDisplaced(); }
absl::StatusOr<std::string> CrlRemote::Displace(const std::string& id) {
  return state_->Displace(id);
}
bool CrlRemote::Knows(const std::string& id) const {
  return state_->jobs().Find(id).has_value();
}
bool CrlRemote::HasAsked() const { return state_->jobs().HasAsked(); }
std::vector<std::string> CrlRemote::Gone() const {
  return state_->jobs().Gone();
}
void CrlRemote::AskNow() { state_->jobs().AskNow(); }
void CrlRemote::AppendStatuses(std::vector<CrlSourceStatus>* out) const {
  state_->jobs().AppendStatuses(out);
}
void CrlRemote::AppendErrors(std::vector<CrlSourceError>* out) const {
  state_->jobs().AppendErrors(out);
}

}  // namespace inkan
