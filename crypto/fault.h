// What is wrong with a piece of input, and where: two static strings.
//
// A parser returns a Fault; a default-made one means "nothing wrong". It is two
// pointers wide and never allocates, so that refusing hostile input costs no
// more than accepting good input. The words are for people and may change.
#ifndef INKAN_CRYPTO_FAULT_H_
#define INKAN_CRYPTO_FAULT_H_

namespace inkan {

struct [[nodiscard]] Fault {
  // The field, in the standard's spelling, e.g. "tbsCertificate.validity".
  const char* field = nullptr;
  // What is wrong with it, e.g. "not a DER time".
  const char* problem = nullptr;

  bool ok() const { return field == nullptr; }
};

}  // namespace inkan

#endif  // INKAN_CRYPTO_FAULT_H_
