// The certificates of a random path, before they are signed.
//
//   PathPlan plan = PlanPath(&dice);
//
// Each feature is rare, so that most cases have none, one or two of them and
// about half pass; which ones were used is told in `story`.
#ifndef INKAN_TESTS_CONFORMANCE_DIFFERENTIAL_PATH_H_
#define INKAN_TESTS_CONFORMANCE_DIFFERENTIAL_PATH_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/lab/certificate_builder.h"
#include "bench/lab/random.h"
#include "tests/conformance/differential_case.h"

namespace inkan::differential {

// Random choices, and the story of the unusual ones.
class Dice {
 public:
  Dice(uint64_t seed, uint64_t number)
      : random_(seed, "differential", number) {}

  size_t Below(size_t bound) { return random_.Below(bound); }
  bool Percent(unsigned percent) { return random_.Below(100) < percent; }
  // The same, and told if it comes true.
  bool Unusual(unsigned percent, std::string_view what) {
    if (!Percent(percent)) return false;
    Tell(what);
    return true;
  }
  void Tell(std::string_view what) {
    if (!story_.empty()) story_ += ", ";
    story_ += what;
  }
  const std::string& story() const { return story_; }

 private:
  lab::DeterministicRandom random_;
  std::string story_;
};

// One key of a small pool; the same object each time.
const lab::PrivateKey& PoolKey(size_t index);
inline constexpr size_t kPoolKeys = 16;

// One certificate of the path. Node 0 is the anchor.
struct Node {
  lab::Name name;
  const lab::PrivateKey* key = nullptr;
  uint64_t serial = 0;
  bool is_ca = true;
  bool keeps_key_ids = false;
  // Of the CRLs that speak about it.
  std::vector<lab::DistributionPoint> points;
  lab::CertificateBuilder builder;
};

struct PathPlan {
  int64_t time = 0;
  std::vector<Node> nodes;
};

// What the dice decided for a whole case.
struct Mood {
  bool policies = false;
  bool names = false;
  bool plain = false;  // nothing unusual but CRLs
};

PathPlan PlanPath(Dice* dice, const Mood& mood);

// Another certificate for the CA `of`, with another key: of no use to the path.
lab::CertificateBuilder OtherGeneration(const PathPlan& plan, size_t of,
                                        const lab::PrivateKey& key);

}  // namespace inkan::differential

#endif  // INKAN_TESTS_CONFORMANCE_DIFFERENTIAL_PATH_H_
