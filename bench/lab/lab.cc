#include "bench/lab/lab.h"

#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <set>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "bench/lab/authority.h"
#include "bench/lab/corpus.h"
#include "bench/lab/crl_publisher.h"
#include "bench/lab/files.h"
#include "bench/lab/filing_plan.h"
#include "bench/lab/lab_texts.h"
#include "bench/lab/parallel.h"
#include "bench/lab/population.h"
#include "bench/lab/prime_pool.h"
#include "bench/lab/progress.h"

namespace inkan::lab {
namespace {

namespace fs = std::filesystem;

// The newest root must exist and the oldest tables still hold.
constexpr int kFirstYear = 2024;
constexpr int kLastYear = 2032;
// A fifth of the serials that the smaller CA had given out by then.
constexpr uint64_t kCrlEntriesMax = 20'000'000;

absl::Status CheckOptions(const LabOptions& options) {
  const auto refuse = [](const auto&... parts) {
    return absl::InvalidArgumentError(absl::StrCat(parts...));
  };
  if (options.out.empty()) return refuse("--out must name a folder");
  if (options.citizens < kCitizensMin) {
    return refuse("--citizens ", options.citizens, " is too few: at least ",
                  kCitizensMin, ", so that every kind of filing has someone");
  }
  if (options.municipalities < kMunicipalitiesMin ||
      options.municipalities > kMunicipalitiesMax) {
    return refuse("--municipalities ", options.municipalities, " must be from ",
                  kMunicipalitiesMin, " to ", kMunicipalitiesMax);
  }
  if (options.filings < 1) return refuse("--filings must be at least 1");
  if (options.crl_entries > kCrlEntriesMax) {
    return refuse("--crl-entries ", options.crl_entries, " must be at most ",
                  kCrlEntriesMax, "; inkan-lab crl makes a larger CRL");
  }
  const int year = DateInJapan(options.now).year;
  if (year < kFirstYear || year > kLastYear) {
    return refuse("--now must lie from ", kFirstYear, " to ", kLastYear,
                  ", while all three CA generations exist and one issues");
  }
  return absl::OkStatus();
}

// Whether a lab was made in this folder: all others keep what they have.
bool HoldsLab(const fs::path& folder) {
  std::ifstream readme(folder / "README.txt");
  std::string title;
  return std::getline(readme, title) && title == kReadmeTitle;
}

// Makes room for a lab; a lab that is there already goes only with --force, and
// nothing but a lab's own files ever goes.
absl::Status PrepareFolder(const LabOptions& options) {
  std::error_code error;
  const fs::path out = options.out;
  fs::create_directories(out, error);
  if (error) {
    return absl::UnavailableError(absl::StrCat(
        "cannot make folder ", options.out, ": ", error.message()));
  }
  const bool empty = fs::is_empty(out, error);
  if (!empty && !HoldsLab(out)) {
    return absl::FailedPreconditionError(
        absl::StrCat(options.out,
                     " is not empty, and its README.txt is not that of a lab: "
                     "give --out a new folder, or empty this one yourself"));
  }
  if (!empty && !options.force) {
    return absl::FailedPreconditionError(absl::StrCat(
        options.out, " is not empty; say --force to replace the lab in it"));
  }
  // First, so that a lab that was not finished is still known as one.
  const absl::Status named =
      WriteFile((out / "README.txt").string(),
                absl::StrCat(kReadmeTitle, "\n(not finished)\n"));
  if (!named.ok()) return named;
  for (const char* name : {"anchors", "crls", "samples"}) {
    fs::remove_all(out / name, error);
    if (error) {
      return absl::UnavailableError(absl::StrCat(
          "cannot remove ", (out / name).string(), ": ", error.message()));
    }
    fs::create_directories(out / name, error);
  }
  return absl::OkStatus();
}

absl::Status WriteAnchors(const LabOptions& options,
                          const Authorities& authorities) {
  for (const Authority& ca : authorities.all()) {
    absl::Status status =
        WriteFile(absl::StrCat(options.out, "/anchors/", ca.file_stem, ".cer"),
                  ca.certificate);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status WriteCrls(const LabOptions& options, const Population& population,
                       const std::vector<CrlPlan>& plans,
                       const std::vector<Municipality>& places) {
  Progress progress("CRLs", plans.size(), options.quiet);
  std::mutex mutex;
  absl::Status first_error;
  ParallelFor(plans.size(), options.threads, [&](uint64_t i) {
    const CrlBuilder crl =
        BuildCrl(plans[i], places,
                 InventStrangers(plans[i], population, options.crl_entries,
                                 options.seed));
    const absl::Status status =
        crl.WriteFile(absl::StrCat(options.out, "/crls/", plans[i].file_name),
                      plans[i].ca->key);
    progress.Add();
    const std::lock_guard<std::mutex> lock(mutex);
    first_error.Update(status);
  });
  progress.Done();
  return first_error;
}

absl::Status WriteSample(const LabOptions& options,
                         const lab::v1::CorpusEntry& entry) {
  const std::string folder =
      absl::StrCat(options.out, "/samples/", entry.truth().kind(), "/");
  const api::Filing& filing = entry.filing();
  absl::Status status =
      WriteFile(folder + "certificate.cer", filing.certificate());
  status.Update(WriteFile(folder + "signature.bin", filing.signature()));
  status.Update(filing.has_document()
                    ? WriteFile(folder + "document.xml", filing.document())
                    : WriteFile(folder + "digest.hex",
                                absl::BytesToHexString(filing.digest())));
  status.Update(WriteFile(folder + "about.txt", SampleText(entry)));
  return status;
}

absl::Status WriteCorpus(const LabOptions& options,
                         const std::vector<std::string>& entries) {
  const std::string path = options.out + "/corpus.binpb";
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  std::set<std::string> sampled;
  std::string framed;
  for (const std::string& bytes : entries) {
    framed.clear();
    AppendDelimited(bytes, &framed);
    out.write(framed.data(), static_cast<std::streamsize>(framed.size()));
    lab::v1::CorpusEntry entry;
    if (sampled.size() == AllKinds().size()) continue;
    if (entry.ParseFromString(bytes) &&
        sampled.insert(entry.truth().kind()).second) {
      absl::Status status = WriteSample(options, entry);
      if (!status.ok()) return status;
    }
  }
  out.close();
  if (!out) return absl::UnavailableError(absl::StrCat("cannot write ", path));
  return absl::OkStatus();
}

absl::Status WriteTexts(const LabOptions& options, const LabClock& clock,
                        const Authorities& authorities,
                        const LabCounts& counts) {
  absl::Status status = WriteFile(options.out + "/inkand.textproto",
                                  ConfigText(options, authorities));
  status.Update(WriteFile(options.out + "/README.txt",
                          ReadmeText(options, counts, clock)));
  return status;
}

}  // namespace

absl::Status InitLab(const LabOptions& options) {
  if (absl::Status s = CheckOptions(options); !s.ok()) return s;
  if (absl::Status s = PrepareFolder(options); !s.ok()) return s;
  const LabClock clock(options.now);
  const std::vector<Municipality> places =
      InventMunicipalities(options.municipalities);

  Progress lives("citizens' lives", options.citizens, options.quiet);
  const Authorities authorities(options.seed, options.threads);
  Population population = SimulatePopulation({.seed = options.seed,
                                              .citizens = options.citizens,
                                              .clock = clock,
                                              .threads = options.threads,
                                              .municipalities = &places});
  lives.Done();
  LabCounts counts = {.certificates = population.certificates.size()};

  const std::vector<CrlPlan> crls =
      PlanCrls(authorities, population, places, clock);
  counts.crls = crls.size();
  for (const CrlPlan& crl : crls) counts.revoked += crl.revoked.size();
  if (absl::Status s = WriteAnchors(options, authorities); !s.ok()) return s;
  if (absl::Status s = WriteCrls(options, population, crls, places); !s.ok())
    return s;

  absl::StatusOr<std::vector<PlannedFiling>> plan =
      PlanFilings(options.seed, options.filings, clock, &population);
  if (!plan.ok()) return plan.status();
  const uint64_t keys_needed = KeysNeeded(*plan);
  Progress primes("RSA keys", keys_needed, options.quiet);
  const PrimePool keys(options.seed, keys_needed, options.threads);
  primes.Done();
  Progress progress("filings", options.filings, options.quiet);
  const std::vector<std::string> entries =
      MakeCorpus({.seed = options.seed,
                  .threads = options.threads,
                  .authorities = &authorities,
                  .population = &population,
                  .places = &places},
                 *plan, keys, [&] { progress.Add(); });
  progress.Done();
  if (absl::Status s = WriteCorpus(options, entries); !s.ok()) return s;
  return WriteTexts(options, clock, authorities, counts);
}

}  // namespace inkan::lab
