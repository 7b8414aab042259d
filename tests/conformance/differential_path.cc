#include "tests/conformance/differential_path.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace inkan::differential {
namespace {

using lab::Name;

constexpr int64_t kYear = 365 * 86400;

// Three policies and one to be mapped to.
constexpr const char* kPolicies[] = {
    "1.3.6.1.4.1.99999.1", "1.3.6.1.4.1.99999.2", "1.3.6.1.4.1.99999.3",
    "1.3.6.1.4.1.99999.4"};

// The name of the CA at a level, as it is or spelled another way.
Name CaName(size_t level, bool other_spelling) {
  if (!other_spelling) {
    return {
        {"C", "JP"}, {"O", "Inkan Test"}, {"CN", absl::StrCat("CA ", level)}};
  }
  return {{"C", "jp"},
          {"O", " inkan   TEST", 0x0c},
          {"CN", absl::StrCat("ca  ", level, " "), 0x13}};
}

Name LeafName(Dice* dice, const Mood& mood) {
  Name name = {{"C", "JP"}, {"O", "Inkan Test"}};
  if (mood.names) {
    const char* const kUnits[] = {"North", "South", "north "};
    name.Add("OU", kUnits[dice->Below(3)]);
    if (dice->Unusual(10, "emailAddress in subject")) {
      const char* const kMailboxes[] = {"a@example.jp", "a@mail.example.jp",
                                        "a@other.jp", "A@EXAMPLE.JP"};
      name.Add("emailAddress", kMailboxes[dice->Below(4)]);
    }
  }
  name.Add("CN", "Leaf 1");
  return name;
}

// Names that constraints can hit or miss, all forms from one small world.
std::string RandomName(Dice* dice, bool base) {
  const char* const kHosts[] = {"example.jp", "www.example.jp", "EXAMPLE.jp",
                                "other.jp", "badexample.jp"};
  const std::string host = kHosts[dice->Below(5)];
  const std::string dot = base && dice->Percent(30) ? "." : "";
  const char* const kUnits[] = {"North", "South", "NORTH"};
  using std::string_literals::operator""s;
  switch (dice->Below(5)) {
    case 0:
      return lab::DnsName(dot + host);
    case 1:
      return lab::EmailName(base && dice->Percent(60) ? dot + host
                                                      : "a@" + host);
    case 2:
      return lab::UriName(base ? dot + host : "https://" + host + "/path");
    case 3: {
      const std::string address =
          dice->Percent(50) ? "\x0a\x01\x02\x03"s : "\x0a\x02\x02\x03"s;
      const std::string mask =
          dice->Percent(50) ? "\xff\xff\x00\x00"s : "\xff\x00\x00\x00"s;
      const std::string v6 = dice->Percent(20) ? std::string(12, '\x20') : "";
      return lab::IpName(address + v6 +
                         (base ? mask + std::string(v6.size(), '\0') : ""));
    }
    default:
      return lab::DirectoryName(
          {{"C", "JP"}, {"O", "Inkan Test"}, {"OU", kUnits[dice->Below(3)]}});
  }
}

void AddNameConstraints(Dice* dice, lab::CertificateBuilder* builder) {
  std::vector<lab::Subtree> permitted;
  std::vector<lab::Subtree> excluded;
  for (size_t n = 1 + dice->Below(3); n > 0; --n) {
    auto* const list = dice->Percent(60) ? &permitted : &excluded;
    list->emplace_back(RandomName(dice, /*base=*/true));
  }
  if (!permitted.empty() && dice->Percent(80)) {
    // Or else the CAs below would hardly ever be permitted.
    permitted.emplace_back(
        lab::DirectoryName({{"C", "JP"}, {"O", "INKAN test"}}));
  }
  dice->Tell("name constraints");
  builder->add(lab::extension::NameConstraints(permitted, excluded));
}

void AddPolicies(Dice* dice, bool is_ca, lab::CertificateBuilder* builder) {
  std::vector<lab::Policy> policies;
  for (const char* policy : kPolicies) {
    if (dice->Percent(50)) policies.emplace_back(policy);
  }
  if (dice->Percent(is_ca ? 30 : 10)) policies.emplace_back(lab::kAnyPolicy);
  if (!policies.empty() && !dice->Percent(5)) {
    builder->add(lab::extension::CertificatePolicies(policies).MakeCritical(
        dice->Percent(20)));
  }
  if (is_ca && dice->Unusual(25, "mappings")) {
    std::vector<std::pair<std::string, std::string>> mappings;
    for (size_t n = 1 + dice->Below(3); n > 0; --n) {
      mappings.emplace_back(kPolicies[dice->Below(4)],
                            kPolicies[dice->Below(4)]);
    }
    if (dice->Unusual(3, "anyPolicy mapped")) {
      mappings.emplace_back(lab::kAnyPolicy, kPolicies[0]);
    }
    builder->add(lab::extension::PolicyMappings(mappings));
  }
  if (dice->Unusual(20, "policyConstraints")) {
    std::optional<uint64_t> require;
    std::optional<uint64_t> inhibit;
    if (dice->Percent(70)) require = dice->Below(4);
    if (!require || dice->Percent(40)) inhibit = dice->Below(3);
    builder->add(lab::extension::PolicyConstraints(require, inhibit));
  }
  if (dice->Unusual(12, "inhibitAnyPolicy")) {
    builder->add(lab::extension::InhibitAnyPolicy(dice->Below(3)));
  }
}

void SetValidity(Dice* dice, int64_t time, Node* node) {
  int64_t from = time - kYear;
  int64_t to = time + kYear;
  if (dice->Percent(6)) {
    switch (dice->Below(4)) {
      case 0:
        dice->Tell("notBefore == T");
        from = time;
        break;
      case 1:
        dice->Tell("notBefore == T + 1");
        from = time + 1;
        break;
      case 2:
        dice->Tell("notAfter == T + 1");
        to = time + 1;
        break;
      default:
        dice->Tell("notAfter == T - 1");
        to = time - 1;
    }
  }
  if (dice->Unusual(1, "notAfter == T")) to = time;
  node->builder.validity(from, to);
}

void AddCaExtensions(Dice* dice, const Mood& mood, Node* node) {
  lab::CertificateBuilder& builder = node->builder;
  std::optional<uint64_t> path_length;
  if (dice->Unusual(15, "pathLen")) path_length = dice->Below(4);
  builder.ca(path_length);
  if (mood.plain) return;
  namespace extension = lab::extension;
  if (dice->Unusual(2, "cA FALSE")) {
    builder.set(extension::BasicConstraints(false));
    node->is_ca = false;
  } else if (dice->Unusual(2, "no basicConstraints")) {
    builder.remove("2.5.29.19");
    node->is_ca = false;
  } else if (dice->Unusual(3, "basicConstraints not critical")) {
    builder.set(
        extension::BasicConstraints(true, path_length).MakeCritical(false));
  }
  if (dice->Unusual(2, "no keyCertSign")) {
    builder.set(extension::KeyUsage(lab::kCrlSign));
  } else if (dice->Unusual(3, "no cRLSign")) {
    builder.set(extension::KeyUsage(lab::kKeyCertSign));
  } else if (dice->Unusual(4, "CA without keyUsage")) {
    builder.remove("2.5.29.15");
  }
  if (!node->keeps_key_ids && dice->Unusual(6, "no SKI")) {
    builder.remove("2.5.29.14");
  }
}

void AddKeyIds(Dice* dice, const Node& issuer, uint64_t issuer_serial,
               const Name& issuers_issuer, Node* node) {
  namespace extension = lab::extension;
  const std::string& id = issuer.key->key_identifier();
  const std::vector<std::string> name = {lab::DirectoryName(issuers_issuer)};
  if (!node->keeps_key_ids && dice->Unusual(6, "no AKI")) return;
  if (dice->Unusual(1, "wrong AKI")) {
    node->builder.add(extension::AuthorityKeyIdentifier("not the key"));
  } else if (dice->Unusual(3, "AKI with issuer and serial")) {
    node->builder.add(extension::AuthorityKeyIdentifier(
        id, name, lab::SerialContents(issuer_serial)));
  } else if (dice->Unusual(1, "AKI with wrong serial")) {
    node->builder.add(extension::AuthorityKeyIdentifier(
        id, name, lab::SerialContents(issuer_serial + 1)));
  } else {
    node->builder.add(extension::AuthorityKeyIdentifier(id));
  }
}

void AddOddities(Dice* dice, Node* node) {
  const std::string null("\x05\x00", 2);
  if (dice->Unusual(2, "unknown critical extension")) {
    node->builder.add({"1.3.6.1.4.1.99999.7", true, null});
  }
  if (dice->Unusual(2, "unknown extension")) {
    node->builder.add({"1.3.6.1.4.1.99999.8", false, null});
  }
  if (dice->Unusual(2, "extKeyUsage")) {
    node->builder.add(lab::extension::ExtendedKeyUsage({"1.3.6.1.5.5.7.3.4"}));
  }
}

void AddLeafExtensions(Dice* dice, const Mood& mood, Node* node) {
  namespace extension = lab::extension;
  node->is_ca = dice->Unusual(4, "leaf is a CA");
  if (node->is_ca) node->builder.add(extension::BasicConstraints(true));
  if (node->keeps_key_ids || dice->Percent(50)) {
    node->builder.key_identifier_of(*node->key);
  }
  if (dice->Percent(80)) {
    node->builder.add(extension::KeyUsage(lab::kDigitalSignature));
  }
  if (mood.names) {
    std::vector<std::string> names;
    for (size_t n = 1 + dice->Below(3); n > 0; --n) {
      names.push_back(RandomName(dice, /*base=*/false));
    }
    node->builder.add(extension::SubjectAltName(names));
  }
}

Node MakeAnchor(Dice* dice, const Mood& mood, int64_t time, bool rsa) {
  Node node;
  node.name = CaName(0, false);
  node.key = &PoolKey(rsa ? kPoolKeys : 0);
  node.serial = 1;
  node.builder.issuer(node.name)
      .subject(node.name)
      .serial(1)
      .validity(time - kYear, time + kYear)
      .public_key(*node.key)
      .ca();
  if (dice->Unusual(5, "anchor with pathLen")) {
    node.builder.ca(dice->Below(3));
  }
  if (mood.names && dice->Percent(20)) AddNameConstraints(dice, &node.builder);
  return node;
}

}  // namespace

const lab::PrivateKey& PoolKey(size_t index) {
  static const auto* const kKeys = [] {
    auto* keys = new std::vector<lab::PrivateKey>;
    for (size_t i = 0; i < kPoolKeys; ++i) {
      keys->push_back(lab::PrivateKey::EcFromSeed(
          absl::StrCat("differential ", i), lab::Curve::kP256));
    }
    keys->push_back(lab::PrivateKey::RsaFromSeed("differential"));
    return keys;
  }();
  return (*kKeys)[index];
}

PathPlan PlanPath(Dice* dice, const Mood& mood) {
  PathPlan plan;
  plan.time = lab::UtcSeconds(2026, 3, 16, 12);
  plan.nodes.push_back(
      MakeAnchor(dice, mood, plan.time, dice->Unusual(5, "RSA anchor")));
  const size_t cas = dice->Below(4);
  bool rollover = false;
  for (size_t level = 1; level <= cas + 1; ++level) {
    const Node& issuer = plan.nodes.back();
    const bool last = level == cas + 1;
    Node node;
    const bool self_issued = !mood.plain && dice->Unusual(5, "self-issued");
    // Where two keys share a name, mostly only their identifiers tell OpenSSL
    // which one is meant.
    rollover |= self_issued;
    node.keeps_key_ids = rollover && !dice->Percent(3);
    node.name = self_issued ? issuer.name
                : last      ? LeafName(dice, mood)
                            : CaName(level, false);
    node.key = &PoolKey(level);
    node.serial = 100 + level;
    Name issuer_name = issuer.name;
    if (issuer.name == CaName(level - 1, false) &&
        dice->Unusual(5, "issuer spelled another way")) {
      issuer_name = CaName(level - 1, true);
    }
    node.builder.issuer(issuer_name)
        .subject(node.name)
        .serial(node.serial)
        .public_key(*node.key);
    SetValidity(dice, plan.time, &node);
    AddKeyIds(dice, issuer, issuer.serial,
              level == 1 ? issuer.name : plan.nodes[level - 2].name, &node);
    if (last) {
      AddLeafExtensions(dice, mood, &node);
    } else {
      AddCaExtensions(dice, mood, &node);
      if (mood.names && dice->Percent(40)) {
        AddNameConstraints(dice, &node.builder);
      }
    }
    if (mood.policies) AddPolicies(dice, !last, &node.builder);
    if (!mood.plain) AddOddities(dice, &node);
    plan.nodes.push_back(std::move(node));
  }
  return plan;
}

lab::CertificateBuilder OtherGeneration(const PathPlan& plan, size_t of,
                                        const lab::PrivateKey& key) {
  lab::CertificateBuilder builder;
  builder.issuer(plan.nodes[of - 1].name)
      .subject(plan.nodes[of].name)
      .serial(900 + of)
      .validity(plan.time - kYear, plan.time + kYear)
      .public_key(key)
      .ca()
      .issued_by(*plan.nodes[of - 1].key);
  return builder;
}

}  // namespace inkan::differential
