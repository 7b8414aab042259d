// The memory of verified certificates: exact, bounded, and of use in a stream
// of certificates that are nearly all seen once.
#include "cache/verified_certificates.h"

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace inkan {
namespace {

using Digest = VerifiedCertificates::Digest;
using Key = VerifiedCertificates::Key;

// Octets as even as a digest's (SplitMix64).
Digest MakeDigest(uint64_t seed) {
  Digest digest;
  for (size_t i = 0; i < digest.size(); ++i) {
    uint64_t z = seed * 0xd1342543de82ef95 + i * 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    digest[i] = static_cast<uint8_t>(z >> 56);
  }
  return digest;
}

const Digest kIssuer = MakeDigest(1);
const Digest kOtherIssuer = MakeDigest(2);

bool Finds(VerifiedCertificates* cache, const Digest& certificate,
           const Digest& issuer = kIssuer) {
  const Key key = {&certificate, &issuer};
  uint8_t found = 7;
  cache->Find({&key, 1}, {&found, 1});
  EXPECT_LE(found, 1);
  return found == 1;
}

void Add(VerifiedCertificates* cache, const Digest& certificate,
         const Digest& issuer = kIssuer) {
  const Key key = {&certificate, &issuer};
  cache->Add({&key, 1});
}

void AddTwice(VerifiedCertificates* cache, const Digest& certificate) {
  Add(cache, certificate);
  Add(cache, certificate);
}

TEST(VerifiedCertificates, OneIsKnownOnceItWasAddedTwice) {
  VerifiedCertificates cache(1024);
  const Digest certificate = MakeDigest(10);
  EXPECT_FALSE(Finds(&cache, certificate));
  Add(&cache, certificate);
  EXPECT_FALSE(Finds(&cache, certificate));
  Add(&cache, certificate);
  EXPECT_TRUE(Finds(&cache, certificate));
  Add(&cache, certificate);
  EXPECT_TRUE(Finds(&cache, certificate));
  const VerifiedCertificates::Counters counters = cache.counters();
  EXPECT_EQ(counters.hits, 2U);
  EXPECT_EQ(counters.misses, 2U);
  EXPECT_EQ(counters.added, 1U);
  EXPECT_EQ(counters.evicted, 0U);
}

TEST(VerifiedCertificates, ADigestThatDiffersInOneBitIsNotKnown) {
  VerifiedCertificates cache(8);  // one bucket: every key is compared
  const Digest certificate = MakeDigest(10);
  AddTwice(&cache, certificate);
  for (size_t bit = 0; bit < 256; ++bit) {
    Digest other = certificate;
    other[bit / 8] = static_cast<uint8_t>(other[bit / 8] ^ (1U << bit % 8));
    EXPECT_FALSE(Finds(&cache, other)) << bit;
    Digest issuer = kIssuer;
    issuer[bit / 8] = static_cast<uint8_t>(issuer[bit / 8] ^ (1U << bit % 8));
    EXPECT_FALSE(Finds(&cache, certificate, issuer)) << bit;
  }
  EXPECT_TRUE(Finds(&cache, certificate));
}

TEST(VerifiedCertificates, AnotherIssuersKeyIsAnotherFact) {
  VerifiedCertificates cache(1024);
  const Digest certificate = MakeDigest(10);
  AddTwice(&cache, certificate);
  EXPECT_FALSE(Finds(&cache, certificate, kOtherIssuer));
  Add(&cache, certificate, kOtherIssuer);
  EXPECT_FALSE(Finds(&cache, certificate, kOtherIssuer));
  Add(&cache, certificate, kOtherIssuer);
  EXPECT_TRUE(Finds(&cache, certificate, kOtherIssuer));
  EXPECT_TRUE(Finds(&cache, certificate));
}

TEST(VerifiedCertificates, OfSizeZeroItRemembersNothing) {
  VerifiedCertificates cache(0);
  EXPECT_FALSE(cache.enabled());
  EXPECT_EQ(cache.capacity(), 0U);
  const Digest certificate = MakeDigest(10);
  AddTwice(&cache, certificate);
  EXPECT_FALSE(Finds(&cache, certificate));
}

TEST(VerifiedCertificates, ABatchIsAnsweredInItsOrder) {
  VerifiedCertificates cache(1024);
  std::vector<Digest> certificates;
  for (uint64_t i = 0; i < 100; ++i) certificates.push_back(MakeDigest(i));
  std::vector<Key> all;
  std::vector<Key> known;
  for (size_t i = 0; i < certificates.size(); ++i) {
    all.push_back({&certificates[i], &kIssuer});
    if (i % 3 == 0) known.push_back(all.back());
  }
  cache.Add(known);
  cache.Add(known);
  std::vector<uint8_t> found(all.size());
  cache.Find(all, absl::MakeSpan(found));
  for (size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(found[i], i % 3 == 0 ? 1 : 0) << i;
  }
}

TEST(VerifiedCertificates, ItHoldsNoMoreThanItsCapacity) {
  VerifiedCertificates cache(256);
  EXPECT_EQ(cache.capacity(), 256U);
  EXPECT_LE(cache.memory_bytes(), 256 * 80 + 16384);
  EXPECT_EQ(VerifiedCertificates(263).capacity(), 256U);
  EXPECT_EQ(VerifiedCertificates(1).capacity(), 8U);
  for (uint64_t i = 0; i < 4096; ++i) AddTwice(&cache, MakeDigest(i));
  size_t known = 0;
  for (uint64_t i = 0; i < 4096; ++i) known += Finds(&cache, MakeDigest(i));
  EXPECT_EQ(known, 256U);
  const VerifiedCertificates::Counters counters = cache.counters();
  EXPECT_EQ(counters.added - counters.evicted, 256U);
}

TEST(VerifiedCertificates, AScanOfCertificatesSeenOnceDisplacesNone) {
  VerifiedCertificates cache(4096);
  constexpr uint64_t kHot = 1024;
  for (uint64_t i = 0; i < kHot; ++i) AddTwice(&cache, MakeDigest(i));
  size_t kept_before = 0;
  for (uint64_t i = 0; i < kHot; ++i)
    kept_before += Finds(&cache, MakeDigest(i));
  // Twenty-four times the capacity, each once, as citizens file.
  for (uint64_t i = 0; i < 100'000; ++i) {
    const Digest citizen = MakeDigest(1'000'000 + i);
    EXPECT_FALSE(Finds(&cache, citizen));
    Add(&cache, citizen);
  }
  size_t kept = 0;
  for (uint64_t i = 0; i < kHot; ++i) kept += Finds(&cache, MakeDigest(i));
  EXPECT_GE(kept_before, kHot * 99 / 100);
  EXPECT_GE(kept, kept_before * 99 / 100);
  // Those taken in for others are few.
  EXPECT_LE(cache.counters().added, kHot + 100);
}

TEST(VerifiedCertificates, WhatIsUsedOutlivesWhatWasSeenTwice) {
  VerifiedCertificates cache(4096);
  constexpr uint64_t kHot = 1024;
  for (uint64_t i = 0; i < kHot; ++i) AddTwice(&cache, MakeDigest(i));
  size_t asked = 0;
  size_t hits = 0;
  for (uint64_t i = 0; i < 50'000; ++i) {
    AddTwice(&cache, MakeDigest(1'000'000 + i));
    const Digest hot = MakeDigest(i * 7919 % kHot);
    const bool hit = Finds(&cache, hot);
    if (!hit) Add(&cache, hot);
    ++asked;
    hits += hit;
  }
  EXPECT_GE(hits, asked * 9 / 10);
}

TEST(VerifiedCertificates, ThreadsNeverFindWhatNobodyAdded) {
  VerifiedCertificates cache(16);  // two buckets, written all the time
  constexpr int kThreads = 4;
  constexpr uint64_t kRounds = 20'000;
  // Even ones are verified with one key, odd ones with the other.
  const auto issuer_of = [](uint64_t i) -> const Digest& {
    return i % 2 == 0 ? kIssuer : kOtherIssuer;
  };
  std::atomic<uint64_t> hits{0};
  std::atomic<uint64_t> wrong{0};
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      uint64_t own_hits = 0;
      uint64_t own_wrong = 0;
      for (uint64_t round = 0; round < kRounds; ++round) {
        const uint64_t i = (round * 31 + t * 17) % 40;
        const Digest certificate = MakeDigest(i);
        Add(&cache, certificate, issuer_of(i));
        own_hits += Finds(&cache, certificate, issuer_of(i));
        own_wrong += Finds(&cache, certificate, issuer_of(i + 1));
        own_wrong += Finds(&cache, MakeDigest(i + 1000), issuer_of(i));
      }
      hits += own_hits;
      wrong += own_wrong;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0U);
  EXPECT_GT(hits, 0U);
}

}  // namespace
}  // namespace inkan
