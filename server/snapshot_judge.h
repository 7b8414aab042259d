// A worker's judge: the verifier, under the snapshot in force.
//
// Thread safety: one thread at a time. Ownership: the keeper, and the memory of
// verified certificates if there is one, must outlive it.
#ifndef INKAN_SERVER_SNAPSHOT_JUDGE_H_
#define INKAN_SERVER_SNAPSHOT_JUDGE_H_

#include "cache/snapshot_keeper.h"
#include "cache/verified_certificates.h"
#include "server/batcher.h"
#include "server/verifier.h"

namespace inkan {

class SnapshotJudge final : public Judge {
 public:
  explicit SnapshotJudge(const SnapshotKeeper& keeper,
                         VerifiedCertificates* verified = nullptr)
      : reader_(keeper), verifier_(verified) {}

  const Snapshot& Pin() override { return *reader_.Pin(); }
  void Verify(absl::Span<const FilingView> filings,
              absl::Span<FilingVerdict> verdicts) override {
    verifier_.Verify(filings, verdicts);
  }

 private:
  SnapshotReader reader_;
  Verifier verifier_;
};

}  // namespace inkan

#endif  // INKAN_SERVER_SNAPSHOT_JUDGE_H_
