#include "bench/lab/document.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "bench/lab/calendar.h"

namespace inkan::lab {

std::string MakeTaxReturn(std::string_view taxpayer, int64_t filed_at,
                          DeterministicRandom* random) {
  const int64_t salary = random->Between(1'800, 14'000) * 1'000;
  const int64_t business =
      random->Below(4) == 0 ? random->Between(100, 4'000) * 1'000 : 0;
  const int64_t pension = random->Between(100, 1'200) * 1'000;
  const int64_t insurance = random->Between(0, 120) * 1'000;
  const int64_t medical = random->Between(0, 300) * 1'000;
  const int64_t donation = random->Between(0, 80) * 1'000;
  const int64_t deductions = 480'000 + pension + insurance + medical + donation;
  const int64_t taxable =
      std::max<int64_t>(0, (salary + business - deductions) / 1'000 * 1'000);
  const int64_t tax = taxable / 10;
  const int64_t withheld = salary / 14;
  return absl::StrCat(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      "<TaxReturn xmlns=\"urn:inkan:lab:tax-return\" form=\"A\" "
      "version=\"1\">\n"
      "  <Taxpayer><CertificateName>",
      std::string(taxpayer), "</CertificateName><Household>",
      random->Between(1, 6), "</Household></Taxpayer>\n  <FiledAt>",
      Rfc3339Japan(filed_at),
      "</FiledAt>\n"
      "  <Income currency=\"JPY\">\n    <Salary>",
      salary, "</Salary>\n    <Business>", business,
      "</Business>\n    <Interest>0</Interest>\n    <Dividends>0</Dividends>\n"
      "  </Income>\n"
      "  <Deductions currency=\"JPY\">\n    <SocialInsurance>",
      pension, "</SocialInsurance>\n    <LifeInsurance>", insurance,
      "</LifeInsurance>\n    <MedicalExpenses>", medical,
      "</MedicalExpenses>\n    <Donations>", donation,
      "</Donations>\n    <Basic>480000</Basic>\n  </Deductions>\n"
      "  <Tax currency=\"JPY\">\n    <TaxableIncome>",
      taxable, "</TaxableIncome>\n    <IncomeTax>", tax,
      "</IncomeTax>\n    <Withheld>", withheld, "</Withheld>\n    <Balance>",
      tax - withheld,
      "</Balance>\n  </Tax>\n"
      "  <Declaration>This return is invented. No such person exists, nothing "
      "was earned and nothing is owed.</Declaration>\n"
      "</TaxReturn>\n");
}

}  // namespace inkan::lab
