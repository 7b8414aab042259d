#include "client/crl_tool.h"

#include <sysexits.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <chrono>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "cache/crl_file.h"
#include "cache/crl_loader.h"
#include "cache/pem.h"
#include "crypto/certificate.h"
#include "crypto/digest.h"
#include "crypto/name.h"

namespace inkan {
namespace {

int ExitCodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kDataLoss:
      return EX_DATAERR;
    case absl::StatusCode::kUnavailable:
      return EX_NOINPUT;
    default:
      return EX_SOFTWARE;
  }
}

int Complain(std::ostream& err, const std::string& file,
             const absl::Status& status) {
  err << "inkan: " << file << ": " << std::string(status.message()) << "\n";
  return ExitCodeOf(status);
}

// Where people read; a line of progress only if it can be rewritten.
struct Console {
  std::ostream& out;
  std::ostream& err;
  bool is_terminal = false;
};

// What long work counts in.
struct ProgressUnit {
  uint64_t size;
  const char* name;
};
constexpr ProgressUnit kMegabytes = {1'000'000, "MB"};
constexpr ProgressUnit kEntries = {1, "entries"};

// One line on the terminal, rewritten a few times a second; elsewhere nothing.
class ProgressLine {
 public:
  ProgressLine(std::string doing, ProgressUnit unit, const Console& console)
      : doing_(std::move(doing)), unit_(unit), console_(console) {}
  ~ProgressLine() {
    if (printed_) console_.err << "\r\x1b[K" << std::flush;
  }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  // `done` starts anew with each round over the same.
  void Show(uint64_t done, uint64_t total) {
    constexpr std::chrono::milliseconds kInterval(200);
    if (done < last_done_) ++round_;
    last_done_ = done;
    const auto now = std::chrono::steady_clock::now();
    if (!console_.is_terminal || now < next_) return;
    next_ = now + kInterval;
    printed_ = true;
    console_.err << absl::StrFormat(
                        "\r\x1b[K%s%s: %d of %d %s", doing_,
                        round_ == 1 ? "" : absl::StrCat(" (", round_, ")"),
                        done / unit_.size, total / unit_.size, unit_.name)
                 << std::flush;
  }

  CrlControl Control() {
    CrlControl control;
    control.progress = [this](uint64_t done, uint64_t total) {
      Show(done, total);
    };
    return control;
  }

 private:
  const std::string doing_;
  const ProgressUnit unit_;
  const Console& console_;
  bool printed_ = false;
  int round_ = 1;
  uint64_t last_done_ = 0;
  std::chrono::steady_clock::time_point next_;
};

absl::StatusOr<std::shared_ptr<const CrlData>> Load(const std::string& path,
                                                    const Console& console) {
  ProgressLine line("reading " + path, kMegabytes, console);
  return CrlLoader(CrlLoaderOptions()).Load(path, path, line.Control());
}

absl::StatusOr<MemoryBlock> ReadWhole(const std::string& path, size_t max) {
  std::ifstream file(path, std::ios::binary);
  std::string contents(max + 1, '\0');
  file.read(contents.data(), static_cast<std::streamsize>(contents.size()));
  contents.resize(
      static_cast<size_t>(std::max<std::streamsize>(0, file.gcount())));
  if (contents.empty()) return absl::UnavailableError("cannot be read");
  if (contents.size() > max) return absl::InvalidArgumentError("too large");
  absl::StatusOr<MemoryBlock> block = MemoryBlock::Allocate(contents.size());
  if (block.ok()) {
    std::copy(contents.begin(), contents.end(), block->data());
  }
  return block;
}

// Whether the CRL is signed with the key of this certificate: the digest of the
// key if it is.
absl::StatusOr<std::string> VerifiedSigner(const CrlData& crl,
                                           const std::string& path) {
  constexpr size_t kCertificateBytesMax = 1 << 20;
  absl::StatusOr<MemoryBlock> der = ReadWhole(path, kCertificateBytesMax);
  if (der.ok() && LooksLikePem(der->bytes())) {
    der = PemToDer(*std::move(der), "CERTIFICATE");
  }
  if (!der.ok()) return der.status();
  Certificate issuer;
  if (const Fault fault = ParseCertificate(der->bytes(), &issuer);
      !fault.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(fault.field, ": ", fault.problem));
  }
  if (CanonicalName(issuer.subject) != crl.canonical_issuer) {
    return absl::InvalidArgumentError(
        absl::StrCat("the CRL is not this CA's but ",
                     NameToText(AsBytes(crl.issuer)), "'s"));
  }
  SignatureJob job;
  job.key = &issuer.key;
  job.algorithm = crl.signature_algorithm;
  job.digest = AsBytes(crl.tbs_digest);
  job.signature = AsBytes(crl.signature);
  VerifyBatch({&job, 1});
  if (job.result != SignatureResult::kValid) {
    return absl::InvalidArgumentError(
        "the CRL's signature does not verify with this certificate's key");
  }
  const auto digest = Sha256(issuer.key.spki);
  return std::string(AsText(Bytes(digest)));
}

bool EndsWith(const std::string& text, const std::string& end) {
  return text.size() > end.size() &&
         text.compare(text.size() - end.size(), end.size(), end) == 0;
}

int Build(const CrlToolFlags& flags, const Console& console) {
  std::ostream& err = console.err;
  if (!EndsWith(flags.out, kCompiledCrlSuffix)) {
    err << "inkan: " << flags.out
        << ": a compiled CRL is known by a name that ends in .crlx\n";
    return EX_USAGE;
  }
  auto crl = Load(flags.in, console);
  if (!crl.ok()) return Complain(err, flags.in, crl.status());
  CrlData compiled = **crl;
  if (!flags.issuer.empty()) {
    absl::StatusOr<std::string> signer = VerifiedSigner(compiled, flags.issuer);
    if (!signer.ok()) return Complain(err, flags.issuer, signer.status());
    compiled.signer_key_sha256 = *std::move(signer);
  } else {
    err << "inkan: the signature has not been verified (no --issuer); a server "
           "verifies it when it loads the file\n";
  }
  const absl::Status written = [&] {
    ProgressLine line("writing " + flags.out, kMegabytes, console);
    return WriteCompiledCrl(compiled, {}, flags.out, line.Control());
  }();
  if (!written.ok()) {
    err << "inkan: " << flags.out << ": " << std::string(written.message())
        << "\n";
    return EX_IOERR;
  }
  console.out << absl::StrFormat(
      "%s: %d entries, %.2f octets each\n", flags.out, compiled.entries(),
      static_cast<double>(compiled.memory_bytes()) /
          static_cast<double>(std::max<size_t>(1, compiled.entries())));
  return EX_OK;
}

std::string TimeToText(int64_t time) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%S UTC", absl::FromUnixSeconds(time),
                          absl::UTCTimeZone());
}

std::string Hex(const std::string& octets) {
  return absl::BytesToHexString(octets);
}

// Entries by month of revocation and by reason.
class Histogram {
 public:
  void Add(const Revocation& entry) {
    const absl::CivilMonth month = absl::ToCivilMonth(
        absl::FromUnixSeconds(entry.revoked_at), absl::UTCTimeZone());
    auto& reasons = months_[month];
    const size_t reason = std::min<size_t>(entry.reason, reasons.size() - 1);
    ++reasons[reason];
    ++totals_[reason];
  }

  void Print(std::ostream& out) const {
    out << "  by month   ";
    ForEachReason([&](size_t reason) {
      out << absl::StrFormat(" %20s", ReasonName(static_cast<uint8_t>(reason)));
    });
    out << "\n";
    for (const auto& [month, reasons] : months_) {
      out << absl::StrFormat("  %04d-%02d    ", month.year(), month.month());
      ForEachReason([&, &counts = reasons](size_t reason) {
        out << absl::StrFormat(" %20d", counts[reason]);
      });
      out << "\n";
    }
    out << "  all        ";
    ForEachReason([&](size_t reason) {
      out << absl::StrFormat(" %20d", totals_[reason]);
    });
    out << "\n";
  }

 private:
  using Counts = std::array<uint64_t, crl_reason::kMax + 1>;

  template <typename Use>
  void ForEachReason(const Use& use) const {
    for (size_t reason = 0; reason < totals_.size(); ++reason) {
      if (totals_[reason] > 0) use(reason);
    }
  }

  std::map<absl::CivilMonth, Counts> months_;
  Counts totals_ = {};
};

int Inspect(const CrlToolFlags& flags, const Console& console) {
  std::ostream& out = console.out;
  auto loaded = Load(flags.in, console);
  if (!loaded.ok()) return Complain(console.err, flags.in, loaded.status());
  const CrlData& crl = **loaded;
  out << "issuer         " << NameToText(AsBytes(crl.issuer)) << "\n"
      << "scope          " << crl.scope_text << "\n"
      << "number         "
      << (crl.crl_number.empty() ? "none" : "0x" + Hex(crl.crl_number)) << "\n";
  if (crl.is_delta) {
    out << "delta to       0x" << Hex(crl.base_crl_number) << "\n";
  }
  out << "thisUpdate     " << TimeToText(crl.this_update) << "\n"
      << "nextUpdate     "
      << (crl.has_next_update ? TimeToText(crl.next_update) : "none") << "\n"
      << "SHA-256        " << Hex(std::string(AsText(Bytes(crl.sha256))))
      << "\n";
  if (!crl.signer_key_sha256.empty()) {
    out << "signer's key   " << Hex(crl.signer_key_sha256)
        << " (SHA-256, as verified when it was compiled)\n";
  }
  out << absl::StrFormat(
      "entries        %d, %.2f octets each\n", crl.entries(),
      static_cast<double>(crl.memory_bytes()) /
          static_cast<double>(std::max<size_t>(1, crl.entries())));
  Histogram histogram;
  uint64_t counted = 0;
  ProgressLine progress("counting " + flags.in, kEntries, console);
  const auto describe = [&](const CrlIndex& index) {
    for (const std::string& line : index.Describe()) {
      out << "  " << line << "\n";
    }
    index.ForEach([&](Bytes, const Revocation& entry) {
      constexpr uint64_t kShownEvery = uint64_t{1} << 16;
      if (counted++ % kShownEvery == 0) progress.Show(counted, crl.entries());
      histogram.Add(entry);
    });
  };
  describe(crl.index);
  for (const auto& [issuer, index] : crl.indirect) {
    out << "  of another issuer:\n";
    describe(index);
  }
  if (crl.entries() > 0) histogram.Print(out);
  out.flush();
  return out.good() ? EX_OK : EX_IOERR;
}

// Says whether the CRL lists the serial.
bool LookUp(const CrlData& crl, const std::string& serial, std::ostream& out) {
  bool listed = false;
  const auto look_in = [&](const CrlIndex& index, const char* whose) {
    Revocation entry;
    if (!index.Find(AsBytes(serial), &entry)) return;
    listed = true;
    out << "0x" << Hex(serial) << ": listed" << whose << ": "
        << ReasonName(entry.reason) << ", revoked "
        << TimeToText(entry.revoked_at);
    if (entry.has_invalidity_date) {
      out << ", invalid since " << TimeToText(entry.invalidity_date);
    }
    out << "\n";
  };
  look_in(crl.index, "");
  for (const auto& [issuer, index] : crl.indirect) {
    look_in(index, " for another issuer's certificate");
  }
  if (!listed) out << "0x" << Hex(serial) << ": not listed\n";
  return listed;
}

int Lookup(const CrlToolFlags& flags, const Console& console) {
  std::ostream& out = console.out;
  std::ostream& err = console.err;
  const auto readings = SerialReadings(flags.serial, flags.decimal);
  if (!readings.ok()) {
    err << "inkan: " << std::string(readings.status().message()) << "\n";
    return EX_USAGE;
  }
  auto loaded = Load(flags.in, console);
  if (!loaded.ok()) return Complain(err, flags.in, loaded.status());
  if (readings->size() > 1) {
    err << "inkan: " << flags.serial << " may be any of " << readings->size()
        << " numbers, and each was looked up; write 0x in front if it is "
           "hexadecimal, as Inkan prints serials, or say --decimal\n";
  }
  bool listed = false;
  for (const std::string& serial : *readings) {
    listed = LookUp(**loaded, serial, out) || listed;
  }
  out.flush();
  if (!out.good()) return EX_IOERR;
  return listed ? 1 : 0;
}

// The contents of the DER INTEGER with these digits; none if they are no number
// or too many.
std::optional<std::string> NumberFrom(const std::string& digits,
                                      unsigned base) {
  // 21 octets take 51 decimal digits; leading zeros are nobody's need.
  constexpr size_t kDigitsMax = 64;
  if (digits.empty() || digits.size() > kDigitsMax) return std::nullopt;
  std::array<uint8_t, 33> value = {};  // big-endian
  for (const char c : digits) {
    const auto octet = static_cast<unsigned char>(c);
    if (std::isxdigit(octet) == 0) return std::nullopt;
    unsigned carry =
        std::isdigit(octet) != 0
            ? static_cast<unsigned>(c - '0')
            : static_cast<unsigned>(std::tolower(octet) - 'a' + 10);
    if (carry >= base) return std::nullopt;
    for (size_t i = value.size(); i-- > 0;) {
      carry += value[i] * base;
      value[i] = static_cast<uint8_t>(carry & 0xff);
      carry >>= 8;
    }
  }
  size_t start = 0;
  while (start + 1 < value.size() && value[start] == 0 &&
         (value[start + 1] & 0x80) == 0) {
    ++start;
  }
  if (value.size() - start > kSerialBytesMax) return std::nullopt;
  return std::string(value.begin() + static_cast<ptrdiff_t>(start),
                     value.end());
}

}  // namespace

absl::StatusOr<std::vector<std::string>> SerialReadings(const std::string& text,
                                                        bool decimal) {
  const bool says_hex =
      text.find_first_of("abcdefABCDEFxX:") != std::string::npos;
  std::string digits = text;
  if (digits.size() > 2 && digits[0] == '0' &&
      (digits[1] == 'x' || digits[1] == 'X')) {
    digits.erase(0, 2);
  }
  digits.erase(std::remove(digits.begin(), digits.end(), ':'), digits.end());
  std::vector<std::string> readings;
  const auto add = [&readings](std::string serial) {
    if (std::find(readings.begin(), readings.end(), serial) == readings.end()) {
      readings.push_back(std::move(serial));
    }
  };
  if (!says_hex) {
    if (auto number = NumberFrom(digits, 10)) add(*std::move(number));
  }
  if (!decimal) {
    if (auto number = NumberFrom(digits, 16)) {
      const bool signed_too = number->size() > 1 && (*number)[0] == '\0';
      if (signed_too) add(number->substr(1));
      add(*std::move(number));
    }
  }
  if (!readings.empty()) return readings;
  return absl::InvalidArgumentError(absl::StrCat(
      "SERIAL: \"", absl::CHexEscape(text), "\" is no ",
      decimal ? "decimal number" : "serial number",
      "; write it in hexadecimal with 0x in front, as Inkan prints serials, or "
      "in decimal with --decimal, up to 21 octets"));
}

const char* ReasonName(uint8_t reason) {
  static constexpr const char* kNames[] = {
      "unspecified",        "keyCompromise", "cACompromise",
      "affiliationChanged", "superseded",    "cessationOfOperation",
      "certificateHold",    "reserved",      "removeFromCRL",
      "privilegeWithdrawn", "aACompromise"};
  return reason < std::size(kNames) ? kNames[reason] : "reserved";
}

void AddCrlCommand(CLI::App* app, CrlToolFlags* flags) {
  flags->command =
      app->add_subcommand("crl", "Compile a CRL, or show what is in one");
  flags->command->require_subcommand(1);
  flags->build = flags->command->add_subcommand(
      "build", "Compile a CRL into an index that a server maps");
  flags->build->add_option("IN", flags->in, "CRL, DER or PEM")->required();
  flags->build->add_option("OUT", flags->out, "File to write, *.crlx")
      ->required();
  flags->build->add_option("--issuer", flags->issuer,
                           "Certificate whose key must have signed the CRL");
  flags->inspect = flags->command->add_subcommand(
      "inspect", "Number, dates, entries, encodings, entries by month");
  flags->inspect->add_option("FILE", flags->in, "CRL, or *.crlx")->required();
  flags->lookup = flags->command->add_subcommand(
      "lookup", "Exit code 1 if the serial is listed, 0 if it is not");
  flags->lookup->add_option("FILE", flags->in, "CRL, or *.crlx")->required();
  flags->lookup
      ->add_option("SERIAL", flags->serial,
                   "Hexadecimal: 0x1f, 1f, 1F:20; digits alone are looked up "
                   "as decimal, too")
      ->required();
  flags->lookup->add_flag("--decimal", flags->decimal,
                          "SERIAL is decimal and nothing else");
}

int RunCrlCommand(const CrlToolFlags& flags, std::ostream& out,
                  std::ostream& err, bool is_terminal) {
  const Console console = {out, err, is_terminal};
  if (flags.build->parsed()) return Build(flags, console);
  if (flags.inspect->parsed()) return Inspect(flags, console);
  return Lookup(flags, console);
}

}  // namespace inkan
