#include "bench/load/connection.h"

#include <optional>
#include <utility>

namespace inkan::load {

Connection::Connection(const LoadOptions& options, const Corpus& corpus,
                       std::shared_ptr<grpc::Channel> channel, CallLoop* loop,
                       JobSource* source)
    : closed_loop_(options.rate <= 0),
      in_flight_max_(options.in_flight),
      source_(source),
      tally_(corpus) {
  const OnDone on_done = [this](const Job& job, const grpc::Status& status,
                                grpc::ByteBuffer* response) {
    Done(job, status, response);
  };
  const double streams = options.mix[static_cast<size_t>(Mode::kStream)];
  if (streams > 0) stream_ = MakeStreamSession(channel, options, on_done);
  if (streams < 1) {
    calls_ = MakeUnarySession(std::move(channel), options, loop, on_done);
  }
}

void Connection::Submit(const Job& job) {
  (job.message->mode == Mode::kStream ? stream_ : calls_)->Submit(job);
}

void Connection::StartClosed() {
  slots_ = in_flight_max_;
  for (uint32_t i = 0; i < in_flight_max_; ++i) SubmitNext();
}

void Connection::Unpark() {
  for (uint32_t n = parked_.exchange(0); n > 0; --n) SubmitNext();
}

bool Connection::TrySubmit(const Job& job) {
  // Only the pacer adds, so what was room stays room.
  if (on_the_way_.load() >= in_flight_max_) return false;
  ++on_the_way_;
  Submit(job);
  return true;
}

void Connection::SubmitNext() {
  const std::optional<Job> job = source_->Next(Clock::now());
  if (job) {
    Submit(*job);
  } else {
    --slots_;
  }
}

void Connection::Done(const Job& job, const grpc::Status& status,
                      grpc::ByteBuffer* response) {
  if (job.message == nullptr) {
    tally_.Unasked();
    return;
  }
  if (status.ok()) {
    tally_.Answered(job, response, Clock::now());
  } else {
    tally_.Failed(job, status, Clock::now());
  }
  if (!closed_loop_) {
    --on_the_way_;
  } else if (status.ok()) {
    SubmitNext();
  } else {
    ++parked_;
  }
}

void Connection::Finish() {
  if (calls_ != nullptr) calls_->Finish();
  if (stream_ != nullptr) stream_->Finish();
}

}  // namespace inkan::load
