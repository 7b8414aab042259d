#include "server/client_quotas.h"

#include <algorithm>

namespace inkan {
namespace {

// The bucket of clients that there is no room to remember.
constexpr char kOthers[] = "others";

// How many of those longest unused are looked at to find one to forget.
constexpr int kForgetTries = 16;

// When a client with too much in flight should try again: some batches of work.
constexpr absl::Duration kInFlightRetry = absl::Milliseconds(100);

}  // namespace

ClientQuotas::Ticket& ClientQuotas::Ticket::operator=(Ticket&& other) noexcept {
  std::swap(state_, other.state_);
  std::swap(filings_, other.filings_);
  return *this;
}

ClientQuotas::Ticket::~Ticket() {
  if (state_ != nullptr) state_->in_flight.fetch_sub(filings_);
}

ClientQuotas::ClientQuotas(QuotaOptions options)
    : options_(std::move(options)) {}

const Quota& ClientQuotas::QuotaOf(const std::string& client) const {
  const auto named = options_.named.find(client);
  return named == options_.named.end() ? options_.standard : named->second;
}

// What a client that has not been seen for long has, it need not be remembered
// for.
bool ClientQuotas::ForgetOne(absl::Duration now) {
  int tries = 0;
  for (const std::string& client : order_) {
    if (++tries > kForgetTries) return false;
    const auto found = states_.find(client);
    const State& state = *found->second;
    const Quota& quota = QuotaOf(client);
    const double tokens =
        state.tokens +
        absl::ToDoubleSeconds(now - state.filled_at) * quota.filings_per_second;
    // Without a rate nobody counts tokens, nor do any come back.
    const bool full =
        quota.filings_per_second == 0 || tokens >= quota.filings_burst;
    if (client != kOthers && state.in_flight.load() == 0 && full) {
      order_.erase(state.place);
      states_.erase(found);
      return true;
    }
  }
  return false;
}

std::shared_ptr<ClientQuotas::State> ClientQuotas::Find(
    const std::string& client, absl::Duration now) {
  const auto found = states_.find(client);
  if (found != states_.end()) {
    order_.splice(order_.end(), order_, found->second->place);
    return found->second;
  }
  if (states_.size() >= options_.clients_max && client != kOthers &&
      !ForgetOne(now) && !options_.named.contains(client)) {
    return Find(kOthers, now);
  }
  auto state = std::make_shared<State>();
  state->tokens = QuotaOf(client).filings_burst;
  state->filled_at = now;
  state->place = order_.insert(order_.end(), client);
  states_.emplace(client, state);
  return state;
}

ClientQuotas::Answer ClientQuotas::Admit(const std::string& client,
                                         size_t filings, absl::Duration now) {
  MutexLock lock(&mutex_);
  const Quota quota = QuotaOf(client);
  if (!quota.bounded()) return {};
  std::shared_ptr<State> state = Find(client, now);
  Answer answer;
  const size_t in_flight = state->in_flight.load();
  // One request may be larger than the bound if it is alone.
  if (quota.filings_in_flight_max != 0 && in_flight != 0 &&
      in_flight + filings > quota.filings_in_flight_max) {
    answer.result = QuotaResult::kTooManyInFlight;
    answer.retry_after = kInFlightRetry;
  } else if (quota.filings_per_second != 0) {
    const double burst = quota.filings_burst;
    const double elapsed =
        std::max(0.0, absl::ToDoubleSeconds(now - state->filled_at));
    state->tokens =
        std::min(burst, state->tokens + elapsed * quota.filings_per_second);
    state->filled_at = std::max(now, state->filled_at);
    const double needed = std::min(burst, static_cast<double>(filings));
    if (state->tokens < needed) {
      answer.result = QuotaResult::kTooFast;
      answer.retry_after =
          absl::Seconds((needed - state->tokens) / quota.filings_per_second);
    } else {
      state->tokens -= static_cast<double>(filings);
    }
  }
  if (answer.result != QuotaResult::kAdmitted) {
    refused_.fetch_add(1);
    return answer;
  }
  state->in_flight.fetch_add(filings);
  answer.ticket = Ticket(std::move(state), filings);
  return answer;
}

void ClientQuotas::Return(Ticket* ticket) {
  const Ticket returned = std::move(*ticket);
  if (returned.state_ == nullptr) return;
  MutexLock lock(&mutex_);
  // What is in flight keeps its state remembered, so the name is there.
  State& state = *returned.state_;
  const double burst = QuotaOf(*state.place).filings_burst;
  state.tokens =
      std::min(std::max(burst, state.tokens),
               state.tokens + static_cast<double>(returned.filings_));
}

void ClientQuotas::Replace(QuotaOptions options) {
  MutexLock lock(&mutex_);
  options_ = std::move(options);
}

size_t ClientQuotas::clients() const {
  MutexLock lock(&mutex_);
  return states_.size();
}

}  // namespace inkan
