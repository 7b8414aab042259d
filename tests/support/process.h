// A child process of a test: started with arguments, ended by its pid.
#ifndef INKAN_TESTS_SUPPORT_PROCESS_H_
#define INKAN_TESTS_SUPPORT_PROCESS_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/time/time.h"

namespace inkan {

class Process {
 public:
  // Starts `arguments[0]`; standard output and error go to `output_file`.
  Process(std::vector<std::string> arguments, std::string output_file);
  // Kills the process if it still runs.
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void Signal(int number) const;
  // Exit code, 128 + signal number, or -1 if it still runs after `timeout`.
  int Wait(absl::Duration timeout);
  bool Running();
  std::string Output() const;
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
  bool reaped_ = false;
  int exit_code_ = -1;
  std::string output_file_;
};

struct CommandResult {
  int exit_code = -1;
  std::string output;
};

// Runs a command to its end, 120 seconds at most.
CommandResult RunCommand(std::vector<std::string> arguments);

}  // namespace inkan

#endif  // INKAN_TESTS_SUPPORT_PROCESS_H_
