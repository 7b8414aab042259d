// CRL sources on the network and freshness policies, as a configuration says
// them, and what it says wrong.
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "server/config.h"
#include "tests/support/temp_folder.h"

namespace inkan {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing_world::TempFolder;

class ConfigCrlSource : public ::testing::Test {
 protected:
  // All mistakes of a configuration that says only this (and so has others).
  std::string Mistakes(const std::string& text) {
    const auto config = ParseConfig(text, folder_.path() + "/inkand.textproto");
    EXPECT_FALSE(config.ok());
    return std::string(config.status().message());
  }

  TempFolder folder_;
};

TEST_F(ConfigCrlSource, MistakesAreNamedWithTheirRemedy) {
  folder_.Write("list", "# names\n\nkyoto\no saka\n");
  folder_.Write("password", "\n");
  struct Case {
    const char* text;
    const char* mistake;
  };
  const Case kCases[] = {
      {"crl_sources { http { urls: \"http://a/\" } }",
       "state_directory: missing"},
      {"crl_sources { http { } }", "crl_sources[0].http.urls: missing"},
      {"crl_sources { http { urls: \"ftp://a/\" } }",
       "write http:// or https://"},
      {"crl_sources { http { urls: \"file:///etc/passwd\" } }",
       "write http:// or https://"},
      {"crl_sources { http { urls: \"http://a:99999/\" } }", "no port"},
      {"crl_sources { http { urls: \"http://u:p@a/\" } }", "user name"},
      {"crl_sources { http { urls: \"http://a/b c\" } }", "percent-encode"},
      {"crl_sources { http { urls: \"http://a/\" urls: \"http://a/\" } }",
       "there twice"},
      {"crl_sources { http { urls: \"http://a/\" } } "
       "crl_sources { http { urls: \"http://b/\" urls: \"http://a/\" } }",
       "crl_sources[1].http.urls: \"http://a/\" is that of crl_sources[0]"},
      {"crl_sources { ldap { url: \"ldap://a\" base_dn: \"o=a\" } } "
       "crl_sources { ldap { url: \"ldap://a/\" base_dn: \"o=a\" } }",
       "crl_sources[1].ldap: "},
      {"crl_sources { http { url_list_file: \"none\" } }", "url_list_file"},
      {"crl_sources { http { url_list_file: \"list\" url_template: "
       "\"http://a/{}\" } }",
       "list:4: \"http://a/o saka\""},
      {"crl_sources { http { url_list_file: \"list\" url_template: "
       "\"http://a/\" } }",
       "holds no {}"},
      {"crl_sources { http { urls: \"http://a/\" ca_file: \"none\" } }",
       "ca_file: cannot read"},
      {"crl_sources { ldap { url: \"http://a\" base_dn: \"o=a\" } }",
       "write ldap:// or ldaps://"},
      {"crl_sources { ldap { url: \"ldap://a/o=b\" base_dn: \"o=a\" } }",
       "goes on after the host"},
      {"crl_sources { ldap { url: \"ldap://a\" } }", "base_dn: missing"},
      {"crl_sources { ldap { url: \"ldap://a\" base_dn: \"o=a\" filter: "
       "\"cn=*\" } }",
       "filter"},
      {"crl_sources { ldap { url: \"ldap://a\" base_dn: \"o=a\" bind_dn: "
       "\"cn=b\" password_file: \"password\" } }",
       "password unencrypted"},
      {"crl_sources { ldap { url: \"ldaps://a\" base_dn: \"o=a\" bind_dn: "
       "\"cn=b\" password_file: \"password\" } }",
       "password_file: empty"},
      {"crl_sources { ldap { url: \"ldaps://a\" base_dn: \"o=a\" start_tls: "
       "true } }",
       "encrypted already"},
      {"crl_sources { ldap { url: \"ldap://a\" base_dn: \"o=a\" entries_max: "
       "1000001 } }",
       "entries_max: 1000001 is out of range; give 1 to 1000000"},
      {"crl_sources { ldap { url: \"ldap://a\" base_dn: \"o=a\" values_max: "
       "1001 } }",
       "values_max: 1001 is out of range; give 1 to 1000"},
      {"crl_sources { directory: \"a\" fetch { parallel: 2 } }",
       "for http and ldap only"},
      {"crl_sources { http { urls: \"http://a/\" } fetch { parallel: 17 } }",
       "17 is out of range"},
      {"crl_sources { http { urls: \"http://a/\" } fetch { total_timeout { "
       "seconds: 0 } } }",
       "total_timeout: 0 s is out of range"},
      {"crl_sources { http { urls: \"http://a/\" } fetch { retry_first { "
       "seconds: 700 } } }",
       "retry_max: is less than retry_first"},
      {"profiles { revocation: REVOCATION_MODE_OFF freshness { } }",
       "revocation is off"},
      {"profiles { crl_max_age { seconds: 10 } freshness { margin { seconds: "
       "10 "
       "} } }",
       "margin: is not less than crl_max_age"},
  };
  for (const Case& c : kCases) {
    EXPECT_THAT(Mistakes(c.text), HasSubstr(c.mistake)) << c.text;
    EXPECT_THAT(Mistakes(c.text), HasSubstr("inkand.textproto:")) << c.text;
  }
  // At the limits: no word about it.
  EXPECT_THAT(Mistakes("state_directory: \"s\" crl_sources { http { urls: "
                       "\"http://a:65535/\" } fetch { parallel: 16 } }"),
              Not(HasSubstr("crl_sources")));
  for (const char* counts :
       {"entries_max: 1000000 values_max: 1000", "entries_max: 1 values_max: 1",
        "entries_max: 0 values_max: 0"}) {
    EXPECT_THAT(
        Mistakes(absl::StrCat("state_directory: \"s\" crl_sources { ldap { "
                              "url: \"ldap://a\" base_dn: \"o=a\" ",
                              counts, " } }")),
        Not(HasSubstr("crl_sources")))
        << counts;
  }
}

TEST_F(ConfigCrlSource, ListsAndDefaultsAreRead) {
  folder_.Write("list", "kyoto\r\n  osaka \n");
  // No profile: the sources are right all the same.
  const std::string mistakes = Mistakes(
      "state_directory: \"s\" crl_sources { http { url_list_file: "
      "\"list\" url_template: \"https://a/{}.crl\" } } crl_sources { "
      "ldap { url: \"ldap://[::1]:389\" base_dn: \"o=a\" } }");
  EXPECT_THAT(mistakes, Not(HasSubstr("crl_sources")));
}

}  // namespace
}  // namespace inkan
