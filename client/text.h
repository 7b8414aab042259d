// Answers as text for people: verdict first, then what it is about and what it
// rests on. Everything that came from outside is made safe for a terminal.
//
// Thread safety: free functions without state. No errors.
#ifndef INKAN_CLIENT_TEXT_H_
#define INKAN_CLIENT_TEXT_H_

#include <string>
#include <string_view>

#include "crypto/bytes.h"
#include "google/protobuf/timestamp.pb.h"
#include "inkan/v1/operations.pb.h"
#include "inkan/v1/verification.pb.h"

namespace inkan {

// `judged_by` names the server, or the files in local mode.
std::string VerdictText(const v1::Verdict& verdict, std::string_view judged_by);

// The names in a certificate's subjectAltName, one line each, with what their
// OIDs mean; empty if it has none or cannot be read.
std::string AlternativeNamesText(Bytes certificate);

std::string StatusText(const v1::GetStatusResponse& status);

std::string ReloadText(const v1::ReloadResponse& reloaded);

// `asked` is what `found` answers.
std::string LookupText(const v1::LookupRevocationRequest& asked,
                       const v1::LookupRevocationResponse& found);

// Control characters, and octets that are not UTF-8, as \xHH.
std::string Printable(std::string_view text);
// "12 (0123456789abcdef)": generation, and the digest's first octets.
std::string SnapshotText(const v1::SnapshotId& snapshot);
// "2026-03-15 14:59:00 UTC".
std::string TimeText(const google::protobuf::Timestamp& time);

}  // namespace inkan

#endif  // INKAN_CLIENT_TEXT_H_
