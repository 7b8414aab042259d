#include "server/client_quotas.h"

#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace inkan {
namespace {

QuotaOptions Standard(Quota quota, size_t clients_max = 100) {
  QuotaOptions options;
  options.standard = quota;
  options.clients_max = clients_max;
  return options;
}

absl::Duration At(double seconds) { return absl::Seconds(seconds); }

TEST(ClientQuotasTest, ABurstPassesAndThenTheRateHolds) {
  ClientQuotas quotas(
      Standard({.filings_per_second = 10, .filings_burst = 20}));
  EXPECT_EQ(quotas.Admit("a", 20, At(0)).result, QuotaResult::kAdmitted);
  const auto refused = quotas.Admit("a", 1, At(0));
  EXPECT_EQ(refused.result, QuotaResult::kTooFast);
  EXPECT_EQ(refused.retry_after, absl::Milliseconds(100));
  EXPECT_EQ(quotas.Admit("a", 1, At(0.05)).result, QuotaResult::kTooFast);
  EXPECT_EQ(quotas.Admit("a", 1, At(0.2)).result, QuotaResult::kAdmitted);
  // A pause fills the bucket, and not more.
  EXPECT_EQ(quotas.Admit("a", 20, At(100)).result, QuotaResult::kAdmitted);
  EXPECT_EQ(quotas.Admit("a", 1, At(100)).result, QuotaResult::kTooFast);
  EXPECT_EQ(quotas.refused(), 3U);
}

TEST(ClientQuotasTest, ARequestAboveTheBurstPassesAfterAPauseAndIsPaidFor) {
  ClientQuotas quotas(
      Standard({.filings_per_second = 10, .filings_burst = 20}));
  EXPECT_EQ(quotas.Admit("a", 100, At(0)).result, QuotaResult::kAdmitted);
  EXPECT_EQ(quotas.Admit("a", 1, At(7.9)).result, QuotaResult::kTooFast);
  EXPECT_EQ(quotas.Admit("a", 1, At(8.2)).result, QuotaResult::kAdmitted);
}

TEST(ClientQuotasTest, FilingsInFlightCountUntilTheirTicketIsGone) {
  ClientQuotas quotas(Standard({.filings_in_flight_max = 10}));
  auto first = quotas.Admit("a", 6, At(0));
  ASSERT_EQ(first.result, QuotaResult::kAdmitted);
  auto second = std::make_optional(quotas.Admit("a", 4, At(0)));
  ASSERT_EQ(second->result, QuotaResult::kAdmitted);
  const auto refused = quotas.Admit("a", 1, At(0));
  EXPECT_EQ(refused.result, QuotaResult::kTooManyInFlight);
  EXPECT_GT(refused.retry_after, absl::ZeroDuration());
  ClientQuotas::Ticket moved = std::move(second->ticket);
  second.reset();
  EXPECT_EQ(quotas.Admit("a", 1, At(0)).result, QuotaResult::kTooManyInFlight);
  moved = ClientQuotas::Ticket();
  EXPECT_EQ(quotas.Admit("a", 4, At(0)).result, QuotaResult::kAdmitted);
}

TEST(ClientQuotasTest, ALargeRequestAloneIsNotRefusedForEver) {
  ClientQuotas quotas(Standard({.filings_in_flight_max = 10}));
  const auto large = quotas.Admit("a", 1000, At(0));
  EXPECT_EQ(large.result, QuotaResult::kAdmitted);
  EXPECT_EQ(quotas.Admit("a", 1, At(0)).result, QuotaResult::kTooManyInFlight);
}

TEST(ClientQuotasTest, EachClientHasItsOwnAndNamedOnesTheirs) {
  QuotaOptions options =
      Standard({.filings_per_second = 1, .filings_burst = 1});
  options.named["large"] = {.filings_per_second = 1000, .filings_burst = 1000};
  options.named["free"] = {};
  ClientQuotas quotas(options);
  EXPECT_EQ(quotas.Admit("a", 1, At(0)).result, QuotaResult::kAdmitted);
  EXPECT_EQ(quotas.Admit("a", 1, At(0)).result, QuotaResult::kTooFast);
  EXPECT_EQ(quotas.Admit("b", 1, At(0)).result, QuotaResult::kAdmitted);
  EXPECT_EQ(quotas.Admit("large", 1000, At(0)).result, QuotaResult::kAdmitted);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(quotas.Admit("free", 1000, At(0)).result, QuotaResult::kAdmitted);
  }
}

TEST(ClientQuotasTest, TheNumberOfClientsRememberedIsBounded) {
  ClientQuotas quotas(
      Standard({.filings_per_second = 1, .filings_burst = 1}, 10));
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(quotas.Admit(absl::StrCat("c", i), 1, At(0)).result,
              QuotaResult::kAdmitted);
  }
  EXPECT_EQ(quotas.clients(), 10U);
  // Nobody can be forgotten: newcomers share one bucket.
  EXPECT_EQ(quotas.Admit("new 1", 1, At(0)).result, QuotaResult::kAdmitted);
  EXPECT_EQ(quotas.Admit("new 2", 1, At(0)).result, QuotaResult::kTooFast);
  EXPECT_EQ(quotas.Admit("c3", 1, At(0)).result, QuotaResult::kTooFast);
  EXPECT_EQ(quotas.clients(), 11U);
  // Later, those whose bucket is full again make room, one for one.
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(quotas.Admit(absl::StrCat("later ", i), 1, At(10 + 2 * i)).result,
              QuotaResult::kAdmitted);
  }
  EXPECT_LE(quotas.clients(), 11U);
}

TEST(ClientQuotasTest, NewQuotasHoldAtOnceForWhoIsKnown) {
  ClientQuotas quotas(
      Standard({.filings_per_second = 100, .filings_burst = 100}));
  const auto in_flight = quotas.Admit("a", 5, At(0));
  quotas.Replace(Standard({.filings_in_flight_max = 5}));
  EXPECT_EQ(quotas.Admit("a", 1, At(0)).result, QuotaResult::kTooManyInFlight);
  quotas.Replace(Standard({}));
  EXPECT_EQ(quotas.Admit("a", 1000, At(0)).result, QuotaResult::kAdmitted);
}

TEST(ClientQuotasTest, WhatWasNotTakenAfterAllCountsForNothing) {
  ClientQuotas quotas(Standard({.filings_per_second = 1,
                                .filings_burst = 10,
                                .filings_in_flight_max = 10}));
  auto refused = quotas.Admit("a", 10, At(0));
  ASSERT_EQ(refused.result, QuotaResult::kAdmitted);
  quotas.Return(&refused.ticket);
  quotas.Return(&refused.ticket);  // there is nothing left to return
  auto second = quotas.Admit("a", 8, At(0));
  EXPECT_EQ(second.result, QuotaResult::kAdmitted);
  EXPECT_EQ(quotas.Admit("a", 3, At(0)).result, QuotaResult::kTooManyInFlight);
  // Never more than the burst, whatever time has passed.
  quotas.Return(&second.ticket);
  { EXPECT_EQ(quotas.Admit("a", 10, At(5)).result, QuotaResult::kAdmitted); }
  EXPECT_EQ(quotas.Admit("a", 1, At(5)).result, QuotaResult::kTooFast);
}

TEST(ClientQuotasTest, ClientsWithoutARateAreForgotten) {
  ClientQuotas quotas(
      Standard({.filings_per_second = 1, .filings_burst = 100}, 2));
  for (const char* client : {"a", "b"}) {
    EXPECT_EQ(quotas.Admit(client, 50, At(0)).result, QuotaResult::kAdmitted);
  }
  QuotaOptions without_rate =
      Standard({.filings_burst = 100, .filings_in_flight_max = 1000}, 2);
  quotas.Replace(without_rate);
  EXPECT_EQ(quotas.Admit("c", 1, At(1)).result, QuotaResult::kAdmitted);
  EXPECT_EQ(quotas.clients(), 2U);
}

TEST(ClientQuotasTest, ANamedClientHasItsOwnQuotaHoweverManyOthersThereAre) {
  QuotaOptions options =
      Standard({.filings_per_second = 1, .filings_burst = 1}, 2);
  options.named["large"] = {.filings_per_second = 1000, .filings_burst = 1000};
  ClientQuotas quotas(options);
  for (const char* client : {"a", "b", "shares"}) {
    EXPECT_EQ(quotas.Admit(client, 1, At(0)).result, QuotaResult::kAdmitted);
  }
  EXPECT_EQ(quotas.Admit("large", 500, At(0)).result, QuotaResult::kAdmitted);
  // It took nothing from those who share, nor they from it.
  EXPECT_EQ(quotas.Admit("shares too", 1, At(1)).result,
            QuotaResult::kAdmitted);
  EXPECT_EQ(quotas.Admit("large", 500, At(1)).result, QuotaResult::kAdmitted);
}

TEST(ClientQuotasTest, ManyThreadsTogetherGetNoMoreThanTheQuota) {
  ClientQuotas quotas(
      Standard({.filings_per_second = 1, .filings_burst = 1000}));
  std::atomic<int> admitted{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) {
        if (quotas.Admit("a", 1, At(0)).result == QuotaResult::kAdmitted) {
          admitted.fetch_add(1);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(admitted.load(), 1000);
}

}  // namespace
}  // namespace inkan
