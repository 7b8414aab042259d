#include "crypto/name_constraints.h"

#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/match.h"
#include "crypto/der.h"
#include "crypto/general_name.h"
#include "crypto/name.h"

namespace inkan {
namespace {

constexpr Fault kNoFault;

enum class Match : uint8_t { kNo, kYes, kMalformed };

// Debian's Abseil keeps its own string_view.
absl::string_view View(std::string_view text) {
  return {text.data(), text.size()};
}

bool SameIgnoringCase(std::string_view a, std::string_view b) {
  return absl::EqualsIgnoreCase(View(a), View(b));
}

bool EndsWithIgnoringCase(std::string_view text, std::string_view end) {
  return absl::EndsWithIgnoreCase(View(text), View(end));
}

Match YesOrNo(bool yes) { return yes ? Match::kYes : Match::kNo; }

// Whether `host` lies in the constraint `base`: with a leading dot below it,
// without one exactly it.
bool HostFits(std::string_view host, std::string_view base) {
  if (!base.empty() && base.front() == '.') {
    return host.size() > base.size() && EndsWithIgnoringCase(host, base);
  }
  return SameIgnoringCase(host, base);
}

// A host name that could be taken for another one: with a dot at its end it is
// the same host, but not the same text.
bool IsDoubtfulHost(std::string_view host) {
  return host.empty() || host.back() == '.';
}

// dNSName: the base itself and everything with labels added on the left.
Match DnsFits(std::string_view name, std::string_view base) {
  if (IsDoubtfulHost(name)) return Match::kMalformed;
  if (base.empty()) return Match::kYes;
  if (base.front() == '.') return YesOrNo(HostFits(name, base));
  if (!EndsWithIgnoringCase(name, base)) return Match::kNo;
  return YesOrNo(name.size() == base.size() ||
                 name[name.size() - base.size() - 1] == '.');
}

// rfc822Name: one mailbox, all mailboxes at a host, or all below a domain.
Match MailboxFits(std::string_view name, std::string_view base) {
  const size_t at = name.rfind('@');
  if (at == std::string_view::npos || at == 0 ||
      IsDoubtfulHost(name.substr(at + 1))) {
    return Match::kMalformed;
  }
  const size_t base_at = base.rfind('@');
  if (base_at == std::string_view::npos) {
    return base.empty() ? Match::kYes
                        : YesOrNo(HostFits(name.substr(at + 1), base));
  }
  return YesOrNo(
      name.substr(0, at) == base.substr(0, base_at) &&
      SameIgnoringCase(name.substr(at + 1), base.substr(base_at + 1)));
}

bool LooksLikeIpAddress(std::string_view host) {
  if (host.empty() || host.front() == '[') return true;
  for (const char c : host) {
    if ((c < '0' || c > '9') && c != '.') return false;
  }
  return true;
}

// URI: the host part. RFC 5280 refuses URIs without a host name where a
// constraint applies.
Match UriFits(std::string_view uri, std::string_view base) {
  const size_t scheme = uri.find("://");
  if (scheme == std::string_view::npos || scheme == 0) return Match::kMalformed;
  std::string_view host = uri.substr(scheme + 3);
  host = host.substr(0, host.find_first_of("/?#"));
  const size_t user = host.rfind('@');
  if (user != std::string_view::npos) host.remove_prefix(user + 1);
  if (LooksLikeIpAddress(host)) return Match::kMalformed;
  host = host.substr(0, host.find(':'));
  if (IsDoubtfulHost(host) || LooksLikeIpAddress(host)) {
    return Match::kMalformed;
  }
  return base.empty() ? Match::kYes : YesOrNo(HostFits(host, base));
}

// iPAddress: the base is an address and a mask of the same size.
Match IpFits(Bytes address, Bytes base) {
  if (address.size() != 4 && address.size() != 16) return Match::kMalformed;
  if (base.size() != 2 * address.size()) return Match::kNo;
  for (size_t i = 0; i < address.size(); ++i) {
    const uint8_t mask = base[address.size() + i];
    if ((address[i] & mask) != (base[i] & mask)) return Match::kNo;
  }
  return Match::kYes;
}

// All forms but directoryName.
Match NameFits(const GeneralName& name, const GeneralName& base) {
  switch (name.kind) {
    case GeneralNameKind::kRfc822Name:
      return MailboxFits(AsText(name.value), AsText(base.value));
    case GeneralNameKind::kDnsName:
      return DnsFits(AsText(name.value), AsText(base.value));
    case GeneralNameKind::kUri:
      return UriFits(AsText(name.value), AsText(base.value));
    case GeneralNameKind::kIpAddress:
      return IpFits(name.value, base.value);
    default:
      return Match::kMalformed;  // a form whose constraints we do not process
  }
}

}  // namespace

// Walks the names of one certificate against the constraints of its path.
class NameConstraints::Checker {
 public:
  explicit Checker(const NameConstraints& constraints)
      : constraints_(constraints) {}

  Fault CheckName(const GeneralName& name) {
    canonical_ = name.kind == GeneralNameKind::kDirectoryName
                     ? CanonicalName(name.value)
                     : "";
    for (const Subtrees& subtrees : constraints_.excluded_) {
      const Scan scan = ScanSubtrees(name, subtrees);
      if (!scan.fault.ok()) return scan.fault;
      if (scan.any_fits) {
        return {"nameConstraints", "a name lies in an excluded subtree"};
      }
    }
    for (const Subtrees& subtrees : constraints_.permitted_) {
      const Scan scan = ScanSubtrees(name, subtrees);
      if (!scan.fault.ok()) return scan.fault;
      if (scan.any_of_form && !scan.any_fits) {
        return {"nameConstraints", "a name lies in no permitted subtree"};
      }
    }
    return kNoFault;
  }

  Fault CheckSubjectEmails(Bytes subject);

 private:
  struct Scan {
    bool any_of_form = false;
    bool any_fits = false;
    Fault fault;
  };

  Scan ScanSubtrees(const GeneralName& name, const Subtrees& subtrees) {
    Scan scan;
    for (const Subtree& subtree : subtrees) {
      if (++comparisons_ > kNameComparisonsMax) {
        scan.fault = {"nameConstraints", "more than 250,000 comparisons"};
        return scan;
      }
      if (subtree.base.kind != name.kind) continue;
      scan.any_of_form = true;
      const Match match = Fits(name, subtree);
      if (match == Match::kMalformed) {
        scan.fault = {"nameConstraints",
                      "a name of a constrained form cannot be judged"};
        return scan;
      }
      scan.any_fits |= match == Match::kYes;
    }
    return scan;
  }

  Match Fits(const GeneralName& name, const Subtree& subtree) const {
    if (name.kind != GeneralNameKind::kDirectoryName) {
      return NameFits(name, subtree.base);
    }
    return YesOrNo(canonical_.compare(0, subtree.canonical.size(),
                                      subtree.canonical) == 0);
  }

  const NameConstraints& constraints_;
  std::string canonical_;  // of the name looked at, if a directoryName
  int comparisons_ = 0;
};

// RFC 5280 section 4.2.1.10: where no rfc822Name is in the subjectAltName, the
// constraint applies to emailAddress attributes of the subject.
Fault NameConstraints::Checker::CheckSubjectEmails(Bytes subject) {
  // 1.2.840.113549.1.9.1
  constexpr uint8_t kEmailAddress[] = {0x2a, 0x86, 0x48, 0x86, 0xf7,
                                       0x0d, 0x01, 0x09, 0x01};
  DerReader outer(subject);
  Bytes rdns;
  if (!outer.Read(der::kSequence, &rdns)) return kNoFault;
  DerReader sequence(rdns);
  Bytes rdn;
  while (sequence.Read(der::kSet, &rdn)) {
    DerReader set(rdn);
    Bytes attribute;
    while (set.Read(der::kSequence, &attribute)) {
      DerReader reader(attribute);
      Bytes type;
      uint8_t tag;
      Bytes value;
      if (!reader.ReadOid(&type) || !reader.ReadAny(&tag, &value)) continue;
      if (!SameBytes(type, kEmailAddress)) continue;
      // In any other string type the mailbox would not read as what it is, so
      // it is judged as one that fits nothing and cannot be judged.
      const bool is_ascii = tag == der::kIa5String || tag == der::kUtf8String ||
                            tag == der::kPrintableString;
      Fault fault =
          CheckName({GeneralNameKind::kRfc822Name, is_ascii ? value : Bytes()});
      if (!fault.ok()) return fault;
    }
  }
  return kNoFault;
}

// Faults on a GeneralSubtree that is more than a base.
Fault NameConstraints::Read(Bytes contents, Subtrees* subtrees) {
  DerReader reader(contents);
  while (!reader.empty()) {
    Bytes subtree;
    GeneralName base;
    if (!reader.Read(der::kSequence, &subtree)) {
      return {"nameConstraints", "a subtree is malformed"};
    }
    DerReader parts(subtree);
    if (!ReadGeneralName(&parts, &base) || !parts.empty()) {
      return {"nameConstraints",
              "a subtree is malformed, or has a minimum or maximum"};
    }
    if (base.kind == GeneralNameKind::kIpAddress && base.value.size() != 8 &&
        base.value.size() != 32) {
      return {"nameConstraints", "an iPAddress is not address and mask"};
    }
    subtrees->push_back({base, base.kind == GeneralNameKind::kDirectoryName
                                   ? CanonicalName(base.value)
                                   : ""});
  }
  return kNoFault;
}

Fault NameConstraints::Add(const Certificate& ca) {
  Subtrees permitted;
  Subtrees excluded;
  if (Fault fault = Read(ca.permitted_subtrees, &permitted); !fault.ok()) {
    return fault;
  }
  if (Fault fault = Read(ca.excluded_subtrees, &excluded); !fault.ok()) {
    return fault;
  }
  if (!permitted.empty()) permitted_.push_back(std::move(permitted));
  if (!excluded.empty()) excluded_.push_back(std::move(excluded));
  return kNoFault;
}

Fault NameConstraints::Check(const Certificate& certificate) const {
  if (empty()) return kNoFault;
  Checker checker(*this);
  if (!IsEmptyName(certificate.subject)) {
    Fault fault = checker.CheckName(
        {GeneralNameKind::kDirectoryName, certificate.subject});
    if (!fault.ok()) return fault;
  }
  bool has_mailbox = false;
  DerReader names(certificate.subject_alt_names);
  GeneralName name;
  while (!names.empty() && ReadGeneralName(&names, &name)) {
    has_mailbox |= name.kind == GeneralNameKind::kRfc822Name;
    if (Fault fault = checker.CheckName(name); !fault.ok()) return fault;
  }
  return has_mailbox ? kNoFault
                     : checker.CheckSubjectEmails(certificate.subject);
}

}  // namespace inkan
