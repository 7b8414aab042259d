#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/config.h"

namespace inkan {
namespace {

class Differences {
 public:
  template <typename Value>
  void Compare(const std::string& field, const Value& running,
               const Value& wanted) {
    if (running == wanted) return;
    absl::StrAppend(&text_, text_.empty() ? "" : "\n", field, ": is ", running,
                    " and cannot become ", wanted,
                    " while the server runs; restart it, or take the change "
                    "back");
  }
  std::string text() const { return text_; }

 private:
  std::string text_;
};

const char* EncryptionOf(const ListenerOptions& listener) {
  if (!listener.tls.has_value()) return "plaintext";
  return listener.tls->client_ca.empty() ? "TLS without client certificates"
                                         : "TLS with client certificates";
}

void CompareListeners(const std::string& field, const ListenerOptions& running,
                      const ListenerOptions& wanted, Differences* differences) {
  differences->Compare(field + ".address", running.address, wanted.address);
  differences->Compare(field, std::string(EncryptionOf(running)),
                       std::string(EncryptionOf(wanted)));
}

const char* YesNo(bool yes) { return yes ? "true" : "false"; }

// As the configuration spells them.
const char* NameOf(AuditSync sync) {
  switch (sync) {
    case AuditSync::kNone:
      return "AUDIT_SYNC_NONE";
    case AuditSync::kInterval:
      return "AUDIT_SYNC_INTERVAL";
    case AuditSync::kEveryBatch:
      return "AUDIT_SYNC_EVERY_BATCH";
  }
  return "";
}
const char* NameOf(AuditFailure failure) {
  return failure == AuditFailure::kDrop ? "AUDIT_FAILURE_DROP"
                                        : "AUDIT_FAILURE_REFUSE";
}

void CompareAuditLogs(const std::optional<AuditOptions>& running,
                      const std::optional<AuditOptions>& wanted,
                      Differences* differences) {
  if (!running.has_value() || !wanted.has_value()) {
    const auto said = [](bool given) {
      return std::string(given ? "given" : "absent");
    };
    differences->Compare("audit_log", said(running.has_value()),
                         said(wanted.has_value()));
    return;
  }
  differences->Compare("audit_log.file", running->file, wanted->file);
  differences->Compare("audit_log.sync", std::string(NameOf(running->sync)),
                       std::string(NameOf(wanted->sync)));
  differences->Compare("audit_log.sync_interval",
                       absl::FormatDuration(running->sync_interval),
                       absl::FormatDuration(wanted->sync_interval));
  differences->Compare("audit_log.on_failure",
                       std::string(NameOf(running->on_failure)),
                       std::string(NameOf(wanted->on_failure)));
  differences->Compare("audit_log.rotate_bytes", running->rotate_bytes,
                       wanted->rotate_bytes);
  differences->Compare("audit_log.rotate_interval",
                       absl::FormatDuration(running->rotate_interval),
                       absl::FormatDuration(wanted->rotate_interval));
  differences->Compare("audit_log.buffer_bytes_max", running->buffer_bytes_max,
                       wanted->buffer_bytes_max);
}

}  // namespace

std::string NeedsRestart(const ServerOptions& running,
                         const ServerOptions& wanted) {
  Differences differences;
  CompareListeners("listener", running.listener, wanted.listener, &differences);
  if (running.operations_listener.has_value() &&
      wanted.operations_listener.has_value()) {
    CompareListeners("operations_listener", *running.operations_listener,
                     *wanted.operations_listener, &differences);
  } else {
    const auto said = [](const ServerOptions& options) {
      return std::string(options.operations_listener.has_value() ? "given"
                                                                 : "absent");
    };
    differences.Compare("operations_listener", said(running), said(wanted));
  }
#define INKAN_COMPARE(type, name, standard, least, greatest) \
  differences.Compare("limits." #name, running.limits.name, wanted.limits.name);
  INKAN_LIMITS(INKAN_COMPARE)
#undef INKAN_COMPARE
  differences.Compare("reflection", std::string(YesNo(running.reflection)),
                      std::string(YesNo(wanted.reflection)));
  differences.Compare("channelz", std::string(YesNo(running.channelz)),
                      std::string(YesNo(wanted.channelz)));
  differences.Compare("worker_threads", running.worker_threads,
                      wanted.worker_threads);
  differences.Compare("drain_timeout",
                      absl::FormatDuration(running.drain_timeout),
                      absl::FormatDuration(wanted.drain_timeout));
  differences.Compare("ops_http.address",
                      absl::StrCat("\"", running.ops_http_address, "\""),
                      absl::StrCat("\"", wanted.ops_http_address, "\""));
  CompareAuditLogs(running.audit, wanted.audit, &differences);
  differences.Compare("state_directory",
                      absl::StrCat("\"", running.state_directory, "\""),
                      absl::StrCat("\"", wanted.state_directory, "\""));
  differences.Compare("verified_certificates_max",
                      running.verified_certificates_max,
                      wanted.verified_certificates_max);
  return differences.text();
}

}  // namespace inkan
