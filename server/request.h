// A request as it was sent: views into its octets, and what must hold of it as
// a whole before any of its filings is looked at.
//
//   Request request;
//   fault = request.Read(RequestKind::kBatchVerify, octets, limits);
//
// Nothing of a filing is copied and no message objects are made; the public
// contract (inkan/v1/verification.proto) is kept to the octet, also where
// clients write fields twice or in parts: the last one counts, messages are
// merged, lists go on. The proto and a differential test against protobuf's
// own parser decide what is right.
//
// Two octets can be a whole message in a list. So the fields of a larger
// request are counted: as many may be as kFieldsPerFiling for each filing it
// may have, and one for every kOctetsPerField octets; and of lists no more is
// kept than the limits let pass.
//
// Protobuf, no gRPC. Thread safety: none while it is read; const methods from
// any thread. Ownership: the octets are the caller's and outlive the request.
#ifndef INKAN_SERVER_REQUEST_H_
#define INKAN_SERVER_REQUEST_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "crypto/bytes.h"
#include "server/limits.h"
#include "server/request_fault.h"
#include "server/verifier.h"
#include "server/wire_reader.h"

namespace inkan {

enum class RequestKind : uint8_t {
  kVerify,
  kBatchVerify,
  kStreamVerify,
  kCheckCertificate,
};

// google.protobuf.Timestamp.
struct SentTime {
  int64_t seconds = 0;
  int32_t nanos = 0;
};

// Nothing if it is not a valid Timestamp (years 1 to 9999).
std::optional<int64_t> WholeSeconds(const SentTime& time);

// A Filing, or what a CheckCertificateRequest has of one.
struct SentFiling {
  std::string_view id;  // filing_id, request_id
  std::string_view profile;
  FilingView::Content content = FilingView::Content::kNone;
  Bytes document_or_digest;
  // v1::SignatureAlgorithm, perhaps one of a later version.
  int32_t signature_algorithm = 0;
  Bytes signature;
  Bytes certificate;
  // The first limits.intermediates_max of as many as were sent.
  std::vector<Bytes> intermediates;
  size_t intermediates_sent = 0;
  std::optional<SentTime> verification_time;
};

// Smaller requests are not counted: 64 KiB of the emptiest filings take less
// than 8 MB.
inline constexpr uint64_t kUncountedBytesMax = uint64_t{64} << 10U;
// A filing has nine fields, two times with two fields each, and intermediates.
inline constexpr uint64_t kFieldsPerFiling = 32;
inline constexpr uint64_t kOctetsPerField = 64;

// How many fields a request of `bytes` octets may have.
uint64_t FieldsMax(uint64_t bytes, const Limits& limits);

// What is said of a request that is no message of its type.
RequestFault MalformedRequest();

// Octets a request holds beside those of what was sent and its filings, from
// admission until its answer was taken, for what its verdicts (with both CRLs
// named where a delta was read over another one) will take as they are written
// and as they are sent, measured in tests/server/request_test. Names of a
// certificate are written out in its verdict: an octet takes up to four in text
// (".127" of an OID), and four times that while the text grows and is copied.
// The first 2,048 octets (PKITS' largest certificate) are within kFilingMemory:
// their names are short, or their filings are few.
inline constexpr size_t kFilingMemory = 3712;
inline constexpr size_t kChecksMemory = 7168;
inline constexpr size_t kPlainCertificateBytes = 2048;
inline constexpr size_t kNameMemory = 4 * 4;

class Request {
 public:
  // Takes a request of that kind out of its octets. What was read before is
  // gone. Faults: REQUEST_MALFORMED, TOO_MANY_FIELDS, FILING_MISSING,
  // BATCH_EMPTY, BATCH_TOO_LARGE, ID_TOO_LONG.
  RequestFault Read(RequestKind kind, Bytes octets, const Limits& limits);

  RequestKind kind() const { return kind_; }
  absl::Span<const SentFiling> filings() const { return filings_; }
  bool want_checks() const { return want_checks_; }
  uint64_t sequence() const { return sequence_; }  // of StreamVerify

  // Octets it holds from admission on, all in all. REQUIRES: Read found no
  // fault.
  size_t Memory() const;

 private:
  void ReadFields(WireReader* in, const Limits& limits);
  void ReadEnquiry(WireReader* in, const Limits& limits);
  RequestFault Check(const Limits& limits) const;

  RequestKind kind_ = RequestKind::kVerify;
  size_t sent_bytes_ = 0;
  // No more than limits.batch_filings_max, of as many as were sent.
  std::vector<SentFiling> filings_;
  size_t filings_sent_ = 0;
  bool want_checks_ = false;
  uint64_t sequence_ = 0;
};

}  // namespace inkan

#endif  // INKAN_SERVER_REQUEST_H_
