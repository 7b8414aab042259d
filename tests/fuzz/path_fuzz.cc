// A bundle of certificates: the first is judged, the last is the anchor, those
// between are both configured and brought along. Input: certificates one after
// another, as DER delimits them.
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "cache/snapshot_keeper.h"
#include "crypto/der.h"
#include "server/verifier.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace inkan;
  std::vector<Bytes> certificates;
  DerReader reader(Bytes(data, size));
  Bytes element;
  while (certificates.size() < 12 &&
         reader.ReadElement(der::kSequence, &element)) {
    certificates.push_back(element);
  }
  if (certificates.size() < 2) return 0;
  Profile profile;
  profile.name = "fuzz";
  profile.revocation = RevocationMode::kOff;
  profile.anchors.push_back(
      {"anchor", std::string(AsText(certificates.back()))});
  SnapshotOptions options;
  options.profiles.push_back(std::move(profile));
  const auto keeper = SnapshotKeeper::Start(std::move(options), false);
  if (!keeper.ok()) return 0;
  const auto snapshot = (*keeper)->Current();
  FilingView filing;
  filing.profile = snapshot->Find("fuzz");
  filing.certificate_only = true;
  filing.certificate = certificates.front();
  filing.intermediates =
      absl::MakeConstSpan(certificates).subspan(1, certificates.size() - 2);
  filing.time = 1770000000;
  filing.want_checks = true;
  FilingVerdict verdict;
  Verifier().Verify({&filing, 1}, {&verdict, 1});
  return 0;
}
