#include "bench/lab/place_names.h"

#include <algorithm>
#include <cctype>
#include <iterator>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "bench/lab/check.h"

namespace inkan::lab {
namespace {

constexpr uint32_t kPrefectures = 47;

constexpr const char* kPrefectureFirst[] = {"Asa",  "Hoshi", "Kaze", "Mizu",
                                            "Yuki", "Sora",  "Nami", "Tsuki"};
constexpr const char* kPrefectureSecond[] = {"kawa", "mori", "nagi",
                                             "tani", "saka", "sato"};
constexpr const char* kTownFirst[] = {
    "Aka",   "Awa",  "Fuji",   "Hana",  "Haru", "Higashi", "Hiro",   "Ishi",
    "Iwa",   "Kami", "Kawa",   "Kita",  "Kuro", "Matsu",   "Midori", "Minami",
    "Nishi", "Oto",  "Sakura", "Shira", "Suzu", "Take",    "Tomi",   "Ume"};
constexpr const char* kTownSecond[] = {
    "bara",  "bashi", "gaoka", "hama", "ike",  "izumi", "kaze",  "kubo",
    "machi", "matsu", "mine",  "mori", "numa", "sawa",  "shima", "take",
    "tani",  "tsuji", "tsuka", "uchi", "ura",  "wada",  "yori",  "zaki"};
constexpr const char* kTownKind[] = {"-shi", "-cho", "-mura", "-ku"};

constexpr const char* kFamilyNames[] = {
    "佐藤", "鈴木", "高橋", "田中", "伊藤",   "渡辺", "山本", "中村",
    "小林", "加藤", "吉田", "山田", "佐々木", "山口", "松本", "井上"};
constexpr const char* kFemaleNames[] = {"花子",   "陽菜", "さくら", "美咲",
                                        "由美子", "恵",   "千代",   "葵"};
constexpr const char* kMaleNames[] = {"太郎", "蓮",   "翔太", "健一",
                                      "誠",   "一郎", "大輔", "湊"};

template <typename Array>
const char* Pick(DeterministicRandom* random, const Array& array) {
  return array[random->Below(std::size(array))];
}

}  // namespace

std::string Municipality::Slug() const {
  return absl::AsciiStrToLower(absl::StrCat(prefecture, "-", name));
}

std::vector<Municipality> InventMunicipalities(uint32_t count) {
  Require(count <= kMunicipalitiesMax, "more municipalities than names");
  const uint32_t prefectures = std::min(kPrefectures, count / 4 + 1);
  constexpr uint32_t kTowns = std::size(kTownFirst) * std::size(kTownSecond);
  std::vector<Municipality> places(count);
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t prefecture = i % prefectures;
    // A step coprime to the number of names walks through all of them, so that
    // neighbours do not sound alike.
    const uint32_t town = (i / prefectures * 145 + prefecture * 7) % kTowns;
    places[i].prefecture = absl::StrCat(
        kPrefectureFirst[prefecture % std::size(kPrefectureFirst)],
        kPrefectureSecond[prefecture / std::size(kPrefectureFirst)], "-ken");
    places[i].name = absl::StrCat(kTownFirst[town / std::size(kTownSecond)],
                                  kTownSecond[town % std::size(kTownSecond)],
                                  kTownKind[i / 3 % std::size(kTownKind)]);
  }
  return places;
}

std::string InventPersonName(DeterministicRandom* random, bool female) {
  const char* family = Pick(random, kFamilyNames);
  const char* given =
      female ? Pick(random, kFemaleNames) : Pick(random, kMaleNames);
  return absl::StrCat(family, "　", given);
}

std::string InventAddress(DeterministicRandom* random,
                          const Municipality& municipality) {
  return absl::StrCat(municipality.prefecture, " ", municipality.name, " ",
                      random->Between(1, 9), "丁目", random->Between(1, 40),
                      "番", random->Between(1, 30), "号");
}

}  // namespace inkan::lab
