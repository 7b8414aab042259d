// The outcomes' names and order, which the contract documents.
#include "crypto/verdict.h"

#include <set>
#include <string_view>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace inkan {
namespace {

constexpr Outcome kAll[] = {
#define INKAN_ITEM(name, indication, sub_indication) Outcome::name,
    INKAN_OUTCOMES(INKAN_ITEM)
#undef INKAN_ITEM
};

TEST(Verdict, ADefaultOneDoesNotPass) {
  EXPECT_EQ(Outcome(), Outcome::kGeneric);
  EXPECT_NE(Outcome(), Outcome::kPassed);
}

TEST(Verdict, OutcomesAreRankedAsDocumented) {
  std::vector<std::string_view> names;
  for (const Outcome outcome : kAll) names.push_back(OutcomeName(outcome));
  EXPECT_THAT(
      names,
      testing::ElementsAre(
          "GENERIC", "FORMAT_FAILURE", "SIGNED_DATA_NOT_FOUND",
          "CRYPTO_CONSTRAINTS_FAILURE", "SIG_CONSTRAINTS_FAILURE",
          "NO_CERTIFICATE_CHAIN_FOUND", "CERTIFICATE_CHAIN_GENERAL_FAILURE",
          "CHAIN_CONSTRAINTS_FAILURE", "NOT_YET_VALID", "EXPIRED", "REVOKED",
          "TRY_LATER", "SIG_CRYPTO_FAILURE", "HASH_FAILURE", "TOTAL_PASSED"));
}

TEST(Verdict, PassingNeverWinsOverAnythingElse) {
  for (const Outcome one : kAll) {
    for (const Outcome other : kAll) {
      const Outcome worse = Worse(one, other);
      EXPECT_EQ(worse, Worse(other, one));
      EXPECT_TRUE(worse == one || worse == other);
      EXPECT_EQ(worse == Outcome::kPassed,
                one == Outcome::kPassed && other == Outcome::kPassed);
    }
  }
}

TEST(Verdict, EveryCheckHasANameOfItsOwnAndARule) {
  std::set<std::string_view> names;
  for (const CheckId check : {
#define INKAN_ITEM(id, name, rule) CheckId::id,
           INKAN_CHECKS(INKAN_ITEM)
#undef INKAN_ITEM
       }) {
    EXPECT_FALSE(CheckRule(check).empty());
    EXPECT_TRUE(names.insert(CheckName(check)).second) << CheckName(check);
  }
  EXPECT_EQ(names.size(), 16U);
}

}  // namespace
}  // namespace inkan
