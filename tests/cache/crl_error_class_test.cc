// What the errors of CRL files and sources are counted as.
#include "cache/crl_error_class.h"

#include <fstream>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "cache/crl_data.h"
#include "cache/crl_loader.h"
#include "gtest/gtest.h"
#include "tests/support/lab_world.h"
#include "tests/support/temp_folder.h"

namespace inkan {
namespace {

// Errors as they are, with what libraries and names add to them. Those of
// fetching are held against real failures in crl_fetch_test.
TEST(CrlErrorClass, EveryErrorHasTheClassOfItsCause) {
  struct Case {
    const char* error_class;
    const char* error;
  };
  const Case kCases[] = {
      {"unreadable", "cannot open: Permission denied"},
      {"unreadable", "cannot stat: No such file or directory"},
      {"unreadable", "cannot list the folder: Permission denied"},
      {"unreadable", "cannot read: Input/output error"},
      {"unreadable", "not a regular file"},
      {"malformed", "certificateList: octets after the CRL"},
      {"malformed", "tbsCertList: not a SEQUENCE"},
      {"malformed", "issuer: an attribute that is no string"},
      {"malformed", "thisUpdate: not a UTCTime or GeneralizedTime in DER"},
      {"malformed", "crlExtensions: an extension appears twice"},
      {"malformed", "cRLNumber: not a non-negative INTEGER"},
      {"malformed", "signatureValue: not a BIT STRING of whole octets"},
      {"malformed", "PEM without a well-formed X509 CRL block"},
      {"signature",
       "signatureValue: does not verify with any key that CN=CA may sign CRLs "
       "with"},
      {"signature", "signatureAlgorithm: SHA-1 is too weak"},
      {"issuer", "issuer: no profile has a CA of this name: CN=Nobody"},
      {"number", "cRLNumber: older than the CRL in use, from http://ca/x.crl"},
      {"number", "deltaCRLIndicator: applies to no complete CRL at hand"},
      {"time", "thisUpdate: lies in the future (2027-01-01)"},
      {"time", "nextUpdate: absent (profile a does not allow it)"},
      {"extension", "crlExtensions: unknown critical extension 1.2.3"},
      {"extension", "crlEntryExtensions: an unknown critical extension"},
      {"network", "HTTP status 404: there is nothing at this URL"},
      {"network", "HTTP status 503: the server is in trouble"},
      {"network", "cannot connect: Connection refused; check the URL"},
      {"network", "too slow after 1000 octets: Operation timed out"},
      {"network", "the connection broke after 400 octets: transfer closed"},
      {"network", "no such host: Could not resolve host: ca.example"},
      {"network", "the server's certificate is not trusted: expired"},
      {"network", "more than 5 redirects; check the URL"},
      {"network", "search: Can't contact LDAP server: Connection refused"},
      {"network", "connect and search: Can't contact LDAP server"},
      {"network", "bind: Invalid credentials; check ldap.bind_dn"},
      {"network", "StartTLS: Protocol error"},
      {"place", "this is the CRL of http://ca/y.crl, not one of CN=CA"},
      {"place",
       "this place has been that of CN=CA, and CN=B does not take it (they "
       "cannot both be kept: cannot link; check the state directory's disk)"},
      {"limit", "larger than limits.crl_bytes_max (1000)"},
      {"limit",
       "certificateRevocationList;binary of cn=a: larger than "
       "limits.crl_bytes_max (1000)"},
      {"limit", "more than 65536 octets of header fields"},
      {"disk",
       "cannot write /var/lib/inkan/spool/a.part: No space left on device; "
       "check the state directory's disk"},
      {"disk", "cannot keep a CRL; see the state directory"},
      {"disk",
       "the copy kept in the state directory is damaged (certificateList: cut "
       "short); it is fetched again"},
      {"other", "no memory for 1000 octets"},
      {"other", ""},
  };
  for (const Case& c : kCases) {
    EXPECT_EQ(ClassOfSourceError(c.error), c.error_class) << c.error;
  }
}

TEST(CrlErrorClass, WhatReadingSaysHasAClass) {
  const testing_world::TempFolder folder;
  const auto error = [&](const std::string& contents) {
    const std::string path = folder.Write("a.crl", contents);
    const CrlLoader loader(CrlLoaderOptions{"", 5000});
    const auto crl = loader.Load(path, path);
    EXPECT_FALSE(crl.ok());
    return std::string(ClassOfSourceError(std::string(crl.status().message())));
  };
  const std::string good =
      testing_world::CrlFor("Kyoto").Sign(testing_world::KeyOf("ca"));
  EXPECT_EQ(error("hello"), "malformed");
  EXPECT_EQ(error(""), "malformed");
  EXPECT_EQ(error(good.substr(0, good.size() / 2)), "malformed");
  EXPECT_EQ(error(good + "x"), "malformed");
  EXPECT_EQ(error("-----BEGIN X509 CRL-----\nno\n"), "malformed");
  EXPECT_EQ(error(std::string(5001, 'x')), "limit");
  const CrlLoader loader(CrlLoaderOptions{"", 5000});
  for (const std::string& path : {folder.path() + "/none", folder.path()}) {
    const auto crl = loader.Load(path, path);
    ASSERT_FALSE(crl.ok());
    EXPECT_EQ(ClassOfSourceError(std::string(crl.status().message())),
              "unreadable")
        << crl.status();
  }
}

// The table of reasons in the document, and the code: each reason has the class
// that is written beside it, and each class has a reason.
TEST(CrlErrorClass, TheDocumentNamesTheClassOfEveryReason) {
  std::ifstream in(INKAN_SOURCE_DIR "/docs/OPERATIONS.md");
  std::string line;
  while (std::getline(in, line) &&
         line != "| reason begins with | class | means | do |") {
  }
  std::set<std::string> documented = {"other"};
  size_t reasons = 0;
  std::getline(in, line);  // the rule below the heading
  while (std::getline(in, line) && absl::StartsWith(line, "|")) {
    const std::vector<std::string> cells = absl::StrSplit(line, " | ");
    ASSERT_GE(cells.size(), 2U) << line;
    if (cells[1] == "-") continue;  // no source
    documented.insert(cells[1]);
    // Between back quotes, up to what varies.
    const std::vector<std::string> parts = absl::StrSplit(cells[0], '`');
    for (size_t i = 1; i < parts.size(); i += 2) {
      const std::string reason = parts[i].substr(0, parts[i].find(" .. "));
      EXPECT_EQ(ClassOfSourceError(reason), cells[1]) << parts[i];
      ++reasons;
    }
  }
  EXPECT_GT(reasons, 30U);
  std::set<std::string> all;
  for (const std::string_view name : SourceErrorClasses()) {
    all.insert(std::string(name));
  }
  EXPECT_EQ(documented, all);
}

}  // namespace
}  // namespace inkan
