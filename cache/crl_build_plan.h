// What the first reading of a CRL's entries finds out, and the codings chosen
// from it. Private to the building of an index.
#ifndef INKAN_CACHE_CRL_BUILD_PLAN_H_
#define INKAN_CACHE_CRL_BUILD_PLAN_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "cache/crl_entries.h"
#include "cache/crl_index_format.h"

namespace inkan {

// One group of serials of like size.
struct SegmentStatistics {
  uint64_t count = 0;
  crl_format::Key first;
  crl_format::Key last;
  bool in_order = true;  // ascending, perhaps with equal neighbours
};

// A number for each day that a CRL can name, from kTimeMin to kTimeMax, all
// zero at first. Of the system's pages only those touched cost anything:
// clearing 15 MB took a small CRL longer than all else.
class DayTable {
 public:
  DayTable();

  // False if there is no memory for it.
  bool ok() const { return days_ != nullptr; }
  uint32_t& operator[](int64_t day) { return days_.get()[day]; }
  uint32_t operator[](int64_t day) const { return days_.get()[day]; }

 private:
  struct Unmap {
    void operator()(uint32_t* days) const;
  };
  std::unique_ptr<uint32_t, Unmap> days_;
};

class EntryStatistics {
 public:
  EntryStatistics();

  // False if there is no memory for it.
  bool ok() const { return hours_.ok(); }
  void Add(const IndexEntry& entry);

  uint64_t entries() const { return entries_; }
  const std::array<SegmentStatistics, crl_format::kSegments>& segments() const {
    return segments_;
  }

  // Fills in how dates and reasons are coded; days and exceptions are at least
  // as many as there can be.
  void ChooseCodings(crl_format::ImageHeader* header);
  // Writes the days that occur, as many as the header says. Then RankOf works.
  void WriteDays(const crl_format::ImageHeader& header, uint8_t* days);
  uint32_t RankOf(int64_t day) const { return hours_[day - first_day_]; }

 private:
  // A stretch of the day in seconds, whole minutes.
  struct Window {
    uint64_t start = 0;
    uint64_t size = 86400;
    uint64_t outside = 0;
  };

  Window BestWindow() const;
  Window SmallestWindow(uint64_t outside_max) const;
  void ChooseReasons(uint64_t exceptions,
                     crl_format::ImageHeader* header) const;
  template <typename Use>
  void ForEachDay(int64_t day_start, const Use& use) const;

  uint64_t entries_ = 0;
  std::array<SegmentStatistics, crl_format::kSegments> segments_;
  // Entries without invalidityDate alone: those with one are exceptions.
  uint64_t usual_ = 0;
  std::array<uint64_t, crl_format::kSymbolsMax> reasons_ = {};
  int64_t first_day_;
  // By day since kTimeMin: the hours that occur, one bit each; later the rank.
  DayTable hours_;
  int64_t lowest_day_;
  int64_t highest_day_;
  // Entries by minute of the day: seconds would not fit the first cache.
  static constexpr size_t kMinutesPerDay = 1440;
  std::array<uint32_t, kMinutesPerDay> minutes_ = {};
};

}  // namespace inkan

#endif  // INKAN_CACHE_CRL_BUILD_PLAN_H_
