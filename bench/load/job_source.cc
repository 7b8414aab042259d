#include "bench/load/job_source.h"

#include <grpcpp/support/slice.h>

#include <algorithm>
#include <string>

#include "grpc/health/v1/health.pb.h"
#include "inkan/v1/verification.pb.h"

namespace inkan::load {
namespace {

grpc::ByteBuffer ToByteBuffer(const google::protobuf::MessageLite& message) {
  const grpc::Slice slice(message.SerializeAsString());
  return grpc::ByteBuffer(&slice, 1);
}

template <typename Request>
void AddFilings(const Corpus& corpus, uint32_t first, uint32_t count,
                Request* request) {
  for (uint32_t i = first; i < first + count; ++i) {
    *request->add_filings() = corpus.entries[i].filing();
  }
}

Message MakeMessage(const Corpus& corpus, Mode mode, uint32_t first,
                    uint32_t count, uint64_t sequence) {
  Message message;
  message.mode = mode;
  message.first = first;
  message.count = count;
  if (mode == Mode::kHealth) {
    message.bytes = ToByteBuffer(grpc::health::v1::HealthCheckRequest());
  } else if (mode == Mode::kUnary) {
    v1::VerifyRequest request;
    *request.mutable_filing() = corpus.entries[first].filing();
    message.bytes = ToByteBuffer(request);
  } else if (mode == Mode::kBatch) {
    v1::BatchVerifyRequest request;
    AddFilings(corpus, first, count, &request);
    message.bytes = ToByteBuffer(request);
  } else {
    v1::StreamVerifyRequest request;
    AddFilings(corpus, first, count, &request);
    message.sequence = sequence;
    request.set_sequence(sequence);
    message.bytes = ToByteBuffer(request);
  }
  return message;
}

uint32_t FilingsAMessage(Mode mode, const LoadOptions& options) {
  return mode == Mode::kUnary || mode == Mode::kHealth ? 1 : options.batch_size;
}

// A number in [0, 1) that looks random (splitmix64's mixing steps).
double UniformOf(uint64_t seed, uint64_t index) {
  uint64_t x = seed * 0x9E3779B97F4A7C15U + index * 0xD1B54A32D192ED03U + 1;
  x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9U;
  x = (x ^ (x >> 27U)) * 0x94D049BB133111EBU;
  x ^= x >> 31U;
  return static_cast<double>(x >> 11U) * 0x1.0p-53;
}

}  // namespace

JobSource::JobSource(const Corpus& corpus, const LoadOptions& options)
    : seed_(options.seed),
      length_(options.duration.count() > 0 ? options.warm_up + options.duration
                                           : Seconds(0)) {
  // Shares of filings to shares of messages.
  double sum = 0;
  for (size_t i = 0; i < kModes; ++i) {
    const auto mode = static_cast<Mode>(i);
    if (options.mix[i] > 0) {
      ++modes_;
      FillPass(corpus, mode, FilingsAMessage(mode, options));
      sum += options.mix[i] / FilingsAMessage(mode, options);
    }
    passes_[i].cumulative_share = sum;
  }
  for (Pass& pass : passes_) pass.cumulative_share /= sum > 0 ? sum : 1;
  if (corpus.entries.empty() || modes_ == 0) {
    jobs_max_ = 0;
    filings_max_ = 0;
  } else if (options.count > 0) {
    SetCount(corpus, options);
  }
}

void JobSource::FillPass(const Corpus& corpus, Mode mode, uint32_t batch) {
  std::vector<Message>& messages = passes_[static_cast<size_t>(mode)].messages;
  const auto size = static_cast<uint32_t>(corpus.entries.size());
  if (mode == Mode::kHealth && size > 0) {
    messages.push_back(MakeMessage(corpus, mode, 0, 1, 0));
    return;
  }
  for (uint32_t first = 0; first < size; first += batch) {
    messages.push_back(MakeMessage(corpus, mode, first,
                                   std::min(batch, size - first),
                                   messages.size() + 1));
  }
}

void JobSource::SetCount(const Corpus& corpus, const LoadOptions& options) {
  if (modes_ > 1) {
    filings_max_ = options.count;
    return;
  }
  const Pass& pass = PassFor(0);
  const auto mode = pass.messages[0].mode;
  if (mode == Mode::kHealth) {
    jobs_max_ = options.count;
    return;
  }
  // Whole passes, then whole messages, then what is left.
  const uint32_t batch = FilingsAMessage(mode, options);
  const auto size = static_cast<uint32_t>(corpus.entries.size());
  const auto rest = static_cast<uint32_t>(options.count % size);
  jobs_max_ = options.count / size * pass.messages.size() + rest / batch;
  if (rest % batch != 0) {
    tail_ = MakeMessage(corpus, mode, rest / batch * batch, rest % batch,
                        pass.messages.size() + 1);
    ++jobs_max_;
  }
}

void JobSource::Start(Clock::time_point now) {
  end_ =
      length_.count() > 0 ? now + ToClock(length_) : Clock::time_point::max();
}

JobSource::Pass& JobSource::PassFor(uint64_t index) {
  const double where = modes_ > 1 ? UniformOf(seed_, index) : 0;
  Pass* last = &passes_[0];
  for (Pass& pass : passes_) {
    if (pass.messages.empty()) continue;
    if (where < pass.cumulative_share) return pass;
    last = &pass;  // the sum of the shares may round to just below 1
  }
  return *last;
}

const Message* JobSource::Choose() {
  const uint64_t index = next_++;
  if (index >= jobs_max_ || filings_issued_.load() >= filings_max_) {
    return nullptr;
  }
  if (tail_ && index + 1 == jobs_max_) return &*tail_;
  Pass& pass = PassFor(index);
  return &pass.messages[pass.next++ % pass.messages.size()];
}

std::optional<Job> JobSource::Next(Clock::time_point intended) {
  const Message* message = nullptr;
  if (!exhausted_.load() && intended < end_) message = Choose();
  if (message == nullptr) {
    exhausted_ = true;
    return std::nullopt;
  }
  filings_issued_ += message->count;
  return Job{message, intended};
}

}  // namespace inkan::load
