#include "cache/crl_index_format.h"

#include <bit>
#include <limits>

namespace inkan::crl_format {

bool DateCoding::Make(uint64_t code_limit, uint64_t low_bits, uint64_t group,
                      DateCoding* coding) {
  if (code_limit == 0 || low_bits > kFieldBitsMax || group == 0 ||
      group > kGroupMax) {
    return false;
  }
  coding->low_bits = static_cast<unsigned>(low_bits);
  coding->group = static_cast<unsigned>(group);
  coding->group_inverse = (1U << kInverseBits) / coding->group + 1;
  coding->digits = ((code_limit - 1) >> low_bits) + 1;
  coding->power = {};
  coding->width = {};
  coding->power[0] = 1;
  for (unsigned i = 1; i <= coding->group; ++i) {
    if (coding->power[i - 1] >
        std::numeric_limits<uint64_t>::max() / coding->digits) {
      return false;
    }
    coding->power[i] = coding->power[i - 1] * coding->digits;
    coding->width[i] =
        static_cast<unsigned>(std::bit_width(coding->power[i] - 1));
    if (coding->width[i] > kFieldBitsMax) return false;
  }
  return true;
}

DateCoding DateCoding::Best(uint64_t code_limit) {
  DateCoding best;
  double best_bits = 1e9;
  const auto all = static_cast<unsigned>(std::bit_width(code_limit - 1));
  // High parts of more than eleven bits gain nothing over a whole bit.
  for (unsigned low = all > 11 ? all - 11 : 0; low <= all; ++low) {
    for (unsigned group = 1; group <= kGroupMax; ++group) {
      DateCoding coding;
      if (!Make(code_limit, low, group, &coding)) break;
      const double bits = static_cast<double>(coding.GroupBits()) / group;
      if (bits < best_bits - 1e-9) {
        best_bits = bits;
        best = coding;
      }
    }
  }
  return best;
}

}  // namespace inkan::crl_format
