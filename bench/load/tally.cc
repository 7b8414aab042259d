#include "bench/load/tally.h"

#include <google/protobuf/arena.h>
#include <grpcpp/support/proto_buffer_reader.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "grpc/health/v1/health.pb.h"

namespace inkan::load {
namespace {

constexpr size_t kExamplesMax = 10;

template <typename Response>
Response* Parse(google::protobuf::Arena* arena, grpc::ByteBuffer* bytes) {
  auto* response = google::protobuf::Arena::CreateMessage<Response>(arena);
  grpc::ProtoBufferReader reader(bytes);
  if (!reader.status().ok() || !response->ParseFromZeroCopyStream(&reader)) {
    return nullptr;
  }
  return response;
}

uint64_t Nanoseconds(Clock::duration duration) {
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count());
}

}  // namespace

std::string OutcomeName(const Outcome& outcome) {
  const auto& [indication, sub_indication] = outcome;
  if (indication == v1::INDICATION_TOTAL_PASSED &&
      sub_indication == v1::SUB_INDICATION_UNSPECIFIED) {
    return "TOTAL_PASSED";
  }
  const std::string main = v1::Indication_Name(indication);
  const std::string sub = v1::SubIndication_Name(sub_indication);
  constexpr size_t kMainPrefix = sizeof("INDICATION_") - 1;
  constexpr size_t kSubPrefix = sizeof("SUB_INDICATION_") - 1;
  return absl::StrCat(
      main.size() > kMainPrefix ? main.substr(kMainPrefix) : "?", "/",
      sub.size() > kSubPrefix ? sub.substr(kSubPrefix) : "?");
}

std::string CodeName(grpc::StatusCode code) {
  static constexpr const char* kNames[] = {"OK",
                                           "CANCELLED",
                                           "UNKNOWN",
                                           "INVALID_ARGUMENT",
                                           "DEADLINE_EXCEEDED",
                                           "NOT_FOUND",
                                           "ALREADY_EXISTS",
                                           "PERMISSION_DENIED",
                                           "RESOURCE_EXHAUSTED",
                                           "FAILED_PRECONDITION",
                                           "ABORTED",
                                           "OUT_OF_RANGE",
                                           "UNIMPLEMENTED",
                                           "INTERNAL",
                                           "UNAVAILABLE",
                                           "DATA_LOSS",
                                           "UNAUTHENTICATED"};
  const auto index = static_cast<size_t>(code);
  return index < std::size(kNames) ? kNames[index] : absl::StrCat(index);
}

void Results::Merge(const Results& other) {
  latency_ns.Merge(other.latency_ns);
  refused_latency_ns.Merge(other.refused_latency_ns);
  measured_answered += other.measured_answered;
  last_end = std::max(last_end, other.last_end);
  answered += other.answered;
  mismatches += other.mismatches;
  refused += other.refused;
  lost += other.lost;
  unasked += other.unasked;
  for (const auto& [code, count] : other.refused_by_code) {
    refused_by_code[code] += count;
  }
  for (const auto& [code, count] : other.errors_by_code) {
    errors_by_code[code] += count;
  }
  if (by_kind.size() < other.by_kind.size()) {
    by_kind.resize(other.by_kind.size());
  }
  for (size_t kind = 0; kind < other.by_kind.size(); ++kind) {
    for (const auto& [outcome, count] : other.by_kind[kind]) {
      by_kind[kind][outcome] += count;
    }
  }
  for (const std::string& example : other.examples) {
    if (examples.size() < kExamplesMax) examples.push_back(example);
  }
  refusal_examples.insert(other.refusal_examples.begin(),
                          other.refusal_examples.end());
}

Tally::Tally(const Corpus& corpus) : corpus_(corpus) {
  results_.by_kind.resize(corpus.kinds.size());
}

void Tally::Example(std::string text) {
  if (results_.examples.size() < kExamplesMax) {
    results_.examples.push_back(std::move(text));
  }
}

void Tally::CheckVerdict(uint32_t index, const v1::Verdict& verdict) {
  const lab::v1::CorpusEntry& entry = corpus_.entries[index];
  const Outcome truth = {entry.truth().indication(),
                         entry.truth().sub_indication()};
  const Outcome got = {verdict.indication(), verdict.sub_indication()};
  ++results_.by_kind[corpus_.kind_of[index]][got];
  ++results_.answered;
  if (verdict.filing_id() != entry.filing().filing_id()) {
    ++results_.mismatches;
    Example(absl::StrCat(entry.filing().filing_id(),
                         ": answered with the verdict of \"",
                         verdict.filing_id(), "\""));
  } else if (got != truth) {
    ++results_.mismatches;
    Example(absl::StrCat(entry.filing().filing_id(), " (", entry.truth().kind(),
                         "): ", OutcomeName(got), " where ", OutcomeName(truth),
                         " is right: ", verdict.diagnostic()));
  }
}

template <typename Response>
bool Tally::CheckVerdicts(const Job& job, const Response& response) {
  const Message& message = *job.message;
  const auto got = static_cast<uint32_t>(response.verdicts_size());
  if (got > message.count) results_.unasked += got - message.count;
  if (got != message.count) {
    Example(absl::StrCat(got, " verdicts for ", message.count, " filings"));
    return false;
  }
  for (uint32_t i = 0; i < message.count; ++i) {
    CheckVerdict(message.first + i, response.verdicts(static_cast<int>(i)));
  }
  return true;
}

bool Tally::CheckMessage(const Job& job, grpc::ByteBuffer* bytes) {
  google::protobuf::Arena arena;
  const Mode mode = job.message->mode;
  if (mode == Mode::kHealth) {
    using grpc::health::v1::HealthCheckResponse;
    const auto* response = Parse<HealthCheckResponse>(&arena, bytes);
    if (response == nullptr ||
        response->status() != HealthCheckResponse::SERVING) {
      Example("health is not SERVING");
      return false;
    }
    ++results_.answered;
    return true;
  }
  if (mode == Mode::kUnary) {
    const auto* response = Parse<v1::VerifyResponse>(&arena, bytes);
    if (response == nullptr || !response->has_verdict()) {
      Example("a response without a verdict");
      return false;
    }
    CheckVerdict(job.message->first, response->verdict());
    return true;
  }
  if (mode == Mode::kBatch) {
    const auto* response = Parse<v1::BatchVerifyResponse>(&arena, bytes);
    return response != nullptr && CheckVerdicts(job, *response);
  }
  const auto* response = Parse<v1::StreamVerifyResponse>(&arena, bytes);
  if (response == nullptr) return false;
  if (response->sequence() != job.message->sequence) {
    Example(absl::StrCat("sequence ", response->sequence(), " where ",
                         job.message->sequence, " was due"));
    return false;
  }
  return CheckVerdicts(job, *response);
}

void Tally::Ended(const Job& job, Clock::time_point now) {
  results_.last_end = std::max(results_.last_end, now);
  ended_ += job.message->count;
  answered_ = results_.answered;
  refused_ = results_.refused;
  wrong_ = results_.mismatches + results_.lost + results_.unasked;
}

void Tally::Answered(const Job& job, grpc::ByteBuffer* response,
                     Clock::time_point now) {
  const uint32_t count = job.message->count;
  const absl::MutexLock lock(&mutex_);
  if (!CheckMessage(job, response)) {
    results_.lost += count;
  } else {
    if (job.intended >= measure_from_) {
      results_.latency_ns.Record(Nanoseconds(now - job.intended), count);
    }
    if (now >= measure_from_) results_.measured_answered += count;
  }
  Ended(job, now);
}

void Tally::Failed(const Job& job, const grpc::Status& status,
                   Clock::time_point now) {
  const uint32_t count = job.message->count;
  const std::string code = CodeName(status.error_code());
  const absl::MutexLock lock(&mutex_);
  ++results_.errors_by_code[code];
  if (status.error_code() == grpc::StatusCode::UNAVAILABLE ||
      status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED) {
    results_.refused += count;
    results_.refused_by_code[code] += count;
    if (job.intended >= measure_from_) {
      results_.refused_latency_ns.Record(Nanoseconds(now - job.intended),
                                         count);
    }
    results_.refusal_examples.try_emplace(code, status.error_message());
  } else {
    results_.lost += count;
    Example(absl::StrCat(code, ": ", status.error_message()));
  }
  Ended(job, now);
}

void Tally::Unasked() {
  const absl::MutexLock lock(&mutex_);
  ++results_.unasked;
  ++wrong_;
  Example("an answer on a stream that owed none");
}

Results Tally::Take() {
  const absl::MutexLock lock(&mutex_);
  return results_;
}

}  // namespace inkan::load
