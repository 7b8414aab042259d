// The case before OpenSSL's X509_verify_cert.
#include "tests/conformance/differential_openssl.h"

#include <openssl/err.h>

#include "absl/strings/str_cat.h"
#include "tests/conformance/differential_case.h"

namespace inkan {
namespace {

using differential::CertificatePtr;
using differential::CrlPtr;
using differential::ReadCertificate;
using differential::ReadCrl;
using lab::FreeWith;

void FreeCertificates(STACK_OF(X509) * stack) {
  sk_X509_pop_free(stack, X509_free);
}
void FreeCrls(STACK_OF(X509_CRL) * stack) {
  sk_X509_CRL_pop_free(stack, X509_CRL_free);
}

using StorePtr = std::unique_ptr<X509_STORE, FreeWith<X509_STORE_free>>;
using ContextPtr =
    std::unique_ptr<X509_STORE_CTX, FreeWith<X509_STORE_CTX_free>>;
using Certificates =
    std::unique_ptr<STACK_OF(X509), FreeWith<FreeCertificates>>;
using Crls = std::unique_ptr<STACK_OF(X509_CRL), FreeWith<FreeCrls>>;

bool IsAboutCrls(int error) {
  switch (error) {
    case X509_V_ERR_UNABLE_TO_GET_CRL:
    case X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER:
    case X509_V_ERR_CRL_HAS_EXPIRED:
    case X509_V_ERR_CRL_NOT_YET_VALID:
    case X509_V_ERR_CRL_SIGNATURE_FAILURE:
    case X509_V_ERR_CRL_PATH_VALIDATION_ERROR:
    case X509_V_ERR_CERT_REVOKED:
    case X509_V_ERR_DIFFERENT_CRL_SCOPE:
    case X509_V_ERR_KEYUSAGE_NO_CRL_SIGN:
    case X509_V_ERR_UNHANDLED_CRITICAL_CRL_EXTENSION:
    case X509_V_ERR_INVALID_EXTENSION:
    case X509_V_ERR_UNABLE_TO_DECRYPT_CRL_SIGNATURE:
      return true;
    default:
      return false;
  }
}

// OpenSSL also asks whether the anchor is revoked, by its own word. RFC 5280
// section 6.1: "the trust anchor is not included in the prospective
// certification path", so nobody asks.
int OverlookTheAnchorsCrl(int ok, X509_STORE_CTX* context) {
  if (ok == 1) return 1;
  const int top = sk_X509_num(X509_STORE_CTX_get0_chain(context)) - 1;
  return top > 0 && X509_STORE_CTX_get_error_depth(context) == top &&
         IsAboutCrls(X509_STORE_CTX_get_error(context));
}

void SetParameters(const DifferentialCase& c, X509_STORE_CTX* context) {
  X509_VERIFY_PARAM* parameters = X509_STORE_CTX_get0_param(context);
  unsigned long flags = X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL |
                        X509_V_FLAG_EXTENDED_CRL_SUPPORT |
                        X509_V_FLAG_USE_DELTAS | X509_V_FLAG_POLICY_CHECK;
  if (c.require_explicit_policy) flags |= X509_V_FLAG_EXPLICIT_POLICY;
  if (c.inhibit_policy_mapping) flags |= X509_V_FLAG_INHIBIT_MAP;
  if (c.inhibit_any_policy) flags |= X509_V_FLAG_INHIBIT_ANY;
  X509_VERIFY_PARAM_set_flags(parameters, flags);
  X509_VERIFY_PARAM_set_time(parameters, c.time);
  for (const std::string& policy : c.initial_policies) {
    X509_VERIFY_PARAM_add0_policy(parameters, OBJ_txt2obj(policy.c_str(), 1));
  }
  // An empty set is an empty set to OpenSSL.
  if (c.initial_policies.empty()) {
    X509_VERIFY_PARAM_add0_policy(parameters, OBJ_nid2obj(NID_any_policy));
  }
}

}  // namespace

Answer JudgeByOpenSsl(const DifferentialCase& c) {
  const CertificatePtr anchor = ReadCertificate(c.anchor);
  const CertificatePtr leaf = ReadCertificate(c.leaf);
  const Certificates untrusted(sk_X509_new_null());
  for (const std::string& der : c.intermediates) {
    if (CertificatePtr ca = ReadCertificate(der)) {
      sk_X509_push(untrusted.get(), ca.release());
    }
  }
  const Crls crls(sk_X509_CRL_new_null());
  for (const std::string& der : c.crls) {
    if (CrlPtr crl = ReadCrl(der)) sk_X509_CRL_push(crls.get(), crl.release());
  }
  if (anchor == nullptr || leaf == nullptr) {
    ERR_clear_error();
    return {false, X509_V_ERR_UNSPECIFIED, "not readable", {}};
  }
  const StorePtr store(X509_STORE_new());
  X509_STORE_add_cert(store.get(), anchor.get());
  const ContextPtr context(X509_STORE_CTX_new());
  X509_STORE_CTX_init(context.get(), store.get(), leaf.get(), untrusted.get());
  X509_STORE_CTX_set0_crls(context.get(), crls.get());
  SetParameters(c, context.get());
  X509_STORE_CTX_set_verify_cb(context.get(), OverlookTheAnchorsCrl);
  const bool passed = X509_verify_cert(context.get()) == 1;
  const int error = X509_STORE_CTX_get_error(context.get());
  ERR_clear_error();
  return {
      passed,
      passed ? X509_V_OK : error,
      absl::StrCat(error, " ", X509_verify_cert_error_string(error),
                   " at depth ", X509_STORE_CTX_get_error_depth(context.get())),
      {}};
}

}  // namespace inkan
