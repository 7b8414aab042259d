// Asks a server in the background, again and again, for the verdicts on
// filings whose truth is known, so that a wrong answer that lasts only for a
// moment is seen, too.
//
//   TruthWatch watch(server, corpus);
//   watch.Expect(TruthWatch::Either(ids));   // before a change is published
//   .. until it is seen to be in force ..
//   watch.Expect(TruthWatch::Revoked(ids));
//   watch.Stop();                            // fails the test if one was wrong
//
// The server must listen until Stop. One thread of its own; methods from the
// test's thread only.
#ifndef INKAN_TESTS_E2E_TRUTH_WATCH_H_
#define INKAN_TESTS_E2E_TRUTH_WATCH_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/e2e/crl_peers.h"

namespace inkan {

class TruthWatch {
 public:
  using Ids = std::set<std::string>;
  // What is right of some filings; of all others it is what the corpus says.
  struct Expectation {
    Ids revoked;  // and nothing else
    Ids either;   // the corpus' truth, or revoked
  };
  static Expectation Revoked(Ids ids) { return {std::move(ids), {}}; }
  static Expectation Either(Ids ids) { return {{}, std::move(ids)}; }

  // Asks about three filings of each kind and all of `changing`.
  TruthWatch(const FetchingServer& server, const Corpus& corpus,
             const Ids& changing);
  ~TruthWatch();

  void Expect(Expectation expectation);
  // How often all were asked by now.
  uint64_t rounds() const { return rounds_; }
  void Stop();

 private:
  using Shared = std::shared_ptr<const Expectation>;
  Shared Expected();
  void Run(const std::shared_ptr<grpc::Channel>& channel);
  static bool IsRight(const lab::v1::CorpusEntry& filing,
                      const v1::Verdict& verdict, const Expectation& expected);

  std::vector<lab::v1::CorpusEntry> filings_;
  std::mutex mutex_;
  Shared expected_ = std::make_shared<const Expectation>();
  std::atomic<bool> stop_ = false;
  std::atomic<uint64_t> rounds_ = 0;
  std::vector<std::string> wrong_;  // the thread's until it is joined
  std::thread thread_;
};

}  // namespace inkan

#endif  // INKAN_TESTS_E2E_TRUTH_WATCH_H_
