// Writes a protobuf message as its octets, field by field, without there being
// a message: what an answer has in it is known before, and making objects of it
// first costs more than all else that is done with it.
//
//   WireWriter writer(&octets);
//   writer.Octets(1, id);
//   const size_t begun = writer.Begin(6);
//   ..fields of the message inside..
//   writer.End(begun);
//
// What comes out is what protobuf would write, octet for octet, if fields are
// written in the order of their numbers: fields without presence are left out
// where they have their default, lengths are as short as they can be. Tests
// compare the two.
//
// Thread safety: one thread. Ownership: the octets are the caller's.
#ifndef INKAN_SERVER_WIRE_WRITER_H_
#define INKAN_SERVER_WIRE_WRITER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace inkan {

class WireWriter {
 public:
  // Appends to *out.
  explicit WireWriter(std::string* out) : out_(out) {}

  // A number that is left out if it is 0: integers, bool.
  void Number(int field, uint64_t value) {
    if (value != 0) Present(field, value);
  }
  // An enum, which is written as an int32 is.
  template <typename Enum>
  void EnumValue(int field, Enum value) {
    Number(field, static_cast<uint64_t>(static_cast<int64_t>(value)));
  }
  // One with presence, or of a message inside.
  void Present(int field, uint64_t value) {
    char octets[1 + kVarintMax];
    char* end = octets;
    *end++ = Tag(field, kVarint);
    end = PutVarint(value, end);
    out_->append(octets, static_cast<size_t>(end - octets));
  }

  // An element of a packed list, within Begin and EndText.
  void Bare(uint64_t value) {
    char octets[kVarintMax];
    const char* end = PutVarint(value, octets);
    out_->append(octets, static_cast<size_t>(end - octets));
  }

  // string or bytes, left out if empty.
  void Octets(int field, std::string_view octets) {
    if (octets.empty()) return;
    Length(field, octets.size());
    out_->append(octets.data(), octets.size());
  }

  // google.protobuf.Timestamp of whole seconds.
  void Time(int field, int64_t unix_seconds) {
    char octets[3 + kVarintMax];
    char* end = octets + 2;
    if (unix_seconds != 0) {
      *end++ = Tag(1, kVarint);
      end = PutVarint(static_cast<uint64_t>(unix_seconds), end);
    }
    octets[0] = Tag(field, kLengthDelimited);
    octets[1] = static_cast<char>(end - octets - 2);
    out_->append(octets, static_cast<size_t>(end - octets));
  }

  // The head of a field of `size` octets, which the caller appends himself.
  void Length(int field, size_t size) {
    char octets[1 + kVarintMax];
    octets[0] = Tag(field, kLengthDelimited);
    const char* end = PutVarint(size, octets + 1);
    out_->append(octets, static_cast<size_t>(end - octets));
  }

  // A field of as many octets as are appended until End: a message, which is
  // there even if it is empty.
  size_t Begin(int field) {
    const char head[1 + kGuess] = {Tag(field, kLengthDelimited)};
    out_->append(head, sizeof(head));
    return out_->size();
  }
  void End(size_t begun) {
    const size_t size = out_->size() - begun;
    char octets[kVarintMax];
    const auto length = static_cast<size_t>(PutVarint(size, octets) - octets);
    out_->replace(begun - kGuess, kGuess, octets, length);
  }
  // The same for a text or a packed list, which is left out if it is empty.
  void EndText(size_t begun) {
    if (out_->size() == begun) {
      out_->resize(begun - kGuess - 1);
    } else {
      End(begun);
    }
  }

  std::string* out() { return out_; }

 private:
  enum WireType : uint8_t { kVarint = 0, kLengthDelimited = 2 };
  static constexpr size_t kVarintMax = 10;
  // Octets left for a length that is not known yet: most are 128 to 16,383.
  static constexpr size_t kGuess = 2;

  // REQUIRES: 1 <= field <= 15, as all fields of ours.
  static constexpr char Tag(int field, WireType type) {
    return static_cast<char>(field << 3 | type);
  }
  static char* PutVarint(uint64_t value, char* out) {
    while (value >= 0x80) {
      *out++ = static_cast<char>(value | 0x80);
      value >>= 7;
    }
    *out++ = static_cast<char>(value);
    return out;
  }

  std::string* const out_;
};

}  // namespace inkan

#endif  // INKAN_SERVER_WIRE_WRITER_H_
