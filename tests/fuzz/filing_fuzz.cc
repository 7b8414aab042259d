// A request off the wire: read as protobuf reads it, checked, judged, and the
// verdict written.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "cache/snapshot_keeper.h"
#include "inkan/v1/verification.pb.h"
#include "server/filing_batch.h"
#include "server/request.h"
#include "server/verifier.h"
#include "tests/fuzz/request_mirror.h"

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
  const std::string octets(reinterpret_cast<const char*>(data), size);
  for (const RequestKind kind :
       {RequestKind::kVerify, RequestKind::kBatchVerify,
        RequestKind::kStreamVerify, RequestKind::kCheckCertificate}) {
    const std::string difference =
        testing::RequestMirror::Compare(kind, octets);
    if (!difference.empty()) {
      std::fprintf(stderr, "%s\n", difference.c_str());
      std::abort();
    }
  }
  const Limits limits;
  // And want_checks, so that all there is to write is written.
  const std::string checked = octets + "\x10\x01";
  Request request;
  if (!request.Read(RequestKind::kVerify, AsBytes(checked), limits).ok()) {
    return 0;
  }
  RequestContext context;
  context.limits = &limits;
  OneRequest item(request, context);
  FilingView view;
  item.MakeViews(EmptySnapshot(), 0, {&view, 1});
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
