#include "crypto/rsa.h"

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/crypto/rsa_reference.h"

namespace inkan {
namespace {

constexpr uint64_t kF4 = 65537;
constexpr char kUnwritten = '\x5c';

// One job with all it needs.
struct Case {
  Case(HardNumbers& numbers, size_t bits, uint64_t exponent)
      : key(numbers.Modulus(bits), exponent),
        signature(numbers.Residue(key.modulus)),
        result(key.modulus.size() + 1, kUnwritten) {}

  RsaJob Job() {
    RsaJob job;
    job.key = &key.key;
    job.prepared = prepared.get();
    job.signature = AsBytes(signature);
    job.result = reinterpret_cast<uint8_t*>(result.data());
    return job;
  }

  void ExpectRight(const RsaJob& job) {
    EXPECT_TRUE(job.fault.ok()) << job.fault.problem;
    EXPECT_EQ(result, ReferencePower(AsBytes(signature), key.key.rsa_exponent,
                                     AsBytes(key.modulus)) +
                          kUnwritten);
  }

  OwnedKey key;
  std::string signature;
  std::string result;
  RsaPreparedKeyPtr prepared;
};

std::string FaultOf(const PublicKey& key, const std::string& signature) {
  std::string result(512, kUnwritten);
  RsaJob job;
  job.key = &key;
  job.signature = AsBytes(signature);
  job.result = reinterpret_cast<uint8_t*>(result.data());
  RsaPublicOperations(absl::MakeSpan(&job, 1));
  if (!job.fault.ok()) {
    EXPECT_EQ(result, std::string(512, kUnwritten))
        << "wrote though it refused";
  }
  return job.fault.ok() ? "" : job.fault.problem;
}

TEST(Rsa, BatchesOfMixedSizesExponentsAndPreparationAreAllRight) {
  HardNumbers numbers(11);
  constexpr size_t kBits[] = {2048, 2048, 2048, 3072, 4096, 2049, 3073};
  constexpr uint64_t kExponents[] = {kF4, kF4, kF4, kF4, 3, 17, 257};
  for (const size_t count : {0U, 1U, 2U, 7U, 8U, 9U, 64U, 333U}) {
    std::vector<std::unique_ptr<Case>> cases;
    std::vector<RsaJob> jobs;
    for (size_t i = 0; i < count; ++i) {
      cases.push_back(std::make_unique<Case>(
          numbers, kBits[numbers.Below(std::size(kBits))],
          kExponents[numbers.Below(std::size(kExponents))]));
      if (numbers.Below(3) == 0) {
        cases.back()->prepared = PrepareRsaKey(cases.back()->key.key);
        ASSERT_NE(cases.back()->prepared, nullptr);
      }
      jobs.push_back(cases.back()->Job());
    }
    RsaPublicOperations(absl::MakeSpan(jobs));
    for (size_t i = 0; i < count; ++i) cases[i]->ExpectRight(jobs[i]);
  }
}

TEST(Rsa, MoreExponentsThanOpenGroupsAreStillAllRight) {
  HardNumbers numbers(12);
  std::vector<std::unique_ptr<Case>> cases;
  std::vector<RsaJob> jobs;
  for (uint64_t i = 0; i < 200; ++i) {
    cases.push_back(
        std::make_unique<Case>(numbers, 2048, 3 + 2 * (i * 7919 % 41)));
    jobs.push_back(cases.back()->Job());
  }
  RsaPublicOperations(absl::MakeSpan(jobs));
  for (size_t i = 0; i < cases.size(); ++i) cases[i]->ExpectRight(jobs[i]);
}

TEST(Rsa, OnePreparedKeyServesManyJobs) {
  HardNumbers numbers(13);
  for (const size_t bits : {2048U, 3000U, 4096U}) {
    const OwnedKey key(numbers.Modulus(bits), kF4);
    const RsaPreparedKeyPtr prepared = PrepareRsaKey(key.key);
    std::vector<std::string> signatures;
    std::vector<std::string> results(20, std::string(512, '\0'));
    std::vector<RsaJob> jobs(20);
    for (size_t i = 0; i < jobs.size(); ++i) {
      signatures.push_back(numbers.Residue(key.modulus));
    }
    for (size_t i = 0; i < jobs.size(); ++i) {
      jobs[i].key = &key.key;
      jobs[i].prepared = prepared.get();
      jobs[i].signature = AsBytes(signatures[i]);
      jobs[i].result = reinterpret_cast<uint8_t*>(results[i].data());
    }
    RsaPublicOperations(absl::MakeSpan(jobs));
    for (size_t i = 0; i < jobs.size(); ++i) {
      EXPECT_EQ(results[i].substr(0, key.modulus.size()),
                ReferencePower(jobs[i].signature, kF4, AsBytes(key.modulus)));
    }
  }
}

TEST(Rsa, ASignatureNotLessThanTheModulusIsRefused) {
  const OwnedKey key(std::string(256, '\xab'), kF4);
  Bn n = BnFrom(AsBytes(key.modulus));
  const size_t size = key.modulus.size();
  EXPECT_EQ(FaultOf(key.key, BytesOf(n.get(), size)),
            "not less than the RSA modulus");
  BN_add_word(n.get(), 1);
  EXPECT_EQ(FaultOf(key.key, BytesOf(n.get(), size)),
            "not less than the RSA modulus");
  EXPECT_EQ(FaultOf(key.key, std::string(size, '\xff')),
            "not less than the RSA modulus");
  BN_sub_word(n.get(), 2);
  EXPECT_EQ(FaultOf(key.key, BytesOf(n.get(), size)), "");
}

TEST(Rsa, ASignatureOfAnotherLengthIsRefused) {
  HardNumbers numbers(15);
  const OwnedKey key(numbers.Modulus(2048), kF4);
  for (const size_t size : {0U, 1U, 255U, 257U, 512U}) {
    EXPECT_EQ(FaultOf(key.key, std::string(size, '\0')),
              "not as long as the RSA modulus");
  }
  EXPECT_EQ(FaultOf(key.key, std::string(256, '\0')), "");
}

TEST(Rsa, KeysThatPolicyRefusesNeverReachAKernel) {
  HardNumbers numbers(16);
  const std::string zero(256, '\0');
  EXPECT_EQ(FaultOf(OwnedKey(numbers.Modulus(2047), kF4).key, zero),
            "RSA modulus is shorter than policy allows");
  EXPECT_EQ(FaultOf(OwnedKey(numbers.Modulus(4097), kF4).key, zero),
            "RSA modulus is longer than 4096 bits");
  EXPECT_EQ(FaultOf(OwnedKey(numbers.Modulus(2048), 1).key, zero),
            "RSA exponent is 1");
  EXPECT_EQ(FaultOf(OwnedKey(numbers.Modulus(2048), 65536).key, zero),
            "RSA exponent is even");
  EXPECT_EQ(FaultOf(OwnedKey(numbers.Modulus(2048), 0).key, zero),
            "RSA exponent is 0 or longer than 64 bits");
  std::string even = numbers.Modulus(2048);
  even.back() = static_cast<char>(even.back() & ~1);
  EXPECT_EQ(FaultOf(OwnedKey(even, kF4).key, zero), "RSA modulus is even");
  EXPECT_EQ(PrepareRsaKey(OwnedKey(even, kF4).key), nullptr);
  PublicKey other;
  other.kind = KeyKind::kEcP256;
  EXPECT_EQ(FaultOf(other, zero), "not an RSA key");
  EXPECT_EQ(PrepareRsaKey(other), nullptr);
}

TEST(Rsa, ARefusedJobAmongGoodOnesDisturbsNone) {
  HardNumbers numbers(17);
  std::vector<std::unique_ptr<Case>> cases;
  std::vector<RsaJob> jobs;
  for (size_t i = 0; i < 50; ++i) {
    cases.push_back(std::make_unique<Case>(numbers, 2048, kF4));
    jobs.push_back(cases.back()->Job());
  }
  jobs[7].signature.remove_suffix(1);
  RsaPublicOperations(absl::MakeSpan(jobs));
  for (size_t i = 0; i < jobs.size(); ++i) {
    if (i == 7) {
      EXPECT_FALSE(jobs[i].fault.ok());
    } else {
      cases[i]->ExpectRight(jobs[i]);
    }
  }
}

TEST(Rsa, TheKernelThatRunsIsNamedWithAReason) {
  ASSERT_TRUE(InitRsaKernel().ok());
  const RsaKernelInfo& info = GetRsaKernelInfo();
  const char* wanted = std::getenv("INKAN_ISA");
  if (wanted != nullptr && *wanted != '\0') {
    EXPECT_EQ(info.name, wanted);
    EXPECT_EQ(info.reason, "INKAN_ISA asks for it");
  } else {
    EXPECT_TRUE(info.name == "portable" || info.name == "avx2" ||
                info.name == "avx512ifma");
    EXPECT_FALSE(info.reason.empty());
  }
}

// Each runs in a process of its own, since the choice is made once.
class RsaIsaDeathTest : public testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(RsaIsaDeathTest, AnUnknownInstructionSetIsAFault) {
  EXPECT_EXIT(
      {
        setenv("INKAN_ISA", "sse9", 1);
        std::fputs(InitRsaKernel().problem, stderr);
        std::exit(3);
      },
      testing::ExitedWithCode(3), "must be portable, avx2 or avx512ifma");
}

TEST_F(RsaIsaDeathTest, UseWithAnUnknownInstructionSetEndsTheProcess) {
  EXPECT_DEATH(
      {
        setenv("INKAN_ISA", "sse9", 1);
        RsaPublicOperations({});
      },
      "INKAN_ISA: must be portable, avx2 or avx512ifma");
}

TEST_F(RsaIsaDeathTest, PortableCanBeAskedFor) {
  EXPECT_EXIT(
      {
        setenv("INKAN_ISA", "portable", 1);
        std::fputs(GetRsaKernelInfo().name.c_str(), stderr);
        std::exit(InitRsaKernel().ok() ? 3 : 4);
      },
      testing::ExitedWithCode(3), "^portable$");
}

}  // namespace
}  // namespace inkan
