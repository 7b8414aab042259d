// CRLs that came over the network, on disk: what was last good from each place
// survives a restart.
//
//   auto spool = CrlSpool::Open(state_directory);            // StatusOr
//   if (!spool->TryClaim(id)) return;                        // single flight
//   ... write spool->PartPath(id) ...
//   absl::StatusOr<FileDigest> digest = spool->Finish(id);   // part -> crl
//   ... read spool->CrlPath(id, *digest), verify it ...
//   spool->Keep(id, record) or spool->Drop(id, *digest);
//
// For each id (hexadecimal, of the place's name) there are, in
// state_directory/spool:
//   ID.DIGEST.crl  a CRL as it came, under half of its SHA-256
//   ID.meta        which of them was last good, and what is known of it, as
//                  text: "field: value" lines, see SpoolRecord
//   ID.part        the beginning of a transfer
// What is in use and has lost its place to a CRL of another partition is kept
// under an id of its own, with a record that names the place's (Displace).
// The record is synced, replaced by one rename, and only ever names a CRL that
// was taken into use; a CRL's file never changes its name, so that a compiled
// index of it stays good. A file whose bytes are not those of its digest is
// damaged: it is not believed, and a fetch of the same CRL replaces it.
//
// Thread safety: every method from any thread; one thread at a time for each
// id, which TryClaim sees to.
#ifndef INKAN_CACHE_CRL_SPOOL_H_
#define INKAN_CACHE_CRL_SPOOL_H_

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cache/crl_fetch_http.h"
#include "cache/mutex.h"

namespace inkan {

using FileDigest = std::array<uint8_t, 32>;

// SHA-256 of a file's bytes, in constant memory.
absl::StatusOr<FileDigest> DigestOfFile(const std::string& path);

// What a folder holds, as far as it can be listed: a disk that fails half-way
// ends the list, where a range-for over its iterator would throw.
std::vector<std::filesystem::path> FilesIn(const std::string& folder);

struct SpoolRecord {
  std::string place;   // the URI, for people
  std::string source;  // which configured source it belongs to
  HttpValidators validators;
  FileDigest sha256{};      // of the file
  FileDigest crl_sha256{};  // CrlData::sha256; another if the file is PEM
  absl::Time fetched_at = absl::InfinitePast();
  // The id of the place that it has lost; empty: it is what its place gave
  // last.
  std::string displaced_from;
};

class CrlSpool {
 public:
  // Makes the folders and locks them against other processes. Errors name the
  // folder: kFailedPrecondition if another process has it.
  static absl::StatusOr<std::shared_ptr<CrlSpool>> Open(
      const std::string& state_directory);
  // For looking only: takes no lock, makes nothing.
  static std::shared_ptr<CrlSpool> OpenToRead(
      const std::string& state_directory);
  ~CrlSpool();
  CrlSpool(const CrlSpool&) = delete;
  CrlSpool& operator=(const CrlSpool&) = delete;

  static std::string IdOf(const std::string& place);

  // Single flight for each id, over all sources and reloads. False if somebody
  // has it; else Release it.
  bool TryClaim(const std::string& id) ABSL_LOCKS_EXCLUDED(mutex_);
  void Release(const std::string& id) ABSL_LOCKS_EXCLUDED(mutex_);

  std::string CrlPath(const std::string& id, const FileDigest& digest) const;
  std::string PartPath(const std::string& id) const;
  // Octets of those files; 0 if they are not there.
  uint64_t CrlBytes(const std::string& id, const FileDigest& digest) const;
  uint64_t PartBytes(const std::string& id) const;

  // Makes a whole part (synced to disk) a CRL, and says its digest.
  absl::StatusOr<FileDigest> Finish(const std::string& id)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Makes the CRL of record.sha256 the last good one. The one before stays
  // until SyncKept.
  absl::Status Keep(const std::string& id, const SpoolRecord& record,
                    const FileDigest& before) ABSL_LOCKS_EXCLUDED(mutex_);
  // Makes a copy of what is kept under `id` the last good one under an id of
  // its own, which is returned, so that `id` may be given to another one. On
  // disk when it returns. `record` is that of `id`.
  absl::StatusOr<std::string> Displace(const std::string& id,
                                       const SpoolRecord& record)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Once for many that were kept: makes sure that their records will be found
  // after a power failure, and only then removes the CRLs before. What could
  // not be synced is removed at the next Open.
  void SyncKept() ABSL_LOCKS_EXCLUDED(mutex_);
  // Removes a CRL that was not kept.
  void Drop(const std::string& id, const FileDigest& digest);
  void DropPart(const std::string& id);

  struct Held {
    std::string id;
    SpoolRecord record;
  };
  // Removes what was kept: records first, so that none is left without its CRL.
  void Forget(const std::vector<Held>& kept);
  // What was kept under an id, if its record can be read. Whether the file is
  // still what it was is not looked at; see IsIntact.
  std::optional<Held> Load(const std::string& id) const;
  // Everything that belongs to a source, what is displaced too.
  std::vector<Held> LoadAll(const std::string& source) const;
  // Whether the CRL's file is what its digest says. Reads it all.
  bool IsIntact(const std::string& id, const FileDigest& digest) const;

 private:
  absl::Status WriteRecord(const std::string& id, const SpoolRecord& record);
  void CleanUp();

  explicit CrlSpool(std::string folder) : folder_(std::move(folder)) {}

  const std::string folder_;
  int lock_fd_ = -1;
  Mutex mutex_;
  absl::flat_hash_set<std::string> claimed_ ABSL_GUARDED_BY(mutex_);
  bool to_sync_ ABSL_GUARDED_BY(mutex_) = false;  // the folder
  // Paths of CRLs that another one has taken the place of.
  absl::flat_hash_set<std::string> replaced_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace inkan

#endif  // INKAN_CACHE_CRL_SPOOL_H_
