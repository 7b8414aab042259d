#include "server/readiness.h"

#include <chrono>
#include <memory>
#include <utility>

#include "absl/time/clock.h"
#include "cache/crl_freshness.h"

namespace inkan {
namespace {

// A look at 1,900 partitions takes some 10 microseconds.
constexpr std::chrono::milliseconds kLookInterval(500);

}  // namespace

Readiness::Readiness(const SnapshotKeeper* keeper, const AuditLog* audit,
                     Alive alive, HealthState* health)
    : keeper_(keeper),
      audit_(audit),
      alive_(std::move(alive)),
      health_(health) {
  Look();
  thread_ = std::thread([this] { Run(); });
}

Readiness::~Readiness() {
  {
    MutexLock lock(&mutex_);
    ending_ = true;
    wake_.Signal();
  }
  thread_.join();
}

void Readiness::Look() {
  const std::shared_ptr<const Snapshot> snapshot = keeper_->Current();
  const absl::Time now = absl::Now();
  HealthState::Profiles profiles;
  for (const auto& [name, profile] : snapshot->profiles) {
    profiles[name] = ReadinessOf(profile, now).ready;
  }
  health_->SetProfiles(std::move(profiles));
  health_->SetAlive(alive_());
  health_->SetRefusing(audit_ != nullptr && audit_->Refusing());
}

void Readiness::Run() {
  MutexLock lock(&mutex_);
  while (!ending_) {
    wake_.WaitFor(&mutex_, kLookInterval);
    if (!ending_) Look();
  }
}

}  // namespace inkan
