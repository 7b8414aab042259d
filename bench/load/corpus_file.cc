#include "bench/load/corpus_file.h"

#include <google/protobuf/io/zero_copy_stream_impl.h>
#include <google/protobuf/util/delimited_message_util.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace inkan::load {

Corpus MakeCorpus(std::vector<lab::v1::CorpusEntry> entries) {
  Corpus corpus;
  corpus.entries = std::move(entries);
  std::map<std::string, uint32_t> index;
  for (const lab::v1::CorpusEntry& entry : corpus.entries) {
    const auto [found, is_new] = index.try_emplace(
        entry.truth().kind(), static_cast<uint32_t>(corpus.kinds.size()));
    if (is_new) corpus.kinds.push_back(entry.truth().kind());
    corpus.kind_of.push_back(found->second);
  }
  return corpus;
}

absl::StatusOr<Corpus> ReadCorpus(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    return absl::NotFoundError(
        absl::StrCat("cannot read ", path, ": ", std::strerror(errno)));
  }
  google::protobuf::io::IstreamInputStream stream(&in);
  std::vector<lab::v1::CorpusEntry> entries;
  for (;;) {
    lab::v1::CorpusEntry entry;
    bool clean_end = false;
    if (!google::protobuf::util::ParseDelimitedFromZeroCopyStream(
            &entry, &stream, &clean_end)) {
      if (clean_end) break;
      return absl::DataLossError(
          absl::StrCat(path, ": entry ", entries.size(),
                       " is not a CorpusEntry; is this a corpus?"));
    }
    entries.push_back(std::move(entry));
  }
  if (entries.empty()) {
    return absl::DataLossError(absl::StrCat(path, " holds no filings"));
  }
  return MakeCorpus(std::move(entries));
}

}  // namespace inkan::load
