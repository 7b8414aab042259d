// What was in force, remembered: nothing older comes after it.
#include "cache/crl_floors.h"

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "tests/support/temp_folder.h"

namespace inkan {
namespace {

using testing::HasSubstr;
using testing_world::TempFolder;

const Bytes kKey = AsBytes("key");

CrlData Crl(const std::string& number, int64_t this_update) {
  CrlData crl;
  crl.canonical_issuer = "ca";
  crl.crl_number = number;
  crl.this_update = this_update;
  crl.scope_names = {"kyoto"};
  return crl;
}

std::unique_ptr<CrlFloors> Open(const TempFolder& folder) {
  auto floors = CrlFloors::Open(folder.path() + "/floors");
  EXPECT_TRUE(floors.ok()) << floors.status();
  return floors.ok() ? *std::move(floors) : nullptr;
}

TEST(CrlFloors, OnlyWhatIsOlderIsBelow) {
  const TempFolder folder;
  const auto floors = Open(folder);
  EXPECT_FALSE(floors->IsBelow(Crl("\x05", 50), kKey));
  floors->Raise(Crl("\x05", 50), kKey);
  floors->Raise(Crl("\x04", 60), kKey);  // lowers nothing
  struct Case {
    const char* number;
    int64_t this_update;
    bool below;
  };
  const Case kCases[] = {
      {"\x05", 50, false}, {"\x05", 49, true}, {"\x05", 51, false},
      {"\x04", 99, true},  {"\x06", 1, false}, {"\x01\x01", 1, false},
      {"", 49, true},      {"", 50, false},
  };
  for (const Case& c : kCases) {
    SCOPED_TRACE(testing::Message() << c.number << " " << c.this_update);
    EXPECT_EQ(floors->IsBelow(Crl(c.number, c.this_update), kKey), c.below);
  }
  // One without a number opens no way below that of those before it.
  floors->Raise(Crl("", 70), kKey);
  EXPECT_TRUE(floors->IsBelow(Crl("\x04", 71), kKey));
  EXPECT_TRUE(floors->IsBelow(Crl("\x05", 69), kKey));
  EXPECT_FALSE(floors->IsBelow(Crl("\x06", 1), kKey));
}

TEST(CrlFloors, ADeltaThatWasInForceIsMissedUntilTheCompleteCrlIsLater) {
  const TempFolder folder;
  const auto floors = Open(folder);
  CrlData delta = Crl("\x07", 70);
  delta.is_delta = true;
  EXPECT_FALSE(floors->HadNewerDelta(Crl("\x05", 50), nullptr, kKey));
  floors->Raise(delta, kKey);
  EXPECT_TRUE(floors->HadNewerDelta(Crl("\x05", 50), nullptr, kKey));
  EXPECT_FALSE(floors->HadNewerDelta(Crl("\x05", 50), &delta, kKey));
  CrlData other = Crl("\x06", 60);
  EXPECT_TRUE(floors->HadNewerDelta(Crl("\x05", 50), &other, kKey));
  other = Crl("\x08", 80);
  EXPECT_FALSE(floors->HadNewerDelta(Crl("\x05", 50), &other, kKey));
  // By number and by time, whatever the one says about the other.
  EXPECT_FALSE(floors->HadNewerDelta(Crl("\x07", 60), nullptr, kKey));
  EXPECT_FALSE(floors->HadNewerDelta(Crl("\x06", 71), nullptr, kKey));
  // Made in the same second: the number tells, where both have one.
  EXPECT_TRUE(floors->HadNewerDelta(Crl("\x06", 70), nullptr, kKey));
  EXPECT_FALSE(floors->HadNewerDelta(Crl("\x07", 70), nullptr, kKey));
  EXPECT_FALSE(floors->HadNewerDelta(Crl("", 70), nullptr, kKey));
  EXPECT_TRUE(floors->HadNewerDelta(Crl("", 69), nullptr, kKey));
  EXPECT_FALSE(floors->HadNewerDelta(Crl("\x05", 50), nullptr, AsBytes("x")));
}

TEST(CrlFloors, EachPartitionHasItsOwn) {
  const TempFolder folder;
  const auto floors = Open(folder);
  floors->Raise(Crl("\x05", 50), kKey);
  const CrlData old = Crl("\x04", 40);
  ASSERT_TRUE(floors->IsBelow(old, kKey));
  EXPECT_TRUE(floors->Has(old, kKey));
  EXPECT_FALSE(floors->Has(old, AsBytes("another key")));
  EXPECT_FALSE(floors->IsBelow(old, AsBytes("another key")));
  std::vector<CrlData> others(8, old);
  others[0].canonical_issuer = "cb";
  others[1].is_delta = true;
  others[2].scope_names = {"osaka"};
  others[3].scope_names = {"kyoto", "osaka"};
  others[4].scope.only_user_certs = true;
  others[5].scope.only_ca_certs = true;
  others[6].scope.indirect = true;
  others[7].scope.some_reasons = 2;
  for (size_t i = 0; i < others.size(); ++i) {
    EXPECT_FALSE(floors->IsBelow(others[i], kKey)) << i;
    EXPECT_FALSE(floors->Has(others[i], kKey)) << i;
  }
  // Deltas to whatever base share their numbers.
  CrlData delta = Crl("\x08", 80);
  delta.is_delta = true;
  delta.base_crl_number = "\x06";
  floors->Raise(delta, kKey);
  delta.crl_number = "\x07";
  delta.base_crl_number = "\x05";
  EXPECT_TRUE(floors->IsBelow(delta, kKey));
}

TEST(CrlFloors, TheyAreThereAfterARestart) {
  const TempFolder folder;
  {
    const auto floors = Open(folder);
    EXPECT_TRUE(floors->Save().ok());
    EXPECT_FALSE(std::filesystem::exists(floors->path()));
    floors->Raise(Crl("\x05", 50), kKey);
    floors->Raise(Crl("", -5), AsBytes("another key"));
    ASSERT_TRUE(floors->Save().ok());
  }
  const auto floors = Open(folder);
  EXPECT_EQ(floors->size(), 2U);
  EXPECT_TRUE(floors->IsBelow(Crl("\x04", 60), kKey));
  EXPECT_TRUE(floors->IsBelow(Crl("\x09", -6), AsBytes("another key")));
  EXPECT_FALSE(floors->IsBelow(Crl("\x09", -5), AsBytes("another key")));
}

TEST(CrlFloors, WhatCannotBeSavedIsSavedLater) {
  const TempFolder folder;
  const auto floors = Open(folder);
  floors->Raise(Crl("\x05", 50), kKey);
  const std::string in_the_way = floors->path() + ".tmp";
  std::filesystem::create_directory(in_the_way);
  EXPECT_THAT(std::string(floors->Save().message()), HasSubstr(in_the_way));
  std::filesystem::remove(in_the_way);
  EXPECT_TRUE(floors->Save().ok());
  EXPECT_TRUE(Open(folder)->IsBelow(Crl("\x04", 60), kKey));
}

TEST(CrlFloors, AFileThatIsNotWholeIsNamedWithTheRemedy) {
  const TempFolder folder;
  std::string whole;
  {
    const auto floors = Open(folder);
    floors->Raise(Crl("\x05", 50), kKey);
    floors->Raise(Crl("\x05", 50), AsBytes("another key"));
    ASSERT_TRUE(floors->Save().ok());
    std::ifstream file(floors->path(), std::ios::binary);
    whole.assign(std::istreambuf_iterator<char>(file), {});
  }
  const auto error = [&](const std::string& contents) {
    folder.Write("floors", contents);
    return std::string(
        CrlFloors::Open(folder.path() + "/floors").status().message());
  };
  ASSERT_EQ(error(whole), "");
  for (size_t length = 0; length < whole.size(); ++length) {
    ASSERT_THAT(error(whole.substr(0, length)), HasSubstr("damaged")) << length;
  }
  EXPECT_THAT(error(whole + "\n"), HasSubstr("remove it"));
  std::string changed = whole;
  changed[20] = 'x';
  EXPECT_THAT(error(changed), HasSubstr("damaged"));
}

}  // namespace
}  // namespace inkan
