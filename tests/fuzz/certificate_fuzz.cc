// Any octets as a certificate: parsed, its names printed, its own rules asked.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "crypto/certificate.h"
#include "crypto/name.h"
#include "crypto/name_constraints.h"
#include "crypto/path.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace inkan;
  Certificate certificate;
  if (!ParseCertificate(Bytes(data, size), &certificate).ok()) return 0;
  NameToText(certificate.subject);
  const bool same_name =
      CanonicalName(certificate.issuer) == CanonicalName(certificate.subject);
  if (same_name != certificate.self_issued) {
    std::abort();
  }
  CheckLeafAlone(certificate, LeafRules(), kRsaModulusBitsMin);
  NameConstraints constraints;
  if (constraints.Add(certificate).ok()) {
    static_cast<void>(constraints.Check(certificate).ok());
  }
  PathState state = PathState::FromAnchor(certificate, PathRules());
  state.Extend(certificate);
  state.Accept(certificate, LeafRules(), nullptr);
  return 0;
}
