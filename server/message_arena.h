// The memory of one call's messages: an arena whose first block lies inside of
// it, so that a call about one filing takes one allocation for all its messages
// together.
//
//   MessageArena memory;
//   auto* request = memory.Make<v1::VerifyRequest>();
//
// Messages live as long as it does. Thread safety: as protobuf's Arena.
#ifndef INKAN_SERVER_MESSAGE_ARENA_H_
#define INKAN_SERVER_MESSAGE_ARENA_H_

#include <cstddef>

#include "google/protobuf/arena.h"

namespace inkan {

class MessageArena {
 public:
  MessageArena() : arena_(Options(block_, sizeof(block_))) {}
  MessageArena(const MessageArena&) = delete;
  MessageArena& operator=(const MessageArena&) = delete;

  template <typename Message>
  Message* Make() {
    return google::protobuf::Arena::CreateMessage<Message>(&arena_);
  }

  // What the messages take, beside the contents of their longer strings.
  size_t SpaceAllocated() const { return arena_.SpaceAllocated(); }

  // Ends every message at once.
  void Clear() { arena_.Reset(); }

 private:
  // A request of Verify, without its longer strings, takes less than that.
  static constexpr size_t kBlockBytes = 2048;
  // Larger blocks for batches.
  static constexpr size_t kNextBlockBytes = 8192;
  static constexpr size_t kBlockBytesMax = 65536;

  static google::protobuf::ArenaOptions Options(char* block, size_t size) {
    google::protobuf::ArenaOptions options;
    options.initial_block = block;
    options.initial_block_size = size;
    options.start_block_size = kNextBlockBytes;
    options.max_block_size = kBlockBytesMax;
    return options;
  }

  alignas(std::max_align_t) char block_[kBlockBytes];
  google::protobuf::Arena arena_;
};

}  // namespace inkan

#endif  // INKAN_SERVER_MESSAGE_ARENA_H_
