// What each client may ask for: filings a second (a token bucket) and filings
// in flight.
//
//   ClientQuotas quotas(options);
//   ClientQuotas::Answer answer = quotas.Admit(client, filings, now);
//   if (answer.result != QuotaResult::kAdmitted) refuse;
//   ... keep answer.ticket until the answer was taken, or quotas.Return(it)
//       if nothing came of the request
//
// A request is admitted while the bucket holds as much as it takes, or is full;
// so one larger than the burst passes after a pause, and is paid for after.
//
// The number of clients remembered is bounded. A client that has nothing in
// flight and a full bucket is forgotten first; where there is none such,
// newcomers share the bucket of "others", under the standard quota. Clients
// that the configuration names are remembered always.
//
// Units: seconds, filings. Thread safety: every method from any thread; tickets
// may outlive the object.
#ifndef INKAN_SERVER_CLIENT_QUOTAS_H_
#define INKAN_SERVER_CLIENT_QUOTAS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "cache/mutex.h"

namespace inkan {

// 0: no bound.
struct Quota {
  uint32_t filings_per_second = 0;
  uint32_t filings_burst = 0;
  uint32_t filings_in_flight_max = 0;

  bool bounded() const {
    return filings_per_second != 0 || filings_in_flight_max != 0;
  }
  friend bool operator==(const Quota&, const Quota&) = default;
};

struct QuotaOptions {
  Quota standard;
  absl::flat_hash_map<std::string, Quota> named;  // by identity
  size_t clients_max = 10000;

  bool bounded() const { return standard.bounded() || !named.empty(); }
};

enum class QuotaResult : uint8_t { kAdmitted, kTooFast, kTooManyInFlight };

class ClientQuotas {
 private:
  struct State;

 public:
  // The filings of one request, in flight until it is destroyed.
  class Ticket {
   public:
    Ticket() = default;
    Ticket(Ticket&& other) noexcept
        : state_(std::move(other.state_)), filings_(other.filings_) {}
    Ticket& operator=(Ticket&& other) noexcept;
    ~Ticket();

   private:
    friend class ClientQuotas;
    Ticket(std::shared_ptr<State> state, size_t filings)
        : state_(std::move(state)), filings_(filings) {}

    std::shared_ptr<State> state_;
    size_t filings_ = 0;
  };
  struct Answer {
    QuotaResult result = QuotaResult::kAdmitted;
    // When it is worth another try.
    absl::Duration retry_after;
    Ticket ticket;
  };

  explicit ClientQuotas(QuotaOptions options);

  // `now` is a time of a clock that nobody sets, from any zero.
  Answer Admit(const std::string& client, size_t filings, absl::Duration now)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // What the ticket was for was not taken after all: it does not count against
  // the client, in flight or by the second.
  void Return(Ticket* ticket) ABSL_LOCKS_EXCLUDED(mutex_);
  // Puts other quotas in force; what is in flight stays counted.
  void Replace(QuotaOptions options) ABSL_LOCKS_EXCLUDED(mutex_);

  size_t clients() const ABSL_LOCKS_EXCLUDED(mutex_);
  uint64_t refused() const { return refused_.load(); }

 private:
  struct State {
    std::atomic<size_t> in_flight{0};
    // The rest is guarded by mutex_.
    double tokens = 0;
    absl::Duration filled_at;
    std::list<std::string>::iterator place;
  };

  const Quota& QuotaOf(const std::string& client) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::shared_ptr<State> Find(const std::string& client, absl::Duration now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool ForgetOne(absl::Duration now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  std::atomic<uint64_t> refused_{0};
  mutable Mutex mutex_;
  QuotaOptions options_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, std::shared_ptr<State>> states_
      ABSL_GUARDED_BY(mutex_);
  // Longest unused first.
  std::list<std::string> order_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace inkan

#endif  // INKAN_SERVER_CLIENT_QUOTAS_H_
