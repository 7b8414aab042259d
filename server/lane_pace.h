// How long a filing that joined a lane now would wait, judged by how fast the
// lane was emptied while it had work.
//
//   pace.Took(NowNs(), filings_taken, filings_left > 0);
//   if (pace.WaitNs(filings_queued) > bound) refuse;
//
// The pace is that of the last second or two with work: filings taken, over the
// time until the next were taken. It follows whatever the machine does beside
// judging (on few cores gRPC's own work, above all), other lanes, and how much
// work the filings are. Times without work say nothing and do not count.
//
// Thread safety: none; the batcher's mutex guards it.
#ifndef INKAN_SERVER_LANE_PACE_H_
#define INKAN_SERVER_LANE_PACE_H_

#include <cstddef>
#include <cstdint>

namespace inkan {

class LanePace {
 public:
  // `taken` filings were taken out of the lane, and whether any are `left`.
  void Took(int64_t now_ns, size_t taken, bool left) {
    if (since_ns_ != 0) {
      span_ns_ += static_cast<double>(now_ns - since_ns_);
      filings_ += static_cast<double>(pending_);
      if (span_ns_ > kMemoryNs) {
        span_ns_ /= 2;
        filings_ /= 2;
      }
    }
    // The time to the next taking is what these took, if there is work for it.
    since_ns_ = left ? now_ns : 0;
    pending_ = taken;
  }

  // The lane was emptied by other means.
  void Emptied() { since_ns_ = 0; }

  // 0 if little is known yet: the first batches find every cache cold.
  int64_t WaitNs(size_t queued) const {
    if (span_ns_ < kKnownNs || filings_ <= 0) return 0;
    return static_cast<int64_t>(span_ns_ / filings_ *
                                static_cast<double>(queued));
  }

 private:
  static constexpr double kMemoryNs = 2e9;
  static constexpr double kKnownNs = 0.25e9;

  int64_t since_ns_ = 0;  // 0: the lane was left empty
  size_t pending_ = 0;
  double span_ns_ = 0;
  double filings_ = 0;
};

}  // namespace inkan

#endif  // INKAN_SERVER_LANE_PACE_H_
