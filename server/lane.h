// Who waits for an answer; see server/batch_lanes.h.
#ifndef INKAN_SERVER_LANE_H_
#define INKAN_SERVER_LANE_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace inkan {

// Interactive: Verify and CheckCertificate, a person. Batch and stream:
// BatchVerify and StreamVerify, together the bulk lane.
enum class Lane : uint8_t { kInteractive, kBatch, kStream };
inline constexpr size_t kLanes = 3;
// By Lane, as metrics name them.
inline constexpr std::string_view kLaneNames[kLanes] = {"interactive", "batch",
                                                        "stream"};

}  // namespace inkan

#endif  // INKAN_SERVER_LANE_H_
