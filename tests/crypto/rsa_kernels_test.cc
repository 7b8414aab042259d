// Every kernel this machine can run, called directly, against OpenSSL's BIGNUM.
//
// INKAN_RSA_DIFFERENTIAL_OPERATIONS sets how many operations the differential
// test does with each kernel (default 100,000, a twentieth of that where each
// load is checked); INKAN_RSA_DIFFERENTIAL_SEED what they are.
#include "crypto/rsa_kernels.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "crypto/isa.h"
#include "crypto/rsa.h"
#include "crypto/rsa_known_answers.h"
#include "gtest/gtest.h"
#include "tests/crypto/rsa_reference.h"

namespace inkan {
namespace {

constexpr char kUnwritten = '\x5c';
#if defined(__SANITIZE_ADDRESS__)
constexpr uint64_t kOperationsDefault = 5'000;
#else
constexpr uint64_t kOperationsDefault = 100'000;
#endif
constexpr size_t kClassBitsMin[kRsaSizeClasses] = {2048, 2049, 3073};

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

class Storage {
 public:
  Storage(const RsaKernel& kernel, size_t size_class, const std::string& n)
      : kernel_(kernel),
        memory_(::operator new(kernel.prepared_bytes(size_class),
                               std::align_val_t(kRsaPreparedAlign))) {
    kernel.prepare(size_class, AsBytes(n).data(), n.size(), memory_);
  }
  ~Storage() {
    kernel_.release(memory_);
    ::operator delete(memory_, std::align_val_t(kRsaPreparedAlign));
  }
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;
  const void* get() const { return memory_; }

 private:
  const RsaKernel& kernel_;
  void* memory_;
};

class RsaKernels : public testing::TestWithParam<const RsaKernel*> {
 protected:
  void SetUp() override {
    if (!CanRun(*GetParam())) {
      GTEST_SKIP() << "kernel " << GetParam()->name
                   << " is not tested: " << GetRsaKernelInfo().reason;
    }
  }

 private:
  static bool CanRun(const RsaKernel& kernel) {
    if (&kernel == &kRsaPortableKernel) return true;
#if defined(__x86_64__)
    if (&kernel == &kRsaAvx2Kernel) return ChosenIsa().avx2;
    if (&kernel == &kRsaAvx512IfmaFewKernel) {
      return CanRun(kRsaAvx512IfmaKernel);
    }
#endif
    return GetRsaKernelInfo().name == kernel.name;
  }
};

struct Operation {
  std::string n;
  std::string s;
  bool prepared = false;
};

// Runs up to eight operations as one call, and checks every result and that no
// octet beside it was written. The inputs are copied into memory of exactly
// their size, so that AddressSanitizer sees a read past their end.
void ExpectRight(const RsaKernel& kernel, size_t size_class, uint64_t exponent,
                 const std::vector<Operation>& operations) {
  std::vector<std::unique_ptr<Storage>> prepared;
  std::vector<std::vector<char>> inputs;
  std::vector<std::string> results;
  std::vector<RsaLane> lanes;
  for (const Operation& operation : operations) {
    inputs.emplace_back(operation.n.begin(), operation.n.end());
    inputs.emplace_back(operation.s.begin(), operation.s.end());
    results.emplace_back(operation.n.size() + 16, kUnwritten);
    prepared.push_back(operation.prepared ? std::make_unique<Storage>(
                                                kernel, size_class, operation.n)
                                          : nullptr);
  }
  for (size_t i = 0; i < operations.size(); ++i) {
    lanes.push_back({reinterpret_cast<const uint8_t*>(inputs[2 * i].data()),
                     reinterpret_cast<const uint8_t*>(inputs[2 * i + 1].data()),
                     reinterpret_cast<uint8_t*>(results[i].data()) + 8,
                     operations[i].n.size(),
                     prepared[i] ? prepared[i]->get() : nullptr});
  }
  kernel.run(size_class, exponent, lanes.data(), lanes.size());
  for (size_t i = 0; i < operations.size(); ++i) {
    std::string expected(8, kUnwritten);
    expected += ReferencePower(AsBytes(operations[i].s), exponent,
                               AsBytes(operations[i].n));
    expected.append(8, kUnwritten);
    ASSERT_EQ(results[i], expected)
        << kernel.name << " class " << size_class << " lane " << i << " of "
        << operations.size() << " e " << exponent << " prepared "
        << operations[i].prepared << "\nn "
        << testing::PrintToString(operations[i].n) << "\ns "
        << testing::PrintToString(operations[i].s);
  }
}

size_t AnyBits(HardNumbers& numbers, size_t size_class) {
  const size_t low = kClassBitsMin[size_class];
  const size_t high = kRsaClassBits[size_class];
  // Half of them whole, as keys are.
  return numbers.Below(2) == 0 ? high : low + numbers.Below(high - low + 1);
}

TEST_P(RsaKernels, KnowItsAnswers) {
  EXPECT_TRUE(RsaKernelKnowsAnswers(*GetParam()));
}

TEST_P(RsaKernels, AgreeWithBignumOnHardNumbers) {
  const uint64_t wanted =
      FromEnvironment("INKAN_RSA_DIFFERENTIAL_OPERATIONS", kOperationsDefault);
  HardNumbers numbers(FromEnvironment("INKAN_RSA_DIFFERENTIAL_SEED", 1));
  for (uint64_t done = 0; done < wanted && !HasFatalFailure();) {
    // Larger sizes cost OpenSSL more; 2048 bits is what is in use.
    const size_t size_class = numbers.Below(10) < 7 ? 0 : 1 + numbers.Below(2);
    const size_t count = 1 + numbers.Below(kRsaLanesMax);
    const bool same_key = numbers.Below(4) == 0;
    const uint64_t prepared = numbers.Below(8);
    std::vector<Operation> operations(count);
    for (size_t i = 0; i < count; ++i) {
      operations[i].n = same_key && i > 0
                            ? operations[0].n
                            : numbers.Modulus(AnyBits(numbers, size_class));
      operations[i].s = numbers.Residue(operations[i].n);
      operations[i].prepared =
          prepared == 0 || (prepared == 1 && numbers.Below(2) == 0);
    }
    ExpectRight(*GetParam(), size_class, numbers.Exponent(), operations);
    done += count;
  }
}

TEST_P(RsaKernels, AgreeForEveryLaneAndCount) {
  HardNumbers numbers(2);
  for (size_t size_class = 0; size_class < kRsaSizeClasses; ++size_class) {
    for (size_t count = 1; count <= kRsaLanesMax; ++count) {
      for (const bool prepared : {false, true}) {
        std::vector<Operation> operations(count);
        for (Operation& operation : operations) {
          operation.n = numbers.Modulus(kRsaClassBits[size_class]);
          operation.s = numbers.Residue(operation.n);
          operation.prepared = prepared;
        }
        ExpectRight(*GetParam(), size_class, 65537, operations);
      }
    }
  }
}

// The least and greatest modulus of each length, with the values whose squares
// are the largest and those around every limb border.
TEST_P(RsaKernels, AgreeOnExtremeModuli) {
  for (size_t size_class = 0; size_class < kRsaSizeClasses; ++size_class) {
    for (const size_t bits :
         {kClassBitsMin[size_class], kRsaClassBits[size_class] - 7,
          kRsaClassBits[size_class] - 1, kRsaClassBits[size_class]}) {
      if (bits < kClassBitsMin[size_class]) continue;
      const size_t bytes = (bits + 7) / 8;
      Bn least = NewBn();
      BN_set_bit(least.get(), static_cast<int>(bits - 1));
      BN_add_word(least.get(), 1);
      Bn greatest = NewBn();
      BN_set_bit(greatest.get(), static_cast<int>(bits));
      BN_sub_word(greatest.get(), 1);
      for (const BIGNUM* n : {least.get(), greatest.get()}) {
        std::vector<Operation> operations;
        for (size_t k = 0; k < bits; k += 1 + k % 13) {
          for (const bool less_one : {false, true}) {
            Bn s = NewBn();
            BN_set_bit(s.get(), static_cast<int>(k));
            if (less_one) BN_sub_word(s.get(), 1);
            if (BN_cmp(s.get(), n) >= 0) continue;
            operations.push_back({BytesOf(n, bytes), BytesOf(s.get(), bytes)});
          }
        }
        Bn s(BN_dup(n));
        for (int i = 0; i < 8; ++i) {
          BN_sub_word(s.get(), 1);
          operations.push_back({BytesOf(n, bytes), BytesOf(s.get(), bytes)});
        }
        for (size_t i = 0; i < operations.size(); i += kRsaLanesMax) {
          const size_t end = std::min(operations.size(), i + kRsaLanesMax);
          ExpectRight(*GetParam(), size_class, 65537,
                      {operations.begin() + static_cast<ptrdiff_t>(i),
                       operations.begin() + static_cast<ptrdiff_t>(end)});
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

TEST_P(RsaKernels, AgreeForEveryBitLengthOfAModulus) {
  HardNumbers numbers(3);
  for (size_t bits = 2048; bits <= 4096; ++bits) {
    const size_t size_class = bits <= 2048 ? 0 : bits <= 3072 ? 1 : 2;
    Operation operation;
    operation.n = numbers.Modulus(bits);
    operation.s = numbers.Residue(operation.n);
    ExpectRight(*GetParam(), size_class, 3, {operation});
    if (HasFatalFailure()) return;
  }
}

// Memory between two pages that may not be touched, the bytes right before the
// second or right after the first: what a kernel reads or writes beyond them,
// by whatever instruction, ends the test.
class FencedBytes {
 public:
  FencedBytes(const std::string& bytes, bool at_end) {
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    map_size_ = 3 * page;
    map_ = static_cast<uint8_t*>(mmap(nullptr, map_size_, PROT_NONE,
                                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (map_ == MAP_FAILED ||
        mprotect(map_ + page, page, PROT_READ | PROT_WRITE) != 0) {
      std::abort();
    }
    data_ = at_end ? map_ + 2 * page - bytes.size() : map_ + page;
    std::copy(bytes.begin(), bytes.end(), data_);
  }
  ~FencedBytes() { munmap(map_, map_size_); }
  FencedBytes(const FencedBytes&) = delete;
  FencedBytes& operator=(const FencedBytes&) = delete;

  uint8_t* data() const { return data_; }

 private:
  uint8_t* map_;
  size_t map_size_;
  uint8_t* data_;
};

TEST_P(RsaKernels, TouchNothingBesideTheirBuffers) {
  HardNumbers numbers(4);
  for (const bool at_end : {false, true}) {
    for (const size_t bits :
         {2048U, 2049U, 2500U, 3072U, 3073U, 3333U, 4096U}) {
      const size_t size_class = bits <= 2048 ? 0 : bits <= 3072 ? 1 : 2;
      const std::string n = numbers.Modulus(bits);
      const std::string s = numbers.Residue(n);
      const FencedBytes modulus(n, at_end);
      const FencedBytes signature(s, at_end);
      const FencedBytes result(std::string(n.size(), kUnwritten), at_end);
      for (size_t count = 1; count <= kRsaLanesMax; ++count) {
        const std::vector<RsaLane> lanes(
            count, {modulus.data(), signature.data(), result.data(), n.size(),
                    nullptr});
        GetParam()->run(size_class, 65537, lanes.data(), count);
        ASSERT_EQ(std::string(AsText(Bytes(result.data(), n.size()))),
                  ReferencePower(AsBytes(s), 65537, AsBytes(n)));
      }
    }
  }
}

std::vector<const RsaKernel*> Kernels() {
  return {
#if defined(__x86_64__)
    &kRsaAvx512IfmaKernel, &kRsaAvx512IfmaFewKernel, &kRsaAvx2Kernel,
#endif
        &kRsaPortableKernel,
  };
}

INSTANTIATE_TEST_SUITE_P(
    Each, RsaKernels, testing::ValuesIn(Kernels()),
    [](const testing::TestParamInfo<const RsaKernel*>& tested) {
      return std::string(tested.param->name);
    });

}  // namespace
}  // namespace inkan
