// A request off the wire: parsed, checked, judged, and the verdict written.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory_resource>

#include "cache/snapshot_keeper.h"
#include "inkan/v1/verification.pb.h"
#include "server/filing_batch.h"
#include "server/request_check.h"
#include "server/verifier.h"

namespace {

class OneRequest : public inkan::FilingBatch {
 public:
  using FilingBatch::FilingBatch;
  void Finished(inkan::ItemResult) override {}
};

const inkan::Snapshot& EmptySnapshot() {
  static const auto* const kSnapshot = new inkan::Snapshot();
  return *kSnapshot;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace inkan;
  v1::VerifyRequest request;
  if (!request.ParseFromArray(data, static_cast<int>(size))) return 0;
  if (!CheckRequest(request).ok()) return 0;
  const Limits limits;
  RequestContext context;
  context.limits = &limits;
  context.want_checks = true;
  const v1::Filing* filing = &request.filing();
  OneRequest item({&filing, 1}, size, context);
  std::pmr::monotonic_buffer_resource memory;
  FilingView view;
  item.MakeViews(EmptySnapshot(), 0, {&view, 1}, &memory);
  FilingVerdict judged;
  Verifier().Verify({&view, 1}, {&judged, 1});
  item.TakeVerdicts(EmptySnapshot(), 0, {&judged, 1}, nullptr);
  // What was written is a message, just as protobuf would have written it.
  const std::string answer = item.TakeAnswer().front();
  v1::VerifyResponse response;
  if (!response.ParseFromString(answer)) std::abort();
  if (response.SerializeAsString() != answer) std::abort();
  if (response.verdict().indication() == v1::INDICATION_TOTAL_PASSED) {
    std::abort();
  }
  return 0;
}
