#include "server/request_wire.h"

#include <cstddef>
#include <map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cache/mutex.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/wire_format_lite.h"

namespace inkan {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

// Which fields of a message are messages, so that no look at a descriptor is
// needed for each field that comes.
class Shape {
 public:
  // Shapes are never freed: there are as many as types.
  static const Shape& Of(const Descriptor* type) {
    static Mutex mutex;
    static auto* const kShapes = new std::map<const Descriptor*, const Shape*>;
    MutexLock lock(&mutex);
    return *Make(type, kShapes);
  }

  // Null if the field is none, or none that is known.
  const Shape* Child(int field) const {
    return field > 0 && static_cast<size_t>(field) < children_.size()
               ? children_[static_cast<size_t>(field)]
               : nullptr;
  }

 private:
  static const Shape* Make(const Descriptor* type,
                           std::map<const Descriptor*, const Shape*>* shapes) {
    const Shape*& known = (*shapes)[type];
    if (known != nullptr) return known;
    auto* shape = new Shape;
    known = shape;  // before its children, which may have it for a child
    for (int i = 0; i < type->field_count(); ++i) {
      const FieldDescriptor* field = type->field(i);
      const auto number = static_cast<size_t>(field->number());
      if (field->type() != FieldDescriptor::TYPE_MESSAGE) continue;
      if (shape->children_.size() <= number) {
        shape->children_.resize(number + 1);
      }
      shape->children_[number] = Make(field->message_type(), shapes);
    }
    return shape;
  }

  std::vector<const Shape*> children_;
};

enum class Count : uint8_t { kDone, kTooMany, kMalformed };

// Deeper than any request is; protobuf's own bound is 100.
constexpr int kDepthMax = 16;

// Groups, which nothing of ours has, need no recursion: what is in them is
// counted like what is beside them.
Count CountFields(CodedInputStream* in, const Shape& shape, int depth,
                  uint64_t* left) {
  while (const uint32_t tag = in->ReadTag()) {
    if (*left == 0) return Count::kTooMany;
    --*left;
    bool read = true;
    uint64_t value = 0;
    uint32_t size = 0;
    switch (WireFormatLite::GetTagWireType(tag)) {
      case WireFormatLite::WIRETYPE_VARINT:
        read = in->ReadVarint64(&value);
        break;
      case WireFormatLite::WIRETYPE_FIXED64:
        read = in->Skip(8);
        break;
      case WireFormatLite::WIRETYPE_FIXED32:
        read = in->Skip(4);
        break;
      case WireFormatLite::WIRETYPE_START_GROUP:
      case WireFormatLite::WIRETYPE_END_GROUP:
        break;
      case WireFormatLite::WIRETYPE_LENGTH_DELIMITED: {
        if (!in->ReadVarint32(&size) || size > INT32_MAX) {
          return Count::kMalformed;
        }
        const Shape* child =
            shape.Child(WireFormatLite::GetTagFieldNumber(tag));
        if (child == nullptr) {
          read = in->Skip(static_cast<int>(size));
          break;
        }
        if (depth == kDepthMax) return Count::kMalformed;
        const CodedInputStream::Limit limit =
            in->PushLimit(static_cast<int>(size));
        const Count inside = CountFields(in, *child, depth + 1, left);
        if (inside != Count::kDone) return inside;
        if (!in->ConsumedEntireMessage()) return Count::kMalformed;
        in->PopLimit(limit);
        break;
      }
      default:
        read = false;
    }
    if (!read) return Count::kMalformed;
  }
  return Count::kDone;
}

}  // namespace

RequestFault MalformedRequest() {
  return {reason::kRequestMalformed, "request",
          "is no message of its type; make the client's code from the same "
          ".proto files"};
}

uint64_t FieldsMax(uint64_t bytes, const Limits& limits) {
  return kFieldsPerFiling * limits.batch_filings_max + bytes / kOctetsPerField;
}

RequestFault CheckWire(google::protobuf::io::ZeroCopyInputStream* octets,
                       uint64_t bytes, const Descriptor* type,
                       const Limits& limits) {
  if (bytes <= kUncountedBytesMax) return {};
  CodedInputStream in(octets);
  const uint64_t fields_max = FieldsMax(bytes, limits);
  uint64_t left = fields_max;
  const Count count = CountFields(&in, Shape::Of(type), 0, &left);
  // What is no message here is none for the parser, but for some groups, which
  // nobody sends; and what lies behind it has not been counted.
  if (count == Count::kMalformed ||
      (count == Count::kDone && !in.ConsumedEntireMessage())) {
    return MalformedRequest();
  }
  if (count == Count::kDone) return {};
  return {reason::kTooManyFields, "request",
          absl::StrCat("has ", bytes, " octets and more than ", fields_max,
                       " fields; send fewer filings and intermediates in one "
                       "request, and no empty ones")};
}

}  // namespace inkan
