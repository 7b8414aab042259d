#include "server/metrics_list.h"

namespace inkan {
namespace {

constexpr MetricSpec kMetrics[] = {
#define INKAN_SPEC(id, type, name, labels, help) \
  {MetricId::id, MetricType::k##type, name, labels, help},
    INKAN_METRICS(INKAN_SPEC)
#undef INKAN_SPEC
};

}  // namespace

absl::Span<const MetricSpec> MetricList() { return kMetrics; }

}  // namespace inkan
