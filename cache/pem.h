// PEM (RFC 7468) around one large DER value.
#ifndef INKAN_CACHE_PEM_H_
#define INKAN_CACHE_PEM_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "cache/memory_block.h"
#include "crypto/bytes.h"

namespace inkan {

bool LooksLikePem(Bytes contents);

// The octets of the first block with this label, "X509 CRL" for one, of any
// size, decoded in the memory of the text: it never takes more than that.
// kInvalidArgument if there is none, or it is not base64.
absl::StatusOr<MemoryBlock> PemToDer(MemoryBlock text, std::string_view label);

}  // namespace inkan

#endif  // INKAN_CACHE_PEM_H_
