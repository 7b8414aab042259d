// What a build takes at its highest: the CRL (of PEM the text first, and then
// what it stands for), its index and a buffer of fixed size, measured by the
// kernel in a process of its own.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "bench/lab/big_crl.h"
#include "bench/lab/crl_builder.h"
#include "cache/crl_build.h"
#include "cache/crl_loader.h"
#include "gtest/gtest.h"
#include "tests/support/lab_world.h"
#include "tests/support/temp_folder.h"

namespace inkan {
namespace {

constexpr char kPathVariable[] = "INKAN_TEST_BUILD_CRL";
constexpr char kDerBytesVariable[] = "INKAN_TEST_BUILD_DER_BYTES";
// Held one by one (40 octets and more), twice as many octets as the buffer.
constexpr uint64_t kEntries = 3'000'000;
// Besides the buffer: stacks, the allocator, what is read of a file at a time.
constexpr uint64_t kOthersBytes = uint64_t{8} << 20;
static_assert(kBuildBufferBytes + kOthersBytes == uint64_t{64} << 20);

// A field of /proc/self/status, in octets.
uint64_t OfThisProcess(const std::string& field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.compare(0, field.size() + 1, field + ":") == 0) {
      return std::strtoull(line.c_str() + field.size() + 1, nullptr, 10) * 1024;
    }
  }
  ADD_FAILURE() << "no " << field;
  return 0;
}

// Run by itself only as the other test's child.
TEST(CrlBuildMemory, OfOneBuild) {
  const char* path = std::getenv(kPathVariable);
  if (path == nullptr) GTEST_SKIP() << "only as a process of its own";
  const uint64_t before = OfThisProcess("VmRSS");
  const auto crl = CrlLoader(CrlLoaderOptions()).Load(path, "");
  ASSERT_TRUE(crl.ok()) << crl.status();
  ASSERT_EQ((*crl)->entries(), kEntries);
  const uint64_t file_bytes = std::filesystem::file_size(path);
  const uint64_t der_bytes =
      std::strtoull(std::getenv(kDerBytesVariable), nullptr, 10);
  const uint64_t peak = OfThisProcess("VmHWM") - before;
  EXPECT_GE(peak, der_bytes);  // or nothing was measured
  EXPECT_LE(peak, std::max(file_bytes, der_bytes + (*crl)->memory_bytes() +
                                           kBuildBufferBytes) +
                      kOthersBytes);
  std::cout << kEntries << " entries: " << (peak >> 20) << " MiB for a CRL of "
            << (der_bytes >> 20) << " MiB in a file of " << (file_bytes >> 20)
            << " MiB and an index of " << ((*crl)->memory_bytes() >> 20)
            << " MiB\n";
}

// Runs that test in a fresh process. Not a fork of this one, whose memory holds
// room that others gave back.
void ExpectBounded(const std::string& path, uint64_t der_bytes) {
  setenv(kPathVariable, path.c_str(), 1);
  setenv(kDerBytesVariable, absl::StrCat(der_bytes).c_str(), 1);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    execl("/proc/self/exe", "crl_memory_test",
          "--gtest_filter=CrlBuildMemory.OfOneBuild",
          "--gtest_output=", static_cast<char*>(nullptr));
    _exit(127);
  }
  unsetenv(kPathVariable);
  unsetenv(kDerBytesVariable);
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

// The same in lines of 64 characters, a piece at a time.
void WritePem(const std::string& from, const std::string& to) {
  constexpr size_t kLineBytes = 48;
  std::ifstream der(from, std::ios::binary);
  std::ofstream pem(to, std::ios::binary);
  pem << "-----BEGIN X509 CRL-----\n";
  std::string line(kLineBytes, '\0');
  while (der.read(line.data(), kLineBytes), der.gcount() > 0) {
    pem << absl::Base64Escape(absl::string_view(
               line.data(), static_cast<size_t>(der.gcount())))
        << '\n';
  }
  pem << "-----END X509 CRL-----\n";
  ASSERT_TRUE(pem.good());
}

TEST(CrlBuildMemory, IsTheCrlItsIndexAndABuffer) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers take memory of their own";
#endif
  const testing_world::TempFolder folder;
  for (const bool random : {false, true}) {
    SCOPED_TRACE(random ? "random serials in no order" : "a counter's");
    lab::BigCrlOptions options;
    options.entries = kEntries;
    options.random_serials = random;
    options.now = lab::UtcSeconds(2026, 3, 15);
    lab::BigCrlEntries deal(options);
    lab::CrlBuilder builder = testing_world::CrlFor("");
    builder.entries(kEntries, [&deal](uint64_t i, lab::CrlEntry* entry) {
      deal.Fill(i, entry);
    });
    const std::string path = folder.path() + "/big.crl";
    ASSERT_TRUE(builder.WriteFile(path, testing_world::KeyOf("ca")).ok());
    const uint64_t der_bytes = std::filesystem::file_size(path);
    ExpectBounded(path, der_bytes);
    if (random) continue;
    WritePem(path, folder.path() + "/big.pem");
    ExpectBounded(folder.path() + "/big.pem", der_bytes);
  }
}

}  // namespace
}  // namespace inkan
