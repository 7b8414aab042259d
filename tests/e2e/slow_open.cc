// Preloaded into a server under test: while the file named by INKAN_HOLD_FILE
// exists, opening a file of a folder "crls" does not return, as on a disk, or a
// share, that does not answer. INKAN_HOLD_FILE with ".reached" after it is made
// when somebody waits.
#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdarg>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

using OpenFunction = int (*)(const char*, int, ...);

OpenFunction Real(const char* name) {
  return reinterpret_cast<OpenFunction>(dlsym(RTLD_NEXT, name));
}

void WaitWhileHeld(const char* path) {
  const char* hold = getenv("INKAN_HOLD_FILE");
  if (hold == nullptr || std::strstr(path, "/crls/") == nullptr) return;
  if (access(hold, F_OK) != 0) return;
  static const OpenFunction kOpen = Real("open");
  const std::string reached = std::string(hold) + ".reached";
  close(kOpen(reached.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  while (access(hold, F_OK) == 0) usleep(10'000);
}

mode_t ModeOf(int flags, va_list arguments) {
  return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
}

}  // namespace

extern "C" int open(const char* path, int flags, ...) {
  static const OpenFunction kReal = Real("open");
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = ModeOf(flags, arguments);
  va_end(arguments);
  WaitWhileHeld(path);
  return kReal(path, flags, mode);
}

extern "C" int open64(const char* path, int flags, ...) {
  static const OpenFunction kReal = Real("open64");
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = ModeOf(flags, arguments);
  va_end(arguments);
  WaitWhileHeld(path);
  return kReal(path, flags, mode);
}
