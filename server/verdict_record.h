// What is written down about the verdicts of one batch, for metrics and the
// audit log: who asked, about what, and what was answered.
//
// A worker collects one record a filing (BatchItem::TakeVerdicts), hands all of
// a batch to its judge at once (Judge::Record), and only then lets the answers
// go. Ownership: records point into requests, verdicts and the snapshot, and
// are gone when Record returns. Thread safety: a worker's own.
#ifndef INKAN_SERVER_VERDICT_RECORD_H_
#define INKAN_SERVER_VERDICT_RECORD_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/verdict.h"
#include "server/lane.h"
#include "server/verifier.h"

namespace inkan {

// One request, as the records of its filings refer to it.
struct RequestOrigin {
  // Counts the requests since the process started; 0: none was given.
  uint64_t number = 0;
  // Who asks, as access rules and quotas name them (server/gate.h); empty where
  // neither is configured.
  std::string client;
};

struct VerdictRecord {
  // As the caller wrote them.
  std::string_view filing_id;
  std::string_view profile;
  // What is answered. It differs from verdict->outcome if the filing was
  // refused unjudged.
  Outcome outcome = Outcome::kGeneric;
  int64_t time = 0;  // T
  const FilingVerdict* verdict = nullptr;
  const RequestOrigin* origin = nullptr;
  bool certificate_only = false;  // CheckCertificate
};

// How long a request had waited when a worker took the first of it.
struct QueueWait {
  Lane lane = Lane::kInteractive;
  int64_t ns = 0;
};

struct BatchRecord {
  std::vector<VerdictRecord> verdicts;
  // Of each request whose first filing is in this batch.
  std::vector<QueueWait> waits;

  void clear() {
    verdicts.clear();
    waits.clear();
  }
};

}  // namespace inkan

#endif  // INKAN_SERVER_VERDICT_RECORD_H_
