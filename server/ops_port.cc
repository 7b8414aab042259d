#include "server/ops_port.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/metrics_collector.h"
#include "server/ops_http.h"
#include "server/statusz.h"
#include "server/statusz_sampler.h"

namespace inkan {
namespace {

constexpr char kMetricsType[] = "text/plain; version=0.0.4; charset=utf-8";
constexpr char kHtmlType[] = "text/html; charset=utf-8";

constexpr char kIndex[] =
    "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">"
    "<title>Inkan</title><link rel=\"icon\" href=\"data:,\"></head><body>"
    "<h1>Inkan</h1><ul>"
    "<li><a href=\"/statusz\">statusz</a>: how it goes, for people</li>"
    "<li><a href=\"/metrics\">metrics</a>: the same for Prometheus</li>"
    "<li><a href=\"/healthz\">healthz</a>: 200 while it is alive</li>"
    "<li><a href=\"/readyz\">readyz</a>: 200 while health says SERVING</li>"
    "</ul></body></html>\n";

OpsReply Text(int code, std::string body) {
  OpsReply reply;
  reply.code = code;
  reply.body = std::move(body);
  return reply;
}

OpsReply Health(const OpsView& view) {
  const std::string why_not = WhyNotAlive(view);
  if (why_not.empty()) return Text(200, "alive\n");
  return Text(503, absl::StrCat("not alive: ", why_not, "\n"));
}

OpsReply Ready(const OpsView& view) {
  const ServerReadiness readiness = ReadinessNow(view, absl::Now());
  std::string body = readiness.ready ? "ready\n" : "not ready\n";
  for (const std::string& reason : readiness.reasons) {
    absl::StrAppend(&body, reason, "\n");
  }
  return Text(readiness.ready ? 200 : 503, body);
}

}  // namespace

// In the order they are made.
struct OpsPort::Parts {
  explicit Parts(const OpsView& ops_view)
      : view(ops_view), sampler(view), collector(view, &sampler, &counters) {}

  OpsReply Statusz(bool live, bool all) const {
    StatusPage page = CollectStatusPage(view, sampler, absl::Now());
    page.live = live;
    page.all = all;
    OpsReply reply = Text(200, RenderStatusPage(page));
    reply.type = kHtmlType;
    return reply;
  }

  HttpHandlers Handlers() {
    HttpHandlers handlers;
    handlers["/"] = [] {
      OpsReply reply = Text(200, kIndex);
      reply.type = kHtmlType;
      return reply;
    };
    handlers["/metrics"] = [this] {
      OpsReply reply = Text(200, MetricsText(collector));
      reply.type = kMetricsType;
      return reply;
    };
    handlers["/healthz"] = [this] { return Health(view); };
    handlers["/readyz"] = [this] { return Ready(view); };
    handlers["/statusz"] = [this] { return Statusz(false, false); };
    handlers["/statusz/live"] = [this] { return Statusz(true, false); };
    handlers["/statusz/all"] = [this] { return Statusz(false, true); };
    return handlers;
  }

  const OpsView view;
  OpsCounters counters;
  StatusSampler sampler;
  MetricsCollector collector;
  std::unique_ptr<OpsHttp> http;
};

absl::StatusOr<std::unique_ptr<OpsPort>> OpsPort::Start(
    const std::string& address, const OpsView& view) {
  auto parts = std::make_unique<Parts>(view);
  absl::StatusOr<std::unique_ptr<OpsHttp>> http =
      OpsHttp::Start(address, parts->Handlers(), &parts->counters);
  if (!http.ok()) return http.status();
  parts->http = *std::move(http);
  return std::unique_ptr<OpsPort>(new OpsPort(std::move(parts)));
}

OpsPort::OpsPort(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
OpsPort::~OpsPort() = default;
int OpsPort::port() const { return parts_->http->port(); }

}  // namespace inkan
