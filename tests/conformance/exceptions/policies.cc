// Certificate policies and their mapping.
#include <openssl/x509v3.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "bench/lab/der_writer.h"
#include "crypto/der.h"
#include "tests/conformance/differential_openssl.h"
#include "tests/conformance/exceptions/difference.h"

namespace inkan::differential {
namespace {

bool MapsAnyPolicy(const Difference& d) {
  return d.ours.text.find("policyMappings: maps from or to anyPolicy") !=
         std::string::npos;
}

bool FailsByPolicies(const Difference& d) {
  return d.OursIs(Outcome::kChainConstraintsFailure) &&
         d.ours.text.find("certificatePolicies: no") != std::string::npos;
}

bool ListsAnyPolicy(const Certificate& certificate) {
  constexpr std::string_view kAnyPolicy("\x55\x1d\x20\x00", 4);
  return AsText(certificate.policies).find(kAnyPolicy) !=
         std::string_view::npos;
}

// A CA that lists anyPolicy maps policies, but anyPolicy is not in the tree:
// it is inhibited, or a CA above does not list it.
bool MapsByAnyPolicyOutsideTheTree(const Difference& d) {
  if (!FailsByPolicies(d)) return false;
  bool outside = d.c.inhibit_any_policy;
  bool maps = false;
  // All but the leaf and the anchor, whose policies do not count.
  for (size_t i = 1; i + 1 < d.views.size(); ++i) {
    const Certificate& view = d.views[i];
    if (!view.is_ca) continue;
    outside |= view.inhibit_any_policy >= 0 || !ListsAnyPolicy(view);
    maps |= !view.policy_mappings.empty() && ListsAnyPolicy(view);
  }
  return outside && maps;
}

bool ListsPolicy(const Certificate& certificate, Bytes oid) {
  const std::string element =
      lab::DerElement(der::kOid, std::string(AsText(oid)));
  return AsText(certificate.policies).find(element) != std::string_view::npos;
}

// A CA maps a policy to another by its anyPolicy, a CA after it lists anyPolicy
// and not that other, which the leaf does list.
bool MappingByAnyPolicyIsCarriedOn(const Difference& d) {
  for (size_t i = 1; i + 1 < d.views.size(); ++i) {
    if (!d.views[i].is_ca || !ListsAnyPolicy(d.views[i])) continue;
    DerReader reader(d.views[i].policy_mappings);
    Bytes mapping;
    while (reader.Read(der::kSequence, &mapping)) {
      DerReader pair(mapping);
      Bytes from;
      Bytes to;
      if (!pair.ReadOid(&from) || !pair.ReadOid(&to) ||
          ListsPolicy(d.views[i], from) || !ListsPolicy(d.views[0], to)) {
        continue;
      }
      for (size_t j = 1; j + 1 < d.views.size(); ++j) {
        if (j != i && d.views[j].is_ca && ListsAnyPolicy(d.views[j]) &&
            !ListsPolicy(d.views[j], to)) {
          return true;
        }
      }
    }
  }
  return false;
}

bool LosesAMappingByAnyPolicy(const Difference& d) {
  return FailsByPolicies(d) && MappingByAnyPolicyIsCarriedOn(d);
}

bool MissesAMappingByAnyPolicy(const Difference& d) {
  return d.TheirsIs({X509_V_ERR_NO_EXPLICIT_POLICY}) &&
         MappingByAnyPolicyIsCarriedOn(d);
}

bool SelfIssuedTargetNeedsPolicy(const Difference& d) {
  return FailsByPolicies(d) && d.views[0].self_issued;
}

constexpr ExceptionClass kClasses[] = {
    {"anyPolicy is mapped", false,
     "6.1.4 (a): \"verify that the special value anyPolicy does not appear as "
     "an issuerDomainPolicy or a subjectDomainPolicy\".",
     MapsAnyPolicy},
    {"maps by an anyPolicy outside the tree", false,
     "6.1.4 (b) (1): a policy without a node is mapped only if \"there is a "
     "node of depth i with a valid_policy of anyPolicy\"; OpenSSL looks at the "
     "certificate instead.",
     MapsByAnyPolicyOutsideTheTree},
    {"maps by anyPolicy before another", false,
     "6.1.3 (d) (2): \"for each value in the expected_policy_set (including "
     "anyPolicy) that does not appear in a child node, create a child node\"; "
     "OpenSSL keeps the policy of the node where it was mapped by anyPolicy, "
     "and takes the leaf's for one of the anchor's domain.",
     LosesAMappingByAnyPolicy},
    {"maps by anyPolicy before another", true,
     "6.1.3 (d) (2), as before: the child node has the policy that was mapped "
     "to, which the leaf lists; OpenSSL's has the one that was mapped from, "
     "and "
     "so finds no policy for the leaf.",
     MissesAMappingByAnyPolicy},
    {"self-issued target needs a policy", false,
     "6.1.5 (a): \"If explicit_policy is not 0, decrement explicit_policy by "
     "1\", of self-issued targets too.",
     SelfIssuedTargetNeedsPolicy},
};

}  // namespace

absl::Span<const ExceptionClass> PolicyExceptions() { return kClasses; }

}  // namespace inkan::differential
