// The building of an index where entries out of order are sorted in several
// ranges: against a plain map, and by how often the entries are read.
#include "cache/crl_build.h"

#include <algorithm>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cache/crl_index_format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace inkan {
namespace {

using testing::HasSubstr;
using testing::Not;

using Numbers = std::vector<uint64_t>;

// The contents of a DER INTEGER: `high` and then eight octets of `low`, without
// what is not needed of the front.
std::string Serial(const std::string& high, uint64_t low) {
  std::string octets = std::string(1, '\0') + high;
  for (int i = 7; i >= 0; --i) {
    octets.push_back(static_cast<char>(low >> (8 * i)));
  }
  size_t start = 0;
  while (start + 1 < octets.size() && octets[start] == 0 &&
         (octets[start + 1] & 0x80) == 0) {
    ++start;
  }
  return octets.substr(start);
}

struct Listed {
  std::string serial;
  Revocation revocation;
};

// Entries from memory; counts how often they are read.
class CountedEntries : public CrlEntries {
 public:
  explicit CountedEntries(const std::vector<Listed>& all) {
    for (const Listed& entry : all) {
      starts_.push_back(octets_.size());
      sizes_.push_back(entry.serial.size());
      revocations_.push_back(entry.revocation);
      octets_ += entry.serial;
    }
    octets_.append(kSerialGuardBytes, '\0');
  }

  absl::StatusOr<size_t> Read(absl::Span<IndexEntry> out) override {
    size_t count = 0;
    for (; count < out.size() && next_ < starts_.size(); ++count, ++next_) {
      out[count] = {
          reinterpret_cast<const uint8_t*>(octets_.data()) + starts_[next_],
          sizes_[next_], revocations_[next_]};
    }
    return count;
  }
  absl::Status Rewind() override {
    next_ = 0;
    ++readings_;
    return absl::OkStatus();
  }
  uint64_t readings() const { return readings_; }

 private:
  std::string octets_;
  std::vector<size_t> starts_;
  std::vector<size_t> sizes_;
  std::vector<Revocation> revocations_;
  size_t next_ = 0;
  uint64_t readings_ = 0;
};

// Each number's revocation tells it from its neighbours'; of one that comes
// again, every time another.
std::vector<Listed> ListOf(const Numbers& numbers,
                           const std::string& high = "") {
  std::vector<Listed> all;
  std::map<uint64_t, int64_t> seen;
  for (const uint64_t number : numbers) {
    const int64_t time = seen[number]++;
    all.push_back(
        {Serial(high, number),
         {1'700'000'000 + static_cast<int64_t>(number % 100'000) * 60 - time,
          static_cast<uint8_t>(number % 5)}});
  }
  return all;
}

std::map<std::string, Revocation> TruthOf(const std::vector<Listed>& all) {
  std::map<std::string, Revocation> truth;
  for (const Listed& entry : all) {
    const auto [known, is_new] =
        truth.try_emplace(entry.serial, entry.revocation);
    if (!is_new) known->second = Merge(known->second, entry.revocation);
  }
  return truth;
}

struct Built {
  std::string forms;
  uint64_t readings = 0;
};

// Builds an index of them, which must say the same as a map.
Built BuildAndCompare(const std::vector<Listed>& all, size_t sorted_max) {
  CountedEntries entries(all);
  const auto index = BuildCrlIndex(&entries, sorted_max);
  EXPECT_TRUE(index.ok()) << index.status();
  if (!index.ok()) return {};
  const std::map<std::string, Revocation> truth = TruthOf(all);
  EXPECT_EQ(index->size(), truth.size());
  std::map<std::string, Revocation> listed;
  index->ForEach([&](Bytes serial, const Revocation& revocation) {
    listed.emplace(AsText(serial), revocation);
  });
  EXPECT_TRUE(listed == truth);
  size_t wrong = 0;
  for (const auto& [serial, revocation] : truth) {
    Revocation found;
    if (!index->Find(AsBytes(serial), &found) || !(found == revocation)) {
      ++wrong;
    }
  }
  EXPECT_EQ(wrong, 0U);
  EXPECT_LE(entries.readings(), kReadingsMax);
  Built built = {"", entries.readings()};
  for (const std::string& line : index->Describe()) built.forms += line + "\n";
  return built;
}

Numbers From(uint64_t first, size_t count, uint64_t step = 1) {
  Numbers numbers;
  for (size_t i = 0; i < count; ++i) numbers.push_back(first + i * step);
  return numbers;
}

Numbers Shuffled(Numbers numbers, uint64_t seed = 7) {
  std::shuffle(numbers.begin(), numbers.end(), std::mt19937_64(seed));
  return numbers;
}

Numbers Reversed(Numbers numbers) {
  std::reverse(numbers.begin(), numbers.end());
  return numbers;
}

// Besides that of the statistics, one reading where they are in order; else one
// to find the ranges and one of each.
constexpr uint64_t kReadingsInOrder = 2;
uint64_t ReadingsOf(uint64_t ranges) { return 2 + ranges; }
// Given up, and scattered.
constexpr uint64_t kReadingsScattered = 3;

constexpr size_t kSortedMax = 500;

TEST(CrlBuild, EveryOrderOfACounterComesToTheSameHoweverManyRanges) {
  // As many as fit one range, and one more; several; the most there may be.
  for (const size_t count :
       {499U, 500U, 501U, 999U, 1000U, 1001U, 1777U, 1999U, 2000U}) {
    SCOPED_TRACE(count);
    const uint64_t ranges = (count + kSortedMax - 1) / kSortedMax;
    for (const uint64_t step : {uint64_t{1}, uint64_t{7}}) {
      SCOPED_TRACE(step);
      const Numbers numbers = From(90'000'000, count, step);
      const Built sorted = BuildAndCompare(ListOf(numbers), kSortedMax);
      EXPECT_EQ(sorted.readings, kReadingsInOrder);
      EXPECT_THAT(sorted.forms, HasSubstr(" blocks of 2^"));
      for (const Numbers& order : {Reversed(numbers), Shuffled(numbers)}) {
        const Built built = BuildAndCompare(ListOf(order), kSortedMax);
        EXPECT_EQ(built.forms, sorted.forms);
        EXPECT_EQ(built.readings, ReadingsOf(ranges));
      }
    }
  }
}

TEST(CrlBuild, MoreThanTheRangesHoldIsScattered) {
  const Built built =
      BuildAndCompare(ListOf(Shuffled(From(90'000'000, 2001))), kSortedMax);
  EXPECT_THAT(built.forms, Not(HasSubstr(" blocks of 2^")));
  EXPECT_EQ(built.readings, kReadingsScattered);
}

// Equal numbers lie in one range, whatever lies between them in the CRL.
TEST(CrlBuild, DuplicatesAtTheEdgesOfRangesAreOneEntry) {
  for (const size_t copies : {2U, 3U, 5U}) {
    SCOPED_TRACE(copies);
    Numbers numbers;
    for (size_t i = 0; i < copies; ++i) {
      const Numbers once = From(90'000'000, 1990 / copies);
      numbers.insert(numbers.end(), once.begin(), once.end());
    }
    // One after the other, which is not in order, and mixed.
    for (const Numbers& order :
         {numbers, Reversed(numbers), Shuffled(numbers)}) {
      const Built built = BuildAndCompare(ListOf(order), kSortedMax);
      EXPECT_THAT(built.forms, HasSubstr(" blocks of 2^"));
      EXPECT_GE(built.readings, ReadingsOf(4));
    }
  }
  // Every other one of 500 takes a range of its own where it comes 300 times.
  Numbers heavy;
  for (const uint64_t number : {10U, 11U, 12U, 13U, 14U, 15U}) {
    heavy.insert(heavy.end(), 300, number);
  }
  const Built built = BuildAndCompare(ListOf(Shuffled(heavy)), kSortedMax);
  EXPECT_EQ(built.readings, ReadingsOf(6));
  // One that fills a range, and one that is more than it holds.
  for (const size_t copies : {500U, 501U}) {
    SCOPED_TRACE(copies);
    Numbers one = From(90'000'000, 200);
    one.insert(one.end(), copies - 1, 90'000'100);
    const Built of_one = BuildAndCompare(ListOf(Shuffled(one)), kSortedMax);
    EXPECT_EQ(of_one.readings,
              copies == 500 ? ReadingsOf(3) : kReadingsScattered + 1);
  }
}

// Where a bucket is many numbers, ranges end between them all the same.
TEST(CrlBuild, NumbersFarApartFallIntoTheirRanges) {
  std::mt19937_64 dice(3);
  for (const unsigned bits : {17U, 20U, 32U, 40U, 63U, 64U}) {
    SCOPED_TRACE(bits);
    const uint64_t mask = bits == 64 ? ~uint64_t{0} : (uint64_t{1} << bits) - 1;
    Numbers numbers = {0, mask, mask - 1, mask / 2, mask / 2 + 1};
    while (numbers.size() < 1900) numbers.push_back(dice() & mask);
    const Built built = BuildAndCompare(ListOf(Shuffled(numbers)), kSortedMax);
    EXPECT_THAT(built.forms, HasSubstr(" blocks of 2^"));
    EXPECT_GE(built.readings, ReadingsOf(4));
    // Of every bucket the first number and the last.
    Numbers edges;
    const unsigned shift = bits - 16;
    for (uint64_t i = 0; i < 900; ++i) {
      const uint64_t bucket = i * 72;
      edges.push_back(bucket << shift);
      edges.push_back(((bucket + 1) << shift) - 1);
    }
    edges.push_back(mask);
    BuildAndCompare(ListOf(Shuffled(edges)), kSortedMax);
  }
}

// Three groups of serials whose numbers crowd: each is sorted range by range,
// in as many as there can be, does not fit its blocks, and is scattered.
TEST(CrlBuild, TheWorstOrderIsReadABoundedNumberOfTimes) {
  constexpr size_t kCrowd = 2101;
  constexpr size_t kRangeMax = 2 * kCrowd - 2;  // one crowd, but not two
  constexpr uint64_t kCrowds = 7;
  std::vector<Listed> all;
  for (const std::string& high :
       {std::string(), std::string("\x11\x22"), std::string(9, '\x33')}) {
    Numbers numbers = {0, ~uint64_t{0}};
    for (uint64_t crowd = 1; crowd <= kCrowds; ++crowd) {
      const Numbers crowded = From(crowd << 60, kCrowd, 3);
      numbers.insert(numbers.end(), crowded.begin(), crowded.end());
    }
    const std::vector<Listed> group = ListOf(Shuffled(numbers), high);
    all.insert(all.end(), group.begin(), group.end());
  }
  const Built built = BuildAndCompare(all, kRangeMax);
  EXPECT_THAT(built.forms, Not(HasSubstr(" blocks of 2^")));
  EXPECT_EQ(built.readings, 1 + 3 * (1 + kCrowds + 2));
  EXPECT_LE(built.readings, kReadingsMax);
}

// Nothing else reads the entries more often.
TEST(CrlBuild, NoShapeIsReadMoreOften) {
  std::mt19937_64 dice(5);
  for (int round = 0; round < 60; ++round) {
    SCOPED_TRACE(round);
    std::vector<Listed> all;
    for (const std::string& high :
         {std::string(), std::string("\x11\x22"), std::string(9, '\x33')}) {
      const unsigned bits = 8 + static_cast<unsigned>(dice() % 57);
      Numbers numbers;
      const size_t count = dice() % 3000;
      while (numbers.size() < count) {
        numbers.push_back(dice() >> (64 - bits) &
                          (dice() % 2 == 0 ? ~uint64_t{0} : 0xfff));
      }
      if (dice() % 4 == 0) std::sort(numbers.begin(), numbers.end());
      const std::vector<Listed> group = ListOf(numbers, high);
      all.insert(all.end(), group.begin(), group.end());
    }
    if (all.empty()) continue;
    BuildAndCompare(all, 100 + dice() % 1000);
  }
}

}  // namespace
}  // namespace inkan
