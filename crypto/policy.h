// Certificate policies of a path (RFC 5280 section 6.1.2 (a), 6.1.3 (d)-(f),
// 6.1.4 (a)-(b), (h)-(j), 6.1.5 (a)-(b), (g)).
//
// RFC 5280 describes a tree that hostile certificates can make grow without
// bound. What a decision needs of the tree is only, for each policy that may
// follow at the lowest level, which policies of the anchor's domain it goes
// back to; that is what is kept, so the state is at most policies times roots.
// RFC 9618 shows that nothing is lost.
//
// Ownership: points into certificates and rules, which must outlive it.
#ifndef INKAN_CRYPTO_POLICY_H_
#define INKAN_CRYPTO_POLICY_H_

#include <limits>
#include <string>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/types/span.h"
#include "crypto/bytes.h"
#include "crypto/certificate.h"
#include "crypto/fault.h"

namespace inkan {

// OIDs as DER contents; holds anyPolicy if all policies are valid.
using PolicySet = absl::InlinedVector<Bytes, 2>;

// The qualifiers that the last certificate of a path gives one valid policy
// (RFC 5280 section 6.1.2 (a), qualifier_set).
struct QualifiedPolicy {
  Bytes policy;      // OID, DER contents
  Bytes qualifiers;  // contents of SEQUENCE OF PolicyQualifierInfo
};
// Policies without qualifiers are not in it. One policy can be there more than
// once, where several policies of the certificate are mapped to it.
using QualifierSet = absl::InlinedVector<QualifiedPolicy, 1>;

// Policies or mappings in one certificate, and entries in a state. PKITS needs
// 10; Go and BoringSSL bound the tree at comparable sizes.
inline constexpr size_t kPoliciesMax = 128;

class PolicyState {
 public:
  PolicyState() = default;
  // `initial` empty: anyPolicy.
  PolicyState(absl::Span<const std::string> initial, bool require_explicit,
              bool inhibit_mapping, bool inhibit_any);

  // Goes down by one CA certificate.
  Fault Extend(const Certificate& ca);

  // Judges the last certificate and yields the user-constrained policy set and
  // its qualifiers (both may be null). Allocates nothing for up to two
  // policies, one of them qualified.
  Fault Accept(const Certificate& leaf, PolicySet* valid,
               QualifierSet* qualifiers = nullptr) const;

 private:
  // A node of the lowest level: what may follow, and where it comes from.
  struct Entry {
    Bytes expected;
    std::vector<Bytes> roots;
  };

  // RFC 5280 starts the counters at the path's length plus one, which means
  // never; the length is not known while a path grows downwards.
  static constexpr int kNever = std::numeric_limits<int>::max();

  Fault ApplyPolicies(const Certificate& ca);
  Fault ApplyMappings(const Certificate& ca);
  void AddRoots(Bytes expected, absl::Span<const Bytes> roots);
  const Entry* Find(Bytes expected) const;
  bool IsInitial(Bytes policy) const;
  // What Accept gathers.
  struct Output {
    PolicySet* valid;
    QualifierSet* qualifiers;
    bool any_valid = false;
  };
  void AddValid(Bytes root, Bytes qualifiers, Output* output) const;

  absl::Span<const std::string> initial_;
  bool any_ = true;  // an anyPolicy node stands at the lowest level
  std::vector<Entry> entries_;
  int explicit_policy_ = kNever;
  int policy_mapping_ = kNever;
  int inhibit_any_ = kNever;
};

}  // namespace inkan

#endif  // INKAN_CRYPTO_POLICY_H_
