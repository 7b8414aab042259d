#include "bench/load/svg_chart.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

namespace inkan::load {
namespace {

constexpr double kWidth = 880;
constexpr double kHeight = 400;
constexpr double kLeft = 74;
constexpr double kRight = 24;
constexpr double kTop = 66;  // title and legend
constexpr double kBottom = 52;
constexpr int kTicks = 6;

using Ticks = std::vector<std::pair<double, std::string>>;

// "1,500", "0.25", "3M".
std::string Short(double value) {
  if (value >= 1e6) return absl::StrFormat("%gM", value / 1e6);
  if (value >= 1e4) return absl::StrFormat("%gk", value / 1e3);
  return absl::StrFormat("%g", value);
}

// A scale from values to pixels.
class Scale {
 public:
  Scale(const ChartAxis& axis, double low, double high, double from, double to)
      : log_(axis.log), from_(from), to_(to), ticks_(axis.ticks) {
    if (!ticks_.empty()) {
      low_ = ticks_.front().first;
      high_ = std::max(ticks_.back().first, high);
    } else if (log_) {
      DecadeTicks(low, high);
    } else {
      RoundTicks(high);
    }
  }

  double operator()(double value) const {
    if (log_) value = std::log10(std::max(value, std::pow(10, low_)));
    const double share = high_ > low_ ? (value - low_) / (high_ - low_) : 0;
    return from_ + share * (to_ - from_);
  }
  const Ticks& ticks() const { return ticks_; }

 private:
  void DecadeTicks(double low, double high) {
    low_ = std::floor(std::log10(std::max(low, 1e-3)));
    high_ = std::max(std::ceil(std::log10(std::max(high, 1e-3))), low_ + 1);
    for (double decade = low_; decade <= high_; ++decade) {
      ticks_.emplace_back(std::pow(10, decade), Short(std::pow(10, decade)));
    }
  }

  // From 0 in steps of 1, 2 or 5 times a power of ten.
  void RoundTicks(double high) {
    low_ = 0;
    const double rough = std::max(high, 1e-9) / kTicks;
    const double power = std::pow(10, std::floor(std::log10(rough)));
    double step = 10 * power;
    for (const double factor : {1.0, 2.0, 5.0}) {
      if (factor * power >= rough) {
        step = factor * power;
        break;
      }
    }
    high_ = std::ceil(high / step - 1e-9) * step;
    for (int i = 0; i * step <= high_ * (1 + 1e-9); ++i) {
      ticks_.emplace_back(i * step, Short(i * step));
    }
  }

  bool log_;
  double low_ = 0;  // of a log scale: exponents of ten
  double high_ = 1;
  double from_;
  double to_;
  Ticks ticks_;
};

void DrawAxes(const ChartAxis& x, const ChartAxis& y, const Scale& to_x,
              const Scale& to_y, std::string* svg) {
  const double right = kWidth - kRight;
  const double bottom = kHeight - kBottom;
  for (const auto& [value, label] : to_y.ticks()) {
    const double at = to_y(value);
    absl::StrAppendFormat(svg,
                          "<path class='grid' d='M%.1f %.1fH%.1f'/>"
                          "<text class='tick' x='%.1f' y='%.1f' "
                          "text-anchor='end'>%s</text>\n",
                          kLeft, at, right, kLeft - 8, at + 4, label);
  }
  for (const auto& [value, label] : to_x.ticks()) {
    const double at = to_x(value);
    absl::StrAppendFormat(svg,
                          "<path class='grid' d='M%.1f %.1fV%.1f'/>"
                          "<text class='tick' x='%.1f' y='%.1f' "
                          "text-anchor='middle'>%s</text>\n",
                          at, kTop, bottom, at, bottom + 18, label);
  }
  absl::StrAppendFormat(
      svg,
      "<text class='axis' x='%.1f' y='%.1f' text-anchor='middle'>%s</text>\n",
      (kLeft + right) / 2, kHeight - 10, EscapeHtml(x.title));
  absl::StrAppendFormat(
      svg,
      "<text class='axis' text-anchor='middle' "
      "transform='translate(16 %.1f) rotate(-90)'>%s</text>\n",
      (kTop + bottom) / 2, EscapeHtml(y.title));
}

void DrawLine(const ChartLine& line, const Scale& to_x, const Scale& to_y,
              std::string* svg) {
  std::string path;
  for (const ChartPoint& point : line.points) {
    absl::StrAppendFormat(&path, "%s%.1f %.1f", path.empty() ? "M" : "L",
                          to_x(point.x), to_y(point.y));
  }
  absl::StrAppendFormat(svg,
                        "<path d='%s' fill='none' stroke='%s' stroke-width='2' "
                        "stroke-linejoin='round'%s/>\n",
                        path, line.colour,
                        line.dashed ? " stroke-dasharray='6 5'" : "");
  for (const ChartPoint& point : line.points) {
    if (point.about.empty()) continue;
    absl::StrAppendFormat(
        svg,
        "<circle cx='%.1f' cy='%.1f' r='4' stroke='%s' stroke-width='2' "
        "fill='%s'><title>%s</title></circle>\n",
        to_x(point.x), to_y(point.y), line.colour,
        point.hollow ? "var(--ground)" : line.colour, EscapeHtml(point.about));
  }
}

}  // namespace

std::string EscapeHtml(const std::string& text) {
  return absl::StrReplaceAll(text, {{"&", "&amp;"},
                                    {"<", "&lt;"},
                                    {">", "&gt;"},
                                    {"'", "&#39;"},
                                    {"\"", "&quot;"}});
}

std::string SvgChart::Draw() const {
  double x_low = std::numeric_limits<double>::max();
  double x_high = 0;
  double y_low = x_low;
  double y_high = 0;
  for (const ChartLine& line : lines_) {
    for (const ChartPoint& point : line.points) {
      x_low = std::min(x_low, point.x);
      x_high = std::max(x_high, point.x);
      y_low = std::min(y_low, point.y);
      y_high = std::max(y_high, point.y);
    }
  }
  const Scale to_x(x_, x_low, x_high, kLeft, kWidth - kRight);
  const Scale to_y(y_, y_low, y_high, kHeight - kBottom, kTop);
  std::string svg = absl::StrFormat(
      "<svg viewBox='0 0 %.0f %.0f' role='img' aria-label='%s'>\n"
      "<text class='title' x='0' y='18'>%s</text>\n",
      kWidth, kHeight, EscapeHtml(title_), EscapeHtml(title_));
  double legend_x = kLeft;
  for (const ChartLine& line : lines_) {
    absl::StrAppendFormat(
        &svg,
        "<path d='M%.1f 44h20' stroke='%s' stroke-width='3'%s/>"
        "<text class='legend' x='%.1f' y='48'>%s</text>\n",
        legend_x, line.colour, line.dashed ? " stroke-dasharray='6 5'" : "",
        legend_x + 26, EscapeHtml(line.name));
    // About 7 units a letter at this size.
    legend_x += 26 + 7.0 * static_cast<double>(line.name.size()) + 22;
  }
  DrawAxes(x_, y_, to_x, to_y, &svg);
  for (const ChartLine& line : lines_) DrawLine(line, to_x, to_y, &svg);
  return svg + "</svg>\n";
}

}  // namespace inkan::load
