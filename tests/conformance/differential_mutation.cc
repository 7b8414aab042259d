#include "tests/conformance/differential_mutation.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bench/lab/der_writer.h"
#include "crypto/der.h"

namespace inkan::differential {
namespace {

// The elements inside one constructed element, each whole.
std::vector<std::string> Parts(const std::string& element) {
  std::vector<std::string> parts;
  DerReader outer(AsBytes(element));
  uint8_t tag;
  Bytes contents;
  if (!outer.ReadAny(&tag, &contents)) return parts;
  DerReader reader(contents);
  while (!reader.empty()) {
    const uint8_t* const start = contents.data();
    DerReader before = reader;
    Bytes value;
    if (!reader.ReadAny(&tag, &value)) return parts;
    (void)start;
    Bytes whole;
    if (!before.ReadElement(tag, &whole)) return parts;
    parts.emplace_back(AsText(whole));
  }
  return parts;
}

std::string Join(uint8_t tag, const std::vector<std::string>& parts) {
  std::string contents;
  for (const std::string& part : parts) contents += part;
  return lab::DerElement(tag, contents);
}

void ToggleCriticality(std::string* extension) {
  std::vector<std::string> parts = Parts(*extension);
  if (parts.size() < 2) return;
  if (parts.size() == 3) {
    parts.erase(parts.begin() + 1);
  } else {
    parts.insert(parts.begin() + 1, std::string("\x01\x01\xff", 3));
  }
  *extension = Join(der::kSequence, parts);
}

// Damage to the contents of extnValue, lengths put right.
void ChangeValue(Dice* dice, std::string* extension) {
  std::vector<std::string> parts = Parts(*extension);
  if (parts.size() < 2 || parts.back().size() < 3) return;
  DerReader reader(AsBytes(parts.back()));
  Bytes contents;
  if (!reader.Read(der::kOctetString, &contents) || contents.empty()) return;
  std::string value(AsText(contents));
  if (dice->Percent(60)) {
    FlipOctets(dice, &value);
  } else if (dice->Percent(50)) {
    value.resize(value.size() - 1);
  } else {
    value.push_back('\0');
  }
  parts.back() = lab::DerElement(der::kOctetString, value);
  *extension = Join(der::kSequence, parts);
}

// Works on the extensions, which are the last field of both structures.
void ChangeExtensions(Dice* dice, std::vector<std::string>* fields) {
  if (fields->empty()) return;
  const auto tag = static_cast<uint8_t>(fields->back()[0]);
  if (tag != der::ContextConstructed(0) && tag != der::ContextConstructed(3)) {
    return;
  }
  const std::vector<std::string> wrapper = Parts(fields->back());
  if (wrapper.size() != 1) return;
  std::vector<std::string> extensions = Parts(wrapper[0]);
  if (extensions.empty()) return;
  const size_t i = dice->Below(extensions.size());
  switch (dice->Below(5)) {
    case 0:
      dice->Tell("extension dropped");
      extensions.erase(extensions.begin() + static_cast<ptrdiff_t>(i));
      break;
    case 1:
      dice->Tell("extension twice");
      extensions.push_back(extensions[i]);
      break;
    case 2:
      dice->Tell("criticality changed");
      ToggleCriticality(&extensions[i]);
      break;
    case 3:
      dice->Tell("extensions swapped");
      std::swap(extensions[i], extensions[0]);
      break;
    default:
      dice->Tell("extension value changed");
      ChangeValue(dice, &extensions[i]);
  }
  fields->back() = lab::DerElement(tag, Join(der::kSequence, extensions));
}

void TakeField(Dice* dice, const std::string& other,
               std::vector<std::string>* fields) {
  const std::vector<std::string> whole = Parts(other);
  if (whole.empty()) return;
  const std::vector<std::string> others = Parts(whole[0]);
  const size_t i = dice->Below(fields->size());
  if (i >= others.size()) return;
  dice->Tell(absl::StrCat("field ", i, " of another"));
  (*fields)[i] = others[i];
}

}  // namespace

void FlipOctets(Dice* dice, std::string* bytes) {
  for (size_t n = 1 + dice->Below(2); n > 0; --n) {
    char& octet = (*bytes)[dice->Below(bytes->size())];
    octet =
        static_cast<char>(octet ^ (dice->Percent(70) ? 1 << dice->Below(8)
                                                     : 1 + dice->Below(255)));
  }
}

void Mutate(Dice* dice, const lab::PrivateKey& key, const std::string& other,
            std::string* der) {
  std::vector<std::string> parts = Parts(*der);
  if (parts.size() != 3) return;
  const size_t how = dice->Below(10);
  if (how < 3) {
    dice->Tell("octets changed");
    FlipOctets(dice, der);
    return;
  }
  if (how < 5) {
    dice->Tell("octets changed, signed anew");
    FlipOctets(dice, &parts[0]);
  } else {
    std::vector<std::string> fields = Parts(parts[0]);
    if (fields.empty()) return;
    if (how < 9) {
      ChangeExtensions(dice, &fields);
    } else {
      TakeField(dice, other, &fields);
    }
    parts[0] = Join(der::kSequence, fields);
    if (dice->Unusual(10, "not signed anew")) {
      *der = Join(der::kSequence, parts);
      return;
    }
  }
  lab::DerWriter signature;
  signature.BitString(key.Sign(key.default_algorithm(), parts[0]));
  parts[2] = signature.Take();
  *der = Join(der::kSequence, parts);
}

}  // namespace inkan::differential
