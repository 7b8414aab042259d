// "NAME=SHARE,NAME=SHARE,..": mixes of call modes and of kinds of filing.
//
//   absl::StatusOr<NamedShares> shares = ParseShares("--mix",
//   "unary=1,batch=3"); absl::StatusOr<ModeShares> mix = ModeSharesOf("--mix",
//   *shares); absl::StatusOr<Corpus> mixed = SelectKinds("--kinds", *shares,
//   corpus, seed);
//
// Shares are relative: they are divided by their sum. Errors name the flag,
// what is wrong with it and what would be right.
#ifndef INKAN_BENCH_LOAD_SHARES_H_
#define INKAN_BENCH_LOAD_SHARES_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/load/corpus_file.h"
#include "bench/load/options.h"

namespace inkan::load {

using NamedShares = std::vector<std::pair<std::string, double>>;

absl::StatusOr<NamedShares> ParseShares(const std::string& flag,
                                        const std::string& text);

const char* ModeName(Mode mode);
// "batch", or "unary 70 %, stream 30 %".
std::string MixName(const ModeShares& mix);
absl::StatusOr<ModeShares> ModeSharesOf(const std::string& flag,
                                        const NamedShares& shares);

// As many filings as the corpus has, of the kinds and in the shares asked for,
// shuffled; the filings of a kind are repeated where there are too few.
absl::StatusOr<Corpus> SelectKinds(const std::string& flag,
                                   const NamedShares& shares,
                                   const Corpus& corpus, uint64_t seed);

}  // namespace inkan::load

#endif  // INKAN_BENCH_LOAD_SHARES_H_
