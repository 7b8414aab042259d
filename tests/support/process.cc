#include "tests/support/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/support/conformance.h"

extern char** environ;

namespace inkan {

Process::Process(std::vector<std::string> arguments, std::string output_file)
    : output_file_(std::move(output_file)) {
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, output_file_.c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC, 0644);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  const int error =
      posix_spawnp(&pid_, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  EXPECT_EQ(error, 0) << arguments[0];
  if (error != 0) reaped_ = true;
}

Process::~Process() {
  if (Running()) {
    Signal(SIGKILL);
    Wait(absl::Seconds(10));
  }
}

void Process::Signal(int number) const {
  if (!reaped_) kill(pid_, number);
}

int Process::Wait(absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  while (Running() && absl::Now() < deadline) {
    absl::SleepFor(absl::Milliseconds(5));
  }
  return exit_code_;
}

bool Process::Running() {
  if (reaped_) return false;
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) != pid_) return true;
  reaped_ = true;
  exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return false;
}

std::string Process::Output() const { return ReadFile(output_file_); }

CommandResult RunCommand(std::vector<std::string> arguments) {
  static std::atomic<int> counter{0};
  const std::string output =
      absl::StrCat(::testing::TempDir(), "command-", getpid(), "-",
                   counter.fetch_add(1), ".out");
  Process process(std::move(arguments), output);
  CommandResult result;
  result.exit_code = process.Wait(absl::Seconds(120));
  result.output = process.Output();
  unlink(output.c_str());
  return result;
}

}  // namespace inkan
