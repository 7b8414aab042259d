// Where CRLs come from: files, and folders in which every file is tried.
//
//   CrlSource source({Kind::kDirectory, "/var/lib/inkan/crls"}, bytes_max);
//   source.Rescan();                       // true if something changed
//   for (const CrlFile& file : source.files()) ...
//
// Rescan reads only files whose size, change time or inode moved. What was good
// stays at hand while its replacement is bad or its file is gone.
//
// Places on the network are cache/crl_source_remote.h's.
//
// Thread safety: one thread at a time (the keeper's).
#ifndef INKAN_CACHE_CRL_SOURCE_H_
#define INKAN_CACHE_CRL_SOURCE_H_

#include <sys/stat.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cache/crl_control.h"
#include "cache/crl_data.h"
#include "cache/crl_fetch_ldap.h"
#include "cache/crl_loader.h"
#include "cache/crl_schedule.h"

namespace inkan {

struct CrlSourceOptions {
  enum class Kind : uint8_t {
    kFile,
    kDirectory,
    kHttp,
    kLdap
  } kind = Kind::kFile;
  std::string path;  // of files and folders
  // Looked at this often; folders are also followed by inotify.
  absl::Duration poll_interval = absl::Seconds(60);

  // The rest is for kHttp and kLdap: see cache/crl_source_remote.h.
  std::vector<std::string> urls = {};  // kHttp
  std::string ca_file = {};            // kHttp
  LdapRequest ldap = {};               // kLdap; its limits are those below
  FetchLimits limits = {};
  CrlSchedule schedule = {};
  // Fetches at once.
  unsigned parallel = 4;
};

// One place CRLs come from (a file, a URL, an entry of a directory) and how it
// goes there, for status and metrics.
struct CrlSourceStatus {
  std::string source;         // the path or URI; CrlData::source of its CRLs
  const char* kind = "file";  // "file", "http" or "ldap"
  // InfinitePast: never; InfiniteFuture: not by schedule.
  absl::Time last_attempt = absl::InfinitePast();
  absl::Time last_success = absl::InfinitePast();
  absl::Time next_attempt = absl::InfiniteFuture();
  // What was wrong at the last attempt, and what to do; empty if nothing.
  std::string last_error;
  bool in_use = false;  // a CRL from here is
  uint64_t attempts_total = 0;
  uint64_t failures_total = 0;
  uint64_t bytes_total = 0;  // received
};

struct CrlSourceError {
  std::string source;
  std::string error;
  absl::Time last_attempt;
  bool last_good_in_use = false;
};

// One file and what was made of it.
struct CrlFile {
  // What the file holds now, if it could be read.
  std::shared_ptr<const CrlData> newest;
  // The same, while its thisUpdate lies in the future.
  std::shared_ptr<const CrlData> awaited;
  // What was last in force from this file; may be the same.
  std::shared_ptr<const CrlData> last_good;
  // What was so before, and has to stay: what came to its place since is of
  // other partitions, and nothing newer of its own has come from anywhere.
  std::vector<std::shared_ptr<const CrlData>> displaced;
  // From the network: the id of the place that `last_good` has lost like that;
  // it is on disk as an item of its own.
  std::string displaced_from;
  // Why the file as it is now cannot be used; empty if it can.
  std::string error;
  // The last error that only said that it is in use beside what was there.
  std::string beside;
  absl::Time last_attempt = absl::InfinitePast();
  // When it was last read and found good, or looked at and found unchanged.
  absl::Time last_success = absl::InfinitePast();
  uint64_t attempts = 0;
  uint64_t failures = 0;

  // What a change is seen by.
  int64_t size = -1;
  int64_t changed_ns = 0;
  uint64_t inode = 0;
  bool seen = false;
  // While another write might not show (`size` is -1): the size, and since when
  // by SteadyNow the file has been seen like this.
  int64_t unsettled_size = -1;
  absl::Duration unsettled_since;
};

class CrlSource {
 public:
  CrlSource(CrlSourceOptions options, std::shared_ptr<const CrlLoader> loader)
      : options_(std::move(options)), loader_(std::move(loader)) {}
  CrlSource(CrlSourceOptions options, uint64_t bytes_max)
      : CrlSource(std::move(options), std::make_shared<CrlLoader>(
                                          CrlLoaderOptions{"", bytes_max})) {}

  // Looks for changes and reads what changed. True if anything did. What
  // `control` cancels is read another time.
  bool Rescan(const CrlControl& control = {});

  // Writes down what a file that is about to be read is known by. Its size only
  // if every later write will show. Public for tests.
  static void Note(const struct stat& status, absl::Time now,
                   absl::Duration steady_now, CrlFile* file);

  const CrlSourceOptions& options() const { return options_; }
  // By path. The keeper moves what is awaited, and writes last_good, displaced
  // and error after linking.
  std::map<std::string, CrlFile>& files() { return files_; }
  // Why the folder or file itself cannot be looked at; empty if it can.
  const std::string& error() const { return error_; }

 private:
  bool RescanFile(const std::string& path, const CrlControl& control);
  static bool Lose(CrlFile* file, const std::string& error);
  void ForgetUnseen(bool* changed);

  CrlSourceOptions options_;
  std::shared_ptr<const CrlLoader> loader_;
  std::map<std::string, CrlFile> files_;
  std::string error_;
};

// Reads a file that holds one CRL, DER or PEM.
absl::StatusOr<std::shared_ptr<const CrlData>> ReadCrlFile(
    const std::string& path, uint64_t bytes_max);

}  // namespace inkan

#endif  // INKAN_CACHE_CRL_SOURCE_H_
