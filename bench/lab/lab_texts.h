// The texts in a lab's folder: configuration, README, notes beside samples.
#ifndef INKAN_BENCH_LAB_LAB_TEXTS_H_
#define INKAN_BENCH_LAB_LAB_TEXTS_H_

#include <string>

#include "bench/lab/authority.h"
#include "bench/lab/lab.h"
#include "inkan/lab/v1/corpus.pb.h"

namespace inkan::lab {

// The first line of README.txt, by which a lab's folder is known.
inline constexpr char kReadmeTitle[] = "A synthetic JPKI, made by inkan-lab";

struct LabCounts {
  size_t certificates = 0;
  size_t crls = 0;
  size_t revoked = 0;
};

// An inkan.config.v1.ServerConfig in text format.
std::string ConfigText(const LabOptions& options,
                       const Authorities& authorities);
std::string ReadmeText(const LabOptions& options, const LabCounts& counts,
                       const LabClock& clock);
// about.txt of one sample.
std::string SampleText(const lab::v1::CorpusEntry& entry);

}  // namespace inkan::lab

#endif  // INKAN_BENCH_LAB_LAB_TEXTS_H_
