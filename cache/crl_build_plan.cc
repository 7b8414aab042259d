#include "cache/crl_build_plan.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "crypto/der.h"

namespace inkan {

using crl_format::ImageHeader;

namespace {

constexpr int64_t kSecondsPerDay = 86400;
constexpr int64_t kSecondsPerHour = 3600;
constexpr int64_t kSecondsPerMinute = 60;
constexpr int64_t kFirstDay = kTimeMin / kSecondsPerDay;
constexpr int64_t kLastDay = kTimeMax / kSecondsPerDay;
static_assert(kTimeMin % kSecondsPerDay == 0);
// One more: a day may be made to start some hours late.
constexpr size_t kDays = static_cast<size_t>(kLastDay - kFirstDay + 2);

int64_t DayOf(int64_t time) {
  return (time - kTimeMin) / kSecondsPerDay + kFirstDay;
}

constexpr size_t kDayTableBytes = kDays * sizeof(uint32_t);

}  // namespace

void DayTable::Unmap::operator()(uint32_t* days) const {
  munmap(days, kDayTableBytes);
}

DayTable::DayTable() {
  void* const days = mmap(nullptr, kDayTableBytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (days != MAP_FAILED) days_.reset(static_cast<uint32_t*>(days));
}

EntryStatistics::EntryStatistics()
    : first_day_(kFirstDay - 1),
      lowest_day_(kLastDay + 1),
      highest_day_(kFirstDay - 1) {}

void EntryStatistics::Add(const IndexEntry& entry) {
  ++entries_;
  const crl_format::Key key =
      crl_format::KeyOfGuarded(entry.serial, entry.serial_size);
  SegmentStatistics& segment = segments_[crl_format::SegmentOf(key)];
  if (segment.count++ == 0) {
    segment.first = segment.last = key;
  } else if (key < segment.last) {
    segment.in_order = false;
    if (key < segment.first) segment.first = key;
  } else {
    segment.last = key;
  }
  if (entry.revocation.has_invalidity_date) return;
  ++usual_;
  ++reasons_[entry.revocation.reason & (crl_format::kSymbolsMax - 1)];
  const int64_t day = DayOf(entry.revocation.revoked_at);
  const int64_t second = entry.revocation.revoked_at - day * kSecondsPerDay;
  lowest_day_ = std::min(lowest_day_, day);
  highest_day_ = std::max(highest_day_, day);
  hours_[day - first_day_] |=
      1U << static_cast<unsigned>(second / kSecondsPerHour);
  ++minutes_[static_cast<size_t>(second / kSecondsPerMinute)];
}

// The shortest stretch of the day, around midnight if need be, that all but
// `outside_max` entries fall into.
EntryStatistics::Window EntryStatistics::SmallestWindow(
    uint64_t outside_max) const {
  const uint64_t needed = usual_ - std::min(usual_, outside_max);
  Window best;
  uint64_t inside = 0;
  uint64_t end = 0;
  for (uint64_t start = 0; start < kMinutesPerDay; ++start) {
    while (inside < needed && end < start + kMinutesPerDay) {
      inside += minutes_[end++ % kMinutesPerDay];
    }
    if (inside < needed) break;
    if ((end - start) * kSecondsPerMinute < best.size) {
      best = {start * kSecondsPerMinute, (end - start) * kSecondsPerMinute,
              usual_ - inside};
    }
    if (end > start) {
      inside -= minutes_[start];
    } else {
      ++end;
    }
  }
  best.size = std::max<uint64_t>(best.size, 1);
  return best;
}

EntryStatistics::Window EntryStatistics::BestWindow() const {
  // Fewer are not worth a search.
  constexpr uint64_t kUsualMin = 512;
  if (usual_ < kUsualMin) return {};
  Window best;
  double best_bits = 1e300;
  for (const uint64_t share : {uint64_t{0}, uint64_t{4096}, uint64_t{256}}) {
    const Window window = SmallestWindow(share == 0 ? 0 : usual_ / share);
    const double bits =
        static_cast<double>(usual_) *
            std::log2(static_cast<double>(window.size)) +
        static_cast<double>(window.outside) * 8 * crl_format::kExceptionBytes;
    if (bits < best_bits) {
      best_bits = bits;
      best = window;
    }
  }
  return best;
}

// Calls use(day) for each day that occurs if days start `day_start` seconds
// after midnight, in order. `use` may change what RankOf reads of that day, but
// not of later ones.
template <typename Use>
void EntryStatistics::ForEachDay(int64_t day_start, const Use& use) const {
  if (lowest_day_ > highest_day_) return;
  const uint32_t early = (1U << static_cast<unsigned>(day_start / 3600)) - 1;
  uint32_t late_before = 0;
  for (int64_t day = lowest_day_; day <= highest_day_ + 1; ++day) {
    const uint32_t hours = day <= highest_day_ ? hours_[day - first_day_] : 0;
    const bool before = (late_before | (hours & early)) != 0;
    late_before = hours & ~early;
    if (before) use(day - 1);
  }
}

void EntryStatistics::ChooseReasons(uint64_t exceptions,
                                    ImageHeader* header) const {
  std::array<uint64_t, crl_format::kSymbolsMax> counts = reasons_;
  counts[crl_format::kException] = exceptions;
  std::array<uint8_t, crl_format::kSymbolsMax> order;
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<uint8_t>(i);
  std::stable_sort(order.begin(), order.end(),
                   [&](uint8_t a, uint8_t b) { return counts[a] > counts[b]; });
  uint64_t symbols = 0;
  while (symbols < order.size() && counts[order[symbols]] > 0) {
    header->symbol[symbols] = order[symbols];
    ++symbols;
  }
  header->symbols = std::max<uint64_t>(symbols, 1);
  uint64_t best = UINT64_MAX;
  uint64_t left = entries_;
  uint64_t unary = 0;
  for (uint64_t levels = 0; levels < header->symbols; ++levels) {
    const auto tail =
        static_cast<uint64_t>(std::bit_width(header->symbols - levels - 1));
    const uint64_t bits = unary + left * tail;
    if (bits < best) {
      best = bits;
      header->unary_levels = levels;
      header->tail_bits = tail;
    }
    unary += left;
    left -= std::min(left, counts[order[levels]]);
  }
}

void EntryStatistics::ChooseCodings(ImageHeader* header) {
  Window window = BestWindow();
  // A window around midnight: days that start at a full hour before it, so that
  // it is known which days those are.
  int64_t day_start = 0;
  if (window.start + window.size > kSecondsPerDay) {
    day_start =
        static_cast<int64_t>(window.start) / kSecondsPerHour * kSecondsPerHour;
  }
  uint64_t offset = window.start - static_cast<uint64_t>(day_start);
  if (offset + window.size > kSecondsPerDay) {
    window = {};
    day_start = 0;
    offset = 0;
  }
  header->day_start = day_start;
  header->window_offset = offset;
  header->window_size = window.size;
  header->exceptions = entries_ - usual_ + window.outside;
  uint64_t days = 0;
  ForEachDay(day_start, [&](int64_t) { ++days; });
  header->days = days;
  header->code_limit =
      std::max({uint64_t{1}, days * window.size, header->exceptions});
  const crl_format::DateCoding dates =
      crl_format::DateCoding::Best(header->code_limit);
  header->low_bits = dates.low_bits;
  header->group = dates.group;
  ChooseReasons(header->exceptions, header);
}

void EntryStatistics::WriteDays(const ImageHeader& header, uint8_t* days) {
  uint32_t rank = 0;
  ForEachDay(header.day_start, [&](int64_t day) {
    const auto value = static_cast<int32_t>(day);
    std::memcpy(days + size_t{rank} * sizeof(value), &value, sizeof(value));
    // Behind what ForEachDay still reads.
    hours_[day - first_day_] = rank++;
  });
}

}  // namespace inkan
