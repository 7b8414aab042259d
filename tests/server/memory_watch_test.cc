// Whom the memory watch cuts off; that it does is seen by the fault suite.
#include "server/memory_watch.h"

#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace inkan {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

OpenConnection With(std::string address, int port, uint64_t streams,
                    uint64_t silent = 0) {
  OpenConnection connection;
  connection.peer.address = std::move(address);
  connection.peer.port = port;
  connection.streams = streams;
  connection.silent = silent;
  return connection;
}

// The ports of those to be reset.
std::vector<int> Greedy(std::vector<OpenConnection> open, uint64_t streams_max,
                        uint64_t all_streams_max) {
  std::vector<int> ports;
  for (const OpenConnection& connection :
       MemoryWatch::Greedy(std::move(open), streams_max, all_streams_max)) {
    ports.push_back(connection.peer.port);
  }
  return ports;
}

const std::string kHonest("\x0a\x00\x00\x01", 4);
const std::string kOther("\x0a\x00\x00\x02", 4);

TEST(MemoryWatchTest, AConnectionPastItsBoundIsCutOffAndOneAtItIsNot) {
  EXPECT_THAT(Greedy({With(kHonest, 1, 100), With(kOther, 2, 101)}, 100, 1000),
              ElementsAre(2));
}

TEST(MemoryWatchTest, AtTheBoundOfAllNobodyIsCutOff) {
  EXPECT_THAT(Greedy({With(kHonest, 1, 50), With(kOther, 2, 50)}, 100, 100),
              IsEmpty());
  EXPECT_THAT(Greedy({With(kHonest, 1, 50), With(kOther, 2, 51)}, 100, 100),
              ElementsAre(2));
}

// A connection whose batches were refused at the door looks silent, and an
// attacker's does not while it sends small messages on another call.
TEST(MemoryWatchTest, WhoHoldsTheMostComesFirstWhateverItSays) {
  EXPECT_THAT(Greedy({With(kHonest, 1, 20, /*silent=*/20),
                      With(kOther, 2, 90, /*silent=*/0)},
                     100, 100),
              ElementsAre(2));
  // Of equals, who says nothing.
  EXPECT_THAT(
      Greedy({With(kHonest, 1, 60, 1), With(kOther, 2, 60, 60)}, 100, 100),
      ElementsAre(2));
}

// Calls spread over many connections are those of one machine all the same.
TEST(MemoryWatchTest, ManySmallConnectionsOfOneMachineComeBeforeALargeOne) {
  std::vector<OpenConnection> open = {With(kHonest, 1, 50)};
  for (int port = 10; port < 20; ++port) open.push_back(With(kOther, port, 10));
  std::vector<int> ended = Greedy(open, 100, 100);
  EXPECT_EQ(ended.size(), 5U);
  for (const int port : ended) EXPECT_NE(port, 1);

  // An IPv6 client has a whole network of addresses; IPv4 in IPv6 has not.
  const std::string network("\x20\x01\x0d\xb8\0\0\0\1", 8);
  const std::string mapped = std::string(10, '\0') + "\xff\xff\x0a\0\0";
  open = {With(network + "hostname", 1, 30), With(network + "hostnama", 2, 30)};
  for (char c = 1; c < 6; ++c) open.push_back(With(mapped + c, 10 + c, 40));
  ended = Greedy(open, 100, 240);
  EXPECT_EQ(ended.size(), 1U);
  EXPECT_LE(ended.at(0), 2);
}

TEST(MemoryWatchTest, TheBoundOfAllIsWhatTheirMemoryAllows) {
  EXPECT_EQ(MemoryWatch::CallsIn(uint64_t{1} << 30U, 16'384), 65'536U);
  // No more than the growth that is looked for.
  EXPECT_EQ(MemoryWatch::CallsIn(uint64_t{1} << 22U, 1), 2'049U);
}

// Or streams within their bound would have their connections reset.
TEST(MemoryWatchTest, TheBoundOfAllLeavesRoomForTheStreamsThatMayBeOpen) {
  for (const uint64_t bytes : {uint64_t{128} << 20U, uint64_t{256} << 20U}) {
    EXPECT_EQ(MemoryWatch::CallsIn(bytes, 16'384), 16'384U + 2'048U);
  }
  EXPECT_EQ(MemoryWatch::CallsIn(uint64_t{512} << 20U, 16'384), 32'768U);
}

}  // namespace
}  // namespace inkan
