// What the sources on the network deliver, read.
#include <sys/eventfd.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cache/snapshot_keeper.h"
#include "cache/steady_time.h"
#include "crypto/name.h"

namespace inkan {
namespace {

constexpr size_t kDeliveriesInARow = 16;

}  // namespace

bool SnapshotKeeper::TakeDeliveries(bool all) {
  const absl::Duration until = SteadyNow() + workshop_.options.read_time_max;
  std::vector<RemoteSource>& sources = workshop_.remotes;
  // Thousands of places may go on delivering for as long as they like.
  std::vector<size_t> left;
  left.reserve(sources.size());
  for (const RemoteSource& source : sources) {
    left.push_back(source.remote->queued());
  }
  bool any = false;
  const size_t count = sources.size();
  const auto in_time = [&] {
    return !stopping_ && (all || !any || SteadyNow() < until);
  };
  // By turns, so that no source waits for all that another one has, and none
  // is always the last: one CRL may take longer than there is time.
  size_t done = 0;  // sources in a row that had nothing
  while (done < count && in_time()) {
    const size_t i = workshop_.first_source++ % count;
    size_t wanted = std::min(left[i], kDeliveriesInARow);
    done = wanted == 0 ? done + 1 : 0;
    for (; wanted > 0 && in_time(); --wanted) {
      --left[i];
      const auto deliveries = sources[i].remote->Take(1);
      for (const CrlDelivery& delivery : deliveries) {
        Read(delivery, &sources[i]);
        any = true;
      }
    }
  }
  for (RemoteSource& source : sources) {
    while (!source.last.empty() && source.remote->queued() == 0 && in_time()) {
      const CrlDelivery delivery = std::move(source.last.front());
      source.last.pop_front();
      Read(delivery, &source);
      any = true;
    }
  }
  workshop_.more_to_read =
      std::any_of(sources.begin(), sources.end(), [](const RemoteSource& one) {
        return one.remote->queued() > 0 || !one.last.empty();
      });
  if (workshop_.more_to_read && wake_fd_ >= 0) eventfd_write(wake_fd_, 1);
  return any;
}

absl::Status SnapshotKeeper::AdmitSigned(const CrlData& head) const {
  absl::Status refusal = absl::InvalidArgumentError(
      absl::StrCat("issuer: no profile has a CA of this name: ",
                   NameToText(AsBytes(head.issuer))));
  for (const auto& [name, profile] : workshop_.profiles) {
    const auto keys = CrlStore::SigningKeys(profile.issuer_paths, head);
    if (keys.ok()) return absl::OkStatus();
    if (!absl::IsNotFound(keys.status())) refusal = keys.status();
  }
  return refusal;
}

void SnapshotKeeper::Read(const CrlDelivery& delivery, RemoteSource* source) {
  CrlControl control;
  control.cancelled = &stopping_;
  if (!delivery.expected.has_value()) {
    // What nobody here has signed is not worth an index.
    control.admit = [this](const CrlData& head) ABSL_EXCLUSIVE_LOCKS_REQUIRED(
                        build_mutex_) { return AdmitSigned(head); };
  }
  auto crl = workshop_.loader->Load(delivery.path, delivery.place, control);
  if (delivery.expected.has_value() &&
      (!crl.ok() || (*crl)->sha256 != *delivery.expected)) {
    ReadBadCopy(delivery, crl, source);
    return;
  }
  CrlFile& file = source->files[delivery.id];
  file.displaced_from = delivery.displaced_from;
  std::string error;
  if (!crl.ok()) {
    error = std::string(crl.status().message());
  } else if (!delivery.expected.has_value()) {
    // What was in force once is not from the future: it is the clock that is
    // wrong, and a CRL that is older may not profit from that.
    error = WhyNotNow(file, **crl);
    if (error.empty()) error = WhyNotAnew(delivery, *source, **crl);
    // What comes after it may live; then it is refused.
    if (error.empty() && source->remote->queued() > 0 &&
        IsDeadNews(delivery, *source, **crl)) {
      source->last.push_back(delivery);
      return;
    }
  }
  if (!error.empty()) {
    Refuse(delivery, error, /*superseded=*/false, source);
    return;
  }
  const bool same =
      file.last_good != nullptr && file.last_good->sha256 == (*crl)->sha256;
  file.newest = same ? file.last_good : *std::move(crl);
  source->unread.erase(delivery.id);
  source->unjudged[delivery.id] = {delivery, SteadyNow()};
}

void SnapshotKeeper::ReadBadCopy(
    const CrlDelivery& delivery,
    const absl::StatusOr<std::shared_ptr<const CrlData>>& crl,
    RemoteSource* source) {
  // A lack of memory or of file descriptors passes, and so may a disk's fault.
  const bool damaged = crl.ok() || absl::IsInvalidArgument(crl.status());
  const bool has_floor = workshop_.floors->Knows(*delivery.expected);
  if (!damaged && !has_floor) source->unread[delivery.id] = delivery;
  // Its place gives another partition's CRL, so that nothing is gained by
  // keeping it; and the floor keeps out what is older.
  const bool lost = damaged && has_floor && !delivery.displaced_from.empty() &&
                    workshop_.floors_saved.ok();
  const std::string reason = absl::StrCat(
      "the copy kept in the state directory ",
      damaged ? "is damaged (" : "cannot be read now (",
      crl.ok() ? "its digest differs" : crl.status().message(),
      lost ? "), and the place gives another partition's CRL: this one is lost "
             "until one as new comes from anywhere; check the disk"
           : "); it is fetched again");
  if (lost) {
    workshop_.lost.push_back({delivery.place, reason, absl::Now(), false});
  }
  Refuse(delivery, reason, /*superseded=*/lost, source);
}

void SnapshotKeeper::Refuse(const CrlDelivery& delivery,
                            const std::string& reason, bool superseded,
                            RemoteSource* source) {
  const auto used = source->paths.find(delivery.id);
  const bool is_used =
      used != source->paths.end() && used->second == delivery.path;
  const CrlLoader& loader = *workshop_.loader;
  if (!delivery.expected.has_value() && !is_used &&
      !loader.options().cache_folder.empty()) {
    std::error_code ignored;
    std::filesystem::remove(loader.CompiledPath(delivery.path), ignored);
  }
  source->remote->Refuse(delivery.id, delivery.sha256, reason, superseded);
}

}  // namespace inkan
