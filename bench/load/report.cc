#include "bench/load/report.h"

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace inkan::load {
namespace {

constexpr double kNsPerMs = 1e6;

struct NamedQuantile {
  const char* name;
  double quantile;
};
constexpr NamedQuantile kQuantiles[] = {
    {"p50", 0.5}, {"p99", 0.99}, {"p99.9", 0.999}};

double Milliseconds(uint64_t ns) { return static_cast<double>(ns) / kNsPerMs; }

double Throughput(const Report& report) {
  return report.seconds > 0
             ? static_cast<double>(report.results.answered) / report.seconds
             : 0;
}

// "1,234,567".
std::string Grouped(uint64_t number) {
  const std::string digits = absl::StrCat(number);
  std::string grouped;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) grouped.push_back(',');
    grouped.push_back(digits[i]);
  }
  return grouped;
}

// The truth of a kind, from its first entry.
Outcome TruthOf(const Corpus& corpus, uint32_t kind) {
  for (size_t i = 0; i < corpus.entries.size(); ++i) {
    if (corpus.kind_of[i] != kind) continue;
    const lab::v1::Truth& truth = corpus.entries[i].truth();
    return {truth.indication(), truth.sub_indication()};
  }
  return {};
}

// The kinds that pass first, then those that fail alike, each by name.
std::vector<uint32_t> KindsInOrder(const Corpus& corpus) {
  std::vector<std::pair<Outcome, std::string>> keys;
  std::vector<uint32_t> order;
  for (uint32_t kind = 0; kind < corpus.kinds.size(); ++kind) {
    keys.emplace_back(TruthOf(corpus, kind), corpus.kinds[kind]);
    order.push_back(kind);
  }
  std::sort(order.begin(), order.end(),
            [&](uint32_t a, uint32_t b) { return keys[a] < keys[b]; });
  return order;
}

std::string KindTable(const Corpus& corpus, const Results& results) {
  std::string text = absl::StrFormat("  %-27s %9s  %s\n", "kind of filing",
                                     "filings", "verdict");
  for (const uint32_t kind : KindsInOrder(corpus)) {
    const Outcome truth = TruthOf(corpus, kind);
    for (const auto& [outcome, count] : results.by_kind[kind]) {
      absl::StrAppendFormat(
          &text, "%c %-27s %9s  %s%s\n", outcome == truth ? ' ' : '!',
          corpus.kinds[kind], Grouped(count), OutcomeName(outcome),
          outcome == truth
              ? ""
              : absl::StrCat("  (the truth is ", OutcomeName(truth), ")"));
    }
  }
  return text;
}

using google::protobuf::Struct;

void Put(Struct* object, const std::string& name, double number) {
  (*object->mutable_fields())[name].set_number_value(number);
}

void Put(Struct* object, const std::string& name, uint64_t number) {
  Put(object, name, static_cast<double>(number));
}

void Put(Struct* object, const std::string& name, const std::string& text) {
  (*object->mutable_fields())[name].set_string_value(text);
}

Struct* PutObject(Struct* object, const std::string& name) {
  return (*object->mutable_fields())[name].mutable_struct_value();
}

}  // namespace

const char* ModeName(Mode mode) {
  switch (mode) {
    case Mode::kUnary:
      return "unary";
    case Mode::kBatch:
      return "batch";
    case Mode::kStream:
      return "stream";
  }
  return "?";
}

std::string TextReport(const LoadOptions& options, const Corpus& corpus,
                       const Report& report) {
  const Results& results = report.results;
  std::string text = absl::StrCat(KindTable(corpus, results), "\n");
  absl::StrAppendFormat(
      &text, "  %s of %s filings answered in %.2f s: %s a second\n",
      Grouped(results.answered), Grouped(report.issued), report.seconds,
      Grouped(static_cast<uint64_t>(Throughput(report))));
  absl::StrAppendFormat(
      &text, "  %s, %d filings a message, %d connection%s, %s\n",
      ModeName(options.mode),
      options.mode == Mode::kUnary ? 1 : options.batch_size,
      options.connections, options.connections == 1 ? "" : "s",
      options.rate > 0
          ? absl::StrFormat("open loop at %.0f filings a second", options.rate)
          : absl::StrFormat("closed loop with %d messages in flight each",
                            options.in_flight));
  absl::StrAppend(&text, "  latency ms:");
  for (const NamedQuantile& q : kQuantiles) {
    absl::StrAppendFormat(
        &text, "  %s %.2f", q.name,
        Milliseconds(results.latency_ns.Quantile(q.quantile)));
  }
  absl::StrAppendFormat(&text, "  max %.2f\n",
                        Milliseconds(results.latency_ns.max()));
  absl::StrAppendFormat(&text, "  mismatches %s, refused %s, lost %s\n",
                        Grouped(results.mismatches), Grouped(results.refused),
                        Grouped(results.lost));
  for (const auto& [code, count] : results.errors_by_code) {
    absl::StrAppendFormat(&text, "  error %s: %s RPCs or messages\n", code,
                          Grouped(count));
  }
  if (report.stalled) {
    absl::StrAppend(&text, "  given up: the server stopped answering\n");
  }
  for (const std::string& example : results.examples) {
    absl::StrAppend(&text, "  ! ", example, "\n");
  }
  return text;
}

std::string JsonReport(const LoadOptions& options, const Corpus& corpus,
                       const Report& report) {
  const Results& results = report.results;
  Struct root;
  Put(&root, "target", options.target);
  Put(&root, "mode", std::string(ModeName(options.mode)));
  Put(&root, "batch_size",
      uint64_t{options.mode == Mode::kUnary ? 1 : options.batch_size});
  Put(&root, "connections", uint64_t{options.connections});
  Put(&root, "in_flight", uint64_t{options.in_flight});
  Put(&root, "rate", options.rate);
  Put(&root, "seconds", report.seconds);
  Put(&root, "filings_sent", report.issued);
  Put(&root, "filings_answered", results.answered);
  Put(&root, "filings_per_second", Throughput(report));
  Put(&root, "mismatches", results.mismatches);
  Put(&root, "refused", results.refused);
  Put(&root, "lost", results.lost);
  Struct* latency = PutObject(&root, "latency_ms");
  for (const NamedQuantile& q : kQuantiles) {
    Put(latency, q.name, Milliseconds(results.latency_ns.Quantile(q.quantile)));
  }
  Put(latency, "max", Milliseconds(results.latency_ns.max()));
  Struct* errors = PutObject(&root, "errors");
  for (const auto& [code, count] : results.errors_by_code) {
    Put(errors, code, count);
  }
  Struct* kinds = PutObject(&root, "kinds");
  for (uint32_t kind = 0; kind < corpus.kinds.size(); ++kind) {
    Struct* one = PutObject(kinds, corpus.kinds[kind]);
    Put(one, "truth", OutcomeName(TruthOf(corpus, kind)));
    Struct* verdicts = PutObject(one, "verdicts");
    for (const auto& [outcome, count] : results.by_kind[kind]) {
      Put(verdicts, OutcomeName(outcome), count);
    }
  }
  for (const std::string& example : results.examples) {
    (*root.mutable_fields())["examples"]
        .mutable_list_value()
        ->add_values()
        ->set_string_value(example);
  }
  std::string json;
  google::protobuf::util::JsonPrintOptions print;
  print.add_whitespace = true;
  if (!google::protobuf::util::MessageToJsonString(root, &json, print).ok()) {
    return "{}\n";
  }
  return json;
}

int ExitCode(const Report& report) {
  const Results& results = report.results;
  if (report.stalled || results.mismatches > 0 || results.lost > 0) return 1;
  return results.refused > 0 ? 2 : 0;
}

}  // namespace inkan::load
