// Holds what readers may still hold, so that the last of them does not pay for
// freeing it: that of a large index takes its time, and readers answer
// requests.
//
//   Retired retired;
//   retired.Add(std::move(replaced));
//   while (retired.any()) { wait; retired.Free(); }
//
// Bounded by the readers: what none of them holds any more goes at the next
// Free, and each holds one thing. Not thread-safe; the shared_ptrs are.
#ifndef INKAN_CACHE_RETIRED_H_
#define INKAN_CACHE_RETIRED_H_

#include <memory>
#include <utility>
#include <vector>

namespace inkan {

class Retired {
 public:
  // REQUIRES: nobody can come by `replaced` any more but from who has it.
  void Add(std::shared_ptr<const void> replaced) {
    if (replaced != nullptr) held_.push_back(std::move(replaced));
  }
  // Lets go of what nobody else holds.
  void Free() {
    std::erase_if(held_, [](const std::shared_ptr<const void>& one) {
      return one.use_count() == 1;
    });
  }
  bool any() const { return !held_.empty(); }

 private:
  std::vector<std::shared_ptr<const void>> held_;
};

}  // namespace inkan

#endif  // INKAN_CACHE_RETIRED_H_
