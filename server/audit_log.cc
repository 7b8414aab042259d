#include "server/audit_log.h"

#include <utility>

#include "server/audit_file.h"
#include "server/audit_writer.h"

namespace inkan {

absl::StatusOr<std::unique_ptr<AuditLog>> AuditLog::Open(
    const AuditOptions& options, Listener listener, AuditDisk disk) {
  absl::StatusOr<std::unique_ptr<AuditFile>> file =
      AuditFile::Open(options.file);
  if (!file.ok()) return file.status();
  return std::unique_ptr<AuditLog>(new AuditLog(
      options, std::make_shared<Writer>(options, *std::move(file),
                                        std::move(listener), std::move(disk))));
}

AuditLog::AuditLog(const AuditOptions& options, std::shared_ptr<Writer> writer)
    : options_(options), writer_(std::move(writer)) {
  write_thread_ = std::thread([own = writer_] { own->Run(); });
  sync_thread_ = std::thread([own = writer_] { own->RunSyncs(); });
}

AuditLog::~AuditLog() { Close(); }

void AuditLog::Close() {
  if (!write_thread_.joinable()) return;
  if (writer_->Close()) {
    write_thread_.join();
    sync_thread_.join();
  } else {
    write_thread_.detach();
    sync_thread_.detach();
  }
}

bool AuditLog::Ready() { return writer_->Ready(); }
bool AuditLog::Append(std::string* lines, size_t count) {
  return writer_->Append(lines, count);
}
void AuditLog::Reopen() { writer_->Reopen(); }
AuditCounters AuditLog::counters() const { return writer_->counters(); }
bool AuditLog::Refusing() const { return writer_->Refusing(); }

}  // namespace inkan
