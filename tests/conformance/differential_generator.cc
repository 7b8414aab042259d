// A random path with its CRLs, signed, and perhaps damaged.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "tests/conformance/differential_case.h"
#include "tests/conformance/differential_crls.h"
#include "tests/conformance/differential_mutation.h"
#include "tests/conformance/differential_path.h"

namespace inkan {
namespace {

using differential::Dice;
using differential::Mood;

void ChooseInputs(Dice* dice, DifferentialCase* c) {
  for (const char* policy : {"1.3.6.1.4.1.99999.1", "1.3.6.1.4.1.99999.2"}) {
    if (dice->Percent(25)) c->initial_policies.push_back(policy);
  }
  c->require_explicit_policy = dice->Percent(25);
  c->inhibit_policy_mapping = dice->Percent(10);
  c->inhibit_any_policy = dice->Percent(10);
}

void Damage(Dice* dice, const differential::PathPlan& plan,
            const std::vector<differential::SignedCrl>& crls,
            DifferentialCase* c) {
  const size_t below = plan.nodes.size() - 1;
  const size_t target = dice->Below(below + crls.size());
  if (target >= below) {
    const size_t i = target - below;
    dice->Tell(absl::StrCat("damaged CRL ", i));
    differential::Mutate(dice, *crls[i].key,
                         c->crls[(target + 1) % crls.size()], &c->crls[i]);
    return;
  }
  dice->Tell(absl::StrCat("damaged certificate ", target + 1));
  std::string* const der =
      target + 1 == below ? &c->leaf : &c->intermediates[target];
  differential::Mutate(dice, *plan.nodes[target].key,
                       target == 0 ? c->anchor : c->intermediates[target - 1],
                       der);
}

}  // namespace

DifferentialCase MakeDifferentialCase(uint64_t seed, uint64_t number) {
  Dice dice(seed, number);
  DifferentialCase c;
  c.seed = seed;
  c.number = number;
  const size_t kind = dice.Below(10);
  const Mood mood = {.policies = kind < 3,
                     .names = kind == 3 || kind == 4,
                     .plain = kind == 5 || kind == 6};
  differential::PathPlan plan = differential::PlanPath(&dice, mood);
  c.time = plan.time;
  if (mood.policies) ChooseInputs(&dice, &c);
  std::vector<std::string> more;
  const auto crls = differential::MakeCrls(&dice, mood, &plan, &more);
  for (size_t i = 0; i < plan.nodes.size(); ++i) {
    const auto& issuer = plan.nodes[i == 0 ? 0 : i - 1];
    std::string der = plan.nodes[i].builder.Sign(*issuer.key);
    if (i == 0) {
      c.anchor = std::move(der);
    } else if (i + 1 == plan.nodes.size()) {
      c.leaf = std::move(der);
    } else {
      c.intermediates.push_back(std::move(der));
    }
  }
  for (const auto& crl : crls) c.crls.push_back(crl.der);
  if (dice.Percent(25)) Damage(&dice, plan, crls, &c);
  c.intermediates.insert(c.intermediates.end(), more.begin(), more.end());
  if (plan.nodes.size() > 2 && dice.Unusual(4, "another generation")) {
    c.intermediates.insert(c.intermediates.begin(),
                           OtherGeneration(plan, 1, differential::PoolKey(14))
                               .Sign(*plan.nodes[0].key));
  }
  c.story = dice.story();
  return c;
}

}  // namespace inkan
