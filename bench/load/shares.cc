#include "bench/load/shares.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace inkan::load {
namespace {

constexpr Mode kAllModes[] = {Mode::kUnary, Mode::kBatch, Mode::kStream,
                              Mode::kHealth};

absl::Status Wrong(const std::string& flag, const std::string& why) {
  return absl::InvalidArgumentError(absl::StrCat(flag, ": ", why));
}

}  // namespace

absl::StatusOr<NamedShares> ParseShares(const std::string& flag,
                                        const std::string& text) {
  NamedShares shares;
  double sum = 0;
  for (const std::string& part :
       std::vector<std::string>(absl::StrSplit(text, ','))) {
    const std::pair<std::string, std::string> pair =
        absl::StrSplit(part, absl::MaxSplits('=', 1));
    double share = 0;
    if (pair.first.empty() || !absl::SimpleAtod(pair.second, &share) ||
        !std::isfinite(share) || share < 0) {
      return Wrong(flag, absl::StrCat("\"", part,
                                      "\" is not NAME=SHARE, with a share of 0 "
                                      "or more, as in good=0.95"));
    }
    for (const auto& [name, other] : shares) {
      if (name == pair.first) {
        return Wrong(flag, absl::StrCat(name, " is there twice; say it once"));
      }
    }
    shares.emplace_back(pair.first, share);
    sum += share;
  }
  if (sum <= 0) return Wrong(flag, "all shares are 0; give one a share");
  for (auto& [name, share] : shares) share /= sum;
  return shares;
}

const char* ModeName(Mode mode) {
  switch (mode) {
    case Mode::kUnary:
      return "unary";
    case Mode::kBatch:
      return "batch";
    case Mode::kStream:
      return "stream";
    case Mode::kHealth:
      return "health";
  }
  return "?";
}

std::string MixName(const ModeShares& mix) {
  std::vector<std::string> parts;
  for (const Mode mode : kAllModes) {
    const double share = mix[static_cast<size_t>(mode)];
    if (share >= 1) return ModeName(mode);
    if (share > 0) {
      parts.push_back(
          absl::StrFormat("%s %.3g %%", ModeName(mode), share * 100));
    }
  }
  return absl::StrJoin(parts, ", ");
}

absl::StatusOr<ModeShares> ModeSharesOf(const std::string& flag,
                                        const NamedShares& shares) {
  ModeShares mix{};
  for (const auto& [name, share] : shares) {
    const auto* const mode =
        std::find_if(std::begin(kAllModes), std::end(kAllModes),
                     [&name = name](Mode m) { return name == ModeName(m); });
    if (mode == std::end(kAllModes)) {
      return Wrong(flag, absl::StrCat("\"", name,
                                      "\" is no call mode; there are unary, "
                                      "batch, stream and health"));
    }
    mix[static_cast<size_t>(*mode)] = share;
  }
  return mix;
}

absl::StatusOr<Corpus> SelectKinds(const std::string& flag,
                                   const NamedShares& shares,
                                   const Corpus& corpus, uint64_t seed) {
  const size_t size = corpus.entries.size();
  std::vector<size_t> chosen;
  double owed = 0;
  for (const auto& [name, share] : shares) {
    const auto kind = std::find(corpus.kinds.begin(), corpus.kinds.end(), name);
    if (kind == corpus.kinds.end()) {
      return Wrong(
          flag, absl::StrCat("the corpus has no filing of kind \"", name,
                             "\"; it has ", absl::StrJoin(corpus.kinds, ", ")));
    }
    const auto index = static_cast<uint32_t>(kind - corpus.kinds.begin());
    std::vector<size_t> entries;
    for (size_t i = 0; i < size; ++i) {
      if (corpus.kind_of[i] == index) entries.push_back(i);
    }
    // What rounding leaves over goes to the next kind; one is there at least.
    owed += share * static_cast<double>(size);
    auto count = static_cast<size_t>(std::max(0.0, std::floor(owed + 1e-6)));
    if (share > 0) count = std::max<size_t>(count, 1);
    owed -= static_cast<double>(count);
    for (size_t i = 0; i < count; ++i) {
      chosen.push_back(entries[i % entries.size()]);
    }
  }
  std::shuffle(chosen.begin(), chosen.end(), std::mt19937_64(seed));
  std::vector<lab::v1::CorpusEntry> entries;
  entries.reserve(chosen.size());
  for (const size_t i : chosen) entries.push_back(corpus.entries[i]);
  return MakeCorpus(std::move(entries));
}

}  // namespace inkan::load
