#include "crypto/verdict.h"

namespace inkan {

std::string_view OutcomeName(Outcome outcome) {
  if (outcome == Outcome::kPassed) return "TOTAL_PASSED";
  switch (outcome) {
#define INKAN_CASE(name, indication, sub_indication) \
  case Outcome::name:                                \
    return #sub_indication;
    INKAN_OUTCOMES(INKAN_CASE)
#undef INKAN_CASE
  }
  return "GENERIC";
}

std::string_view CheckName(CheckId check) {
  switch (check) {
#define INKAN_CASE(id, name, rule) \
  case CheckId::id:                \
    return name;
    INKAN_CHECKS(INKAN_CASE)
#undef INKAN_CASE
  }
  return "";
}

std::string_view CheckRule(CheckId check) {
  switch (check) {
#define INKAN_CASE(id, name, rule) \
  case CheckId::id:                \
    return rule;
    INKAN_CHECKS(INKAN_CASE)
#undef INKAN_CASE
  }
  return "";
}

}  // namespace inkan
