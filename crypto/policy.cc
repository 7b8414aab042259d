#include "crypto/policy.h"

#include <algorithm>

#include "crypto/der.h"

namespace inkan {
namespace {

constexpr Fault kNoFault;
constexpr uint8_t kAnyPolicy[] = {0x55, 0x1d, 0x20, 0x00};  // 2.5.29.32.0

bool IsAnyPolicy(Bytes oid) { return SameBytes(oid, kAnyPolicy); }

// The next policy of certificatePolicies with its qualifiers, if it has any;
// false at the end.
bool NextPolicy(DerReader* policies, Bytes* oid, Bytes* qualifiers) {
  Bytes information;
  if (!policies->Read(der::kSequence, &information)) return false;
  DerReader reader(information);
  if (!reader.ReadOid(oid)) return false;
  *qualifiers = Bytes();
  reader.Read(der::kSequence, qualifiers);
  return true;
}

bool NextPolicy(DerReader* policies, Bytes* oid) {
  Bytes ignored;
  return NextPolicy(policies, oid, &ignored);
}

bool NextMapping(DerReader* mappings, Bytes* issuer, Bytes* subject) {
  Bytes mapping;
  if (!mappings->Read(der::kSequence, &mapping)) return false;
  DerReader reader(mapping);
  return reader.ReadOid(issuer) && reader.ReadOid(subject);
}

bool Lists(Bytes policies, Bytes policy) {
  DerReader reader(policies);
  Bytes oid;
  while (NextPolicy(&reader, &oid)) {
    if (SameBytes(oid, policy)) return true;
  }
  return false;
}

// Refuses what would make comparing policies costly, and what RFC 5280 section
// 4.2.1.4 rules out: a policy listed twice.
Fault CheckPolicies(Bytes policies) {
  DerReader reader(policies);
  absl::InlinedVector<Bytes, 4> seen;
  Bytes oid;
  while (NextPolicy(&reader, &oid)) {
    if (seen.size() == kPoliciesMax) {
      return {"certificatePolicies", "more than 128 policies"};
    }
    for (const Bytes other : seen) {
      if (SameBytes(other, oid)) {
        return {"certificatePolicies", "a policy is listed twice"};
      }
    }
    seen.push_back(oid);
  }
  return kNoFault;
}

void Decrement(int* counter) {
  if (*counter > 0) --*counter;
}

void Lower(int* counter, int value) {
  if (value >= 0) *counter = std::min(*counter, value);
}

}  // namespace

PolicyState::PolicyState(absl::Span<const std::string> initial,
                         bool require_explicit, bool inhibit_mapping,
                         bool inhibit_any)
    : initial_(initial) {
  if (require_explicit) explicit_policy_ = 0;
  if (inhibit_mapping) policy_mapping_ = 0;
  if (inhibit_any) inhibit_any_ = 0;
  // A set that lists anyPolicy is anyPolicy.
  for (const std::string& policy : initial) {
    if (IsAnyPolicy(AsBytes(policy))) initial_ = {};
  }
}

const PolicyState::Entry* PolicyState::Find(Bytes expected) const {
  for (const Entry& entry : entries_) {
    if (SameBytes(entry.expected, expected)) return &entry;
  }
  return nullptr;
}

void PolicyState::AddRoots(Bytes expected, absl::Span<const Bytes> roots) {
  auto entry = std::find_if(
      entries_.begin(), entries_.end(),
      [&](const Entry& e) { return SameBytes(e.expected, expected); });
  if (entry == entries_.end()) {
    entries_.push_back({expected, {}});
    entry = std::prev(entries_.end());
  }
  for (const Bytes root : roots) {
    const bool known =
        std::any_of(entry->roots.begin(), entry->roots.end(),
                    [&](Bytes other) { return SameBytes(other, root); });
    if (!known) entry->roots.push_back(root);
  }
}

// 6.1.3 (d)-(e): the lowest level becomes the one of this certificate.
Fault PolicyState::ApplyPolicies(const Certificate& ca) {
  if (Fault fault = CheckPolicies(ca.policies); !fault.ok()) return fault;
  const std::vector<Entry> above = std::move(entries_);
  const bool any_above = any_;
  entries_.clear();
  any_ = false;
  if (ca.policies.empty()) return kNoFault;
  bool lists_any = false;
  DerReader policies(ca.policies);
  Bytes policy;
  while (NextPolicy(&policies, &policy)) {
    if (IsAnyPolicy(policy)) {
      lists_any = true;
      continue;
    }
    const auto match = std::find_if(
        above.begin(), above.end(),
        [&](const Entry& e) { return SameBytes(e.expected, policy); });
    if (match != above.end()) {
      AddRoots(policy, match->roots);
    } else if (any_above) {
      AddRoots(policy, {policy});
    }
  }
  if (lists_any && (inhibit_any_ > 0 || ca.self_issued)) {
    for (const Entry& entry : above) {
      if (!Lists(ca.policies, entry.expected)) {
        AddRoots(entry.expected, entry.roots);
      }
    }
    any_ = any_above;
  }
  return kNoFault;
}

// 6.1.4 (a)-(b).
Fault PolicyState::ApplyMappings(const Certificate& ca) {
  DerReader mappings(ca.policy_mappings);
  Bytes issuer;
  Bytes subject;
  size_t count = 0;
  while (NextMapping(&mappings, &issuer, &subject)) {
    if (IsAnyPolicy(issuer) || IsAnyPolicy(subject)) {
      return {"policyMappings", "maps from or to anyPolicy"};
    }
    if (++count > kPoliciesMax) {
      return {"policyMappings", "more than 128 mappings"};
    }
  }
  if (count == 0) return kNoFault;
  // What each mapped policy goes back to, before anything is replaced.
  struct Mapped {
    Bytes subject;
    std::vector<Bytes> roots;
  };
  std::vector<Mapped> mapped;
  mappings = DerReader(ca.policy_mappings);
  while (policy_mapping_ > 0 && NextMapping(&mappings, &issuer, &subject)) {
    if (const Entry* entry = Find(issuer)) {
      mapped.push_back({subject, entry->roots});
    } else if (any_) {
      mapped.push_back({subject, std::vector<Bytes>{issuer}});
    }
  }
  mappings = DerReader(ca.policy_mappings);
  while (NextMapping(&mappings, &issuer, &subject)) {
    const auto gone = [&](const Entry& e) {
      return SameBytes(e.expected, issuer);
    };
    entries_.erase(std::remove_if(entries_.begin(), entries_.end(), gone),
                   entries_.end());
  }
  for (const Mapped& one : mapped) AddRoots(one.subject, one.roots);
  return kNoFault;
}

Fault PolicyState::Extend(const Certificate& ca) {
  if (Fault fault = ApplyPolicies(ca); !fault.ok()) return fault;
  if (explicit_policy_ == 0 && !any_ && entries_.empty()) {
    return {"certificatePolicies",
            "no policy is valid, and an explicit one is required"};
  }
  if (Fault fault = ApplyMappings(ca); !fault.ok()) return fault;
  if (entries_.size() > kPoliciesMax) {
    return {"certificatePolicies", "more than 128 policies on the path"};
  }
  if (!ca.self_issued) {
    Decrement(&explicit_policy_);
    Decrement(&policy_mapping_);
    Decrement(&inhibit_any_);
  }
  Lower(&explicit_policy_, ca.require_explicit_policy);
  Lower(&policy_mapping_, ca.inhibit_policy_mapping);
  Lower(&inhibit_any_, ca.inhibit_any_policy);
  return kNoFault;
}

bool PolicyState::IsInitial(Bytes policy) const {
  if (initial_.empty()) return true;
  return std::any_of(
      initial_.begin(), initial_.end(),
      [&](const std::string& one) { return SameBytes(AsBytes(one), policy); });
}

void PolicyState::AddValid(Bytes root, Bytes qualifiers, Output* output) const {
  if (!IsInitial(root)) return;
  output->any_valid = true;
  if (output->qualifiers != nullptr && !qualifiers.empty()) {
    output->qualifiers->push_back({root, qualifiers});
  }
  PolicySet* valid = output->valid;
  if (valid == nullptr) return;
  const bool known =
      std::any_of(valid->begin(), valid->end(),
                  [&](Bytes other) { return SameBytes(other, root); });
  if (!known) valid->push_back(root);
}

Fault PolicyState::Accept(const Certificate& leaf, PolicySet* valid,
                          QualifierSet* qualifiers) const {
  if (Fault fault = CheckPolicies(leaf.policies); !fault.ok()) return fault;
  Output output = {valid, qualifiers};
  bool lists_any = false;
  Bytes any_qualifiers;
  DerReader policies(leaf.policies);
  Bytes policy;
  Bytes own;
  while (NextPolicy(&policies, &policy, &own)) {
    if (IsAnyPolicy(policy)) {
      lists_any = true;
      any_qualifiers = own;
    } else if (const Entry* entry = Find(policy)) {
      for (const Bytes root : entry->roots) AddValid(root, own, &output);
    } else if (any_) {
      AddValid(policy, own, &output);
    }
  }
  if (lists_any && inhibit_any_ > 0) {
    for (const Entry& entry : entries_) {
      if (Lists(leaf.policies, entry.expected)) continue;
      for (const Bytes root : entry.roots) {
        AddValid(root, any_qualifiers, &output);
      }
    }
    if (any_ && initial_.empty()) AddValid(kAnyPolicy, any_qualifiers, &output);
    if (any_) {
      for (const std::string& one : initial_) {
        // One that the certificate lists has qualifiers of its own.
        const bool listed = Lists(leaf.policies, AsBytes(one));
        AddValid(AsBytes(one), listed ? Bytes() : any_qualifiers, &output);
      }
    }
  }
  // 6.1.5 (a)-(b).
  int explicit_policy = explicit_policy_;
  Decrement(&explicit_policy);
  if (leaf.require_explicit_policy == 0) explicit_policy = 0;
  if (explicit_policy == 0 && !output.any_valid) {
    return {"certificatePolicies", "none that is accepted here is valid"};
  }
  return kNoFault;
}

}  // namespace inkan
