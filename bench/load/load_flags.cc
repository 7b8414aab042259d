#include "bench/load/load_flags.h"

#include <cmath>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"

namespace inkan::load {
namespace {

constexpr double kDefaultSeconds = 10;
// A step of a search or a row of rates.
constexpr double kDefaultStepSeconds = 5;
constexpr double kDefaultStepWarmUp = 1;
constexpr double kDefaultSearchStart = 1000;
constexpr double kRateMax = 1e9;

absl::Status Wrong(const std::string& flag, const std::string& why) {
  return absl::InvalidArgumentError(absl::StrCat(flag, ": ", why));
}

void DescribeLoad(CLI::App* app, Arguments* arguments) {
  LoadOptions& load = arguments->plan.load;
  app->add_option("--target", load.target, "gRPC target, host:port")
      ->capture_default_str();
  app->add_option("--corpus", arguments->corpus,
                  "Filings with their truth, as inkan-lab writes them")
      ->required();
  app->add_option("--mode", arguments->mode,
                  "Verify, BatchVerify, StreamVerify, or an empty health check")
      ->check(CLI::IsMember({"unary", "batch", "stream", "health"}))
      ->capture_default_str();
  app->add_option("--mix", arguments->mix,
                  "Several modes by shares of filings, instead of --mode:\n"
                  "unary=0.7,batch=0.2,stream=0.1");
  app->add_option("--kinds", arguments->kinds_text,
                  "Kinds of filing by share, instead of the corpus as it is:\n"
                  "good=0.95,revoked_before=0.05");
  app->add_option("--batch-size", load.batch_size, "Filings a message")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  app->add_option("--connections", load.connections, "Connections")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  app->add_option("--in-flight", arguments->plan.in_flight,
                  "Messages on the way on a connection; default 32 unary, 4 "
                  "batch or stream,\nat most 1024 in an open loop");
  app->add_option(
      "--warmup", arguments->warm_up,
      "Time at the start that is checked but in no figure, as in 2s; "
      "default 0,\n1s for each step of several");
  app->add_option(
      "--duration", arguments->duration,
      "Time to run after the warm-up, as in 30s; default 10s unless "
      "--count is given,\n5s for each step of several");
  app->add_option("--count", load.count,
                  "Stop after so many filings, taken in the corpus's order");
  app->add_option("--timeout", arguments->timeout,
                  "Time a message may wait for its answer")
      ->capture_default_str();
  app->add_option("--seed", load.seed, "Decides mixes and Poisson arrivals")
      ->capture_default_str();
}

void DescribePace(CLI::App* app, Arguments* arguments) {
  Plan& plan = arguments->plan;
  app->add_option(
         "--rate", plan.load.rate,
         "Filings a second, sent by the clock (open loop); 0: as answers "
         "come in\n(closed loop)")
      ->check(CLI::Range(0.0, kRateMax))
      ->capture_default_str();
  app->add_option("--arrivals", arguments->arrivals,
                  "Spacing in an open loop: constant, or poisson as of many "
                  "independent clients")
      ->check(CLI::IsMember({"constant", "poisson"}))
      ->capture_default_str();
  app->add_flag(
      "--busy-poll", plan.load.busy_poll,
      "Never sleep while calls are on the way: the generator's own "
      "wake-ups are in no\nfigure (not for streams). Takes all of one "
      "core: give it one of its own");
  app->add_option("--rates", arguments->rates,
                  "One step for each of these rates: 1000,2000,5000");
  app->add_flag(
      "--search", arguments->search,
      "Look for the highest rate under --p99-max: doubling from --rate "
      "(default 1000),\nthen bisecting");
  app->add_option("--p99-max", arguments->p99_max,
                  "The bound of --search, as in 5ms");
  app->add_option("--precision", plan.precision,
                  "How close --search gets, as a share")
      ->check(CLI::Range(0.001, 1.0))
      ->capture_default_str();
  app->add_option(
      "--overload", arguments->overload,
      "Measure the maximum in a closed loop, then offer so many times "
      "as much");
}

void DescribeRest(CLI::App* app, Arguments* arguments) {
  LoadOptions& load = arguments->plan.load;
  app->add_option("--format", arguments->format, "text, json or csv")
      ->check(CLI::IsMember({"text", "json", "csv"}))
      ->capture_default_str();
  app->add_option("--html", arguments->html,
                  "Also write a page with plots to this file");
  app->add_option("--server-pid", load.server_pid,
                  "inkand's process on this machine: report its processor time "
                  "and memory");
  app->add_option("--tls-ca", load.tls_ca, "PEM file of the server's CA: TLS");
  app->add_option("--tls-certificate,--tls-cert", load.tls_certificate,
                  "PEM file of the client's certificate: mutual TLS");
  app->add_option("--tls-key", load.tls_key, "PEM file of its private key");
  app->add_option("--tls-server-name", load.tls_server_name,
                  "Name to expect in the server's certificate, if not the "
                  "target's");
  app->add_flag("--i-own-this-target", load.own_target,
                "Allow a target that is not on this machine");
  app->footer(
      "Exit code: 0 every filing got its right verdict; 1 a wrong verdict, or "
      "none;\n2 the server refused some filings, or they could not be sent at "
      "the rate (not with\n--overload), or --search found no rate; 64 and up "
      "usage, files, connection.");
}

absl::Status SetPurpose(Arguments* arguments) {
  Plan& plan = arguments->plan;
  const int purposes = (arguments->search ? 1 : 0) +
                       (arguments->rates.empty() ? 0 : 1) +
                       (arguments->overload.has_value() ? 1 : 0);
  if (purposes > 1) {
    return Wrong("--search, --rates, --overload", "one at a time");
  }
  if (arguments->search != !arguments->p99_max.empty()) {
    return Wrong("--search",
                 "goes with --p99-max, the bound to stay under, as in "
                 "--search --p99-max 5ms");
  }
  if (purposes == 1 && plan.load.count > 0) {
    return Wrong("--count", "steps are bounded by time; use --duration");
  }
  if (arguments->search) {
    plan.purpose = Purpose::kSearch;
    if (plan.load.rate == 0) plan.load.rate = kDefaultSearchStart;
  } else if (arguments->overload) {
    plan.purpose = Purpose::kOverload;
    plan.overload = *arguments->overload;
    if (!(plan.overload >= 1 && plan.overload <= 100)) {
      return Wrong("--overload", "give a factor from 1 to 100, as in 3");
    }
    if (plan.load.rate > 0) {
      return Wrong("--rate", "--overload finds the rate itself; leave it out");
    }
  } else if (!arguments->rates.empty()) {
    plan.purpose = Purpose::kRates;
    for (const std::string& part :
         std::vector<std::string>(absl::StrSplit(arguments->rates, ','))) {
      double rate = 0;
      if (!absl::SimpleAtod(part, &rate) || !(rate > 0 && rate <= kRateMax)) {
        return Wrong("--rates", absl::StrCat("\"", part,
                                             "\" is no rate; give filings a "
                                             "second, as in 1000,2000"));
      }
      plan.rates.push_back(rate);
    }
  }
  return absl::OkStatus();
}

absl::Status SetTimes(Arguments* arguments) {
  LoadOptions& load = arguments->plan.load;
  const bool steps = arguments->plan.purpose != Purpose::kSingle;
  load.duration = Seconds(steps             ? kDefaultStepSeconds
                          : load.count == 0 ? kDefaultSeconds
                                            : 0);
  load.warm_up = Seconds(steps ? kDefaultStepWarmUp : 0);
  const struct {
    const char* flag;
    const std::string& text;
    Seconds* to;
  } times[] = {{"--duration", arguments->duration, &load.duration},
               {"--warmup", arguments->warm_up, &load.warm_up},
               {"--timeout", arguments->timeout, &load.timeout},
               {"--p99-max", arguments->p99_max, &arguments->plan.p99_max}};
  for (const auto& time : times) {
    if (time.text.empty()) continue;
    const absl::StatusOr<Seconds> seconds = ParseSeconds(time.flag, time.text);
    if (!seconds.ok()) return seconds.status();
    *time.to = *seconds;
  }
  if (load.timeout.count() <= 0) return Wrong("--timeout", "must be above 0");
  if (load.duration.count() <= 0 && load.count == 0) {
    return Wrong("--duration", "must be above 0, or give --count");
  }
  if (arguments->search && arguments->plan.p99_max.count() <= 0) {
    return Wrong("--p99-max", "must be above 0, as in 5ms");
  }
  return absl::OkStatus();
}

absl::Status SetMixes(Arguments* arguments) {
  const std::string& modes =
      arguments->mix.empty() ? arguments->mode : arguments->mix;
  absl::StatusOr<NamedShares> shares =
      ParseShares("--mix", arguments->mix.empty() ? modes + "=1" : modes);
  if (!shares.ok()) return shares.status();
  absl::StatusOr<ModeShares> mix = ModeSharesOf("--mix", *shares);
  if (!mix.ok()) return mix.status();
  arguments->plan.load.mix = *mix;
  if (arguments->kinds_text.empty()) return absl::OkStatus();
  absl::StatusOr<NamedShares> kinds =
      ParseShares("--kinds", arguments->kinds_text);
  if (!kinds.ok()) return kinds.status();
  arguments->kinds = *std::move(kinds);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Seconds> ParseSeconds(const std::string& flag,
                                     const std::string& text) {
  double seconds = 0;
  absl::Duration duration;
  if (!absl::SimpleAtod(text, &seconds)) {
    if (!absl::ParseDuration(text, &duration)) {
      return Wrong(flag, absl::StrCat("\"", text,
                                      "\" is no time; write 500ms, 10s or 2m"));
    }
    seconds = absl::ToDoubleSeconds(duration);
  }
  if (!(seconds >= 0 && seconds <= kDurationMaxSeconds)) {
    return Wrong(flag, absl::StrCat("\"", text,
                                    "\" is out of range; at most a day (24h)"));
  }
  return Seconds(seconds);
}

void DescribeFlags(CLI::App* app, Arguments* arguments) {
  DescribeLoad(app, arguments);
  DescribePace(app, arguments);
  DescribeRest(app, arguments);
}

absl::Status Complete(Arguments* arguments) {
  Plan& plan = arguments->plan;
  plan.load.arrivals = arguments->arrivals == "poisson" ? Arrivals::kPoisson
                                                        : Arrivals::kConstant;
  for (const auto& part : {SetPurpose, SetTimes, SetMixes}) {
    const absl::Status status = part(arguments);
    if (!status.ok()) return status;
  }
  if (uint64_t{plan.in_flight} * plan.load.connections > kOnTheWayMax) {
    return Wrong("--in-flight",
                 absl::StrCat("times --connections is above ", kOnTheWayMax,
                              " messages; lower one of them"));
  }
  if (plan.load.server_pid < 0) {
    return Wrong("--server-pid", "give inkand's process id");
  }
  return absl::OkStatus();
}

}  // namespace inkan::load
