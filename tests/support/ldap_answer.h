// What a directory answers to the first request of a connection, octet by octet
// (RFC 4511), well-formed or of bad will:
//
//   c.Send(LdapEntry("cn=a", {{"certificateRevocationList;binary", {der}}}) +
//          LdapResult());
#ifndef INKAN_TESTS_SUPPORT_LDAP_ANSWER_H_
#define INKAN_TESTS_SUPPORT_LDAP_ANSWER_H_

#include <string>
#include <utility>
#include <vector>

namespace inkan::testing_world {

// One element of BER, of less than 65,536 octets.
inline std::string Ber(char tag, const std::string& contents) {
  std::string element(1, tag);
  if (contents.size() >= 128) {
    element += '\x82';
    element += static_cast<char>(contents.size() >> 8);
  }
  return element + static_cast<char>(contents.size() & 0xff) + contents;
}

using LdapAttributes =
    std::vector<std::pair<std::string, std::vector<std::string>>>;

inline std::string LdapEntry(const std::string& dn,
                             const LdapAttributes& attributes) {
  std::string list;
  for (const auto& [name, values] : attributes) {
    std::string set;
    for (const std::string& value : values) set += Ber(4, value);
    list += Ber(0x30, Ber(4, name) + Ber(0x31, set));
  }
  return Ber(0x30, Ber(2, "\x01") + Ber(0x64, Ber(4, dn) + Ber(0x30, list)));
}

// The end of a search; 0 is success.
inline std::string LdapResult(char code = 0, const std::string& said = "") {
  const std::string contents =
      Ber(10, std::string(1, code)) + Ber(4, "") + Ber(4, said);
  return Ber(0x30, Ber(2, "\x01") + Ber(0x65, contents));
}

}  // namespace inkan::testing_world

#endif  // INKAN_TESTS_SUPPORT_LDAP_ANSWER_H_
