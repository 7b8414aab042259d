#include "server/config_text.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/io/tokenizer.h"

namespace inkan {
namespace {

using ::google::protobuf::FieldDescriptor;
using ::google::protobuf::TextFormat;

// The field that text at `column` of `line` gives a value to: the identifier
// before the last ':' or '{' that is not after the place. Empty if there is
// none (a value on a line of its own).
absl::string_view FieldBefore(absl::string_view line, int column) {
  absl::string_view before =
      line.substr(0, std::min(line.size(), static_cast<size_t>(column)));
  before = absl::StripTrailingAsciiWhitespace(before);
  while (!before.empty() && before.back() != ':' && before.back() != '{') {
    before.remove_suffix(1);
  }
  if (before.empty()) return {};
  before.remove_suffix(1);
  before = absl::StripTrailingAsciiWhitespace(before);
  size_t begin = before.size();
  while (begin > 0 &&
         (absl::ascii_isalnum(static_cast<unsigned char>(before[begin - 1])) ||
          before[begin - 1] == '_')) {
    --begin;
  }
  return before.substr(begin);
}

// Turns the parser's complaints into ours.
class Collector : public google::protobuf::io::ErrorCollector {
 public:
  Collector(const std::string& contents, ConfigErrors* errors)
      : lines_(absl::StrSplit(contents, '\n')), errors_(errors) {}

  void AddError(int line, google::protobuf::io::ColumnNumber column,
                const std::string& message) override {
    absl::string_view field;
    if (line >= 0 && static_cast<size_t>(line) < lines_.size()) {
      field = FieldBefore(lines_[static_cast<size_t>(line)], column);
    }
    std::string problem = message;
    if (!problem.empty() && problem.back() == '.') problem.pop_back();
    if (absl::StrContains(message, "has no field named")) {
      field = {};
      absl::StrAppend(&problem,
                      "; remove it or see --print-default-config for the "
                      "fields there are");
    } else {
      absl::StrAppend(&problem,
                      "; see --print-default-config for how it is written");
    }
    errors_->Add(line, column, field, problem);
  }

 private:
  std::vector<absl::string_view> lines_;
  ConfigErrors* errors_;
};

}  // namespace

void ConfigErrors::Add(int line, int column, absl::string_view field,
                       absl::string_view problem) {
  std::string message = file_;
  if (line >= 0) absl::StrAppend(&message, ":", line + 1);
  if (line >= 0 && column >= 0) absl::StrAppend(&message, ":", column + 1);
  absl::StrAppend(&message, ": ");
  if (!field.empty()) absl::StrAppend(&message, field, ": ");
  absl::StrAppend(&message, problem);
  messages_.push_back(std::move(message));
}

absl::Status ConfigErrors::ToStatus() const {
  if (messages_.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrJoin(messages_, "\n"));
}

std::string ConfigNode::PathOf(absl::string_view field, int index) const {
  std::string path = path_;
  if (!field.empty()) {
    absl::StrAppend(&path, path.empty() ? "" : ".", field);
    if (index >= 0) absl::StrAppend(&path, "[", index, "]");
  }
  return path;
}

ConfigNode ConfigNode::Child(absl::string_view field, int index) const {
  const FieldDescriptor* descriptor =
      type_->FindFieldByName(std::string(field));
  const TextFormat::ParseInfoTree* places =
      places_ == nullptr ? nullptr
                         : places_->GetTreeForNested(descriptor, index);
  ConfigNode child(descriptor->message_type(), places, PathOf(field, index),
                   errors_);
  child.line_ = line_;
  child.column_ = column_;
  if (places_ != nullptr) {
    const auto place = places_->GetLocation(descriptor, index);
    if (place.line >= 0) {
      child.line_ = place.line;
      child.column_ = place.column;
    }
  }
  return child;
}

void ConfigNode::Error(absl::string_view field, int index,
                       absl::string_view problem) const {
  int line = line_;
  int column = column_;
  const FieldDescriptor* descriptor =
      type_->FindFieldByName(std::string(field));
  if (places_ != nullptr && descriptor != nullptr) {
    // A whole list is found at its first value.
    const int at = descriptor->is_repeated() && index < 0 ? 0 : index;
    const auto place = places_->GetLocation(descriptor, at);
    if (place.line >= 0) {
      line = place.line;
      column = place.column;
    }
  }
  errors_->Add(line, column, PathOf(field, index), problem);
}

bool ConfigText::Parse(const std::string& contents,
                       google::protobuf::Message* message,
                       ConfigErrors* errors) {
  Collector collector(contents, errors);
  TextFormat::Parser parser;
  parser.RecordErrorsTo(&collector);
  parser.WriteLocationsTo(&places_);
  const bool parsed = parser.ParseFromString(contents, message);
  return parsed && errors->empty();
}

}  // namespace inkan
