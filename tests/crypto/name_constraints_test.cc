// Name constraints of every form, and the work they may cost.
#include "crypto/name_constraints.h"

#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "bench/lab/certificate_builder.h"
#include "gtest/gtest.h"

namespace inkan {
namespace {

using lab::CertificateBuilder;
using lab::DirectoryName;
using lab::DnsName;
using lab::EmailName;
using lab::IpName;
using lab::Name;
using lab::PrivateKey;
using lab::UriName;
using std::string_literals::operator""s;
namespace extension = lab::extension;

const PrivateKey& Key() {
  static const auto* const kKey = new PrivateKey(PrivateKey::RsaFromSeed("ca"));
  return *kKey;
}

std::string CaDer(const std::vector<lab::Subtree>& permitted,
                  const std::vector<lab::Subtree>& excluded) {
  return CertificateBuilder()
      .public_key(Key())
      .ca()
      .add(extension::NameConstraints(permitted, excluded))
      .Sign(Key());
}

std::string LeafDer(const Name& subject,
                    const std::vector<std::string>& names) {
  CertificateBuilder builder;
  builder.public_key(Key()).subject(subject);
  if (!names.empty()) builder.add(extension::SubjectAltName(names));
  return builder.Sign(Key());
}

// Whether a certificate with these names is allowed below the CAs.
bool Allowed(const std::vector<std::string>& cas, const std::string& leaf) {
  NameConstraints constraints;
  std::vector<Certificate> parsed(cas.size() + 1);
  for (size_t i = 0; i < cas.size(); ++i) {
    EXPECT_TRUE(ParseCertificate(AsBytes(cas[i]), &parsed[i]).ok());
    if (!constraints.Add(parsed[i]).ok()) return false;
  }
  EXPECT_TRUE(ParseCertificate(AsBytes(leaf), &parsed.back()).ok());
  return constraints.Check(parsed.back()).ok();
}

struct Case {
  const char* what;
  std::string base;
  std::string name;
  bool fits;       // in a permitted subtree
  bool malformed;  // refused under any constraint of its form
};

std::vector<Case> Cases() {
  const auto dir = [](Name name) { return DirectoryName(name); };
  return {
      {"DNS itself", DnsName("a.jp"), DnsName("A.JP"), true, false},
      {"DNS below", DnsName("a.jp"), DnsName("b.a.jp"), true, false},
      {"DNS beside", DnsName("a.jp"), DnsName("ba.jp"), false, false},
      {"DNS above", DnsName("a.jp"), DnsName("jp"), false, false},
      {"DNS any", DnsName(""), DnsName("x"), true, false},
      {"DNS with final dot", DnsName("a.jp"), DnsName("a.jp."), false, true},
      {"empty DNS", DnsName("a.jp"), DnsName(""), false, true},
      {"mailbox", EmailName("u@a.jp"), EmailName("u@A.jp"), true, false},
      {"other mailbox", EmailName("u@a.jp"), EmailName("v@a.jp"), false, false},
      {"mailbox case", EmailName("u@a.jp"), EmailName("U@a.jp"), false, false},
      {"host of mail", EmailName("a.jp"), EmailName("u@a.jp"), true, false},
      {"mail below host", EmailName("a.jp"), EmailName("u@b.a.jp"), false,
       false},
      {"mail domain", EmailName(".a.jp"), EmailName("u@b.a.jp"), true, false},
      {"mail domain itself", EmailName(".a.jp"), EmailName("u@a.jp"), false,
       false},
      {"no mailbox", EmailName("a.jp"), EmailName("a.jp"), false, true},
      {"mailbox without user", EmailName("a.jp"), EmailName("@a.jp"), false,
       true},
      {"mailbox with final dot", EmailName("a.jp"), EmailName("u@a.jp."), false,
       true},
      {"URI host", UriName("a.jp"), UriName("https://u:p@a.jp:80/x"), true,
       false},
      {"URI below", UriName(".a.jp"), UriName("ldap://b.a.jp/"), true, false},
      {"URI beside", UriName(".a.jp"), UriName("ldap://ba.jp"), false, false},
      {"URI host in path", UriName("a.jp"), UriName("http://b.jp/@a.jp"), false,
       false},
      {"URI without host", UriName("a.jp"), UriName("urn:a.jp"), false, true},
      {"URI with address", UriName("a.jp"), UriName("http://1.2.3.4:80/"),
       false, true},
      {"URI with v6", UriName("a.jp"), UriName("http://[::1]/"), false, true},
      {"IPv4", IpName("\x0a\x01\0\0\xff\xff\0\0"s), IpName("\x0a\x01\2\3"s),
       true, false},
      {"IPv4 outside", IpName("\x0a\x01\0\0\xff\xff\0\0"s),
       IpName("\x0a\x02\2\3"s), false, false},
      {"IPv6 under IPv4", IpName("\x0a\x01\0\0\xff\xff\0\0"s),
       IpName(std::string(16, '\1')), false, false},
      {"IPv6", IpName(std::string(16, '\1') + std::string(16, '\xff')),
       IpName(std::string(16, '\1')), true, false},
      {"no address", IpName("\x0a\x01\0\0\xff\xff\0\0"s), IpName("\x0a"s),
       false, true},
      {"directory below", dir({{"O", "Inkan"}}),
       dir({{"O", "INKAN "}, {"CN", "x"}}), true, false},
      {"directory beside", dir({{"O", "Inkan"}}), dir({{"O", "Inkan2"}}), false,
       false},
      {"registeredID", lab::RegisteredIdName("1.2"),
       lab::RegisteredIdName("1.2"), false, true},
      {"otherName", lab::OtherNameUtf8("1.2", "a"),
       lab::OtherNameUtf8("1.2", "a"), false, true},
  };
}

TEST(NameConstraints, EachFormIsJudgedInsideAndOutsideItsSubtrees) {
  for (const Case& c : Cases()) {
    SCOPED_TRACE(c.what);
    const std::string leaf = LeafDer(Name(), {c.name});
    EXPECT_EQ(Allowed({CaDer({{c.base}}, {})}, leaf), c.fits);
    EXPECT_EQ(Allowed({CaDer({}, {{c.base}})}, leaf), !c.fits && !c.malformed);
    // One subtree that fits is enough, one that excludes too.
    const std::string other = DirectoryName({{"CN", "elsewhere"}});
    EXPECT_EQ(Allowed({CaDer({{other}, {c.base}}, {})}, leaf), c.fits);
  }
}

TEST(NameConstraints, FormsThatAreNotConstrainedAreFree) {
  const std::string leaf = LeafDer({{"CN", "x"}}, {DnsName("anything.")});
  EXPECT_TRUE(Allowed({CaDer({{EmailName("a.jp")}}, {})}, leaf));
  EXPECT_FALSE(Allowed({CaDer({{DnsName("a.jp")}}, {})}, leaf));
}

TEST(NameConstraints, EachCaOnlyNarrows) {
  const std::string wide = CaDer({{DnsName("jp")}}, {});
  const std::string narrow = CaDer({{DnsName("a.jp")}}, {});
  const std::string not_b = CaDer({}, {{DnsName("b.a.jp")}});
  const auto leaf = [](const char* host) {
    return LeafDer(Name(), {DnsName(host)});
  };
  EXPECT_TRUE(Allowed({wide, narrow, not_b}, leaf("c.a.jp")));
  EXPECT_FALSE(Allowed({wide, narrow, not_b}, leaf("c.b.a.jp")));
  EXPECT_FALSE(Allowed({wide, narrow, not_b}, leaf("d.jp")));
  EXPECT_FALSE(Allowed({narrow, wide}, leaf("d.jp")));
  EXPECT_FALSE(Allowed({wide, narrow},
                       LeafDer(Name(), {DnsName("a.jp"), DnsName("d.jp")})));
}

TEST(NameConstraints, TheSubjectIsADirectoryNameAndMayHoldAMailbox) {
  const std::string in_o = CaDer({{DirectoryName({{"O", "Inkan"}})}}, {});
  EXPECT_TRUE(Allowed({in_o}, LeafDer({{"O", "Inkan"}, {"CN", "x"}}, {})));
  EXPECT_FALSE(Allowed({in_o}, LeafDer({{"O", "Other"}}, {})));
  EXPECT_TRUE(Allowed({in_o}, LeafDer(Name(), {DnsName("a")})));

  const std::string mail = CaDer({{EmailName("a.jp")}}, {});
  const std::string not_mail = CaDer({}, {{EmailName("evil.jp")}});
  const Name good = {{"emailAddress", "u@a.jp"}};
  const Name bad = {{"emailAddress", "u@evil.jp"}};
  EXPECT_TRUE(Allowed({mail}, LeafDer(good, {})));
  EXPECT_FALSE(Allowed({mail}, LeafDer(bad, {})));
  EXPECT_FALSE(Allowed({not_mail}, LeafDer(bad, {})));
  // A mailbox among the alternative names is judged in its stead.
  EXPECT_TRUE(Allowed({mail}, LeafDer(bad, {EmailName("u@a.jp")})));
  // Spelled in two octets a character it would read as another one.
  const Name wide = {
      {"emailAddress", "\0u\0@\0e\0v\0i\0l\0.\0j\0p"s, der::kBmpString}};
  EXPECT_FALSE(Allowed({not_mail}, LeafDer(wide, {})));
}

TEST(NameConstraints, SubtreesWithMoreThanABaseAreRefused) {
  lab::Subtree minimum(DnsName("a"));
  minimum.minimum = 1;
  lab::Subtree maximum(DnsName("a"));
  maximum.maximum = 3;
  const lab::Subtree short_mask(IpName("\1\2\3\4"s));
  const std::string leaf = LeafDer(Name(), {DnsName("a")});
  EXPECT_FALSE(Allowed({CaDer({minimum}, {})}, leaf));
  EXPECT_FALSE(Allowed({CaDer({}, {maximum})}, leaf));
  EXPECT_FALSE(Allowed({CaDer({short_mask}, {})}, leaf));
}

TEST(NameConstraints, ComparisonsAreBounded) {
  const auto names = [](const std::string& prefix, int count) {
    std::vector<std::string> list;
    for (int i = 0; i < count; ++i) {
      list.push_back(DirectoryName({{"O", prefix}, {"CN", std::to_string(i)}}));
    }
    return list;
  };
  const std::vector<std::string> bases = names("out", 500);
  const std::string ca =
      CaDer({}, std::vector<lab::Subtree>(bases.begin(), bases.end()));
  EXPECT_TRUE(Allowed({ca}, LeafDer(Name(), names("in", 500))));
  const std::string past = LeafDer(Name(), names("in", 501));
  const std::string far_past = LeafDer(Name(), names("in", 20'000));
  EXPECT_FALSE(Allowed({ca}, past));
  const absl::Time start = absl::Now();
  EXPECT_FALSE(Allowed({ca}, far_past));
  EXPECT_LT(absl::Now() - start, absl::Seconds(5));
}

}  // namespace
}  // namespace inkan
