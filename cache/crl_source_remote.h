// CRLs that come over HTTP or LDAP: asked by schedule on threads of their own,
// kept in the spool, handed to the keeper to be judged.
//
//   CrlRemote remote(options, spool, [] { wake the keeper; });
//   for (CrlDelivery& d : remote.Take()) ...  // first what the spool holds
//   remote.Start();                           // from now on, the network
//   ... read the CRL at d.path, link it ...
//   remote.Accept(d.id, d.sha256, *crl)  or
//   remote.Refuse(d.id, d.sha256, "why")
//
// A job is what is asked at once: one URL, or one LDAP search. An item is a
// partition: the URL, or one value of one entry. A job is in one phase: waiting
// for its time; fetching; or judging, until the keeper has judged all it
// delivered. Only then is it asked again: there is never more than one fetch of
// a place, over reloads too, which the spool's claims see to.
//
// What the spool holds of an item that is not in use is offered at the start,
// on AskNow, and whenever its place could not give a CRL that is used: a reason
// to refuse it, like a clock that was wrong, may have passed meanwhile.
//
// What is refused leaves no trace but its error: the record of the last good
// CRL, with the validators of conditional requests, changes only in Accept.
// What a directory has under several names is one item, under the first of
// them. Only what the configuration names is asked; nothing here ever sees a
// certificate.
//
// Thread safety: every method from any thread. None waits for a fetch, but Stop
// (and the destructor), which ends them: 3 seconds at most, after which a
// thread that hangs in a name server is left to end by itself.
#ifndef INKAN_CACHE_CRL_SOURCE_REMOTE_H_
#define INKAN_CACHE_CRL_SOURCE_REMOTE_H_

#include <atomic>
#include <cstddef>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "cache/crl_source.h"
#include "cache/crl_spool.h"

namespace inkan {

// A CRL to be judged.
struct CrlDelivery {
  std::string id;
  std::string place;  // how it is called in reports: the URI
  std::string path;
  FileDigest sha256{};  // of the file, to be said with its judgement
  // What it must be, if it comes from the spool: CrlData::sha256.
  std::optional<std::array<uint8_t, 32>> expected;
  // It has lost its place, of this id, to a CRL of another partition.
  std::string displaced_from;
  // The spool holds something under this id, be it in use or not.
  bool has_record = false;
};

class CrlRemote {
 public:
  // REQUIRES: options.kind is kHttp or kLdap. `wake` is called on any thread
  // when there is something to Take, never after Stop.
  CrlRemote(const CrlSourceOptions& options, std::shared_ptr<CrlSpool> spool,
            std::function<void()> wake);
  ~CrlRemote();
  CrlRemote(const CrlRemote&) = delete;
  CrlRemote& operator=(const CrlRemote&) = delete;

  // Whether something of the configuration is known by this id, or of what the
  // spool holds for it.
  bool Knows(const std::string& id) const;
  // Whether every place has been asked and what came judged, or has something
  // in use.
  bool HasAsked() const;
  // How a search is called in reports, and by what it is known.
  static std::string PlaceOf(const LdapRequest& ldap);
  // Two sources with one identity are one: same places, same rules.
  static std::string IdentityOf(const CrlSourceOptions& options);

  void Start();
  // Makes fetches end, and waits for none; for where several are to Stop.
  void Interrupt();
  // Once; what comes after it, the destructor too, does nothing. By one thread.
  void Stop();

  // What came first, and not more than `at_most`.
  std::vector<CrlDelivery> Take(
      size_t at_most = std::numeric_limits<size_t>::max());
  // How many there are to Take, at most.
  size_t queued() const;
  // What was delivered is in use now: it becomes the last good one on disk.
  // Nothing happens, here and in Refuse, if another file has been delivered
  // under this id since.
  void Accept(const std::string& id, const FileDigest& sha256,
              const CrlData& crl);
  // `superseded`: a newer one of its partition is in use.
  void Refuse(const std::string& id, const FileDigest& sha256,
              const std::string& reason, bool superseded = false);
  // What was accepted is not in use any more (it was superseded from elsewhere,
  // or no profile wants it): the next fetch is without condition. What was
  // superseded and is in its directory no longer is forgotten, on disk too.
  void Release(const std::string& id, bool superseded = false);
  // What is in use under `id` stays so, and on disk, under an id of its own,
  // which is returned, until it is superseded: another partition's CRL comes to
  // its place. Fails if it cannot be kept there, or kDisplacedMax are already;
  // then nothing has changed.
  absl::StatusOr<std::string> Displace(const std::string& id);
  // Forgets what was displaced and is superseded, on disk too.
  void ForgetDisplaced();
  // As many partitions as a place can lose before what comes next stands beside
  // them until the end of the process only: a place that is found with the
  // wrong CRL more often than this belongs to nobody. Each is a file on disk.
  static constexpr size_t kDisplacedMax = 16;
  // Ids of what is in use though its directory has it no longer.
  std::vector<std::string> Gone() const;
  // Every place as soon as may be, and what the spool holds that is not in use
  // once more.
  void AskNow();

  void AppendStatuses(std::vector<CrlSourceStatus>* out) const;
  void AppendErrors(std::vector<CrlSourceError>* out) const;

 private:
  class State;

  std::shared_ptr<State> state_;
  std::vector<std::thread> threads_;
  std::atomic<bool> stopped_{false};
};

}  // namespace inkan

#endif  // INKAN_CACHE_CRL_SOURCE_REMOTE_H_
