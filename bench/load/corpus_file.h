// A corpus as inkan-lab writes it: filings, each with its truth.
//
//   absl::StatusOr<Corpus> corpus = ReadCorpus("lab/corpus.binpb");
//
// Immutable once read; any thread. Errors name the file and the entry.
#ifndef INKAN_BENCH_LOAD_CORPUS_FILE_H_
#define INKAN_BENCH_LOAD_CORPUS_FILE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "inkan/lab/v1/corpus.pb.h"

namespace inkan::load {

struct Corpus {
  std::vector<lab::v1::CorpusEntry> entries;
  std::vector<std::string> kinds;  // in the order they first appear
  std::vector<uint32_t> kind_of;   // entry to index into kinds
};

absl::StatusOr<Corpus> ReadCorpus(const std::string& path);

// Fills `kinds` and `kind_of`.
Corpus MakeCorpus(std::vector<lab::v1::CorpusEntry> entries);

}  // namespace inkan::load

#endif  // INKAN_BENCH_LOAD_CORPUS_FILE_H_
