// Which CRL speaks about a certificate, and what it says at time T. The first
// table is the one of docs/ARCHITECTURE.md, "Revocation at time T".
#include "cache/crl_store.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "crypto/crl.h"
#include "crypto/name.h"
#include "gmock/gmock.h"
#include "tests/support/lab_world.h"
#include "tests/support/temp_folder.h"

namespace inkan {
namespace {

using lab::CrlBuilder;
using lab::Reason;
using lab::UtcSeconds;
using testing_world::CaDer;
using testing_world::CaName;
using testing_world::CrlFor;
using testing_world::KeyOf;
using testing_world::LeafBuilder;
using testing_world::OwnedLeaf;
using testing_world::Read;
using testing_world::Revoked;
using testing_world::TempFolder;
namespace extension = lab::extension;

constexpr auto kUnknown = RevocationStatus::kUnknown;
constexpr auto kGood = RevocationStatus::kGood;
constexpr auto kRevoked = RevocationStatus::kRevoked;
constexpr auto kOnHold = RevocationStatus::kOnHold;
constexpr auto kLater = RevocationStatus::kRevokedLater;

// The CRLs' thisUpdate and nextUpdate, and a time between.
const int64_t kIssued = UtcSeconds(2026, 3, 15);
const int64_t kNow = UtcSeconds(2026, 3, 16);
const int64_t kNext = UtcSeconds(2026, 3, 17);
constexpr int64_t kDay = 86400;

// One profile with its paths and CRLs.
struct World {
  Profile profile;
  std::vector<std::shared_ptr<const CrlData>> crls;
  std::shared_ptr<const IssuerPaths> paths;
  std::shared_ptr<const CrlStore> store;

  World() { AddAnchor(CaDer("ca")); }

  World& AddAnchor(std::string der) {
    profile.anchors.push_back({"anchor", std::move(der)});
    return *this;
  }
  World& AddIntermediate(std::string der) {
    profile.intermediates.push_back({"intermediate", std::move(der)});
    return *this;
  }
  World& Add(const CrlBuilder& builder, const std::string& key = "ca") {
    const std::string source = "crl " + std::to_string(crls.size());
    crls.push_back(Read(builder.Sign(KeyOf(key)), source));
    return *this;
  }
  World& Link(const CrlStore* previous = nullptr,
              const CrlFloors* floors = nullptr) {
    if (paths == nullptr) {
      auto built = IssuerPaths::Build(profile, {});
      EXPECT_TRUE(built.ok()) << built.status();
      paths = *built;
    }
    store = CrlStore::Link(std::make_shared<const Profile>(profile), paths,
                           crls, previous, floors);
    return *this;
  }
  // The path whose CA has this key.
  const IssuerPath& PathOf(const std::string& key) const {
    for (const IssuerPath& path : paths->paths()) {
      if (AsText(path.state.key().spki) == KeyOf(key).public_key()) return path;
    }
    ADD_FAILURE() << "no path ends in " << key;
    return paths->paths().front();
  }
  RevocationEvidence Check(const lab::CertificateBuilder& builder,
                           int64_t time = kNow, const std::string& key = "ca") {
    if (store == nullptr) Link();
    leaf = std::make_unique<OwnedLeaf>(builder.Sign(KeyOf(key)));
    return store->Check(leaf->view, PathOf(key), time);
  }
  RevocationStatus StatusOf(const lab::CertificateBuilder& builder,
                            int64_t time = kNow,
                            const std::string& key = "ca") {
    return Check(builder, time, key).status;
  }

  std::unique_ptr<OwnedLeaf> leaf;
};

lab::CertificateBuilder Leaf(uint64_t serial = 7,
                             const std::string& point = "Kyoto") {
  return LeafBuilder(serial, "ca", point);
}

// --- As many partitions as JPKI has ------------------------------------------

// The keys are P-256's, so that thousands of signatures take no time.
TEST(CrlStore, EachOfThousandsOfPartitionsAnswersForItsOwn) {
  // About 1,900 municipalities, each with a CRL of each of three generations of
  // the CA, which share one name.
  constexpr int kPlaces = 1900;
  constexpr int kGenerations = 3;
  const int64_t first = UtcSeconds(2020, 1, 1);
  std::vector<lab::PrivateKey> keys;
  World world;
  world.profile.anchors.clear();
  for (int g = 0; g < kGenerations; ++g) {
    keys.push_back(lab::PrivateKey::EcFromSeed(
        "generation " + std::to_string(g), lab::Curve::kP256));
    world.AddAnchor(lab::SelfSignedCa(CaName(), keys.back()));
  }
  const auto point = [](int place) {
    return "municipality " + std::to_string(place);
  };
  for (int g = 0; g < kGenerations; ++g) {
    for (int place = 0; place < kPlaces; ++place) {
      // Which CRL it is, by the date.
      world.crls.push_back(
          Read(CrlFor(point(place))
                   .issued_by(keys[g])
                   .revoke(Revoked(7, first + g * kPlaces + place))
                   .Sign(keys[g]),
               "crl"));
    }
  }
  world.Link();
  EXPECT_TRUE(world.store->refusals().empty());
  ASSERT_EQ(world.store->partitions().size(),
            static_cast<size_t>(kPlaces * kGenerations));
  for (int g = 0; g < kGenerations; ++g) {
    const auto path = std::find_if(
        world.paths->paths().begin(), world.paths->paths().end(),
        [&](const IssuerPath& one) {
          return AsText(one.state.key().spki) == keys[g].public_key();
        });
    ASSERT_NE(path, world.paths->paths().end());
    for (int place = 0; place < kPlaces; ++place) {
      for (const uint64_t serial : {7, 8}) {
        if (serial == 8 && place % 10 != 0) continue;
        const OwnedLeaf leaf(LeafBuilder(serial, "ca", point(place))
                                 .public_key(keys[0])
                                 .issued_by(keys[g])
                                 .Sign(keys[g]));
        const RevocationEvidence evidence =
            world.store->Check(leaf.view, *path, kNow);
        const CrlData* own = world.crls[g * kPlaces + place].get();
        ASSERT_EQ(evidence.crl, own) << g << " " << place;
        ASSERT_EQ(evidence.status, serial == 7 ? kRevoked : kGood);
        if (serial == 7) {
          ASSERT_EQ(evidence.entry.revoked_at, first + g * kPlaces + place);
        }
      }
    }
  }
}

// --- Revocation at time T ----------------------------------------------------

struct TimeCase {
  const char* what;
  std::function<void(CrlBuilder*)> crl;
  int64_t time;
  RevocationStatus status;
  std::function<void(Profile*)> profile = nullptr;
  int64_t not_after = UtcSeconds(2030, 1, 1);
};

std::vector<TimeCase> TimeCases() {
  const int64_t at = UtcSeconds(2026, 3, 10);
  const auto revoked = [at](Reason reason) {
    return [=](CrlBuilder* crl) { crl->revoke(Revoked(7, at, reason)); };
  };
  const auto invalid_since = [at](Reason reason, int64_t since) {
    return [=](CrlBuilder* crl) {
      lab::CrlEntry entry = Revoked(7, at, reason);
      entry.invalidity_date = since;
      crl->revoke(entry);
    };
  };
  const auto empty = [](CrlBuilder*) {};
  const auto grace = [](Profile* p) { p->crl_grace = kDay; };
  const auto max_age = [](Profile* p) { p->crl_max_age = kDay; };
  const auto endless = [](CrlBuilder* crl) { crl->no_next_update(); };
  const auto endless_allowed = [](Profile* p) {
    p->allow_crl_without_next_update = true;
    p->crl_max_age = kDay;
  };
  const int64_t before_crl = kIssued - kDay;
  return {
      {"not listed", empty, kNow, kGood},
      {"another serial listed",
       [=](CrlBuilder* crl) { crl->revoke(Revoked(8, at)); }, kNow, kGood},
      {"revoked long before T", revoked(Reason::kSuperseded), kNow, kRevoked},
      {"revoked a second before T", revoked(Reason::kSuperseded), at + 1,
       kRevoked},
      {"revoked at T", revoked(Reason::kSuperseded), at, kRevoked},
      {"revoked a second after T", revoked(Reason::kSuperseded), at - 1,
       kLater},
      {"on hold since before T", revoked(Reason::kCertificateHold), kNow,
       kOnHold},
      {"on hold only after T", revoked(Reason::kCertificateHold), at - 1,
       kLater},
      {"key compromised before T, noticed after",
       invalid_since(Reason::kKeyCompromise, at - 10), at - 5, kRevoked},
      {"CA compromised before T, noticed after",
       invalid_since(Reason::kCaCompromise, at - 10), at - 5, kRevoked},
      {"authority compromised before T, noticed after",
       invalid_since(Reason::kAaCompromise, at - 10), at - 5, kRevoked},
      {"CA compromised after T", invalid_since(Reason::kCaCompromise, at - 10),
       at - 11, kLater},
      {"key compromised after T",
       invalid_since(Reason::kKeyCompromise, at - 10), at - 11, kLater},
      {"an invalidity date later than the revocation changes nothing",
       invalid_since(Reason::kKeyCompromise, at + 10), at, kRevoked},
      {"an invalidity date without compromise is not dated back to",
       invalid_since(Reason::kSuperseded, at - 10), at - 5, kLater},

      {"T at thisUpdate", empty, kIssued, kGood},
      {"T long before thisUpdate", empty, UtcSeconds(2021, 1, 1), kGood},
      {"T at nextUpdate", empty, kNext, kGood},
      {"T after nextUpdate", empty, kNext + 1, kUnknown},
      {"T at the end of grace", empty, kNext + kDay, kGood, grace},
      {"T after grace", empty, kNext + kDay + 1, kUnknown, grace},
      {"T as far as can be", empty, INT64_MAX, kUnknown, max_age},
      {"T as early as can be", empty, INT64_MIN, kGood, max_age},
      {"stale, but revoked for good", revoked(Reason::kSuperseded),
       kNext + kDay, kRevoked},
      {"stale, and on hold then", revoked(Reason::kCertificateHold),
       kNext + kDay, kUnknown},
      {"at max_age", empty, kIssued + kDay, kGood, max_age},
      {"past max_age", empty, kIssued + kDay + 1, kUnknown, max_age},
      {"no nextUpdate, not allowed", endless, kNow, kUnknown},
      {"no nextUpdate, allowed, young", endless, kNow, kGood, endless_allowed},
      {"no nextUpdate, allowed, old", endless, kNow + 1, kUnknown,
       endless_allowed},
      {"no nextUpdate, allowed without an age", endless, kNow, kUnknown,
       [](Profile* p) { p->allow_crl_without_next_update = true; }},

      {"expired before the CRL, not listed", empty, before_crl, kUnknown,
       nullptr, before_crl},
      {"expired as the CRL was issued", empty, before_crl, kGood, nullptr,
       kIssued},
      {"expired before the CRL, listed", revoked(Reason::kSuperseded),
       before_crl, kRevoked, nullptr, before_crl},
      {"expired before the CRL, which keeps such entries",
       [=](CrlBuilder* crl) {
         crl->add(extension::ExpiredCertsOnCrl(before_crl));
       },
       before_crl, kGood, nullptr, before_crl},
      {"expired before the CRL began to keep such entries",
       [=](CrlBuilder* crl) {
         crl->add(extension::ExpiredCertsOnCrl(before_crl + 1));
       },
       before_crl, kUnknown, nullptr, before_crl},
  };
}

TEST(CrlStore, TellsRevocationAtTimeT) {
  for (const TimeCase& c : TimeCases()) {
    SCOPED_TRACE(c.what);
    // The short cut by the point's encoding, and the whole algorithm, which a
    // spelling of its own or a second CRL calls for.
    for (const char* point : {"Kyoto", "kyoto ", ""}) {
      SCOPED_TRACE(point);
      World world;
      if (c.profile) c.profile(&world.profile);
      CrlBuilder crl = CrlFor(*point == '\0' ? "" : "Kyoto");
      crl.this_update(kIssued).next_update(kNext);
      c.crl(&crl);
      world.Add(crl);
      lab::CertificateBuilder leaf = Leaf(7, point);
      leaf.validity(UtcSeconds(2020, 1, 1), c.not_after);
      const RevocationEvidence evidence = world.Check(leaf, c.time);
      EXPECT_EQ(evidence.status, c.status) << evidence.reason;
    }
  }
}

// --- Which CRL speaks --------------------------------------------------------

TEST(CrlStore, WithoutAPartitionNothingIsKnown) {
  EXPECT_EQ(World().StatusOf(Leaf()), kUnknown);
  EXPECT_EQ(World().Add(CrlFor("Osaka")).StatusOf(Leaf()), kUnknown);
  EXPECT_EQ(World().Add(CrlFor("Kyoto")).StatusOf(Leaf(7, "")), kUnknown);
  EXPECT_EQ(World().Add(CrlFor("")).StatusOf(Leaf()), kGood);
}

TEST(CrlStore, AMalformedOrForeignDistributionPointIsNotMadeUpFor) {
  lab::DistributionPoint foreign;
  foreign.full_name = {lab::DirectoryName({{"CN", "Kyoto"}})};
  foreign.crl_issuer = {lab::DirectoryName({{"CN", "Other"}})};
  lab::CertificateBuilder leaf = Leaf(7, "");
  leaf.add(extension::CrlDistributionPoints({foreign}));
  EXPECT_EQ(World().Add(CrlFor("Kyoto")).StatusOf(leaf), kUnknown);
}

// Three generations of a CA have one name, and number their certificates alike.
TEST(CrlStore, TheCrlOfAnotherGenerationSaysNothing) {
  const auto world = [] {
    World w;
    w.AddAnchor(CaDer("ca 2019"));
    return w;
  };
  const auto younger = [](uint64_t serial) {
    return LeafBuilder(serial, "ca 2019", "Kyoto");
  };
  const CrlBuilder empty = CrlFor("Kyoto");
  CrlBuilder lists_7 = CrlFor("Kyoto");
  lists_7.revoke(Revoked(7, kIssued));
  EXPECT_EQ(world().Add(empty, "ca 2019").StatusOf(Leaf()), kUnknown);
  EXPECT_EQ(world().Add(empty, "ca").StatusOf(younger(7), kNow, "ca 2019"),
            kUnknown);
  World both = world();
  both.Add(lists_7, "ca").Add(empty, "ca 2019");
  EXPECT_EQ(both.StatusOf(Leaf()), kRevoked);
  EXPECT_EQ(both.StatusOf(younger(7), kNow, "ca 2019"), kGood);
  EXPECT_EQ(both.store->partitions().size(), 2U);
}

// Two generations of CaName(), below one anchor.
World WorldOfTwoKeys(uint16_t usage_of_ca = lab::kKeyCertSign | lab::kCrlSign) {
  const auto link = [](const std::string& key, uint16_t usage) {
    lab::CertificateBuilder builder;
    builder.issuer({{"CN", "Root"}}).subject(CaName()).public_key(KeyOf(key));
    builder.ca().set(extension::KeyUsage(usage));
    return builder.Sign(KeyOf("root"));
  };
  World world;
  world.profile.anchors.clear();
  world.AddAnchor(CaDer("root", {{"CN", "Root"}}))
      .AddIntermediate(link("ca", usage_of_ca))
      .AddIntermediate(link("ca 2019", lab::kKeyCertSign | lab::kCrlSign));
  // One key's CRL counts for another's certificates if its own holds.
  CrlBuilder of_root;
  world.Add(of_root.issuer({{"CN", "Root"}}).add(extension::CrlNumber(1)),
            "root");
  return world;
}

// The same where one anchor stands above both generations.
TEST(CrlStore, UnderOneAnchorTheIssuersOwnCrlIsAsked) {
  World world = WorldOfTwoKeys();
  CrlBuilder lists_7 = CrlFor("Kyoto");
  lists_7.revoke(Revoked(7, kIssued));
  world.Add(CrlFor("Kyoto", 9), "ca 2019").Add(lists_7, "ca");
  EXPECT_EQ(world.StatusOf(Leaf()), kRevoked);
  EXPECT_EQ(world.StatusOf(LeafBuilder(7, "ca 2019", "Kyoto"), kNow, "ca 2019"),
            kGood);
}

// Once the issuer's own CRL was in force, that of another key does not speak in
// its place: the issuer's is missing, or only an older one is there.
TEST(CrlStore, NoOtherKeysCrlSpeaksForOneThatIsMissing) {
  const TempFolder folder;
  const auto floors = *CrlFloors::Open(folder.path() + "/floors");
  const CrlBuilder older = CrlFor("Kyoto", 4);
  CrlBuilder own = CrlFor("Kyoto", 5);
  own.revoke(Revoked(7, kIssued));
  CrlBuilder others = CrlFor("Kyoto", 9);
  others.revoke(Revoked(8, kIssued));
  const CrlBuilder others_osaka = CrlFor("Osaka", 9);
  const auto with = [&](const std::vector<CrlBuilder>& of_ca) {
    World world = WorldOfTwoKeys();
    world.Add(others, "ca 2019").Add(others_osaka, "ca 2019");
    for (const CrlBuilder& crl : of_ca) world.Add(crl, "ca");
    world.Link(nullptr, floors.get());
    return world;
  };
  // It never was in force: RFC 5280 lets any key of the CA speak.
  EXPECT_EQ(with({}).StatusOf(Leaf()), kGood);
  EXPECT_EQ(with({}).StatusOf(Leaf(8)), kRevoked);
  World whole = with({own});
  EXPECT_EQ(whole.StatusOf(Leaf()), kRevoked);
  whole.store->RaiseFloors(floors.get());
  for (const auto& of_ca : {std::vector<CrlBuilder>{}, {older}}) {
    World lost = with(of_ca);
    for (const uint64_t serial : {7U, 8U, 9U}) {
      const RevocationEvidence evidence = lost.Check(Leaf(serial));
      EXPECT_EQ(evidence.status, kUnknown) << serial;
      EXPECT_THAT(evidence.reason, testing::HasSubstr("not at hand"));
    }
    // What that key issued, and what it never had a CRL for.
    const auto younger = [](uint64_t serial) {
      return LeafBuilder(serial, "ca 2019", "Kyoto");
    };
    EXPECT_EQ(lost.StatusOf(younger(7), kNow, "ca 2019"), kGood);
    EXPECT_EQ(lost.StatusOf(younger(8), kNow, "ca 2019"), kRevoked);
    EXPECT_EQ(lost.StatusOf(Leaf(7, "Osaka")), kGood);
    // One of wider scope is no substitute either.
    lost.Add(CrlFor("", 9), "ca 2019").Link(nullptr, floors.get());
    EXPECT_EQ(lost.StatusOf(Leaf()), kUnknown);
  }
  World newer = with({CrlFor("Kyoto", 6)});
  EXPECT_EQ(newer.StatusOf(Leaf(7)), kGood);
  EXPECT_EQ(newer.StatusOf(Leaf(8)), kGood) << "another's serial";
  // A key that may not sign CRLs, or under another anchor, has none to miss.
  World mute = WorldOfTwoKeys(lab::kKeyCertSign);
  mute.Add(others, "ca 2019").Link(nullptr, floors.get());
  EXPECT_EQ(mute.StatusOf(Leaf()), kGood);
}

TEST(CrlStore, ACrlIsBelievedOnlyWithItsIssuersSignature) {
  World world;
  world.Add(CrlFor("Kyoto"), "someone");
  EXPECT_EQ(world.StatusOf(Leaf()), kUnknown);
  ASSERT_EQ(world.store->refusals().size(), 1U);
  EXPECT_THAT(world.store->refusals()[0].reason,
              testing::HasSubstr("signatureValue"));
  EXPECT_FALSE(world.store->Uses(*world.crls[0]));

  World stranger;
  CrlBuilder other = CrlFor("Kyoto");
  other.issuer({{"CN", "Other"}});
  stranger.Add(other, "someone");
  EXPECT_EQ(stranger.StatusOf(Leaf()), kUnknown);
  EXPECT_TRUE(stranger.store->refusals().empty());

  World mute;
  mute.profile.anchors[0].der = lab::CertificateBuilder()
                                    .issuer(CaName())
                                    .subject(CaName())
                                    .public_key(KeyOf("ca"))
                                    .ca()
                                    .set(extension::KeyUsage(lab::kKeyCertSign))
                                    .Sign(KeyOf("ca"));
  mute.Add(CrlFor("Kyoto"));
  EXPECT_EQ(mute.StatusOf(Leaf()), kUnknown);
}

// A store remembers which CRLs it has verified. What takes the place of one in
// memory must not inherit its standing.
TEST(CrlStore, AForgedCrlDoesNotInheritTheStandingOfOneThatIsGone) {
  for (int attempt = 0; attempt < 50; ++attempt) {
    World world;
    CrlBuilder lists_7 = CrlFor("Kyoto", 2);
    lists_7.revoke(Revoked(7, kIssued));
    // Verified, and then passed over as the older one.
    world.Add(lists_7).Add(CrlFor("Kyoto", 1));
    world.Link();
    ASSERT_EQ(world.store->refusals().size(), 1U);
    const auto previous = world.store;
    world.crls.pop_back();
    world.Add(CrlFor("Kyoto", 3), "someone").Link(previous.get());
    ASSERT_EQ(world.StatusOf(Leaf()), kRevoked);
    ASSERT_FALSE(world.store->Uses(*world.crls[1]));
  }
}

TEST(CrlStore, WhatWasVerifiedIsNotRefusedWhenLinkedAgain) {
  World world;
  world.Add(CrlFor("Kyoto")).Link();
  const auto previous = world.store;
  world.Add(CrlFor("Osaka")).Link(previous.get());
  EXPECT_EQ(world.StatusOf(Leaf()), kGood);
  EXPECT_EQ(world.StatusOf(Leaf(7, "Osaka")), kGood);
}

TEST(CrlStore, OfTwoCrlsForOnePartitionTheNewerStays) {
  CrlBuilder first = CrlFor("Kyoto", 127);
  CrlBuilder second = CrlFor("Kyoto", 128);  // one octet longer
  second.revoke(Revoked(7, kIssued));
  for (const bool in_order : {true, false}) {
    World world;
    world.Add(in_order ? first : second).Add(in_order ? second : first);
    EXPECT_EQ(world.StatusOf(Leaf()), kRevoked);
    EXPECT_EQ(world.store->partitions().size(), 1U);
    EXPECT_FALSE(world.store->Uses(*world.crls[in_order ? 0 : 1]));
  }
  // Without numbers, by the date.
  CrlBuilder early;
  early.issuer(CaName()).this_update(kIssued - 10);
  CrlBuilder late;
  late.issuer(CaName()).this_update(kIssued).revoke(Revoked(7, kIssued));
  EXPECT_EQ(World().Add(late).Add(early).StatusOf(Leaf()), kRevoked);
}

TEST(CrlStore, OfTwoCrlsThatBothCoverItTheNewerIsHeard) {
  CrlBuilder wide = CrlFor("");
  wide.this_update(kIssued + 10).revoke(Revoked(7, kIssued));
  EXPECT_EQ(World().Add(CrlFor("Kyoto")).Add(wide).StatusOf(Leaf()), kRevoked);
  lab::IssuingDistributionPointFields users;
  users.full_name = {lab::DirectoryName({{"CN", "Kyoto"}})};
  users.only_user_certificates = true;
  wide.add(extension::IssuingDistributionPoint(users));
  EXPECT_EQ(World().Add(CrlFor("Kyoto")).Add(wide).StatusOf(Leaf()), kRevoked);
}

TEST(CrlStore, PointsMatchByNameInEveryForm) {
  const std::string uri = lab::UriName("http://crl.example/kyoto");
  const std::string dir = lab::DirectoryName(CaName().Add("CN", "Kyoto"));
  const auto crl = [](const lab::IssuingDistributionPointFields& point) {
    CrlBuilder builder = CrlFor("");
    builder.add(extension::IssuingDistributionPoint(point));
    return builder;
  };
  const auto leaf = [](const lab::DistributionPoint& point) {
    return Leaf(7, "").add(extension::CrlDistributionPoints({point}));
  };
  lab::IssuingDistributionPointFields by_uri;
  by_uri.full_name = {dir, uri};
  lab::IssuingDistributionPointFields by_relative;
  by_relative.relative_name = {{"CN", "Kyoto"}};
  lab::DistributionPoint at_uri;
  at_uri.full_name = {lab::UriName("http://other"), uri};
  lab::DistributionPoint at_relative;
  at_relative.relative_name = {{"CN", "kyoto"}};
  lab::DistributionPoint elsewhere;
  elsewhere.full_name = {lab::UriName("http://crl.example/KYOTO")};
  EXPECT_EQ(World().Add(crl(by_uri)).StatusOf(leaf(at_uri)), kGood);
  EXPECT_EQ(World().Add(crl(by_uri)).StatusOf(leaf(at_relative)), kGood);
  EXPECT_EQ(World().Add(crl(by_relative)).StatusOf(leaf(at_relative)), kGood);
  EXPECT_EQ(World().Add(crl(by_relative)).StatusOf(leaf(at_uri)), kUnknown);
  EXPECT_EQ(World().Add(crl(by_uri)).StatusOf(leaf(elsewhere)), kUnknown);
}

TEST(CrlStore, ARelativePointIsBelowItsCrlIssuer) {
  const auto status = [](const lab::Name& of_crl, const lab::Name& of_point) {
    lab::IssuingDistributionPointFields scope;
    scope.full_name = {lab::DirectoryName(of_crl)};
    scope.indirect = true;
    CrlBuilder crl = CrlFor("");
    crl.add(extension::IssuingDistributionPoint(scope));
    lab::DistributionPoint point;
    point.relative_name = {{"CN", "KYOTO "}};
    point.crl_issuer = {lab::UriName("ldap://ca"),
                        lab::DirectoryName({{"CN", "Stranger"}}),
                        lab::DirectoryName(of_point)};
    return World().Add(crl).StatusOf(
        Leaf(7, "").add(extension::CrlDistributionPoints({point})));
  };
  const lab::Name spelled = {{"C", "jp"}, {"O", "LAB  CA"}};
  const lab::Name kyoto = CaName().Add("CN", "Kyoto");
  EXPECT_EQ(status(kyoto, CaName()), kGood);
  EXPECT_EQ(status(kyoto, spelled), kGood);
  EXPECT_EQ(status(CaName().Add("CN", "Nara"), CaName()), kUnknown);
  EXPECT_EQ(status({{"CN", "Kyoto"}}, CaName()), kUnknown);
  EXPECT_EQ(status(kyoto, {{"CN", "Other"}}), kUnknown);
}

// An issuer's name that its certificates spell unlike its own.
TEST(CrlStore, PointsOfAnIssuerSpelledAtLengthAreFound) {
  const lab::Name padded = {{"C", "JP"},
                            {"O", std::string(30'000, ' ') + "lab CA"}};
  lab::IssuingDistributionPointFields own_name;
  own_name.full_name = {lab::DirectoryName(CaName())};
  lab::DistributionPoint relative;
  relative.relative_name = {{"CN", "Kyoto"}};
  lab::IssuingDistributionPointFields at_relative;
  at_relative.relative_name = relative.relative_name;
  CrlBuilder of_issuer = CrlFor("");
  of_issuer.add(extension::IssuingDistributionPoint(own_name))
      .revoke(Revoked(8, kIssued));
  CrlBuilder of_point = CrlFor("");
  of_point.add(extension::IssuingDistributionPoint(at_relative))
      .revoke(Revoked(8, kIssued));
  for (const CrlBuilder& crl : {of_issuer, of_point}) {
    World world;
    world.Add(crl);
    for (const uint64_t serial : {7U, 8U}) {
      lab::CertificateBuilder leaf = Leaf(serial, "").issuer(padded);
      leaf.add(extension::CrlDistributionPoints(
          std::vector<lab::DistributionPoint>(64, relative)));
      EXPECT_EQ(world.StatusOf(leaf), serial == 7 ? kGood : kRevoked);
    }
  }
}

TEST(CrlStore, TheLastPointThatIsReadIsAsked) {
  const auto leaf = [](size_t points) {
    std::vector<lab::DistributionPoint> all(points);
    for (lab::DistributionPoint& point : all) {
      point.full_name = {lab::DirectoryName({{"CN", "Kyoto"}})};
    }
    all.back().full_name = {lab::DirectoryName({{"CN", "Osaka"}})};
    return Leaf(7, "").add(extension::CrlDistributionPoints(all));
  };
  World world;
  world.Add(CrlFor("Kyoto")).Add(CrlFor("Osaka").revoke(Revoked(7, kIssued)));
  EXPECT_EQ(world.StatusOf(leaf(kDistributionPointsMax)), kRevoked);
  const std::string past = leaf(kDistributionPointsMax + 1).Sign(KeyOf("ca"));
  Certificate certificate;
  const Fault fault = ParseCertificate(AsBytes(past), &certificate);
  EXPECT_STREQ(fault.field, "cRLDistributionPoints");
  EXPECT_THAT(fault.problem, testing::HasSubstr("64"));
}

// A partition is judged once, but counts for the reasons of each point.
TEST(CrlStore, PointsForSomeReasonsEachAddUp) {
  const auto status = [](uint16_t reasons, bool listed) {
    std::vector<lab::DistributionPoint> points;
    for (int bit = 1; bit <= 8; ++bit) {
      const auto one = static_cast<uint16_t>(1U << bit);
      if ((reasons & one) == 0) continue;
      lab::DistributionPoint& point = points.emplace_back();
      point.full_name = {lab::DirectoryName({{"CN", "Kyoto"}})};
      point.reasons = one;
    }
    CrlBuilder crl = CrlFor("Kyoto");
    if (listed) crl.revoke(Revoked(7, kIssued));
    return World().Add(crl).StatusOf(
        Leaf(7, "").add(extension::CrlDistributionPoints(points)));
  };
  EXPECT_EQ(status(kAllReasons, false), kGood);
  EXPECT_EQ(status(kAllReasons & ~(1U << 8), false), kUnknown);
  EXPECT_EQ(status(kAllReasons & ~(1U << 1), false), kUnknown);
  EXPECT_EQ(status(1U << 3, true), kRevoked);
}

TEST(CrlStore, UserCaAndAttributeCrlsSpeakForTheirKindOnly) {
  const auto crl = [](bool users, bool cas, bool attributes) {
    lab::IssuingDistributionPointFields point;
    point.only_user_certificates = users;
    point.only_ca_certificates = cas;
    point.only_attribute_certificates = attributes;
    CrlBuilder builder = CrlFor("");
    builder.add(extension::IssuingDistributionPoint(point));
    return builder;
  };
  lab::CertificateBuilder sub_ca = Leaf();
  sub_ca.remove("2.5.29.15").ca();
  EXPECT_EQ(World().Add(crl(true, false, false)).StatusOf(Leaf()), kGood);
  EXPECT_EQ(World().Add(crl(true, false, false)).StatusOf(sub_ca), kUnknown);
  EXPECT_EQ(World().Add(crl(false, true, false)).StatusOf(Leaf()), kUnknown);
  EXPECT_EQ(World().Add(crl(false, true, false)).StatusOf(sub_ca), kGood);
  EXPECT_EQ(World().Add(crl(false, false, true)).StatusOf(Leaf()), kUnknown);
}

TEST(CrlStore, AllReasonsMustBeCovered) {
  const auto crl = [](uint16_t reasons, bool lists_7) {
    lab::IssuingDistributionPointFields point;
    point.full_name = {lab::DirectoryName({{"CN", "Kyoto"}})};
    point.only_some_reasons = reasons;
    CrlBuilder builder = CrlFor("");
    builder.add(extension::IssuingDistributionPoint(point));
    if (lists_7) builder.revoke(Revoked(7, kIssued));
    return builder;
  };
  constexpr uint16_t kSome =
      lab::kReasonKeyCompromise | lab::kReasonCaCompromise;
  constexpr uint16_t kRest = kAllReasons & ~kSome;
  EXPECT_EQ(World().Add(crl(kSome, false)).StatusOf(Leaf()), kUnknown);
  EXPECT_EQ(World().Add(crl(kSome, true)).StatusOf(Leaf()), kRevoked);
  World both;
  both.Add(crl(kSome, false)).Add(crl(kRest, false));
  EXPECT_EQ(both.StatusOf(Leaf()), kGood);
  World second;
  second.Add(crl(kSome, false)).Add(crl(kRest, true));
  EXPECT_EQ(second.StatusOf(Leaf()), kRevoked);
  // One of them stale: not all reasons are known.
  CrlBuilder stale = crl(kRest, false);
  stale.this_update(kIssued - 10).next_update(kIssued);
  World one_stale;
  one_stale.Add(crl(kSome, false)).Add(stale);
  EXPECT_EQ(one_stale.StatusOf(Leaf()), kUnknown);
}

// --- Deltas ------------------------------------------------------------------

CrlBuilder Delta(uint64_t number, uint64_t base) {
  CrlBuilder builder = CrlFor("Kyoto", number);
  builder.add(extension::DeltaCrlIndicator(base));
  return builder;
}

TEST(CrlStore, ADeltaAddsAndLiftsHolds) {
  const CrlBuilder base = CrlFor("Kyoto", 10);
  CrlBuilder holds_7 = base;
  holds_7.revoke(Revoked(7, kIssued, Reason::kCertificateHold));
  CrlBuilder adds_7 = Delta(11, 10);
  adds_7.revoke(Revoked(7, kIssued));
  CrlBuilder lifts_7 = Delta(11, 10);
  lifts_7.revoke(Revoked(7, kIssued, Reason::kRemoveFromCrl));
  EXPECT_EQ(World().Add(base).Add(adds_7).StatusOf(Leaf()), kRevoked);
  EXPECT_EQ(World().Add(holds_7).Add(lifts_7).StatusOf(Leaf()), kGood);
  EXPECT_EQ(World().Add(holds_7).Add(Delta(11, 10)).StatusOf(Leaf()), kOnHold);
}

// A final revocation that comes after a hold, dated when it was decided on: in
// a delta over the hold, or in a newer CRL beside it. Neither says that the
// hold was lifted before.
TEST(CrlStore, ARevocationDatedLaterDoesNotLiftTheHoldBeforeIt) {
  const int64_t held = kIssued - 3 * kDay;
  const int64_t revoked = kIssued - kDay;
  CrlBuilder holds_7 = CrlFor("Kyoto", 10);
  holds_7.this_update(kIssued - 2 * kDay).next_update(kNext);
  CrlBuilder lists_none = holds_7;
  holds_7.revoke(Revoked(7, held, Reason::kCertificateHold));
  const struct {
    int64_t time;
    RevocationStatus status;
  } kCases[] = {{held - 1, kLater},
                {held, kOnHold},
                {revoked - 1, kOnHold},
                {revoked, kRevoked}};
  for (const Reason reason : {Reason::kSuperseded, Reason::kKeyCompromise}) {
    CrlBuilder delta = Delta(11, 10);
    delta.this_update(kIssued).next_update(kNext).revoke(
        Revoked(7, revoked, reason));
    CrlBuilder newer = CrlFor("", 11);
    newer.this_update(kIssued).next_update(kNext).revoke(
        Revoked(7, revoked, reason));
    World by_delta;
    by_delta.Add(holds_7).Add(delta);
    World by_other;
    by_other.Add(holds_7).Add(newer);
    for (const auto& c : kCases) {
      SCOPED_TRACE(c.time - held);
      EXPECT_EQ(by_delta.StatusOf(Leaf(), c.time), c.status);
      EXPECT_EQ(by_other.StatusOf(Leaf(), c.time), c.status);
    }
    // The evidence is an entry that some CRL has.
    const RevocationEvidence evidence = by_delta.Check(Leaf(), revoked - 1);
    EXPECT_EQ(evidence.crl, by_delta.crls[0].get());
    EXPECT_EQ(evidence.entry.revoked_at, held);
    // Without a hold it is dated as it says.
    World never_held;
    never_held.Add(lists_none).Add(delta);
    EXPECT_EQ(never_held.StatusOf(Leaf(), revoked - 1), kLater);
  }
  // Lifted in between, and held once more.
  CrlBuilder again = Delta(11, 10);
  again.this_update(kIssued).next_update(kNext).revoke(
      Revoked(7, revoked, Reason::kCertificateHold));
  World twice;
  twice.Add(holds_7).Add(again);
  EXPECT_EQ(twice.StatusOf(Leaf(), revoked - 1), kLater);
  EXPECT_EQ(twice.StatusOf(Leaf(), revoked), kOnHold);
  // A delta's hold does not weaken a revocation.
  CrlBuilder final_7 = lists_none;
  final_7.revoke(Revoked(7, revoked));
  CrlBuilder holds = Delta(11, 10);
  holds.this_update(kIssued).next_update(kNext).revoke(
      Revoked(7, held, Reason::kCertificateHold));
  World weakened;
  weakened.Add(final_7).Add(holds);
  EXPECT_EQ(weakened.StatusOf(Leaf(), revoked - 1), kOnHold);
  EXPECT_EQ(weakened.StatusOf(Leaf(), revoked), kRevoked);
  EXPECT_EQ(weakened.StatusOf(Leaf(), kNext + 1), kRevoked) << "though stale";
}

// Which CRL decided, which was complete and which the delta, by their numbers.
std::string CrlsOf(const RevocationEvidence& evidence) {
  const auto number = [](const CrlData* crl) {
    return crl == nullptr ? std::string("-")
                          : std::to_string(int{crl->crl_number.back()});
  };
  return number(evidence.crl) + " " + number(evidence.complete) + " " +
         number(evidence.delta);
}

// Months later it must be plain why a certificate was called good after its
// complete CRL had ended.
TEST(CrlStore, EvidenceNamesTheDeltaWhateverItSays) {
  CrlBuilder base = CrlFor("Kyoto", 10);
  base.revoke(Revoked(7, kIssued))
      .revoke(Revoked(8, kIssued, Reason::kCertificateHold))
      .revoke(Revoked(9, kIssued));
  CrlBuilder delta = Delta(11, 10);
  delta.revoke(Revoked(8, kIssued + 1, Reason::kRemoveFromCrl))
      .revoke(Revoked(9, kIssued - 1))
      .revoke(Revoked(12, kIssued))
      .revoke(Revoked(13, kNow + 1));
  World alone;
  alone.Add(base);
  World both;
  both.Add(base).Add(delta);
  struct Case {
    const char* what;
    uint64_t serial;
    RevocationStatus alone;
    RevocationStatus status;
    const char* crls;
  };
  for (const Case& c : {
           Case{"on neither", 6, kGood, kGood, "10 10 11"},
           {"on the complete one", 7, kRevoked, kRevoked, "10 10 11"},
           {"on both, off hold", 8, kOnHold, kGood, "11 10 11"},
           {"on both, earlier by the delta", 9, kRevoked, kRevoked, "11 10 11"},
           {"on the delta", 12, kGood, kRevoked, "11 10 11"},
           {"on the delta, later", 13, kGood, kLater, "11 10 11"},
       }) {
    SCOPED_TRACE(c.what);
    const RevocationEvidence by_two = both.Check(Leaf(c.serial));
    EXPECT_EQ(by_two.status, c.status);
    EXPECT_EQ(CrlsOf(by_two), c.crls);
    const RevocationEvidence by_one = alone.Check(Leaf(c.serial));
    EXPECT_EQ(by_one.status, c.alone);
    EXPECT_EQ(CrlsOf(by_one), "10 - -");
  }
  // Not known any more, because the delta has ended.
  CrlBuilder ended = Delta(11, 10);
  ended.this_update(kIssued).next_update(kIssued + 10);
  World stale;
  stale.Add(base).Add(ended);
  const RevocationEvidence unknown = stale.Check(Leaf(6));
  EXPECT_EQ(unknown.status, kUnknown);
  EXPECT_EQ(CrlsOf(unknown), "10 10 11");
}

// CAs write removeFromCRL also when a revoked certificate expires. At any time
// before that it was revoked all the same.
TEST(CrlStore, ADeltaNeverUndoesARevocation) {
  CrlBuilder base = CrlFor("Kyoto", 10);
  base.revoke(Revoked(7, kIssued - 10));
  CrlBuilder removes = Delta(11, 10);
  removes.revoke(Revoked(7, kIssued + 10, Reason::kRemoveFromCrl));
  CrlBuilder later = Delta(11, 10);
  later.revoke(Revoked(7, kIssued + 10, Reason::kSuperseded));
  lab::CertificateBuilder leaf = Leaf();
  leaf.validity(UtcSeconds(2024, 1, 1), kIssued + 5);
  EXPECT_EQ(World().Add(base).Add(removes).StatusOf(leaf, kIssued), kRevoked);
  EXPECT_EQ(World().Add(base).Add(later).StatusOf(leaf, kIssued), kRevoked);
}

TEST(CrlStore, ADeltaDecidesWhetherTheWholeIsTooOld) {
  CrlBuilder stale = Delta(11, 10);
  stale.this_update(kIssued).next_update(kIssued + 10);
  EXPECT_EQ(World().Add(CrlFor("Kyoto", 10)).Add(stale).StatusOf(Leaf()),
            kUnknown);
  // A young one makes an old complete CRL good again.
  CrlBuilder old = CrlFor("Kyoto", 10);
  old.this_update(kIssued - 10).next_update(kIssued);
  EXPECT_EQ(World().Add(old).StatusOf(Leaf()), kUnknown);
  EXPECT_EQ(World().Add(old).Add(Delta(11, 10)).StatusOf(Leaf()), kGood);
  // And one made after the certificate expired may have left it out.
  CrlBuilder young = Delta(11, 10);
  young.this_update(kIssued + 10);
  lab::CertificateBuilder leaf = Leaf();
  leaf.validity(UtcSeconds(2024, 1, 1), kIssued + 5);
  EXPECT_EQ(World().Add(CrlFor("Kyoto", 10)).Add(young).StatusOf(leaf, kIssued),
            kUnknown);
}

TEST(CrlStore, TellsWhatGaveWayToANewerOneFromWhatIsOfNoUse) {
  for (const bool in_order : {true, false}) {
    World world;
    world.Add(CrlFor("Kyoto", in_order ? 9 : 10));
    world.Add(CrlFor("Kyoto", in_order ? 10 : 9));
    world.Add(Delta(in_order ? 11 : 12, 10)).Add(Delta(in_order ? 12 : 11, 9));
    world.Add(Delta(9, 8)).Add(Delta(13, 12)).Add(CrlFor("Osaka"), "someone");
    world.Link();
    // Base, delta, delta to an older base; then of no use: to a newer base, and
    // with a signature of nobody's.
    const bool kSuperseded[] = {in_order, !in_order, in_order, !in_order,
                                true,     false,     false};
    for (size_t i = 0; i < world.crls.size(); ++i) {
      EXPECT_EQ(world.store->Supersedes(*world.crls[i]), kSuperseded[i]) << i;
      EXPECT_EQ(world.store->Uses(*world.crls[i]), !kSuperseded[i] && i < 5)
          << i;
    }
  }
}

TEST(CrlStore, ADeltaAppliesToItsBaseAndNothingElse) {
  const auto lists_7 = [](CrlBuilder delta) {
    delta.revoke(Revoked(7, kIssued));
    return delta;
  };
  const CrlBuilder base = CrlFor("Kyoto", 10);
  // A base we do not have yet.
  World ahead;
  ahead.Add(base).Add(lists_7(Delta(13, 12)));
  EXPECT_EQ(ahead.StatusOf(Leaf()), kGood);
  EXPECT_EQ(ahead.store->refusals().size(), 1U);
  // Older than the complete CRL.
  EXPECT_EQ(World().Add(base).Add(lists_7(Delta(9, 8))).StatusOf(Leaf()),
            kGood);
  // Of those that apply the newest, whatever the order.
  for (const bool in_order : {true, false}) {
    World world;
    world.Add(base);
    world.Add(in_order ? Delta(11, 10) : lists_7(Delta(12, 9)));
    world.Add(in_order ? lists_7(Delta(12, 9)) : Delta(11, 10));
    EXPECT_EQ(world.StatusOf(Leaf()), kRevoked);
  }
  // One that does not apply yet does not push out the one that does.
  World waiting;
  waiting.Add(base).Add(lists_7(Delta(11, 10))).Add(Delta(13, 12));
  EXPECT_EQ(waiting.StatusOf(Leaf()), kRevoked);
  // Another scope.
  lab::IssuingDistributionPointFields osaka;
  osaka.full_name = {lab::DirectoryName({{"CN", "Osaka"}})};
  CrlBuilder elsewhere = lists_7(Delta(11, 10));
  elsewhere.set(extension::IssuingDistributionPoint(osaka));
  EXPECT_EQ(World().Add(base).Add(elsewhere).StatusOf(Leaf()), kGood);
  // Another key identifier (section 6.3.3 (c) (3)).
  CrlBuilder other_key_id = lists_7(Delta(11, 10));
  other_key_id.set(extension::AuthorityKeyIdentifier("another"));
  EXPECT_EQ(World().Add(base).Add(other_key_id).StatusOf(Leaf()), kGood);
  // A delta alone is no CRL.
  EXPECT_EQ(World().Add(lists_7(Delta(11, 10))).StatusOf(Leaf()), kUnknown);
}

// --- Other signers -----------------------------------------------------------

// A CRL issuer's certificate below CaName(), itself covered by point "Signers".
lab::CertificateBuilder SignerBuilder(const lab::Name& name) {
  lab::CertificateBuilder builder = LeafBuilder(50, "ca", "Signers");
  builder.subject(name)
      .public_key(KeyOf("signer"))
      .set(extension::KeyUsage(lab::kCrlSign));
  return builder;
}

// An indirect CRL by CN=Signer for point Kyoto.
CrlBuilder IndirectCrl() {
  lab::IssuingDistributionPointFields point;
  point.full_name = {lab::DirectoryName({{"CN", "Kyoto"}})};
  point.indirect = true;
  CrlBuilder builder = CrlFor("");
  builder.issuer({{"CN", "Signer"}})
      .add(extension::IssuingDistributionPoint(point));
  return builder;
}

lab::CertificateBuilder LeafOfIndirect(uint64_t serial = 7) {
  lab::DistributionPoint point;
  point.full_name = {lab::DirectoryName({{"CN", "Kyoto"}})};
  point.crl_issuer = {lab::DirectoryName({{"CN", "Signer"}})};
  return Leaf(serial, "").add(extension::CrlDistributionPoints({point}));
}

World IndirectWorld(
    const CrlBuilder& crl,
    const lab::CertificateBuilder& signer = SignerBuilder({{"CN", "Signer"}})) {
  World world;
  world.AddIntermediate(signer.Sign(KeyOf("ca")))
      .Add(crl, "signer")
      .Add(CrlFor("Signers"));
  return world;
}

TEST(CrlStore, AnIndirectCrlSpeaksForTheIssuersItNames) {
  lab::CrlEntry of_ca = Revoked(7, kIssued);
  of_ca.certificate_issuer = {lab::DirectoryName(CaName())};
  lab::CrlEntry of_other = Revoked(7, kIssued);
  of_other.certificate_issuer = {lab::DirectoryName({{"CN", "Other"}})};
  EXPECT_EQ(IndirectWorld(IndirectCrl()).StatusOf(LeafOfIndirect()), kGood);
  EXPECT_EQ(
      IndirectWorld(IndirectCrl().revoke(of_ca)).StatusOf(LeafOfIndirect()),
      kRevoked);
  EXPECT_EQ(
      IndirectWorld(IndirectCrl().revoke(of_other)).StatusOf(LeafOfIndirect()),
      kGood);
  // Entries without an issuer are of the CRL issuer itself.
  EXPECT_EQ(IndirectWorld(IndirectCrl().revoke(Revoked(7, kIssued)))
                .StatusOf(LeafOfIndirect()),
            kGood);
  // Not marked as indirect, it speaks for no one else.
  lab::IssuingDistributionPointFields direct;
  direct.full_name = {lab::DirectoryName({{"CN", "Kyoto"}})};
  CrlBuilder plain = IndirectCrl();
  plain.set(extension::IssuingDistributionPoint(direct));
  EXPECT_EQ(IndirectWorld(plain).StatusOf(LeafOfIndirect()), kUnknown);
  // And a certificate that does not name it is not its business.
  EXPECT_EQ(IndirectWorld(IndirectCrl()).StatusOf(Leaf()), kUnknown);
}

TEST(CrlStore, ACrlSignerMustHoldItself) {
  const lab::Name name = {{"CN", "Signer"}};
  const auto status = [&](const lab::CertificateBuilder& signer) {
    return IndirectWorld(IndirectCrl(), signer).StatusOf(LeafOfIndirect());
  };
  EXPECT_EQ(status(SignerBuilder(name)), kGood);
  EXPECT_EQ(status(SignerBuilder(name).set(
                extension::KeyUsage(lab::kDigitalSignature))),
            kUnknown);
  EXPECT_EQ(
      status(SignerBuilder(name).validity(UtcSeconds(2020, 1, 1), kIssued - 1)),
      kUnknown);
  EXPECT_EQ(status(SignerBuilder(name).public_key(KeyOf("another"))), kUnknown);
  EXPECT_EQ(
      status(SignerBuilder(name).add({"1.2.3", true, std::string("\5\0", 2)})),
      kUnknown);

  World revoked;
  revoked.AddIntermediate(SignerBuilder(name).Sign(KeyOf("ca")))
      .Add(IndirectCrl(), "signer")
      .Add(CrlFor("Signers").revoke(Revoked(50, kIssued)));
  EXPECT_EQ(revoked.StatusOf(LeafOfIndirect()), kUnknown);
  World unknown;
  unknown.AddIntermediate(SignerBuilder(name).Sign(KeyOf("ca")))
      .Add(IndirectCrl(), "signer");
  EXPECT_EQ(unknown.StatusOf(LeafOfIndirect()), kUnknown);
  World forged;
  forged.AddIntermediate(SignerBuilder(name).Sign(KeyOf("someone")))
      .Add(IndirectCrl(), "signer")
      .Add(CrlFor("Signers"));
  EXPECT_EQ(forged.StatusOf(LeafOfIndirect()), kUnknown);
}

// The policies of a profile are what it asks of those who sign filings.
TEST(CrlStore, ACrlSignerNeedNotAssertTheProfilesPolicies) {
  const std::string policy = "\x2a\x83\x08";  // 1.2.392
  for (const bool asserts_another : {false, true}) {
    lab::CertificateBuilder signer = SignerBuilder({{"CN", "Signer"}});
    if (asserts_another) {
      signer.add(extension::CertificatePolicies({"1.2.3"}));
    }
    World world = IndirectWorld(IndirectCrl(), signer);
    world.profile.initial_policies = {policy};
    world.profile.require_explicit_policy = true;
    EXPECT_EQ(world.StatusOf(LeafOfIndirect()), kGood);
    EXPECT_TRUE(world.store->refusals().empty());
  }
}

TEST(CrlStore, ADeltaMadeAfterItsSignersTimeRenewsNothing) {
  lab::CertificateBuilder signer = SignerBuilder({{"CN", "Signer"}});
  signer.validity(UtcSeconds(2020, 1, 1), kIssued + 5);
  for (const auto& [made, status] :
       {std::pair(kIssued + 5, kGood), std::pair(kIssued + 6, kUnknown)}) {
    CrlBuilder delta = IndirectCrl();
    delta.set(extension::CrlNumber(2))
        .add(extension::DeltaCrlIndicator(1))
        .this_update(made);
    World world = IndirectWorld(IndirectCrl(), signer);
    world.Add(delta, "signer").Link();
    ASSERT_NE(world.store->partitions()[0].delta, nullptr);
    EXPECT_EQ(world.StatusOf(LeafOfIndirect()), status);
  }
}

TEST(CrlStore, SignersThatVouchForEachOtherProveNothing) {
  // Each of two signers issues the CRL that the other's certificate names.
  const auto signer = [](const char* own, const char* other, uint64_t serial) {
    lab::DistributionPoint point;
    point.full_name = {lab::DirectoryName({{"CN", "Signers"}})};
    point.crl_issuer = {lab::DirectoryName({{"CN", other}})};
    lab::CertificateBuilder builder = LeafBuilder(serial, "ca", "");
    builder.subject({{"CN", own}})
        .public_key(KeyOf(own))
        .set(extension::KeyUsage(lab::kCrlSign))
        .add(extension::CrlDistributionPoints({point}));
    return builder.Sign(KeyOf("ca"));
  };
  const auto crl = [](const char* issuer) {
    lab::IssuingDistributionPointFields point;
    point.full_name = {lab::DirectoryName({{"CN", "Signers"}}),
                       lab::DirectoryName({{"CN", "Kyoto"}})};
    point.indirect = true;
    CrlBuilder builder = CrlFor("");
    builder.issuer({{"CN", issuer}})
        .add(extension::IssuingDistributionPoint(point));
    return builder;
  };
  World world;
  world.AddIntermediate(signer("Signer", "Twin", 50))
      .AddIntermediate(signer("Twin", "Signer", 51))
      .Add(crl("Signer"), "Signer")
      .Add(crl("Twin"), "Twin");
  EXPECT_EQ(world.StatusOf(LeafOfIndirect()), kUnknown);
}

// --- The short cut -----------------------------------------------------------

// Whatever the CRLs, looking a partition up by its point's encoding says the
// same as the whole algorithm, which another spelling of the point leads to.
TEST(CrlStore, TheShortCutAgreesWithTheWholeAlgorithm) {
  const std::vector<std::function<void(CrlBuilder*)>> kVariants = {
      [](CrlBuilder*) {},
      [](CrlBuilder* crl) { crl->revoke(Revoked(7, kIssued)); },
      [](CrlBuilder* crl) {
        crl->revoke(Revoked(7, kIssued, Reason::kCertificateHold));
      },
      [](CrlBuilder* crl) { crl->next_update(kIssued + 5); },
      [](CrlBuilder* crl) {
        lab::IssuingDistributionPointFields point;
        point.full_name = {lab::DirectoryName({{"CN", "Kyoto"}})};
        point.only_some_reasons = lab::kReasonKeyCompromise;
        crl->set(extension::IssuingDistributionPoint(point));
      },
      [](CrlBuilder* crl) {
        lab::IssuingDistributionPointFields point;
        point.full_name = {lab::DirectoryName({{"CN", "Kyoto"}})};
        point.only_user_certificates = true;
        crl->set(extension::IssuingDistributionPoint(point))
            .this_update(kIssued + 10);
      },
  };
  for (size_t one = 0; one < kVariants.size(); ++one) {
    for (size_t other = 0; other < kVariants.size(); ++other) {
      for (const char* second : {"Kyoto", "", "Osaka"}) {
        SCOPED_TRACE(testing::Message() << one << " " << other << second);
        World world;
        CrlBuilder a = CrlFor("Kyoto", 1);
        CrlBuilder b = CrlFor(second, 2);
        kVariants[one](&a);
        kVariants[other](&b);
        world.Add(a).Add(b);
        const RevocationStatus quick = world.StatusOf(Leaf(7, "Kyoto"));
        EXPECT_EQ(quick, world.StatusOf(Leaf(7, "KYOTO")));
      }
    }
  }
}

// --- Every CRL that speaks is heard ------------------------------------------

// A certificate with two distribution points, Kyoto's CRL older than Osaka's.
lab::CertificateBuilder LeafOfTwoPoints() {
  lab::CertificateBuilder leaf = Leaf(7, "");
  std::vector<lab::DistributionPoint> points(2);
  points[0].full_name = {lab::DirectoryName({{"CN", "Kyoto"}})};
  points[1].full_name = {lab::DirectoryName({{"CN", "Osaka"}})};
  leaf.add(extension::CrlDistributionPoints(points));
  return leaf;
}

TEST(CrlStore, ARevocationAtAnyPointIsHeardThoughAnotherCoversAllReasons) {
  const auto old_and_new = [](Reason reason, bool newer_lists) {
    CrlBuilder kyoto = CrlFor("Kyoto");
    CrlBuilder osaka = CrlFor("Osaka");
    kyoto.this_update(kIssued - kDay).next_update(kNext);
    osaka.this_update(kIssued).next_update(kNext);
    (newer_lists ? osaka : kyoto).revoke(Revoked(7, kIssued - kDay, reason));
    World world;
    world.Add(kyoto).Add(osaka);
    return world.StatusOf(LeafOfTwoPoints());
  };
  EXPECT_EQ(old_and_new(Reason::kSuperseded, true), kRevoked);
  EXPECT_EQ(old_and_new(Reason::kSuperseded, false), kRevoked);
  EXPECT_EQ(old_and_new(Reason::kCertificateHold, true), kOnHold);
  // A newer CRL that would list a hold, and does not, says it was lifted.
  EXPECT_EQ(old_and_new(Reason::kCertificateHold, false), kGood);
}

TEST(CrlStore, AHoldStandsUntilANewerCrlForHoldsSaysOtherwise) {
  constexpr uint16_t kHoldBit = 1U << 6;
  const auto status = [](int64_t hold_made, uint16_t newer_reasons) {
    CrlBuilder all = CrlFor("Kyoto");
    all.this_update(hold_made).next_update(kNext);
    all.revoke(Revoked(7, kIssued - 2 * kDay, Reason::kCertificateHold));
    lab::IssuingDistributionPointFields where;
    where.full_name = {lab::DirectoryName({{"CN", "Kyoto"}})};
    where.only_some_reasons = newer_reasons;
    CrlBuilder some;
    some.issuer(CaName())
        .add(extension::CrlNumber(2))
        .add(extension::IssuingDistributionPoint(where))
        .this_update(kIssued)
        .next_update(kNext);
    World world;
    world.Add(all).Add(some);
    return world.StatusOf(Leaf());
  };
  EXPECT_EQ(status(kIssued - kDay, kHoldBit), kGood);
  EXPECT_EQ(status(kIssued, kHoldBit), kOnHold) << "the stricter of two";
  EXPECT_EQ(status(kIssued - kDay, 1U << 1), kOnHold) << "not for holds";
}

TEST(CrlStore, AnIndirectEntryCountsUnderEveryNameOfItsIssuer) {
  const auto read = [](int names, int own) {
    std::vector<std::string> issuers;
    for (int i = 0; i < names; ++i) {
      issuers.push_back(i == own
                            ? lab::DirectoryName(CaName())
                            : lab::DirectoryName({{"CN", std::to_string(i)}}));
    }
    lab::IssuingDistributionPointFields indirect;
    indirect.indirect = true;
    lab::CrlEntry entry = Revoked(7, kIssued);
    entry.certificate_issuer = issuers;
    CrlBuilder crl;
    crl.issuer({{"CN", "CRL issuer"}})
        .add(extension::CrlNumber(1))
        .add(extension::IssuingDistributionPoint(indirect))
        .revoke(entry);
    return ReadCrl(AsBytes(crl.Sign(KeyOf("ca"))), "crl");
  };
  for (const int own : {0, 1, 3}) {
    const auto crl = read(4, own);
    ASSERT_TRUE(crl.ok()) << crl.status();
    Revocation entry;
    const auto index =
        (*crl)->indirect.find(CanonicalName(AsBytes(CaName().Encode())));
    ASSERT_NE(index, (*crl)->indirect.end()) << own;
    EXPECT_TRUE(index->second.Find(AsBytes("\x07"), &entry));
    EXPECT_EQ((*crl)->indirect.size(), 4U);
  }
  EXPECT_THAT(std::string(read(5, 0).status().message()),
              testing::HasSubstr("more than 4 directoryNames"));
}

}  // namespace
}  // namespace inkan
