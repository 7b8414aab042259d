// The documents that the lab's citizens file: made-up income-tax returns, about
// a kilobyte of XML each.
#ifndef INKAN_BENCH_LAB_DOCUMENT_H_
#define INKAN_BENCH_LAB_DOCUMENT_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "bench/lab/random.h"

namespace inkan::lab {

std::string MakeTaxReturn(std::string_view taxpayer, int64_t filed_at,
                          DeterministicRandom* random);

}  // namespace inkan::lab

#endif  // INKAN_BENCH_LAB_DOCUMENT_H_
