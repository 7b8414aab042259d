// The TLS certificate, key and client CAs of one listener as they are now:
// replaced by a reload, and read again when their files change.
//
//   TlsKeeper keeper("listener", options, [](const absl::Status& news) { .. });
//   std::shared_ptr<const TlsOptions> now = keeper.Current();
//
// New files are used only if every certificate in them is whole, they fit
// together, and they have looked the same for a second (or poll_interval, if
// that is less): nobody is writing them just now. A reload takes them at once,
// for whoever asks for one has written them. Otherwise the old ones stay,
// the listener is told what is wrong, and the next change is tried again.
// Connections that are open keep what they began with.
//
// Thread safety: every method from any thread; the listener is called on the
// keeper's own. Ownership: shares what it hands out.
#ifndef INKAN_SERVER_TLS_KEEPER_H_
#define INKAN_SERVER_TLS_KEEPER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "cache/mutex.h"
#include "server/config.h"

namespace inkan {

// Says when files that changed may be read: once they have looked the same
// twice, so that nobody is in the middle of writing them.
class ChangeWatch {
 public:
  enum class Next : uint8_t { kNothing, kLookAgain, kRead };

  Next See(const std::string& look);
  // What is there now counts as changed.
  void Forget() {
    seen_.clear();
    changing_.clear();
  }

 private:
  std::string seen_;
  std::string changing_;  // empty: nothing is
};

class TlsKeeper {
 public:
  // OK: new files are in use. Otherwise: they were refused, and why.
  using NewsListener = std::function<void(const absl::Status&)>;

  TlsKeeper(std::string name, TlsOptions options, NewsListener listener);
  ~TlsKeeper();
  TlsKeeper(const TlsKeeper&) = delete;
  TlsKeeper& operator=(const TlsKeeper&) = delete;

  std::shared_ptr<const TlsOptions> Current() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Puts other options in force, as read from the configuration.
  void Replace(TlsOptions options) ABSL_LOCKS_EXCLUDED(mutex_);

  // How often new files were taken from disk, and refused.
  uint64_t changes() const { return changes_.load(); }
  uint64_t refusals() const { return refusals_.load(); }

 private:
  void Watch() ABSL_LOCKS_EXCLUDED(mutex_);
  bool Look() ABSL_LOCKS_EXCLUDED(mutex_);
  void Read(const std::shared_ptr<const TlsOptions>& before)
      ABSL_LOCKS_EXCLUDED(mutex_);

  const std::string name_;
  const NewsListener listener_;
  std::atomic<uint64_t> changes_{0};
  std::atomic<uint64_t> refusals_{0};

  mutable Mutex mutex_;
  CondVar ending_changed_;
  std::shared_ptr<const TlsOptions> current_ ABSL_GUARDED_BY(mutex_);
  // Of what the files look like.
  ChangeWatch changes_seen_ ABSL_GUARDED_BY(mutex_);
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace inkan

#endif  // INKAN_SERVER_TLS_KEEPER_H_
