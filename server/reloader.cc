#include "server/reloader.h"

#include <utility>

#include "absl/status/statusor.h"

namespace inkan {

Reloader::Reloader(std::string config_path, Apply apply)
    : config_path_(std::move(config_path)), apply_(std::move(apply)) {
  thread_ = std::thread([this] { Run(); });
}

Reloader::~Reloader() {
  {
    MutexLock lock(&mutex_);
    ending_ = true;
    asked_.Signal();
  }
  thread_.join();
}

void Reloader::Reload(Done done) {
  MutexLock lock(&mutex_);
  waiting_.push_back(std::move(done));
  asked_.Signal();
}

void Reloader::Run() {
  while (true) {
    std::vector<Done> served;
    {
      MutexLock lock(&mutex_);
      while (waiting_.empty() && !ending_) asked_.Wait(&mutex_);
      if (waiting_.empty()) return;
      served.swap(waiting_);
    }
    absl::StatusOr<Config> config = LoadConfig(config_path_);
    const absl::Status status =
        config.ok() ? apply_(*std::move(config)) : config.status();
    for (const Done& done : served) done(status);
  }
}

}  // namespace inkan
