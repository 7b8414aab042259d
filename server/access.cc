#include "server/access.h"

#include <algorithm>
#include <utility>

namespace inkan {
namespace {

constexpr std::array<std::string_view, kMethods> kNames = {
    "VerificationService/Verify",       "VerificationService/BatchVerify",
    "VerificationService/StreamVerify", "VerificationService/CheckCertificate",
    "OperationsService/GetStatus",      "OperationsService/LookupRevocation",
    "OperationsService/Reload"};

}  // namespace

std::string_view NameOf(Method method) {
  return kNames[static_cast<size_t>(method)];
}

std::vector<Method> MethodsNamed(std::string_view pattern) {
  std::vector<Method> methods;
  const bool all = pattern.size() > 2 && pattern.ends_with("/*");
  if (all) pattern.remove_suffix(1);
  for (size_t i = 0; i < kMethods; ++i) {
    if (all ? kNames[i].starts_with(pattern) : kNames[i] == pattern) {
      methods.push_back(static_cast<Method>(i));
    }
  }
  return methods;
}

std::string IdentityFault(std::string_view identity) {
  if (identity == kAnonymous || identity == kAnyCertificate) return "";
  for (const std::string_view prefix : {"uri:", "dns:", "subject:"}) {
    if (identity.size() > prefix.size() && identity.starts_with(prefix)) {
      return "";
    }
  }
  return "is no client; write \"uri:...\", \"dns:...\", \"subject:...\", "
         "\"anonymous\", or \"*\" for every client with a certificate";
}

void AccessRules::Allow(Method method, std::string identity) {
  CloseByDefault(method);
  allowed_[static_cast<size_t>(method)]->insert(std::move(identity));
}

void AccessRules::CloseByDefault(Method method) {
  auto& allowed = allowed_[static_cast<size_t>(method)];
  if (!allowed.has_value()) allowed.emplace();
}

bool AccessRules::Allows(Method method, const std::string& identity) const {
  const auto& allowed = allowed_[static_cast<size_t>(method)];
  if (!allowed.has_value()) return true;
  return allowed->contains(identity) ||
         (identity != kAnonymous && allowed->contains(kAnyCertificate));
}

bool AccessRules::open() const {
  return std::none_of(allowed_.begin(), allowed_.end(),
                      [](const auto& allowed) { return allowed.has_value(); });
}

}  // namespace inkan
