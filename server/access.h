// Which clients may call which methods.
//
//   AccessRules rules;                       // everything open
//   rules.Allow(Method::kReload, "uri:spiffe://agency.example/operator");
//   if (!rules.Allows(Method::kReload, client)) refuse;
//
// Thread safety: a value; const methods from any thread.
#ifndef INKAN_SERVER_ACCESS_H_
#define INKAN_SERVER_ACCESS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"

namespace inkan {

// The identity of all clients that presented no certificate.
inline constexpr char kAnonymous[] = "anonymous";
// In rules: every client that presented one.
inline constexpr char kAnyCertificate[] = "*";

enum class Method : uint8_t {
  kVerify,
  kBatchVerify,
  kStreamVerify,
  kCheckCertificate,
  kGetStatus,
  kLookupRevocation,
  kReload,
};
inline constexpr size_t kMethods = 7;

// "VerificationService/Verify".
std::string_view NameOf(Method method);
// The methods a rule's "Service/Method" or "Service/*" means; none if it means
// nothing.
std::vector<Method> MethodsNamed(std::string_view pattern);
// Empty if `identity` is one a client can have, or "*"; else what is wrong.
std::string IdentityFault(std::string_view identity);

class AccessRules {
 public:
  // From the first rule on, nobody else may call the method.
  void Allow(Method method, std::string identity);
  // Closes a method that no rule names.
  void CloseByDefault(Method method);
  bool Allows(Method method, const std::string& identity) const;
  bool open() const;

  friend bool operator==(const AccessRules&, const AccessRules&) = default;

 private:
  // Absent: open to all.
  std::array<std::optional<absl::flat_hash_set<std::string>>, kMethods>
      allowed_;
};

}  // namespace inkan

#endif  // INKAN_SERVER_ACCESS_H_
