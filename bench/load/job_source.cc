#include "bench/load/job_source.h"

#include <grpcpp/support/slice.h>

#include <algorithm>
#include <string>

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

}  // namespace

JobSource::JobSource(const Corpus& corpus, const LoadOptions& options)
    : mode_(options.mode), duration_(options.duration) {
  const auto size = static_cast<uint32_t>(corpus.entries.size());
  const uint32_t batch = mode_ == Mode::kUnary ? 1 : options.batch_size;
  for (uint32_t first = 0; first < size; first += batch) {
    messages_.push_back(
        MakeMessage(corpus, first, std::min(batch, size - first)));
  }
  if (messages_.empty()) jobs_max_ = 0;
  if (options.count == 0 || size == 0) return;
  // Whole passes, then whole messages, then what is left.
  const auto rest = static_cast<uint32_t>(options.count % size);
  jobs_max_ = options.count / size * messages_.size() + rest / batch;
  if (rest % batch != 0) {
    tail_ = MakeMessage(corpus, rest / batch * batch, rest % batch);
    ++jobs_max_;
  }
}

Message JobSource::MakeMessage(const Corpus& corpus, uint32_t first,
                               uint32_t count) {
  Message message;
  message.first = first;
  message.count = count;
  if (mode_ == Mode::kUnary) {
    v1::VerifyRequest request;
    *request.mutable_filing() = corpus.entries[first].filing();
    message.bytes = ToByteBuffer(request);
  } else if (mode_ == Mode::kBatch) {
    v1::BatchVerifyRequest request;
    AddFilings(corpus, first, count, &request);
    message.bytes = ToByteBuffer(request);
  } else {
    v1::StreamVerifyRequest request;
    AddFilings(corpus, first, count, &request);
    message.sequence = messages_.size() + 1;
    request.set_sequence(message.sequence);
    message.bytes = ToByteBuffer(request);
  }
  return message;
}

void JobSource::Start(Clock::time_point now) {
  end_ = duration_.count() > 0
             ? now + std::chrono::duration_cast<Clock::duration>(duration_)
             : Clock::time_point::max();
}

std::optional<Job> JobSource::Next(Clock::time_point intended) {
  if (exhausted_.load() || intended >= end_) {
    exhausted_ = true;
    return std::nullopt;
  }
  const uint64_t index = next_++;
  if (index >= jobs_max_) {
    exhausted_ = true;
    return std::nullopt;
  }
  const Message* message = tail_ && index + 1 == jobs_max_
                               ? &*tail_
                               : &messages_[index % messages_.size()];
  filings_issued_ += message->count;
  return Job{message, intended};
}

}  // namespace inkan::load
