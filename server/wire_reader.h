// Reads a protobuf message off its octets, field by field, without making
// objects of it: what is in a filing is looked at where it was received.
//
//   WireReader in(octets, &budget);
//   while (in.Next()) {
//     switch (in.tag()) {
//       case WireReader::Delimited(1): name = in.Octets(); break;
//       case WireReader::Varint(2): number = in.Number(); break;
//       default: in.Skip();
//     }
//   }
//   if (!in.ok()) refuse;
//
// It takes what protobuf's parser takes, and no more: a field that comes with
// another wire type than its own is one that is not known (Skip), groups are
// skipped to their end, a tag or length has five octets at most and a number
// ten. A test and a fuzz target compare the two. Whoever calls sees to it that
// the last of several counts.
//
// Thread safety: one thread. Ownership: octets and budget are the caller's;
// what is read lies in the octets.
#ifndef INKAN_SERVER_WIRE_READER_H_
#define INKAN_SERVER_WIRE_READER_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "crypto/bytes.h"
#include "crypto/string_prep.h"

namespace inkan {

// How many fields a message may have in all, with those of the messages in it.
struct FieldBudget {
  uint64_t left = UINT64_MAX;
  bool exceeded = false;
};

class WireReader {
 public:
  WireReader(Bytes octets, FieldBudget* budget)
      : WireReader(octets, budget, kDepthMax) {}

  static constexpr uint32_t Varint(int field) {
    return static_cast<uint32_t>(field) << 3U | kVarint;
  }
  static constexpr uint32_t Delimited(int field) {
    return static_cast<uint32_t>(field) << 3U | kDelimited;
  }

  // Goes to the next field, whose value must be read or skipped then. False at
  // the end, and where the octets are no message.
  bool Next() {
    if (at_ == end_) return false;
    tag_ = static_cast<uint32_t>(Read(kTagOctets));
    if (tag_ >> 3U == 0) return Fail();
    if (budget_->left == 0) {
      budget_->exceeded = true;
      return Fail();
    }
    --budget_->left;
    return ok_;
  }
  uint32_t tag() const { return tag_; }

  // The value of a field of either wire type: 0 or nothing if there is none.
  uint64_t Number() { return Read(kNumberOctets); }
  Bytes Octets() {
    const uint64_t size = Read(kTagOctets);
    if (size > static_cast<size_t>(end_ - at_)) {
      Fail();
      return {};
    }
    const Bytes octets(at_, static_cast<size_t>(size));
    at_ += size;
    return octets;
  }
  // A text that must be UTF-8.
  std::string_view Text() {
    const std::string_view text = AsText(Octets());
    if (!IsUtf8(text)) Fail();
    return text;
  }
  // The fields of a message within this one: read(&inside).
  template <typename ReadFields>
  void Message(const ReadFields& read) {
    WireReader inside(Octets(), budget_, depth_left_ - 1);
    if (depth_left_ == 0 || !ok_) {
      Fail();
      return;
    }
    read(&inside);
    if (!inside.ok()) Fail();
  }
  // A field that is not known.
  void Skip() { SkipField(depth_left_); }

  // Whether all that was read was what it should be.
  bool ok() const { return ok_; }

 private:
  enum WireType : uint8_t {
    kVarint = 0,
    kFixed64 = 1,
    kDelimited = 2,
    kGroupStart = 3,
    kGroupEnd = 4,
    kFixed32 = 5,
  };
  // Protobuf's own bounds.
  static constexpr int kDepthMax = 100;
  static constexpr int kTagOctets = 5;
  static constexpr int kNumberOctets = 10;

  WireReader(Bytes octets, FieldBudget* budget, int depth_left)
      : at_(octets.data()),
        end_(octets.data() + octets.size()),
        budget_(budget),
        depth_left_(depth_left) {}

  bool Fail() {
    ok_ = false;
    at_ = end_;
    return false;
  }

  uint64_t Read(int octets_max) {
    if (at_ != end_ && *at_ < 0x80) return *at_++;
    return ReadLong(octets_max);
  }
  uint64_t ReadLong(int octets_max) {
    uint64_t value = 0;
    for (int i = 0; i < octets_max && at_ != end_; ++i) {
      const uint64_t octet = *at_++;
      value |= (octet & 0x7fU) << (7 * i);
      if (octet < 0x80) return value;
    }
    Fail();
    return 0;
  }

  void SkipOctets(size_t count) {
    if (count > static_cast<size_t>(end_ - at_)) {
      Fail();
    } else {
      at_ += count;
    }
  }
  void SkipField(int depth_left) {
    switch (tag_ & 7U) {
      case kVarint:
        Number();
        break;
      case kFixed64:
        SkipOctets(8);
        break;
      case kDelimited:
        Octets();
        break;
      case kGroupStart:
        SkipGroup(depth_left);
        break;
      case kFixed32:
        SkipOctets(4);
        break;
      default:
        Fail();
    }
  }
  void SkipGroup(int depth_left) {
    const uint32_t end = (tag_ & ~7U) | kGroupEnd;
    if (depth_left == 0) {
      Fail();
      return;
    }
    while (Next()) {
      if (tag_ == end) return;
      SkipField(depth_left - 1);
    }
    Fail();  // it has no end
  }

  const uint8_t* at_;
  const uint8_t* end_;
  FieldBudget* const budget_;
  const int depth_left_;
  uint32_t tag_ = 0;
  bool ok_ = true;
};

}  // namespace inkan

#endif  // INKAN_SERVER_WIRE_READER_H_
