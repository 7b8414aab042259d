// The newest word of every CRL partition that was ever in force, on disk: an
// older one of the same partition is never believed again, though the newer one
// is not at hand (its file is gone or damaged, its place gives another one, its
// source is configured no longer).
//
//   auto floors = CrlFloors::Open(state_directory + "/floors");   // StatusOr
//   if (floors->IsBelow(crl, key)) ... refuse it ...
//   floors->Raise(crl, key);          // it is in force
//   absl::Status saved = floors->Save();
//
// A partition is a CRL issuer's name, the key its CRLs are signed with, the
// scope, and whether it is the complete CRL or its deltas (of whatever base:
// they share their numbers). Only what was verified and linked may Raise, so
// that nobody but the CA adds to them or moves them.
//
// The file is text: a head, for each partition a line
//   PARTITION CRLNUMBER THISUPDATE CRL
// (SHA-256 of what makes the partition; INTEGER contents or "-"; seconds since
// 1970; SHA-256 of the CRL), and "end COUNT". It is synced and replaced by one
// rename. Whoever has to take an older CRL all the same stops the server and
// removes the file, and the spool's record of the place it comes from.
//
// Thread safety: one thread at a time (the keeper's).
#ifndef INKAN_CACHE_CRL_FLOORS_H_
#define INKAN_CACHE_CRL_FLOORS_H_

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cache/crl_data.h"

namespace inkan {

// Whether `a` is newer than `b`, two CRLs of one partition: by cRLNumber where
// both have one and they differ, else by thisUpdate.
bool IsNewerCrl(const CrlData& a, const CrlData& b);

class CrlFloors {
 public:
  // No file: no partition has been in force yet. Errors: kFailedPrecondition if
  // there is one that cannot be read, or is not whole; the message says what to
  // do.
  static absl::StatusOr<std::unique_ptr<CrlFloors>> Open(
      const std::string& path);

  // Whether anything of the partition of `crl`, signed with `key`, was in
  // force.
  bool Has(const CrlData& crl, Bytes key) const;
  // Whether a newer one than `crl`, signed with `key` (a SubjectPublicKeyInfo),
  // was in force.
  bool IsBelow(const CrlData& crl, Bytes key) const;
  // Whether a delta of the partition of `complete` was in force that was made
  // after it, by its number and no earlier (if both have one; else by its
  // time), and after `delta`, the one at hand, if there is one.
  bool HadNewerDelta(const CrlData& complete, const CrlData* delta,
                     Bytes key) const;
  void Raise(const CrlData& crl, Bytes key);
  // Whether the newest of some partition is the CRL of this digest
  // (CrlData::sha256).
  bool Knows(const std::array<uint8_t, 32>& crl) const;
  // Writes what was raised, if anything was.
  absl::Status Save();

  const std::string& path() const { return path_; }
  size_t size() const { return floors_.size(); }

 private:
  using Digest = std::array<uint8_t, 32>;
  struct Floor {
    std::string crl_number;  // INTEGER contents; empty if none has one
    int64_t this_update = 0;
    Digest crl{};
  };

  explicit CrlFloors(std::string path) : path_(std::move(path)) {}
  bool Parse(const std::string& text);

  const std::string path_;
  absl::btree_map<Digest, Floor> floors_;
  bool raised_ = false;  // since it was saved
};

}  // namespace inkan

#endif  // INKAN_CACHE_CRL_FLOORS_H_
