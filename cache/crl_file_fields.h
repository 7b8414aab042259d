// The header and the fields of a compiled CRL. Private to cache/crl_file.cc.
#ifndef INKAN_CACHE_CRL_FILE_FIELDS_H_
#define INKAN_CACHE_CRL_FILE_FIELDS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "cache/crl_data.h"
#include "cache/crl_file.h"
#include "crypto/bytes.h"

namespace inkan::crl_file {

inline constexpr uint64_t kMagic = 0x0a0d'584c'5243'4b49U;  // "IKCRLX\r\n"
inline constexpr uint32_t kByteOrder = 0x01020304;
inline constexpr uint64_t kAlignment = 64;

struct FileHeader {
  uint64_t magic = kMagic;
  uint32_t version = kCompiledCrlVersion;
  uint32_t byte_order = kByteOrder;
  uint64_t file_bytes = 0;
  uint8_t checksum[32] = {};  // SHA-256 of the file with zeros here
  uint64_t fields_bytes = 0;
  uint64_t images = 0;
};
static_assert(sizeof(FileHeader) == 72);
static_assert(offsetof(FileHeader, checksum) == kCompiledCrlChecksumOffset);

// After the fields, one for each image.
struct ImagePlace {
  uint64_t offset;
  uint64_t bytes;
};

std::string WriteFields(const CrlData& crl, const CrlOrigin& origin,
                        const std::vector<std::string>& issuers);
// Whether the names among the fields are prepared by the Unicode data in use.
// What was made by others is not comparable, and is rebuilt.
bool HasOurUnicode(Bytes fields);
// False if they are not exactly what WriteFields writes.
bool ReadFields(Bytes fields, CrlData* crl, CrlOrigin* origin,
                std::vector<std::string>* issuers);

}  // namespace inkan::crl_file

#endif  // INKAN_CACHE_CRL_FILE_FIELDS_H_
