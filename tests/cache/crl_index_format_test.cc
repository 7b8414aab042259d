#include "cache/crl_index_format.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "crypto/isa.h"

namespace inkan::crl_format {
namespace {

TEST(CrlIndexBits, OnesAreCountedFromAnyBitOn) {
  std::mt19937_64 dice(1);
  std::vector<uint8_t> octets(600 + kBitsGuardBytes);
  for (uint8_t& octet : octets) octet = static_cast<uint8_t>(dice());
  for (uint64_t position = 0; position < 70; ++position) {
    uint64_t ones = 0;
    for (uint64_t count = 0; count < 4096; ++count) {
      ASSERT_EQ(CountOnes(octets.data(), position, count), ones)
          << position << " " << count;
      if (ChosenIsa().popcnt) {
        ASSERT_EQ(CountOnes<PopcntOnes>(octets.data(), position, count), ones)
            << position << " " << count;
      }
      ones += GetBit(octets.data(), position + count) ? 1 : 0;
    }
  }
}

// The rule for the number of low bits is worth no less than trying them all.
TEST(SetCoding, TakesTheFewestBits) {
  for (unsigned shift = 0; shift <= 56; ++shift) {
    for (uint64_t count = 1; count <= kBlockEntriesMax; ++count) {
      if (shift < kBlockCountBits && count > uint64_t{1} << shift) break;
      uint64_t least = ~uint64_t{0};
      for (unsigned low = 0; low <= shift; ++low) {
        if (shift - low > 20) continue;  // far too many zeros
        least =
            std::min(least, count * (low + 1) + (uint64_t{1} << (shift - low)));
      }
      if (shift <= kBlockCountBits) {
        least = std::min(least, uint64_t{1} << shift);
      }
      ASSERT_EQ(SetCodingOf(count, shift).bits, least) << count << " " << shift;
    }
  }
}

TEST(DateCoding, CountsGroupsWithoutDividing) {
  for (uint64_t group = 1; group <= kGroupMax; ++group) {
    DateCoding coding;
    ASSERT_TRUE(DateCoding::Make(8, 0, group, &coding));
    for (uint32_t count = 0; count <= kBlockEntriesMax; ++count) {
      ASSERT_EQ(coding.Groups(count), count / group) << count << " " << group;
    }
  }
}

}  // namespace
}  // namespace inkan::crl_format
