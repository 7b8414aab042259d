// HTML being written: text is escaped, markup is not, and the two cannot be
// confused, since markup must be a literal.
//
//   Html html;
//   html.Raw("<p>").Text(name).Raw("</p>");
//
// Thread safety: one thread.
#ifndef INKAN_SERVER_STATUSZ_HTML_H_
#define INKAN_SERVER_STATUSZ_HTML_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/time/time.h"

namespace inkan {

class Html {
 public:
  template <size_t kSize>
  Html& Raw(const char (&literal)[kSize]) {
    out_.append(literal, kSize - 1);
    return *this;
  }
  // Also for attributes in double quotes.
  Html& Text(std::string_view text);
  Html& Count(uint64_t n);  // 1,234,567
  // A number in an attribute, with up to two decimals.
  Html& Number(double n);

  std::string Take() { return std::move(out_); }

 private:
  std::string out_;
};

std::string WithCommas(uint64_t n);
// "12 d 3 h", "5 h 10 min", "42 s": the two largest units.
std::string SpanText(absl::Duration span);
// "180 µs", "2.4 ms", "1.3 s".
std::string LatencyText(double ns);
// "1.4 MB".
std::string BytesText(uint64_t bytes);
std::string TimeText(absl::Time time);

}  // namespace inkan

#endif  // INKAN_SERVER_STATUSZ_HTML_H_
