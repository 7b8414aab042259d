// What can be said of a certificate without arithmetic: its path's rules, its
// validity, its revocation, at the filing's time.
//
//   Examiner examiner(filing, leaf);
//   Finding finding = examiner.JudgePath(*path);
//
// A view over filing and certificate; one thread at a time.
#ifndef INKAN_SERVER_VERIFIER_EXAMINER_H_
#define INKAN_SERVER_VERIFIER_EXAMINER_H_

#include "cache/issuer_paths.h"
#include "crypto/certificate.h"
#include "crypto/path.h"
#include "server/verifier.h"
#include "server/verifier_finding.h"

namespace inkan {

class Examiner {
 public:
  Examiner(const FilingView& filing, const Certificate& leaf)
      : filing_(filing), leaf_(leaf) {}

  // As a certificate below `path`.
  Finding JudgePath(const IssuerPath& path) const;
  // As a certificate that is trusted as it is.
  Finding JudgeTrusted() const;
  // As a certificate without a path.
  Finding JudgeAlone() const;

 private:
  const Profile& profile() const { return *filing_.profile->profile; }

  void TakeLeafRules(Finding* finding) const;
  void JudgeValidity(Finding* finding) const;
  void JudgeRevocation(const IssuerPath& path, Finding* finding) const;
  void TakeRevocation(const RevocationEvidence& evidence,
                      const Certificate& certificate, int index,
                      Finding* finding) const;

  const FilingView& filing_;
  const Certificate& leaf_;
};

}  // namespace inkan

#endif  // INKAN_SERVER_VERIFIER_EXAMINER_H_
