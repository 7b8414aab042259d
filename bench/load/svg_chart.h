// One line chart as inline SVG: axes, grid, legend, lines with points that tell
// their values when pointed at.
//
//   SvgChart chart("Latency", {"filings a second"}, {"ms", /*log=*/true});
//   chart.AddLine({"p99", points, kColours[0]});
//   std::string svg = chart.Draw();
//
// Colours of text and grid come from the page (CSS variables --ink, --muted,
// --grid). One thread.
#ifndef INKAN_BENCH_LOAD_SVG_CHART_H_
#define INKAN_BENCH_LOAD_SVG_CHART_H_

#include <string>
#include <utility>
#include <vector>

namespace inkan::load {

struct ChartAxis {
  std::string title;
  bool log = false;
  // Ticks by hand: where, and what stands there. Empty: chosen from the data.
  std::vector<std::pair<double, std::string>> ticks = {};
};

struct ChartPoint {
  double x = 0;
  double y = 0;
  std::string about;    // shown when pointed at; empty: no point is drawn
  bool hollow = false;  // a point that did not meet its goal
};

struct ChartLine {
  std::string name;
  std::vector<ChartPoint> points;
  std::string colour;
  bool dashed = false;
};

// Told apart with any colour vision, on light and dark ground.
inline constexpr const char* kChartColours[] = {
    "#2a78d6", "#e8853b", "#1f9e77", "#b5499b", "#8a7a00", "#7a6ff0"};

class SvgChart {
 public:
  SvgChart(std::string title, ChartAxis x, ChartAxis y)
      : title_(std::move(title)), x_(std::move(x)), y_(std::move(y)) {}

  void AddLine(ChartLine line) { lines_.push_back(std::move(line)); }
  std::string Draw() const;

 private:
  std::string title_;
  ChartAxis x_;
  ChartAxis y_;
  std::vector<ChartLine> lines_;
};

// Text for HTML and SVG.
std::string EscapeHtml(const std::string& text);

}  // namespace inkan::load

#endif  // INKAN_BENCH_LOAD_SVG_CHART_H_
