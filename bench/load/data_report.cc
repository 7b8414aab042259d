// The reports for programs: JSON and CSV.
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "bench/load/report.h"
#include "bench/load/shares.h"

namespace inkan::load {
namespace {

constexpr double kMsPerSecond = 1e3;

const char* ArrivalsName(const LoadOptions& options) {
  if (options.rate <= 0) return "closed";
  return options.arrivals == Arrivals::kPoisson ? "poisson" : "constant";
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

void PutLatency(const Histogram& histogram, Struct* latency) {
  for (const NamedQuantile& q : kQuantiles) {
    Put(latency, q.name, Milliseconds(histogram.Quantile(q.quantile)));
  }
  Put(latency, "max", Milliseconds(histogram.max()));
}

void PutKinds(const Results& results, const Corpus& corpus, Struct* kinds) {
  for (uint32_t kind = 0; kind < results.by_kind.size(); ++kind) {
    Struct* verdicts =
        PutObject(PutObject(kinds, corpus.kinds[kind]), "verdicts");
    for (const auto& [outcome, count] : results.by_kind[kind]) {
      Put(verdicts, OutcomeName(outcome), count);
    }
  }
  for (uint32_t i = 0; i < corpus.entries.size(); ++i) {
    const lab::v1::Truth& truth = corpus.entries[i].truth();
    Struct* kind = PutObject(kinds, truth.kind());
    if (kind->fields().count("truth") == 0) {
      Put(kind, "truth",
          OutcomeName({truth.indication(), truth.sub_indication()}));
    }
  }
}

void PutOptions(const LoadOptions& options, Struct* root) {
  Put(root, "target", options.target);
  Put(root, "mode", MixName(options.mix));
  Put(root, "batch_size", uint64_t{MessageFilings(options)});
  Put(root, "connections", uint64_t{options.connections});
  Put(root, "in_flight", uint64_t{options.in_flight});
  Put(root, "rate", options.rate);
  Put(root, "arrivals", std::string(ArrivalsName(options)));
  Put(root, "warm_up_seconds", options.warm_up.count());
}

void PutStep(const Step& step, const Corpus& corpus, Struct* root) {
  const Report& report = step.report;
  const Results& results = report.results;
  PutOptions(step.options, root);
  Put(root, "seconds", report.seconds);
  Put(root, "filings_sent", report.issued);
  Put(root, "filings_unsent", report.unsent);
  Put(root, "filings_answered", results.answered);
  Put(root, "filings_answered_measured", results.measured_answered);
  Put(root, "filings_per_second", report.throughput());
  Put(root, "mismatches", results.mismatches);
  Put(root, "refused", results.refused);
  Put(root, "lost", results.lost);
  Put(root, "unasked", results.unasked);
  Put(root, "lag_max_ms", report.lag_max_seconds * kMsPerSecond);
  if (!step.fault.empty()) Put(root, "fault", step.fault);
  PutLatency(results.latency_ns, PutObject(root, "latency_ms"));
  PutLatency(results.refused_latency_ns, PutObject(root, "refusal_ms"));
  if (report.server) {
    Struct* server = PutObject(root, "server");
    Put(server, "cpu_seconds", report.server->cpu_seconds);
    Put(server, "filings_per_cpu_second", report.per_cpu_second());
    Put(server, "resident_bytes_peak", report.server->resident_bytes_peak);
  }
  Struct* errors = PutObject(root, "errors");
  for (const auto& [code, count] : results.errors_by_code) {
    Put(errors, code, count);
  }
  Struct* refused = PutObject(root, "refused_by_code");
  for (const auto& [code, count] : results.refused_by_code) {
    Put(refused, code, count);
  }
  Struct* refusals = PutObject(root, "refusal_examples");
  for (const auto& [code, example] : results.refusal_examples) {
    Put(refusals, code, example);
  }
  PutKinds(results, corpus, PutObject(root, "kinds"));
  for (const std::string& example : results.examples) {
    (*root->mutable_fields())["examples"]
        .mutable_list_value()
        ->add_values()
        ->set_string_value(example);
  }
}

}  // namespace

std::string JsonReport(const Campaign& campaign, const Corpus& corpus) {
  Struct root;
  switch (campaign.plan.purpose) {
    case Purpose::kSingle:
      break;
    case Purpose::kRates:
      Put(&root, "purpose", std::string("rates"));
      break;
    case Purpose::kSearch:
      Put(&root, "purpose", std::string("search"));
      Put(&root, "best_rate", campaign.best_rate);
      Put(&root, "p99_max_ms", campaign.plan.p99_max.count() * kMsPerSecond);
      break;
    case Purpose::kOverload:
      Put(&root, "purpose", std::string("overload"));
      Put(&root, "overload", campaign.plan.overload);
      Put(&root, "capacity", campaign.capacity);
      Put(&root, "goodput_share", campaign.goodput_share);
      break;
  }
  for (const Step& step : campaign.steps) {
    PutStep(step, corpus,
            campaign.plan.purpose == Purpose::kSingle
                ? &root
                : (*root.mutable_fields())["steps"]
                      .mutable_list_value()
                      ->add_values()
                      ->mutable_struct_value());
  }
  std::string json;
  google::protobuf::util::JsonPrintOptions print;
  print.add_whitespace = true;
  if (!google::protobuf::util::MessageToJsonString(root, &json, print).ok()) {
    return "{}\n";
  }
  return json;
}

std::string CsvReport(const Campaign& campaign) {
  std::string text =
      "step,mode,batch_size,connections,in_flight,arrivals,rate,seconds,sent,"
      "unsent,answered,per_second,refused,mismatches,lost,unasked";
  for (const NamedQuantile& q : kQuantiles) {
    absl::StrAppend(&text, ",", q.name, "_ms");
  }
  absl::StrAppend(&text,
                  ",max_ms,refusal_p99_ms,lag_max_ms,server_cpu_seconds,"
                  "per_server_cpu_second,server_resident_bytes_peak,good,"
                  "answered_measured\n");
  for (size_t i = 0; i < campaign.steps.size(); ++i) {
    const Step& step = campaign.steps[i];
    const LoadOptions& options = step.options;
    const Report& report = step.report;
    const Results& results = report.results;
    absl::StrAppendFormat(
        &text, "%d,\"%s\",%d,%d,%d,%s,%.1f,%.3f,%d,%d,%d,%.1f,%d,%d,%d,%d",
        i + 1,
        // A comma in a field would trip up readers that only split.
        absl::StrReplaceAll(MixName(options.mix), {{",", " +"}}),
        MessageFilings(options), options.connections, options.in_flight,
        ArrivalsName(options), options.rate, report.seconds, report.issued,
        report.unsent, results.answered, report.throughput(), results.refused,
        results.mismatches, results.lost, results.unasked);
    for (const NamedQuantile& q : kQuantiles) {
      absl::StrAppendFormat(
          &text, ",%.4f",
          Milliseconds(results.latency_ns.Quantile(q.quantile)));
    }
    absl::StrAppendFormat(
        &text, ",%.4f,%.4f,%.4f,", Milliseconds(results.latency_ns.max()),
        Milliseconds(results.refused_latency_ns.Quantile(0.99)),
        report.lag_max_seconds * kMsPerSecond);
    if (report.server) {
      absl::StrAppendFormat(&text, "%.2f,%.1f,%d", report.server->cpu_seconds,
                            report.per_cpu_second(),
                            report.server->resident_bytes_peak);
    } else {
      absl::StrAppend(&text, ",,");  // unknown, not 0
    }
    absl::StrAppend(&text, ",", ExitCode(report) == 0 && step.fault.empty(),
                    ",", results.measured_answered, "\n");
  }
  return text;
}

}  // namespace inkan::load
