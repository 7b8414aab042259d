#include "crypto/name_constraints.h"

#include <string>
#include <string_view>

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

// dNSName: the base itself and everything with labels added on the left.
Match DnsFits(std::string_view name, std::string_view base) {
  if (base.empty()) return Match::kYes;
  if (name.empty()) return Match::kMalformed;
  if (base.front() == '.') return YesOrNo(HostFits(name, base));
  if (!EndsWithIgnoringCase(name, base)) return Match::kNo;
  return YesOrNo(name.size() == base.size() ||
                 name[name.size() - base.size() - 1] == '.');
}

// rfc822Name: one mailbox, all mailboxes at a host, or all below a domain.
Match MailboxFits(std::string_view name, std::string_view base) {
  const size_t at = name.rfind('@');
  if (at == std::string_view::npos || at == 0 || at + 1 == name.size()) {
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
  if (host.empty() || LooksLikeIpAddress(host)) return Match::kMalformed;
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

Match NameFits(const GeneralName& name, const GeneralName& base) {
  switch (name.kind) {
    case GeneralNameKind::kDirectoryName:
      return YesOrNo(absl::StartsWith(CanonicalName(name.value),
                                      CanonicalName(base.value)));
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

// Reads one GeneralSubtree; false unless it is a base alone.
bool ReadSubtree(DerReader* subtrees, GeneralName* base) {
  Bytes contents;
  if (!subtrees->Read(der::kSequence, &contents)) return false;
  DerReader reader(contents);
  return ReadGeneralName(&reader, base) && reader.empty();
}

Fault CheckSubtrees(Bytes subtrees) {
  DerReader reader(subtrees);
  GeneralName base;
  while (!reader.empty()) {
    if (!ReadSubtree(&reader, &base)) {
      return {"nameConstraints",
              "a subtree is malformed, or has a minimum or "
              "maximum"};
    }
    if (base.kind == GeneralNameKind::kIpAddress && base.value.size() != 8 &&
        base.value.size() != 32) {
      return {"nameConstraints", "an iPAddress is not address and mask"};
    }
  }
  return kNoFault;
}

// Walks the names of one certificate against the constraints of its path.
class Checker {
 public:
  Checker(absl::Span<const Bytes> permitted, absl::Span<const Bytes> excluded)
      : permitted_(permitted), excluded_(excluded) {}

  Fault CheckName(const GeneralName& name) {
    for (const Bytes subtrees : excluded_) {
      const Scan scan = ScanSubtrees(name, subtrees);
      if (!scan.fault.ok()) return scan.fault;
      if (scan.any_fits) {
        return {"nameConstraints", "a name lies in an excluded subtree"};
      }
    }
    for (const Bytes subtrees : permitted_) {
      const Scan scan = ScanSubtrees(name, subtrees);
      if (!scan.fault.ok()) return scan.fault;
      if (scan.any_of_form && !scan.any_fits) {
        return {"nameConstraints", "a name lies in no permitted subtree"};
      }
    }
    return kNoFault;
  }

 private:
  struct Scan {
    bool any_of_form = false;
    bool any_fits = false;
    Fault fault;
  };

  Scan ScanSubtrees(const GeneralName& name, Bytes subtrees) {
    Scan scan;
    DerReader reader(subtrees);
    GeneralName base;
    while (!reader.empty() && ReadSubtree(&reader, &base)) {
      if (base.kind != name.kind) continue;
      if (++comparisons_ > kNameComparisonsMax) {
        scan.fault = {"nameConstraints", "more than 250,000 comparisons"};
        return scan;
      }
      scan.any_of_form = true;
      const Match match = NameFits(name, base);
      if (match == Match::kMalformed) {
        scan.fault = {"nameConstraints",
                      "a name of a constrained form cannot be judged"};
        return scan;
      }
      scan.any_fits |= match == Match::kYes;
    }
    return scan;
  }

  absl::Span<const Bytes> permitted_;
  absl::Span<const Bytes> excluded_;
  int comparisons_ = 0;
};

// RFC 5280 section 4.2.1.10: where no rfc822Name is in the subjectAltName, the
// constraint applies to emailAddress attributes of the subject.
Fault CheckSubjectEmails(Bytes subject, Checker* checker) {
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
      Fault fault = checker->CheckName({GeneralNameKind::kRfc822Name, value});
      if (!fault.ok()) return fault;
    }
  }
  return kNoFault;
}

}  // namespace

Fault NameConstraints::Add(const Certificate& ca) {
  for (const Bytes subtrees : {ca.permitted_subtrees, ca.excluded_subtrees}) {
    if (Fault fault = CheckSubtrees(subtrees); !fault.ok()) return fault;
  }
  if (!ca.permitted_subtrees.empty()) {
    permitted_.push_back(ca.permitted_subtrees);
  }
  if (!ca.excluded_subtrees.empty()) excluded_.push_back(ca.excluded_subtrees);
  return kNoFault;
}

Fault NameConstraints::Check(const Certificate& certificate) const {
  if (empty()) return kNoFault;
  Checker checker(permitted_, excluded_);
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
                     : CheckSubjectEmails(certificate.subject, &checker);
}

}  // namespace inkan
