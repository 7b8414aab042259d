// A keeper whose CRLs come from one web server or directory of the test's own,
// and what a test asks both.
#ifndef INKAN_TESTS_CACHE_NETWORK_KEEPER_H_
#define INKAN_TESTS_CACHE_NETWORK_KEEPER_H_

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cache/crl_freshness.h"
#include "cache/snapshot_keeper.h"
#include "gmock/gmock.h"
#include "tests/support/lab_world.h"
#include "tests/support/ldap_answer.h"
#include "tests/support/raw_server.h"
#include "tests/support/temp_folder.h"

namespace inkan::testing_world {

// Kyoto's CRL, which lists serial 7 or does not.
inline std::string Kyoto(uint64_t number, bool lists_7,
                         const std::string& key = "ca") {
  lab::CrlBuilder builder = CrlFor("Kyoto", number);
  builder.this_update(lab::UtcSeconds(2024, 1, 1))
      .next_update(lab::UtcSeconds(2040, 1, 1));
  if (lists_7) builder.revoke(Revoked(7, lab::UtcSeconds(2023, 1, 1)));
  return builder.Sign(KeyOf(key));
}

// A CRL of the same CA for another partition.
inline std::string Other(const std::string& point = "Osaka",
                         uint64_t number = 1,
                         int64_t next_update = lab::UtcSeconds(2040, 1, 1)) {
  return CrlFor(point, number)
      .this_update(lab::UtcSeconds(2024, 1, 1))
      .next_update(next_update)
      .Sign(KeyOf("ca"));
}

inline bool Eventually(const std::function<bool()>& holds) {
  for (int i = 0; i < 6000; ++i) {
    if (holds()) return true;
    absl::SleepFor(absl::Milliseconds(10));
  }
  return false;
}

class NetworkKeeper : public testing::Test {
 protected:
  NetworkKeeper() {
    Profile profile;
    profile.name = "lab";
    profile.anchors.push_back({"ca.cer", CaDer("ca")});
    options_.profiles.push_back(std::move(profile));
    options_.state_directory = state_.path();
    options_.crl_bytes_max = 1 << 20;
    AddUrl("/a.crl");
  }
  void AddUrl(const std::string& path) {
    CrlSourceOptions source;
    source.kind = CrlSourceOptions::Kind::kHttp;
    source.urls = {server_.url(path)};
    SetTimes(&source);
    options_.crl_sources.push_back(std::move(source));
  }
  void UseDirectory() {
    CrlSourceOptions source;
    source.kind = CrlSourceOptions::Kind::kLdap;
    source.ldap.url = absl::StrCat("ldap://127.0.0.1:", server_.port());
    SetTimes(&source);
    options_.crl_sources = {std::move(source)};
  }
  static void SetTimes(CrlSourceOptions* source) {
    source->limits.bytes_max = 1 << 20;
    source->limits.stall_timeout = source->limits.total_timeout =
        absl::Seconds(20);
    source->poll_interval = source->schedule.poll_interval =
        source->schedule.retry_first = source->schedule.retry_max =
            absl::Milliseconds(50);
  }

  void Start() {
    Stop();
    auto keeper = SnapshotKeeper::Start(options_);
    ASSERT_TRUE(keeper.ok()) << keeper.status();
    keeper_ = *std::move(keeper);
  }
  void Stop() { keeper_ = nullptr; }

  // What every URL answers from now on.
  void Publish(const std::string& body) {
    server_.Handle([body](RawConnection& c) {
      c.ReadHead();
      c.Send(HttpReplyText("200 OK", body));
    });
  }
  // What /a.crl answers, and /d.crl; 404 if it is empty.
  void PublishTwo(const std::string& a, const std::string& d) {
    server_.Handle([a, d](RawConnection& c) {
      const std::string& body =
          absl::StrContains(c.ReadHead(), "/d.crl") ? d : a;
      c.Send(body.empty() ? HttpReplyText("404 Not Found", "")
                          : HttpReplyText("200 OK", body));
    });
  }
  // Nobody answers.
  void CutOff() {
    server_.Handle([](RawConnection& c) { c.Hold(); });
  }
  // Entries of a directory with one value each.
  void Answer(const std::map<std::string, std::string>& value_by_dn) {
    std::string answer;
    for (const auto& [dn, value] : value_by_dn) {
      answer += LdapEntry(dn, {{"certificateRevocationList;binary", {value}}});
    }
    answer += LdapResult();
    server_.Handle([answer](RawConnection& c) {
      c.Send(answer);
      c.Hold();
    });
  }
  // Waits until what is published now has been asked for and judged.
  void AskedAnew() {
    const int asked = server_.connections();
    ASSERT_TRUE(Eventually([&] { return server_.connections() > asked + 2; }));
  }

  RevocationStatus Status() {
    static const auto* const kLeaf =
        new OwnedLeaf(LeafBuilder(7, "ca", "Kyoto").Sign(KeyOf("ca")));
    const auto snapshot = keeper_->Current();
    const ProfileSnapshot* profile = snapshot->Find("lab");
    const auto paths = profile->issuer_paths->Find(kLeaf->view.issuer);
    return profile->crls
        ->Check(kLeaf->view, *paths[0], lab::UtcSeconds(2026, 3, 16))
        .status;
  }
  bool Becomes(RevocationStatus status) {
    return Eventually([&] { return Status() == status; });
  }
  size_t Partitions() {
    return keeper_->Current()->Find("lab")->crls->partitions().size();
  }
  ProfileReadiness ReadinessAt(int64_t time) {
    return ReadinessOf(*keeper_->Current()->Find("lab"),
                       absl::FromUnixSeconds(time));
  }
  std::string Errors() {
    std::string text;
    for (const CrlSourceError& error : keeper_->source_errors()) {
      absl::StrAppend(&text, error.error, "\n");
    }
    return text;
  }
  bool AnyError(const std::string& text) {
    return absl::StrContains(Errors(), text);
  }
  bool ErrorComes(const std::string& text) {
    return Eventually([&] { return AnyError(text); });
  }
  std::vector<std::filesystem::path> Spooled(const std::string& extension) {
    std::vector<std::filesystem::path> found;
    for (const std::filesystem::path& path :
         FilesIn(state_.path() + "/spool")) {
      if (path.extension() == extension) found.push_back(path);
    }
    return found;
  }
  std::string FloorsPath() { return state_.path() + "/floors"; }

  TempFolder state_;
  RawServer server_{[](RawConnection& c) {
    c.ReadHead();
    c.Send(HttpReplyText("404 Not Found", ""));
  }};
  SnapshotOptions options_;
  std::unique_ptr<SnapshotKeeper> keeper_;
};

}  // namespace inkan::testing_world

#endif  // INKAN_TESTS_CACHE_NETWORK_KEEPER_H_
