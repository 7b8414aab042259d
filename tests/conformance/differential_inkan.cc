// The case before our own judge, without files.
#include <memory>

#include "absl/strings/str_cat.h"
#include "cache/crl_data.h"
#include "cache/crl_store.h"
#include "cache/issuer_paths.h"
#include "crypto/oid.h"
#include "server/verifier.h"
#include "tests/conformance/differential_case.h"

namespace inkan {
namespace {

constexpr int64_t kForever = int64_t{100} * 366 * 86400;

std::shared_ptr<const Profile> ProfileOf(const DifferentialCase& c) {
  auto profile = std::make_shared<Profile>();
  profile->name = "differential";
  profile->anchors.push_back({"anchor", c.anchor});
  for (size_t i = 0; i < c.intermediates.size(); ++i) {
    // What cannot be read helps nobody; a configuration would be refused.
    Certificate view;
    if (!ParseCertificate(AsBytes(c.intermediates[i]), &view).ok()) continue;
    profile->intermediates.push_back(
        {absl::StrCat("intermediate ", i), c.intermediates[i]});
  }
  for (const std::string& policy : c.initial_policies) {
    profile->initial_policies.push_back(*OidFromText(policy));
  }
  profile->require_explicit_policy = c.require_explicit_policy;
  profile->inhibit_policy_mapping = c.inhibit_policy_mapping;
  profile->inhibit_any_policy = c.inhibit_any_policy;
  // OpenSSL takes a CRL without nextUpdate for as good as new.
  profile->allow_crl_without_next_update = true;
  profile->crl_max_age = kForever;
  return profile;
}

}  // namespace

Answer JudgeByInkan(const DifferentialCase& c) {
  ProfileSnapshot snapshot;
  snapshot.profile = ProfileOf(c);
  auto paths = IssuerPaths::Build(*snapshot.profile, IssuerPathLimits());
  if (!paths.ok()) {
    return {false, static_cast<int>(Outcome::kGeneric),
            std::string(paths.status().message())};
  }
  snapshot.issuer_paths = *paths;
  std::string refused;
  std::vector<size_t> refused_crls;
  std::vector<std::shared_ptr<const CrlData>> crls;
  for (size_t i = 0; i < c.crls.size(); ++i) {
    auto crl = ReadCrl(AsBytes(c.crls[i]), absl::StrCat(i));
    if (crl.ok()) {
      crls.push_back(*crl);
    } else {
      absl::StrAppend(&refused, " {", i, ": ", crl.status().message(), "}");
      refused_crls.push_back(i);
    }
  }
  snapshot.crls = CrlStore::Link(snapshot.profile, snapshot.issuer_paths, crls);
  for (const auto& refusal : snapshot.crls->refusals()) {
    absl::StrAppend(&refused, " {", refusal.source, ": ", refusal.reason, "}");
    refused_crls.push_back(std::stoul(refusal.source));
  }
  FilingView filing;
  filing.profile = &snapshot;
  filing.certificate_only = true;
  filing.certificate = AsBytes(c.leaf);
  filing.time = c.time;
  FilingVerdict verdict;
  Verifier verifier;
  verifier.Verify({&filing, 1}, {&verdict, 1});
  return {verdict.outcome == Outcome::kPassed,
          static_cast<int>(verdict.outcome),
          absl::StrCat(std::string(OutcomeName(verdict.outcome)), ": ",
                       verdict.diagnostic, refused),
          std::move(refused_crls)};
}

}  // namespace inkan
