#include "server/tls_keeper.h"

#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "server/tls_files.h"

namespace inkan {
namespace {

// How long files have to look the same before they are read.
constexpr absl::Duration kStillFor = absl::Seconds(1);

// Differs after a file was written or replaced.
std::string LookOf(const TlsOptions& options) {
  std::string look;
  for (const std::string* path :
       {&options.certificate_chain_file, &options.private_key_file,
        &options.client_ca_file}) {
    struct stat info {};
    if (path->empty() || stat(path->c_str(), &info) != 0) {
      look += "-;";
      continue;
    }
    absl::StrAppend(&look, info.st_dev, ",", info.st_ino, ",", info.st_size,
                    ",", info.st_mtim.tv_sec, ",", info.st_mtim.tv_nsec, ",",
                    info.st_ctim.tv_sec, ",", info.st_ctim.tv_nsec, ";");
  }
  return look;
}

}  // namespace

ChangeWatch::Next ChangeWatch::See(const std::string& look) {
  if (look == seen_) {
    changing_.clear();
    return Next::kNothing;
  }
  if (look != changing_) {
    changing_ = look;
    return Next::kLookAgain;
  }
  seen_ = look;
  changing_.clear();
  return Next::kRead;
}

TlsKeeper::TlsKeeper(std::string name, TlsOptions options,
                     NewsListener listener)
    : name_(std::move(name)), listener_(std::move(listener)) {
  Replace(std::move(options));
  thread_ = std::thread([this] { Watch(); });
}

TlsKeeper::~TlsKeeper() {
  {
    MutexLock lock(&mutex_);
    ending_ = true;
    ending_changed_.SignalAll();
  }
  thread_.join();
}

std::shared_ptr<const TlsOptions> TlsKeeper::Current() const {
  MutexLock lock(&mutex_);
  return current_;
}

void TlsKeeper::Replace(TlsOptions options) {
  auto shared = std::make_shared<const TlsOptions>(std::move(options));
  MutexLock lock(&mutex_);
  current_ = std::move(shared);
  // The files may have changed since they were read: look at them once more.
  changes_seen_.Forget();
}

void TlsKeeper::Watch() {
  bool again = false;
  while (true) {
    {
      MutexLock lock(&mutex_);
      if (!ending_) {
        const absl::Duration wait =
            again ? std::min(current_->poll_interval, kStillFor)
                  : current_->poll_interval;
        ending_changed_.WaitFor(&mutex_, absl::ToChronoMilliseconds(wait));
      }
      if (ending_) return;
    }
    again = Look();
  }
}

// Whether to look again soon.
bool TlsKeeper::Look() {
  const std::shared_ptr<const TlsOptions> before = Current();
  const std::string look = LookOf(*before);
  {
    MutexLock lock(&mutex_);
    if (current_ != before) return false;
    const ChangeWatch::Next next = changes_seen_.See(look);
    if (next != ChangeWatch::Next::kRead) {
      return next == ChangeWatch::Next::kLookAgain;
    }
  }
  Read(before);
  return false;
}

void TlsKeeper::Read(const std::shared_ptr<const TlsOptions>& before) {
  absl::StatusOr<TlsOptions> read = RereadTlsFiles(*before);
  if (!read.ok()) {
    refusals_.fetch_add(1);
    listener_(absl::Status(
        read.status().code(),
        absl::StrCat(name_,
                     ": the TLS files changed and cannot be used; the "
                     "old ones stay: ",
                     read.status().message())));
    return;
  }
  if (read->SameMaterial(*before)) return;
  {
    MutexLock lock(&mutex_);
    if (current_ != before) return;  // a reload was faster
    current_ = std::make_shared<const TlsOptions>(*std::move(read));
  }
  changes_.fetch_add(1);
  listener_(absl::OkStatus());
}

}  // namespace inkan
