// Invented prefectures, municipalities and people.
//
//   std::vector<Municipality> places = InventMunicipalities(1900);
//
// Pure functions of their arguments. No place in Japan has one of these names
// on purpose; people are made of common name parts.
#ifndef INKAN_BENCH_LAB_PLACE_NAMES_H_
#define INKAN_BENCH_LAB_PLACE_NAMES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "bench/lab/random.h"

namespace inkan::lab {

struct Municipality {
  std::string prefecture;  // "Asahoshi-ken"
  std::string name;        // "Kazemori-shi"

  // "asahoshi-ken-kazemori-shi", for file names.
  std::string Slug() const;
};

inline constexpr uint32_t kMunicipalitiesMax = 20'000;

// `count` different ones in up to 47 prefectures.
std::vector<Municipality> InventMunicipalities(uint32_t count);

// Family and given name in kanji, with the ideographic space between.
std::string InventPersonName(DeterministicRandom* random, bool female);
// A street address within a municipality.
std::string InventAddress(DeterministicRandom* random,
                          const Municipality& municipality);

}  // namespace inkan::lab

#endif  // INKAN_BENCH_LAB_PLACE_NAMES_H_
