// Protobuf text format with a memory of where everything stood, so that a
// mistake found long after parsing is still reported by file, line and field.
//
//   ConfigErrors errors("inkand.textproto");
//   ConfigText text;
//   if (text.Parse(contents, &message, &errors)) {
//     text.Root(message, &errors).Child("profiles", 0).Error("name", "...");
//   }
//
// Every message reads "file:line:column: field.path[0]: problem". Thread
// safety: values for one thread. Ownership: a ConfigNode points into the
// ConfigText and the ConfigErrors it came from.
#ifndef INKAN_SERVER_CONFIG_TEXT_H_
#define INKAN_SERVER_CONFIG_TEXT_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"
#include "google/protobuf/text_format.h"

namespace inkan {

// What is wrong with one file, in the order found.
class ConfigErrors {
 public:
  explicit ConfigErrors(std::string file) : file_(std::move(file)) {}

  // `line` and `column` count from 0; -1: unknown. An empty `field` is left
  // out.
  void Add(int line, int column, absl::string_view field,
           absl::string_view problem);

  bool empty() const { return messages_.empty(); }
  const std::string& file() const { return file_; }
  // kInvalidArgument with one line for each mistake, or OK.
  absl::Status ToStatus() const;

 private:
  std::string file_;
  std::vector<std::string> messages_;
};

// One message of the configuration and where it stands.
class ConfigNode {
 public:
  ConfigNode(const google::protobuf::Descriptor* type,
             const google::protobuf::TextFormat::ParseInfoTree* places,
             std::string path, ConfigErrors* errors)
      : type_(type), places_(places), path_(std::move(path)), errors_(errors) {}

  // The message in a field; `index` -1 for fields that are not repeated.
  // REQUIRES: `field` is a message field of this node's type.
  ConfigNode Child(absl::string_view field, int index = -1) const;

  // Reports a problem with a field, or with the node itself if `field` is
  // empty.
  void Error(absl::string_view field, absl::string_view problem) const {
    Error(field, -1, problem);
  }
  void Error(absl::string_view field, int index,
             absl::string_view problem) const;

 private:
  std::string PathOf(absl::string_view field, int index) const;

  const google::protobuf::Descriptor* type_;
  // Null if the file does not mention this message.
  const google::protobuf::TextFormat::ParseInfoTree* places_;
  std::string path_;
  ConfigErrors* errors_;
  // Where the message itself begins; fields that are missing are reported here.
  int line_ = -1;
  int column_ = -1;
};

class ConfigText {
 public:
  // False, with errors added, if `contents` is not text format of `message`.
  bool Parse(const std::string& contents, google::protobuf::Message* message,
             ConfigErrors* errors);

  ConfigNode Root(const google::protobuf::Message& message,
                  ConfigErrors* errors) const {
    return ConfigNode(message.GetDescriptor(), &places_, "", errors);
  }

 private:
  google::protobuf::TextFormat::ParseInfoTree places_;
};

}  // namespace inkan

#endif  // INKAN_SERVER_CONFIG_TEXT_H_
