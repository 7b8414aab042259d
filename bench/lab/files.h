// Whole files and delimited protobuf messages.
//
//   absl::Status s = WriteFile(dir + "/ca.cer", der);
//
// Errors name the path. Any thread.
#ifndef INKAN_BENCH_LAB_FILES_H_
#define INKAN_BENCH_LAB_FILES_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace inkan::lab {

// Makes the folders above the file if they are not there.
absl::Status WriteFile(const std::string& path, std::string_view contents);
absl::StatusOr<std::string> ReadFile(const std::string& path);

// Appends the message's length as a varint, then the message.
void AppendDelimited(std::string_view message, std::string* out);

}  // namespace inkan::lab

#endif  // INKAN_BENCH_LAB_FILES_H_
