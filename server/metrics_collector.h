// Makes every metric of server/metrics_list.h at the moment somebody asks: a
// prometheus::Collectable, to be registered or serialised as text.
//
//   MetricsCollector collector(view, &sampler, &counters);
//   std::string text = MetricsText(collector);
//
// Thread safety: Collect from any thread. Ownership: what it is made with must
// outlive it.
#ifndef INKAN_SERVER_METRICS_COLLECTOR_H_
#define INKAN_SERVER_METRICS_COLLECTOR_H_

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <string>
#include <vector>

#include "server/ops_counters.h"
#include "server/ops_view.h"
#include "server/statusz_sampler.h"

namespace inkan {

class MetricsCollector final : public prometheus::Collectable {
 public:
  MetricsCollector(const OpsView& view, const StatusSampler* sampler,
                   const OpsCounters* http)
      : view_(view), sampler_(sampler), http_(http) {}

  // Every family of the list, also those without a sample now.
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const OpsView view_;
  const StatusSampler* const sampler_;
  const OpsCounters* const http_;
};

// The exposition format, version 0.0.4.
std::string MetricsText(const prometheus::Collectable& collector);

}  // namespace inkan

#endif  // INKAN_SERVER_METRICS_COLLECTOR_H_
