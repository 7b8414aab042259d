// Who frees what has been replaced.
#include "cache/retired.h"

#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace inkan {
namespace {

// Notes its name when it is freed.
std::shared_ptr<const void> Noting(const std::string& name,
                                   std::vector<std::string>* freed) {
  return {new int(0), [name, freed](const int* one) {
            freed->push_back(name);
            delete one;
          }};
}

TEST(Retired, WhatReadersHoldIsFreedByNoneOfThem) {
  std::vector<std::string> freed;
  Retired retired;
  retired.Add(nullptr);
  EXPECT_FALSE(retired.any());
  std::shared_ptr<const void> reader = Noting("a", &freed);
  std::shared_ptr<const void> another = reader;
  retired.Add(reader);
  retired.Add(Noting("b", &freed));
  EXPECT_TRUE(freed.empty());
  retired.Free();
  EXPECT_EQ(freed, std::vector<std::string>{"b"});
  reader.reset();
  retired.Free();
  EXPECT_EQ(freed.size(), 1U);
  // The last reader.
  another.reset();
  EXPECT_EQ(freed.size(), 1U);
  EXPECT_TRUE(retired.any());
  retired.Free();
  EXPECT_EQ(freed, (std::vector<std::string>{"b", "a"}));
  EXPECT_FALSE(retired.any());
}

}  // namespace
}  // namespace inkan
