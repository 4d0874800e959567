// Every message in every state of an exchange that we have begun: what is due is taken, what was is answered
// with the same bytes or passed over, and all else is dropped by name and spoils nothing.

#include "pair_scene.h"
#include "ways.h"

namespace {

using namespace pair_scene;
using harness::Datagram;
using ike::DropReason;
using scene::Way;

constexpr base::Time start{1h};

/// One of the two ends, and what it has said.
struct Party {
  ike::Engine engine;
  harness::FakeKernel kernel;
  std::vector<Datagram> said = {};

  void work(base::Time now) {
    std::optional<ike::Completion> done;
    do {
      if (done) engine.completed(std::move(*done), now);
      while (auto effect = engine.next_effect()) {
        if (auto* send = std::get_if<ike::Send>(&*effect)) {
          said.push_back({send->from, send->to, std::move(send->bytes)});
        } else {
          kernel.execute(std::move(*effect), now);
        }
      }
      done = kernel.pop_completion(now);
    } while (done);
  }
};

/// Two gateways, and one of them dials.
struct Setting {
  const char* name;
  Way way = Way::psk;
  std::optional<crypto::Group> pfs = {};

  Party us(base::Duration work) const {
    auto s = scene::world_of(way);
    auto& kernel = s.kernel;
    kernel.dh_delay = kernel.skeyid_delay = kernel.install_delay = work;
    return {ike::Engine(std::move(s.engine), harness::seeded_random(1)), harness::FakeKernel(kernel)};
  }
  Party them() const {
    auto s = scene::world_of(way);
    s.kernel.seed = 2;
    return {ike::Engine(std::move(s.engine), harness::seeded_random(2)), harness::FakeKernel(s.kernel)};
  }
  ike::Connection connection() const {
    auto c = cheap_pair().connection;
    c.local = {scene::public_host, 500};
    c.remote = {scene::gateway, 500};
    c.psk = "family";
    if (way == Way::certificate) c.ike.authentication = ike::AuthMethod::ecdsa_256;
    c.esp.service = ike::l2tp_service;
    c.esp.our_id = scene::udp_id(scene::public_host, 17, 1701);
    c.esp.their_id = scene::udp_id(scene::gateway, 17, 1701);
    c.esp.pfs = pfs;
    return c;
  }
};

/// What a Windows server says after our message 3, with its INITIAL-CONTACT (clients.md §1): in the same
/// exchange, and authentic.
Datagram fourth_message(const Party& them, const Datagram& message_3) {
  const auto& sa = *them.engine.isakmp_sa(ike::SaNumber(1));
  const auto header = ike::v1::decode_header(message_3.bytes);
  const auto body = ike::v1::encode_notification({.protocol = ike::v1::protocol_isakmp,
                                                  .spi = sa.spi(),
                                                  .type = ike::v1::notify::initial_contact,
                                                  .data = {}});
  base::Bytes iv(message_3.bytes.end() - 16, message_3.bytes.end());
  return {message_3.to, message_3.from,
          ike::v1::encode_phase2(*header, {{ike::v1::PayloadType::notification, body}}, sa.transform,
                                 sa.state.get<ike::Up>().keys, {}, iv)};
}

/// What the other end answers: 2, 4 and 6 of Main Mode, 2 of Quick Mode, and a fourth one there. An engine of
/// the same seeds says the same bytes again, and they fit.
std::vector<Datagram> rehearse(const Setting& setting) {
  auto us = setting.us({}), them = setting.them();
  us.engine.connect(setting.connection(), start);
  std::size_t heard = 0, answered = 0;
  do {
    us.work(start);
    for (; heard < us.said.size(); ++heard)
      them.engine.input(us.said[heard].from, us.said[heard].to, us.said[heard].bytes, start);
    them.work(start);
    for (; answered < them.said.size(); ++answered)
      us.engine.input(them.said[answered].from, them.said[answered].to, them.said[answered].bytes, start);
    us.work(start);
  } while (heard < us.said.size());
  EXPECT_EQ(us.kernel.sas().size(), 2u);
  auto out = them.said;
  out.push_back(fourth_message(them, us.said.back()));
  return out;
}

enum class Outcome {
  taken,    ///< we go on
  same,     ///< the bytes of before
  ignored,  ///< a repetition while the work is under way
  payload,  ///< dropped: unexpected_payload, wrong_state, …
  state,
  exchange,
  cookies,
  hash,
  used,
  clear
};
using enum Outcome;

constexpr std::size_t quick_2 = 3;  ///< among what was rehearsed

/// What does not belong to the exchange, after the messages that do: 2 of Quick Mode, changed.
enum class Odd { informational, aggressive, transaction, other_quick, clear_quick, other_cookie };
constexpr std::array odds{Odd::informational, Odd::aggressive,  Odd::transaction,
                          Odd::other_quick,   Odd::clear_quick, Odd::other_cookie};

/// How far we have come, what the other end says then (or nothing: work is under way), and what comes of each
/// message: those that were rehearsed in their order, then each of Odd.
struct Row {
  const char* state;
  std::optional<std::size_t> hears;
  std::vector<Outcome> outcomes;
};

// 2, 4, 6 and 2 of Quick Mode, and its fourth; then an Informational, Aggressive Mode, a transaction, a
// forged Quick Mode, one in clear, and another cookie.
const Row message_1{"message 1 is out",
                    0,
                    {taken, payload, state, state, state, state, exchange, exchange, state, state, state}};
const Row key_pair{"our key pair is made",
                   {},
                   {state, state, state, state, state, state, exchange, exchange, state, state, cookies}};
const Row message_3{"message 3 is out",
                    1,
                    {payload, taken, state, state, state, state, exchange, exchange, state, state, cookies}};
const Row computing{"Diffie-Hellman is computed",
                    {},
                    {state, state, state, state, state, state, exchange, exchange, state, state, cookies}};
const Row skeyid{"SKEYID is derived", {}, computing.outcomes};
const Row signing{"our signature is made", {}, computing.outcomes};
const Row message_5{"message 5 is out",
                    2,
                    {clear, clear, taken, state, state, state, exchange, exchange, state, state, cookies}};
const Row verifying{"the certificate is verified", {}, computing.outcomes};
const Row quick_key_pair{"our key pair for Quick Mode is made",
                         {},
                         {state, state, state, state, state, hash, exchange, exchange, hash, clear, cookies}};
const Row quick_1{"message 1 of Quick Mode is out",
                  3,
                  {state, state, state, taken, hash, hash, exchange, exchange, hash, clear, cookies}};
const Row quick_computing{
    "Diffie-Hellman of Quick Mode is computed",
    {},
    {state, state, state, ignored, state, hash, exchange, exchange, hash, clear, cookies}};
const Row inbound{"the inbound SA is installed", {}, quick_computing.outcomes};
const Row quick_3{"message 3 of Quick Mode is out",
                  {},
                  {state, state, state, same, state, hash, exchange, exchange, hash, clear, cookies}};
const Row connected{"connected", {}, quick_3.outcomes};

class Walk {
 public:
  Walk(const Setting& setting, const std::vector<Datagram>& answers)
      : answers_(answers), us_(setting.us(100ms)) {
    us_.engine.connect(setting.connection(), now_);
    us_.work(now_);
  }

  Party& us() { return us_; }

  void run(base::Duration span) {
    for (const auto end = now_ + span; now_ < end; now_ += 1ms) us_.work(now_);
  }
  /// In which nothing else happens.
  void skip(base::Duration span) {
    const auto end = now_ + span;
    for (us_.work(now_); now_ < end; us_.work(now_)) {
      now_ = std::min(end, us_.engine.next_timeout().value_or(end));
      us_.engine.timeout(now_);
    }
  }
  /// What happens between two states of the table.
  void step(const Row& from) {
    if (!from.hears) return run(100ms);
    hear(answers_[*from.hears]);
  }
  Outcome say(std::size_t message) {
    const auto before = us_.engine.counters();
    const auto said = us_.said;
    hear(datagram(message));
    const auto& after = us_.engine.counters();
    constexpr std::pair<DropReason, Outcome> reasons[] = {{DropReason::unexpected_payload, payload},
                                                          {DropReason::wrong_state, state},
                                                          {DropReason::unsupported_exchange, exchange},
                                                          {DropReason::unknown_cookies, cookies},
                                                          {DropReason::hash_mismatch, hash},
                                                          {DropReason::message_id_used, used},
                                                          {DropReason::not_encrypted, clear}};
    for (const auto& [reason, outcome] : reasons) {
      const auto i = static_cast<std::size_t>(reason);
      if (after.dropped[i] > before.dropped[i]) return outcome;
    }
    if (after.duplicates == before.duplicates) return taken;
    if (us_.said.size() == said.size()) return ignored;
    const bool known =
        std::ranges::any_of(said, [&](const Datagram& old) { return old.bytes == us_.said.back().bytes; });
    return known ? same : taken;
  }

 private:
  void hear(const Datagram& d) {
    us_.engine.input(d.from, d.to, d.bytes, now_);
    run(5ms);
  }
  Datagram datagram(std::size_t message) const {
    if (message < answers_.size()) return answers_[message];
    auto d = answers_[quick_2];
    constexpr std::size_t responder = 8, exchange_type = 18, flags = 19, message_id = 20;
    switch (odds[message - answers_.size()]) {
      case Odd::informational: d.bytes[exchange_type] = 5; break;
      case Odd::aggressive: d.bytes[exchange_type] = 4; break;
      case Odd::transaction: d.bytes[exchange_type] = 6; break;
      case Odd::other_quick: d.bytes[message_id] ^= 0x55; break;
      case Odd::clear_quick: d.bytes[flags] = 0; break;
      case Odd::other_cookie: d.bytes[responder] ^= 1; break;
    }
    return d;
  }

  const std::vector<Datagram>& answers_;
  Party us_;
  base::Time now_ = start;
};

void walk(const Setting& setting, const std::vector<Row>& table) {
  SCOPED_TRACE(setting.name);
  const auto answers = rehearse(setting);
  ASSERT_THAT(answers, SizeIs(5));
  for (std::size_t s = 0; s < table.size(); ++s) {
    ASSERT_THAT(table[s].outcomes, SizeIs(answers.size() + odds.size()));
    for (std::size_t m = 0; m < table[s].outcomes.size(); ++m) {
      SCOPED_TRACE(table[s].state + (": message " + std::to_string(m)));
      Walk walk(setting, answers);
      for (std::size_t i = 0; i < s; ++i) walk.step(table[i]);
      const auto want = table[s].outcomes[m];
      EXPECT_EQ(static_cast<int>(walk.say(m)), static_cast<int>(want));
      if (want == taken) continue;
      for (auto i = s; i < table.size(); ++i) walk.step(table[i]);
      walk.run(200ms);
      EXPECT_EQ(walk.us().kernel.sas().size(), 2u) << "and the connection comes up as ever";
      EXPECT_THAT(walk.us().kernel.complaints(), IsEmpty());
    }
  }
}

TEST(StateWalkByUs, EveryMessageInEveryStateDoesWhatTheTableSays) {
  walk({.name = "pre-shared key"},
       {message_1, key_pair, message_3, computing, skeyid, message_5, quick_1, inbound, quick_3, connected});
}
// The walk ends while the exchange is remembered.
TEST(StateWalkByUs, FourthMessageOfWindowsIsNothingHoweverLate) {
  const Setting setting{.name = "pre-shared key"};
  const auto answers = rehearse(setting);
  for (const auto late : {1s, 30s, 100s, 200s}) {
    SCOPED_TRACE(late.count());
    Walk walk(setting, answers);
    for (const auto& row : {message_1, key_pair, message_3, computing, skeyid, message_5, quick_1, inbound})
      walk.step(row);
    walk.skip(late);
    const auto said = walk.us().said.size();
    EXPECT_EQ(static_cast<int>(walk.say(answers.size() - 1)), static_cast<int>(late < 60s ? state : used));
    EXPECT_EQ(walk.us().said.size(), said);
    EXPECT_EQ(walk.us().kernel.sas().size(), 2u);
    EXPECT_EQ(walk.us().engine.isakmp_sas(), 1u);
    EXPECT_EQ(walk.us().kernel.events_of(EventKind::sa_deleted), 0u);
  }
}
TEST(StateWalkByUs, TheSameWithSignatures) {
  walk({.name = "certificate", .way = Way::certificate},
       {message_1, key_pair, message_3, computing, signing, message_5, verifying, quick_1, inbound, quick_3,
        connected});
}
TEST(StateWalkByUs, TheSameWithPfs) {
  walk({.name = "PFS", .pfs = crypto::Group::modp2048},
       {message_1, key_pair, message_3, computing, skeyid, message_5, quick_key_pair, quick_1,
        quick_computing, inbound, quick_3, connected});
}

}  // namespace
