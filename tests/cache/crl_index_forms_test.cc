// The index against a plain map, over the distributions of serials, dates and
// reasons that choose its codings or strain them.
#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "bench/lab/calendar.h"
#include "cache/crl_build.h"
#include "cache/crl_index.h"
#include "cache/crl_index_format.h"
#include "cache/crl_index_view.h"
#include "crypto/der.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace inkan {
namespace {

using testing::Contains;
using testing::HasSubstr;

using Entries = std::vector<std::pair<std::string, Revocation>>;

// The contents of a DER INTEGER, big-endian magnitude in.
std::string Contents(std::string magnitude) {
  magnitude.insert(0, 1, '\0');
  size_t start = 0;
  while (start + 1 < magnitude.size() && magnitude[start] == 0 &&
         (magnitude[start + 1] & 0x80) == 0) {
    ++start;
  }
  return magnitude.substr(start);
}

std::string Number(uint64_t value) {
  std::string octets;
  for (int i = 7; i >= 0; --i) {
    octets.push_back(static_cast<char>(value >> (8 * i)));
  }
  return Contents(octets);
}

class Dice {
 public:
  explicit Dice(uint64_t seed) : engine_(seed) {}
  uint64_t Below(uint64_t bound) { return engine_() % bound; }
  uint64_t Any() { return engine_(); }
  std::string Octets(size_t count) {
    std::string octets;
    while (octets.size() < count) octets.push_back(static_cast<char>(Any()));
    return octets;
  }
  // At office hours of a working day.
  Revocation Office() {
    static constexpr uint8_t kReasons[] = {3, 3, 3, 3, 3, 5, 0, 1, 4, 6};
    const int64_t day = 18'000 + static_cast<int64_t>(Below(260)) * 7 +
                        static_cast<int64_t>(Below(5));
    return {day * 86'400 + static_cast<int64_t>(Below(8 * 3600)),
            kReasons[Below(std::size(kReasons))]};
  }
  Revocation Wild() {
    static constexpr uint8_t kReasons[] = {0, 1, 2, 3, 4, 5, 6, 8, 9, 10};
    Revocation entry = {
        kTimeMin + static_cast<int64_t>(
                       Below(static_cast<uint64_t>(kTimeMax - kTimeMin) + 1)),
        kReasons[Below(std::size(kReasons))]};
    if (Below(4) == 0) {
      entry.has_invalidity_date = true;
      entry.invalidity_date = kTimeMin + static_cast<int64_t>(Below(1U << 30));
    }
    return entry;
  }

 private:
  std::mt19937_64 engine_;
};

CrlIndex Build(const Entries& entries) {
  CrlIndexBuilder builder;
  for (const auto& [serial, revocation] : entries) {
    builder.Add(AsBytes(serial), revocation);
  }
  auto index = std::move(builder).Build();
  EXPECT_TRUE(index.ok()) << index.status();
  return index.ok() ? *index : CrlIndex();
}

std::map<std::string, Revocation> Truth(const Entries& entries) {
  std::map<std::string, Revocation> truth;
  for (const auto& [serial, revocation] : entries) {
    const auto [known, is_new] = truth.try_emplace(serial, revocation);
    if (!is_new) known->second = Merge(known->second, revocation);
  }
  return truth;
}

// The numbers just below and above, as serials.
void AddNeighbours(const std::string& serial, std::vector<std::string>* asked) {
  crl_format::Key key = crl_format::KeyOf(
      reinterpret_cast<const uint8_t*>(serial.data()), serial.size());
  for (const uint64_t step : {uint64_t{1}, ~uint64_t{1}}) {
    key.words[2] += step;
    uint8_t octets[crl_format::kKeyBytes];
    crl_format::KeyOctets(key, octets);
    std::string contents(reinterpret_cast<char*>(octets), sizeof(octets));
    size_t start = 0;
    while (start + 1 < contents.size() &&
           ((contents[start] == 0 && (contents[start + 1] & 0x80) == 0) ||
            (contents[start] == '\xff' && (contents[start + 1] & 0x80) != 0))) {
      ++start;
    }
    contents = contents.substr(start);
    if (contents.size() <= kSerialBytesMax) asked->push_back(contents);
  }
}

void ExpectSame(const CrlIndex& index, const Entries& entries) {
  const std::map<std::string, Revocation> truth = Truth(entries);
  ASSERT_EQ(index.size(), truth.size());
  std::vector<std::string> asked;
  for (const auto& [serial, revocation] : truth) {
    asked.push_back(serial);
    AddNeighbours(serial, &asked);
  }
  std::vector<Bytes> serials;
  for (const std::string& serial : asked) serials.push_back(AsBytes(serial));
  std::vector<Revocation> batch(asked.size());
  const std::unique_ptr<bool[]> in_batch(new bool[asked.size()]);
  index.FindBatch(serials, absl::MakeSpan(batch),
                  absl::MakeSpan(in_batch.get(), asked.size()));
  for (size_t i = 0; i < asked.size(); ++i) {
    const auto expected = truth.find(asked[i]);
    Revocation found;
    index.Prefetch(serials[i]);
    ASSERT_EQ(index.Find(serials[i], &found), expected != truth.end())
        << testing::PrintToString(asked[i]);
    ASSERT_EQ(in_batch[i], expected != truth.end());
    if (expected == truth.end()) continue;
    ASSERT_EQ(found, expected->second) << testing::PrintToString(asked[i]);
    ASSERT_EQ(batch[i], expected->second);
  }
  std::map<std::string, Revocation> listed;
  index.ForEach([&](Bytes serial, const Revocation& revocation) {
    listed[std::string(AsText(serial))] = revocation;
  });
  ASSERT_EQ(listed, truth);
}

// In order of the numbers, and shuffled.
void ExpectSameInAnyOrder(Entries entries) {
  {
    SCOPED_TRACE("as given");
    ExpectSame(Build(entries), entries);
  }
  std::shuffle(entries.begin(), entries.end(), std::mt19937_64(7));
  SCOPED_TRACE("shuffled");
  ExpectSame(Build(entries), entries);
}

std::string Described(const CrlIndex& index) {
  std::string all;
  for (const std::string& line : index.Describe()) all += line + "\n";
  return all;
}

TEST(CrlIndexForms, ACounterOfWhichSomeAreRevokedTakesAboutFourOctetsAnEntry) {
  Dice dice(1);
  Entries entries;
  for (uint64_t serial = 90'000'000; entries.size() < 60'000; ++serial) {
    if (dice.Below(100) < 15)
      entries.push_back({Number(serial), dice.Office()});
  }
  const CrlIndex index = Build(entries);
  EXPECT_THAT(Described(index), HasSubstr("blocks"));
  // The days alone take 0.1.
  EXPECT_LT(index.memory_bytes(), entries.size() * 42 / 10);
  ExpectSameInAnyOrder(entries);
}

TEST(CrlIndexForms, RandomSerialsOfAnyLengthAreFound) {
  Dice dice(2);
  for (const size_t octets : {1, 2, 3, 4, 7, 8, 9, 12, 16, 17, 19, 20}) {
    SCOPED_TRACE(octets);
    Entries entries;
    for (int i = 0; i < 5000; ++i) {
      entries.push_back({Contents(dice.Octets(octets)), dice.Office()});
    }
    ExpectSameInAnyOrder(entries);
  }
}

TEST(CrlIndexForms, RandomSerialsOf128BitsTakeLessThan22Octets) {
  Dice dice(3);
  Entries entries;
  for (int i = 0; i < 60'000; ++i) {
    entries.push_back({Contents(dice.Octets(16)), dice.Office()});
  }
  const CrlIndex index = Build(entries);
  EXPECT_THAT(Described(index), HasSubstr("records"));
  EXPECT_LT(index.memory_bytes(), entries.size() * 20);
}

TEST(CrlIndexForms, AMixtureOfAllKindsIsFound) {
  Dice dice(4);
  Entries entries;
  for (int i = 0; i < 20'000; ++i) {
    switch (dice.Below(5)) {
      case 0:
        entries.push_back({Number(1000 + dice.Below(30'000)), dice.Office()});
        break;
      case 1:
        entries.push_back({Contents(dice.Octets(20)), dice.Wild()});
        break;
      case 2:
        entries.push_back({Contents(dice.Octets(16)), dice.Office()});
        break;
      case 3:  // negative ones, of every length
        entries.push_back(
            {"\x80" + dice.Octets(dice.Below(kSerialBytesMax)), dice.Wild()});
        break;
      default:
        entries.push_back(
            {Contents(dice.Octets(1 + dice.Below(20))), dice.Wild()});
    }
  }
  ExpectSameInAnyOrder(entries);
}

TEST(CrlIndexForms, NumbersThatCrowdTogetherAreFound) {
  Dice dice(5);
  // Far more in one block than it can hold, because two others lie far away.
  for (const uint64_t crowd : {3000U, 40'000U}) {
    SCOPED_TRACE(crowd);
    Entries entries = {{Number(0), dice.Office()}};
    for (uint64_t i = 0; i < crowd; ++i) {
      entries.push_back({Number(uint64_t{1} << 40 | i * 3), dice.Office()});
    }
    entries.push_back({Number(~uint64_t{0}), dice.Office()});
    EXPECT_THAT(Described(Build(entries)), HasSubstr("records"));
    ExpectSameInAnyOrder(entries);
  }
  // The same among long ones: all in one bucket, alike up to the last octets.
  Entries entries = {{Contents(std::string(20, '\x01')), dice.Office()},
                     {Contents(std::string(20, '\x7f')), dice.Office()}};
  for (int i = 0; i < 5000; ++i) {
    entries.push_back(
        {Contents(std::string(18, '\x33') + dice.Octets(2)), dice.Wild()});
  }
  ExpectSameInAnyOrder(entries);
}

TEST(CrlIndexForms, BlocksOfEveryFillingAreExact) {
  Dice dice(6);
  for (const uint64_t per_mille : {1000, 999, 700, 350, 250, 200, 60, 5}) {
    for (const uint64_t count :
         {1U, 2U, 199U, 200U, 201U, 2046U, 2047U, 2048U, 2049U, 5000U}) {
      SCOPED_TRACE(testing::Message() << per_mille << " of 1000, " << count);
      Entries entries;
      for (uint64_t serial = 127; entries.size() < count; ++serial) {
        if (dice.Below(1000) < per_mille) {
          entries.push_back({Number(serial), dice.Office()});
        }
      }
      ExpectSame(Build(entries), entries);
    }
  }
  // The whole range of 64 bits.
  for (const uint64_t count : {1, 2, 3, 300, 5000}) {
    Entries entries = {{Number(0), dice.Wild()},
                       {Number(~uint64_t{0}), dice.Wild()}};
    for (uint64_t i = 0; i < count; ++i) {
      entries.push_back({Number(dice.Any()), dice.Wild()});
    }
    ExpectSameInAnyOrder(entries);
  }
}

TEST(CrlIndexForms, OfManyEntriesForOneSerialTheStrictestIsKept) {
  Dice dice(7);
  Entries entries;
  for (int i = 0; i < 10'000; ++i) {
    entries.push_back({Number(1'000'000 + dice.Below(1500)), dice.Wild()});
    entries.push_back(
        {Contents(std::string(14, '\x11') + static_cast<char>(dice.Below(4)) +
                  static_cast<char>(dice.Below(256))),
         dice.Office()});
  }
  ExpectSameInAnyOrder(entries);
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    return a.first.size() != b.first.size() ? a.first.size() < b.first.size()
                                            : a.first < b.first;
  });
  ExpectSame(Build(entries), entries);
}

TEST(CrlIndexForms, AFinalRevocationBeatsAHoldAndCountsFromIt) {
  const Revocation hold = {10, crl_reason::kCertificateHold};
  const Revocation final = {20, 4};
  const Revocation removed = {5, crl_reason::kRemoveFromCrl};
  const Revocation compromised = {30, crl_reason::kKeyCompromise, true, 15};
  // From the day it was held on, for good.
  EXPECT_EQ(Merge(final, hold), (Revocation{10, 4}));
  EXPECT_EQ(Merge(hold, removed), hold);
  EXPECT_EQ(Merge(final, removed), final);
  EXPECT_EQ(Merge(compromised, final),
            (Revocation{20, crl_reason::kKeyCompromise, true, 15}));
  const Revocation of_ca = {30, crl_reason::kCaCompromise, true, 15};
  EXPECT_EQ(Merge(of_ca, final),
            (Revocation{20, crl_reason::kCaCompromise, true, 15}));
  EXPECT_EQ(Merge(final, final), final);
}

TEST(CrlIndexForms, EntriesForOneSerialComeToTheSameInWhateverOrder) {
  Dice dice(9);
  for (int i = 0; i < 20'000; ++i) {
    std::vector<Revocation> entries;
    for (int j = 0; j < 4; ++j) {
      Revocation entry = dice.Wild();
      entry.revoked_at = kTimeMin + static_cast<int64_t>(dice.Below(6));
      if (entry.has_invalidity_date) {
        entry.invalidity_date = kTimeMin + static_cast<int64_t>(dice.Below(6));
      }
      entries.push_back(entry);
    }
    const Revocation forth =
        Merge(Merge(Merge(entries[0], entries[1]), entries[2]), entries[3]);
    const Revocation back =
        Merge(entries[2], Merge(Merge(entries[3], entries[1]), entries[0]));
    ASSERT_EQ(forth, back);
    for (const Revocation& entry : entries) {
      if (entry.reason == crl_reason::kRemoveFromCrl) continue;
      ASSERT_LE(forth.EffectiveAt(), entry.EffectiveAt());
      ASSERT_TRUE(forth.reason != crl_reason::kCertificateHold ||
                  entry.reason == crl_reason::kCertificateHold);
    }
  }
}

TEST(CrlIndexForms, ASingleStrayDateDoesNotMakeTheOthersLonger) {
  Dice dice(8);
  Entries entries;
  for (uint64_t i = 0; i < 20'000; ++i) {
    entries.push_back({Number(5000 + i * 6), dice.Office()});
  }
  const size_t before = Build(entries).memory_bytes();
  entries[77].second.revoked_at = kTimeMin;
  entries[88].second.revoked_at = kTimeMax;
  EXPECT_LT(Build(entries).memory_bytes(), before + 200);
  ExpectSameInAnyOrder(entries);
}

TEST(CrlIndexForms, OfficeHoursAroundMidnightAreOneWindow) {
  Dice dice(9);
  Entries entries;
  for (uint64_t i = 0; i < 20'000; ++i) {
    Revocation entry = dice.Office();
    entry.revoked_at += 20 * 3600 + 1234;
    entries.push_back({Number(5000 + i * 6), entry});
  }
  EXPECT_THAT(Build(entries).Describe(),
              Contains(HasSubstr(" days x 28")));  // 8 hours
  ExpectSameInAnyOrder(entries);
}

TEST(CrlIndexForms, EveryReasonAndDateThereIsIsKept) {
  Dice dice(10);
  Entries entries;
  for (uint64_t i = 0; i < 20'000; ++i) {
    entries.push_back({Number(5000 + i * 2), dice.Wild()});
  }
  ExpectSameInAnyOrder(entries);
  for (auto& [serial, entry] : entries) {
    entry.has_invalidity_date = true;
    entry.invalidity_date = kTimeMax - static_cast<int64_t>(dice.Below(1000));
  }
  ExpectSameInAnyOrder(entries);
}

TEST(CrlIndexForms, NoChangeOfAnImageMakesALookUpLeaveIt) {
  Dice dice(11);
  Entries entries;
  for (uint64_t i = 0; i < 400; ++i) {
    entries.push_back({Number(5000 + dice.Below(3000)), dice.Office()});
    entries.push_back({Contents(dice.Octets(16)), dice.Wild()});
  }
  const CrlIndex index = Build(entries);
  const std::string image(AsText(index.image()));
  size_t refused = 0;
  for (size_t i = 0; i < image.size(); ++i) {
    auto memory = MemoryBlock::Allocate(image.size());
    ASSERT_TRUE(memory.ok());
    std::memcpy(memory->data(), image.data(), image.size());
    memory->data()[i] = static_cast<uint8_t>(
        memory->data()[i] ^ (i % 3 == 0 ? 0xff : 1 << (i % 8)));
    auto block = std::make_shared<MemoryBlock>(*std::move(memory));
    const Bytes bytes = block->bytes();
    const auto changed = CrlIndex::FromImage(std::move(block), bytes);
    if (!changed.ok()) {
      EXPECT_EQ(changed.status().code(), absl::StatusCode::kDataLoss);
      ++refused;
      continue;
    }
    Revocation found;
    for (size_t j = i % 7; j < entries.size(); j += 7) {
      changed->Find(AsBytes(entries[j].first), &found);
      changed->Prefetch(AsBytes(entries[j].first));
    }
  }
  EXPECT_GT(refused, 100U);
}

TEST(CrlIndexForms, ImagesOfReplacedIndexesAreFreed) {
  Dice dice(12);
  Entries entries;
  for (uint64_t i = 0; i < 1000; ++i) {
    entries.push_back({Number(i * 3), dice.Office()});
  }
  std::weak_ptr<const MemoryBlock> watched;
  {
    const CrlIndex built = Build(entries);
    auto memory = MemoryBlock::Allocate(built.image().size());
    ASSERT_TRUE(memory.ok());
    std::memcpy(memory->data(), built.image().data(), built.image().size());
    auto block = std::make_shared<const MemoryBlock>(*std::move(memory));
    watched = block;
    const Bytes bytes = block->bytes();
    auto index = CrlIndex::FromImage(std::move(block), bytes);
    ASSERT_TRUE(index.ok());
    const CrlIndex copy = *index;
    index = CrlIndex();
    EXPECT_FALSE(watched.expired());
  }
  EXPECT_TRUE(watched.expired());
}

}  // namespace
}  // namespace inkan
