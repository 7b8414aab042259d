// A campaign as one HTML page: latency against load, latency by percentile, and
// every step in a table. Nothing is fetched: charts are inline SVG, light and
// dark follow the reader's setting.
#ifndef INKAN_BENCH_LOAD_HTML_REPORT_H_
#define INKAN_BENCH_LOAD_HTML_REPORT_H_

#include <string>

#include "bench/load/campaign.h"

namespace inkan::load {

// `when` says when it was run, for people.
std::string HtmlReport(const Campaign& campaign, const std::string& when);

}  // namespace inkan::load

#endif  // INKAN_BENCH_LOAD_HTML_REPORT_H_
