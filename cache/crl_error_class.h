// A few classes for the reasons a CRL file or source cannot be used, by what
// the reason says: a metric's label, and what a person is told to do first.
//
//   ClassOfSourceError("cannot connect: ..")   // "network"
//
// Every reason that docs/OPERATIONS.md lists has its class there, and a test
// holds the two together. Thread safety: free functions without state.
#ifndef INKAN_CACHE_CRL_ERROR_CLASS_H_
#define INKAN_CACHE_CRL_ERROR_CLASS_H_

#include <string_view>

#include "absl/types/span.h"

namespace inkan {

// "other" for what nobody has put into a class.
std::string_view ClassOfSourceError(std::string_view error);
// All classes there are.
absl::Span<const std::string_view> SourceErrorClasses();

}  // namespace inkan

#endif  // INKAN_CACHE_CRL_ERROR_CLASS_H_
