#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <memory>
#include <new>

#include "absl/strings/str_cat.h"
#include "crypto/isa.h"
#include "crypto/rsa.h"
#include "crypto/rsa_kernels.h"
#include "crypto/rsa_known_answers.h"

namespace inkan {

namespace {

// ---------------------------------------------------------------------------
// The choice of a kernel.

struct Chosen {
  const RsaKernel* kernel = nullptr;
  RsaKernelInfo info;
  Fault fault;
  // For what fills fewer than lanes_min lanes of the kernel.
  const RsaKernel* few = &kRsaPortableKernel;
  size_t lanes_min = 1;
};

// Eight lanes of AVX-512 IFMA take less time than that many operations one or
// two at a time by the same instructions.
[[maybe_unused]] constexpr size_t kIfmaLanesMin = 3;

#if defined(INKAN_HAVE_X86_KERNELS)
// The fastest of a few full runs of 2048-bit operations, in cycles of the
// counter that every x86-64 CPU has.
uint64_t FastestRun(const RsaKernel& kernel) {
  constexpr size_t kBytes = kRsaClassBits[0] / 8;
  constexpr int kRounds = 7;
  std::array<RsaKnownInput, kRsaLanesMax> inputs;
  uint8_t results[kRsaLanesMax][kBytes];
  RsaLane lanes[kRsaLanesMax];
  for (size_t i = 0; i < kRsaLanesMax; ++i) {
    inputs[i] = MakeRsaKnownInput(0, i);
    lanes[i] = {inputs[i].modulus.data(), inputs[i].signature.data(),
                results[i], kBytes, nullptr};
  }
  uint64_t fastest = UINT64_MAX;
  for (int round = 0; round < kRounds; ++round) {
    const uint64_t start = __builtin_ia32_rdtsc();
    kernel.run(0, 65537, lanes, kRsaLanesMax);
    fastest = std::min<uint64_t>(fastest, __builtin_ia32_rdtsc() - start);
  }
  return fastest;
}

// Whether the machine multiplies faster in four lanes of AVX2 than with MULX is
// nothing that CPUID tells. By so much that the fewest lanes it takes pay, too.
bool Avx2IsFaster() {
  return FastestRun(kRsaAvx2Kernel) * kRsaAvx2Kernel.lanes <
         FastestRun(kRsaPortableKernel) * kRsaAvx2Kernel.lanes_min;
}
#endif

// What the choice of instructions has a kernel for, or null if this build has
// none.
const RsaKernel* KernelFor(Isa isa) {
  switch (isa) {
    case Isa::kPortable:
      return &kRsaPortableKernel;
#if defined(INKAN_HAVE_X86_KERNELS)
    case Isa::kAvx2:
      return &kRsaAvx2Kernel;
    case Isa::kAvx512Ifma:
      return &kRsaAvx512IfmaKernel;
#endif
    default:
      return nullptr;
  }
}

Chosen ChooseKernel() {
  const IsaChoice& isa = ChosenIsa();
  if (!isa.fault.ok()) return {nullptr, {}, isa.fault};
  // Jobs alone may need the portable kernel whatever the choice.
  if (!RsaKernelKnowsAnswers(kRsaPortableKernel)) {
    return {nullptr, {}, {"RSA", "portable: failed its known-answer test"}};
  }
  const RsaKernel* kernel = KernelFor(isa.isa);
  std::string reason = isa.reason;
  if (kernel == nullptr) {
    if (isa.forced) {
      return {nullptr, {}, {"INKAN_ISA", "not part of this build"}};
    }
    reason = "this build has no kernel for what the machine offers";
  } else if (!RsaKernelKnowsAnswers(*kernel)) {
    if (isa.forced) {
      return {nullptr, {}, {"INKAN_ISA", "failed its known-answer test"}};
    }
    reason = absl::StrCat(kernel->name,
                          " failed its known-answer test on this machine");
#if defined(INKAN_HAVE_X86_KERNELS)
  } else if (isa.isa == Isa::kAvx2 && !isa.forced && !Avx2IsFaster()) {
    reason = absl::StrCat(isa.reason, ", and AVX2 is not a third faster on it");
#endif
  } else {
    return {kernel, {kernel->name, reason}, {}};
  }
  return {&kRsaPortableKernel, {kRsaPortableKernel.name, reason}, {}};
}

// And what to do with jobs that are too few for it.
Chosen Choose() {
  Chosen chosen = ChooseKernel();
  if (chosen.kernel == nullptr) return chosen;
  chosen.lanes_min = chosen.kernel->lanes_min;
#if defined(INKAN_HAVE_X86_KERNELS)
  if (chosen.kernel == &kRsaAvx512IfmaKernel &&
      RsaKernelKnowsAnswers(kRsaAvx512IfmaFewKernel)) {
    chosen.few = &kRsaAvx512IfmaFewKernel;
    chosen.lanes_min = kIfmaLanesMin;
  }
#endif
  chosen.info.few_name = chosen.few->name;
  return chosen;
}

const Chosen& ChosenKernel() {
  static const Chosen kChosen = Choose();
  return kChosen;
}

const Chosen& Usable() {
  const Chosen& chosen = ChosenKernel();
  if (chosen.kernel == nullptr) {
    std::fprintf(stderr, "%s: %s\n", chosen.fault.field, chosen.fault.problem);
    std::abort();
  }
  return chosen;
}

const RsaKernel& Kernel() { return *Usable().kernel; }

// REQUIRES: a key that CheckKeyStrength accepts.
size_t SizeClass(size_t modulus_bits) {
  for (size_t i = 0; i < kRsaSizeClasses; ++i) {
    if (modulus_bits <= kRsaClassBits[i]) return i;
  }
  std::abort();
}

// One a thread, so that counting is a plain addition.
thread_local RsaCounts rsa_counts;
static_assert(std::size(RsaCounts{}.groups) == kRsaLanesMax + 1);

// ---------------------------------------------------------------------------
// Scheduling into lanes.

// Lanes that wait to be run together: one size class and one exponent, and
// either all of prepared keys or none, since a kernel can leave out the set-up
// only when no lane needs it.
struct Group {
  size_t size_class = 0;
  uint64_t exponent = 0;
  bool prepared = false;
  size_t count = 0;
  RsaLane lanes[kRsaLanesMax];
};

// Open groups. Size classes times prepared or not is 6, and nearly all keys
// have one exponent; when more are needed the fullest is run early, which costs
// speed and nothing else.
constexpr size_t kOpenGroupsMax = 12;

class Scheduler {
 public:
  explicit Scheduler(const Chosen& chosen)
      : kernel_(*chosen.kernel),
        few_(*chosen.few),
        lanes_min_(chosen.lanes_min) {}

  void Add(const RsaLane& lane, size_t size_class, uint64_t exponent) {
    Group& group = Find(size_class, exponent, lane.prepared != nullptr);
    group.lanes[group.count++] = lane;
    if (group.count == kRsaLanesMax) Run(group);
  }

  void Finish() {
    for (size_t i = 0; i < used_; ++i) {
      for (size_t j = i + 1; j < used_; ++j)
        MergeIfItFits(groups_[j], &groups_[i]);
      if (groups_[i].count > 0) Run(groups_[i]);
    }
  }

 private:
  Group& Find(size_t size_class, uint64_t exponent, bool prepared) {
    Group* reusable = nullptr;
    for (size_t i = 0; i < used_; ++i) {
      Group& group = groups_[i];
      if (group.size_class == size_class && group.exponent == exponent &&
          group.prepared == prepared) {
        return group;
      }
      if (reusable == nullptr || group.count == 0 ||
          (reusable->count != 0 && group.count > reusable->count)) {
        reusable = &group;
      }
    }
    if (used_ < kOpenGroupsMax) {
      reusable = &groups_[used_++];
    } else if (reusable->count > 0) {
      Run(*reusable);
    }
    reusable->size_class = size_class;
    reusable->exponent = exponent;
    reusable->prepared = prepared;
    return *reusable;
  }

  // A run costs the same however few lanes it has, so two part-filled groups
  // that differ only in preparation run as one.
  static void MergeIfItFits(Group& from, Group* into) {
    if (from.size_class != into->size_class ||
        from.exponent != into->exponent ||
        from.count + into->count > kRsaLanesMax) {
      return;
    }
    std::copy_n(from.lanes, from.count, into->lanes + into->count);
    into->count += from.count;
    from.count = 0;
  }

  // Too few to be worth a run of all lanes go to a kernel that takes them one
  // after another and finishes them sooner. What another kernel prepared may be
  // of no use there, and little is lost: it has next to no set-up.
  void Run(Group& group) {
    size_t rest = group.count % kernel_.lanes;
    if (rest >= lanes_min_) rest = 0;
    const size_t here = group.count - rest;
    if (here > 0) {
      ++rsa_counts.groups[here];
      kernel_.run(group.size_class, group.exponent, group.lanes, here);
    }
    if (rest > 0) {
      for (size_t i = 0; i < rest; ++i)
        group.lanes[here + i].prepared = nullptr;
      rsa_counts.alone += rest;
      few_.run(group.size_class, group.exponent, group.lanes + here, rest);
    }
    group.count = 0;
  }

  const RsaKernel& kernel_;
  const RsaKernel& few_;
  const size_t lanes_min_;
  size_t used_ = 0;
  std::array<Group, kOpenGroupsMax> groups_;
};

Fault CheckSignatureForm(const PublicKey& key, Bytes signature) {
  if (signature.size() != key.rsa_modulus.size()) {
    return {"signature", "not as long as the RSA modulus"};
  }
  // Equal lengths and big-endian: the order of octets is the order of numbers.
  if (std::memcmp(signature.data(), key.rsa_modulus.data(), signature.size()) >=
      0) {
    return {"signature", "not less than the RSA modulus"};
  }
  return {};
}

}  // namespace

class RsaPreparedKey {
 public:
  RsaPreparedKey(const RsaKernel& kernel, const PublicKey& key)
      : kernel_(kernel) {
    const size_t size_class = SizeClass(key.rsa_modulus_bits);
    constants_ = ::operator new(kernel.prepared_bytes(size_class),
                                std::align_val_t(kRsaPreparedAlign));
    kernel.prepare(size_class, key.rsa_modulus.data(), key.rsa_modulus.size(),
                   constants_);
  }
  ~RsaPreparedKey() {
    kernel_.release(constants_);
    ::operator delete(constants_, std::align_val_t(kRsaPreparedAlign));
  }
  RsaPreparedKey(const RsaPreparedKey&) = delete;
  RsaPreparedKey& operator=(const RsaPreparedKey&) = delete;

  const void* constants() const { return constants_; }

 private:
  const RsaKernel& kernel_;
  void* constants_;
};

void RsaPreparedKeyDeleter::operator()(const RsaPreparedKey* key) const {
  delete key;
}

RsaPreparedKeyPtr PrepareRsaKey(const PublicKey& key) {
  if (key.kind != KeyKind::kRsa || !CheckKeyStrength(key).ok()) return nullptr;
  return RsaPreparedKeyPtr(new RsaPreparedKey(Kernel(), key));
}

void RsaPublicOperations(absl::Span<RsaJob> jobs) {
  Scheduler scheduler(Usable());
  for (RsaJob& job : jobs) {
    const PublicKey& key = *job.key;
    job.fault = key.kind == KeyKind::kRsa
                    ? CheckKeyStrength(key)
                    : Fault{"subjectPublicKeyInfo", "not an RSA key"};
    if (job.fault.ok()) job.fault = CheckSignatureForm(key, job.signature);
    if (!job.fault.ok()) continue;
    scheduler.Add(
        {key.rsa_modulus.data(), job.signature.data(), job.result,
         key.rsa_modulus.size(),
         job.prepared != nullptr ? job.prepared->constants() : nullptr},
        SizeClass(key.rsa_modulus_bits), key.rsa_exponent);
  }
  scheduler.Finish();
}

const RsaCounts& ThreadRsaCounts() { return rsa_counts; }

Fault InitRsaKernel() { return ChosenKernel().fault; }

const RsaKernelInfo& GetRsaKernelInfo() {
  Kernel();
  return ChosenKernel().info;
}

}  // namespace inkan
