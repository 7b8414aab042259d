#include "server/statusz_html.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace inkan {

Html& Html::Text(std::string_view text) {
  for (const char c : text) {
    switch (c) {
      case '&':
        out_ += "&amp;";
        break;
      case '<':
        out_ += "&lt;";
        break;
      case '>':
        out_ += "&gt;";
        break;
      case '"':
        out_ += "&quot;";
        break;
      case '\'':
        out_ += "&#39;";
        break;
      default:
        // Control characters have no place in HTML.
        out_.push_back(static_cast<unsigned char>(c) < 0x20 ? ' ' : c);
    }
  }
  return *this;
}

Html& Html::Count(uint64_t n) {
  out_ += WithCommas(n);
  return *this;
}

Html& Html::Number(double n) {
  // Infinity and not-a-number would break the drawing.
  absl::StrAppendFormat(&out_, "%.2f", std::isfinite(n) ? n : 0.0);
  return *this;
}

std::string WithCommas(uint64_t n) {
  std::string digits = absl::StrCat(n);
  for (size_t at = digits.size(); at > 3;) {
    at -= 3;
    digits.insert(at, 1, ',');
  }
  return digits;
}

std::string SpanText(absl::Duration span) {
  if (span < absl::ZeroDuration()) {
    return absl::StrCat("-", SpanText(-span));
  }
  const int64_t seconds = absl::ToInt64Seconds(span);
  const int64_t minutes = seconds / 60;
  const int64_t hours = minutes / 60;
  const int64_t days = hours / 24;
  if (days > 0) return absl::StrCat(days, " d ", hours % 24, " h");
  if (hours > 0) return absl::StrCat(hours, " h ", minutes % 60, " min");
  if (minutes > 0) return absl::StrCat(minutes, " min ", seconds % 60, " s");
  return absl::StrCat(seconds, " s");
}

std::string LatencyText(double ns) {
  if (ns <= 0) return "–";
  if (ns < 1e6) return absl::StrFormat("%.0f µs", ns / 1e3);
  if (ns < 1e9) return absl::StrFormat("%.1f ms", ns / 1e6);
  return absl::StrFormat("%.1f s", ns / 1e9);
}

std::string BytesText(uint64_t bytes) {
  constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB"};
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1000 && unit + 1 < std::size(kUnits)) {
    value /= 1000;
    ++unit;
  }
  return unit == 0 ? absl::StrCat(bytes, " B")
                   : absl::StrFormat("%.1f %s", value, kUnits[unit]);
}

std::string TimeText(absl::Time time) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%S UTC", time, absl::UTCTimeZone());
}

}  // namespace inkan
