// Every message in every state of an exchange: what is due is taken, what was is answered with the same
// bytes, and all else is dropped by name and spoils nothing.

#include "ways.h"

namespace {

using namespace scene;

/// A whole connection as it was recorded; a world of the same seeds says the same bytes again.
struct Rehearsal {
  Way way;
  std::vector<harness::Datagram> said;     ///< messages 1, 3, 5 of Main Mode, 1 and 3 of Quick Mode
  std::vector<harness::Datagram> answers;  ///< 2, 4, 6, and 2 of Quick Mode
  harness::Datagram question;              ///< R-U-THERE, after all of those
  explicit Rehearsal(Way how) : way(how) {
    Connected c(world_of(way), client_of(way));
    said = c.world.arrived();
    answers = c.world.left();
    c.client.r_u_there(1);
    c.world.run(1s);
    question = c.world.arrived().back();
  }
  /// The first and the last one that phase 2 says.
  std::size_t quick_1() const { return said.size() - 2; }
};

enum class Outcome {
  taken,     ///< the responder goes on
  same,      ///< the bytes of before
  ignored,   ///< a repetition while the work is under way, or that needs no answer
  answered,  ///< with something new, and the state stays
  state,
  exchange,
  cookies,
  hash,
  used,
  clear  ///< dropped: wrong_state, unsupported_exchange, …
};
using enum Outcome;

/// What a stranger to this exchange would say in it, after the messages that belong to it.
enum class Odd { question, other_mode, transaction, other_quick, clear_quick };
constexpr std::array odds{Odd::question, Odd::other_mode, Odd::transaction, Odd::other_quick,
                          Odd::clear_quick};

/// How far the responder has come, what the client says then (or nothing: work is under way), and what comes
/// of each message: those that were recorded in their order, then each of Odd.
struct Row {
  const char* state;
  std::optional<std::size_t> says;
  std::vector<Outcome> outcomes;
};

const std::vector<Row> main_mode{
    //  1         3        5        q1       q3       R-U-T     Aggr.     trans.    forged   clear
    {"nothing", 0, {taken, cookies, cookies, cookies, cookies, cookies, cookies, cookies, cookies, cookies}},
    {"message 2 is out", 1, {same, taken, state, state, state, state, exchange, exchange, state, state}},
    {"Diffie-Hellman is computed",
     {},
     {state, ignored, state, state, state, state, exchange, exchange, state, state}},
    {"message 4 is out", 2, {state, same, taken, state, state, state, exchange, exchange, state, state}},
    {"SKEYIDs are derived",
     {},
     {state, same, ignored, state, state, state, exchange, exchange, state, state}},
    {"pre-shared keys are tried",
     {},
     {state, same, ignored, state, state, state, exchange, exchange, state, state}},
    {"up", 3, {answered, state, same, taken, hash, answered, exchange, exchange, hash, clear}},
    {"the inbound SA is installed",
     {},
     {answered, state, same, ignored, state, answered, exchange, exchange, hash, clear}},
    {"message 2 of Quick Mode is out",
     4,
     {answered, state, same, same, taken, answered, exchange, exchange, hash, clear}},
    {"connected", {}, {answered, state, same, used, used, answered, exchange, exchange, hash, clear}},
};

const std::vector<Row> main_mode_with_signatures{
    main_mode[0],
    main_mode[1],
    main_mode[2],
    main_mode[3],
    {"the certificate is verified",
     {},
     {state, same, ignored, state, state, state, exchange, exchange, state, state}},
    {"our signature is made",
     {},
     {state, same, ignored, state, state, state, exchange, exchange, state, state}},
    main_mode[6],
    main_mode[7],
    main_mode[8],
    main_mode[9],
};

const std::vector<Row> aggressive_mode{
    //  1         3        q1       q3       R-U-T    Main     trans.    forged   clear
    {"nothing", 0, {taken, cookies, cookies, cookies, cookies, cookies, cookies, cookies, cookies}},
    {"Diffie-Hellman is computed", {}, {ignored, state, state, state, state, state, exchange, state, state}},
    {"SKEYID is derived", {}, {ignored, state, state, state, state, state, exchange, state, state}},
    // What belongs to phase 2 shows that it has message 2, and that message 3 was lost.
    {"message 2 is out", 1, {same, taken, same, same, same, state, exchange, same, same}},
    {"up", 2, {taken, ignored, taken, hash, answered, state, exchange, hash, clear}},
    {"the inbound SA is installed",
     {},
     {taken, ignored, ignored, state, answered, state, exchange, hash, clear}},
    {"message 2 of Quick Mode is out",
     3,
     {taken, ignored, same, taken, answered, state, exchange, hash, clear}},
    {"connected", {}, {taken, ignored, used, used, answered, state, exchange, hash, clear}},
};

class Walk {
 public:
  explicit Walk(const Rehearsal& recorded) : recorded_(recorded), world_(settings(recorded.way)) {}

  World& world() { return world_; }

  /// What happens between two states of the table.
  void step(const Row& from) {
    if (!from.says) return world_.run(100ms);
    const auto& d = recorded_.said[*from.says];
    world_.inject(d.from, d.to, d.bytes);
    world_.run(5ms);
  }

  harness::Datagram datagram(std::size_t message) const {
    if (message < recorded_.said.size()) return recorded_.said[message];
    const auto odd = odds[message - recorded_.said.size()];
    if (odd == Odd::question) return recorded_.question;
    const bool phase_1 = odd == Odd::other_mode || odd == Odd::transaction;
    auto d = recorded_.said[phase_1 ? recorded_.quick_1() - 1 : recorded_.quick_1()];
    auto& header = d.bytes;  // behind the non-ESP marker, as both of them are
    if (odd == Odd::other_mode) header[4 + 18] = recorded_.way == Way::aggressive ? 2 : 4;
    if (odd == Odd::transaction) header[4 + 18] = 6;
    if (odd == Odd::other_quick) header[4 + 20] ^= 0x55;
    if (odd == Odd::clear_quick) header[4 + 19] = 0;
    return d;
  }

  Outcome say(std::size_t message) {
    const auto before = world_.engine().counters();
    const auto left = world_.left();
    const auto d = datagram(message);
    world_.inject(d.from, d.to, d.bytes);
    world_.run(5ms);
    const auto& after = world_.engine().counters();
    using ike::DropReason;
    const auto dropped = [&](DropReason why) {
      const auto i = static_cast<std::size_t>(why);
      return after.dropped[i] > before.dropped[i];
    };
    if (dropped(DropReason::wrong_state)) return state;
    if (dropped(DropReason::unsupported_exchange)) return exchange;
    if (dropped(DropReason::unknown_cookies)) return cookies;
    if (dropped(DropReason::hash_mismatch)) return hash;
    if (dropped(DropReason::message_id_used)) return used;
    if (dropped(DropReason::not_encrypted)) return clear;
    const bool repeated = after.duplicates > before.duplicates;
    if (world_.left().size() == left.size()) return repeated ? ignored : taken;
    const bool known = std::ranges::any_of(
        left, [&](const harness::Datagram& old) { return old.bytes == world_.left().back().bytes; });
    if (repeated && known) return same;
    return answered;
  }

 private:
  static WorldSettings settings(Way way) {
    auto ws = world_of(way);
    ws.kernel.dh_delay = ws.kernel.skeyid_delay = ws.kernel.install_delay = 100ms;
    return ws;
  }

  const Rehearsal& recorded_;
  World world_;
};

void walk(Way way, const std::vector<Row>& table) {
  const Rehearsal recorded(way);
  const auto messages = recorded.said.size() + odds.size();
  for (std::size_t s = 0; s < table.size(); ++s) {
    ASSERT_THAT(table[s].outcomes, SizeIs(messages));
    for (std::size_t m = 0; m < messages; ++m) {
      SCOPED_TRACE(table[s].state + (": message " + std::to_string(m)));
      Walk walk(recorded);
      for (std::size_t i = 0; i < s; ++i) walk.step(table[i]);
      const auto want = table[s].outcomes[m];
      const auto got = walk.say(m);
      // What goes on may answer at once or begin slow work.
      EXPECT_EQ(static_cast<int>(got == answered && want == taken ? taken : got), static_cast<int>(want));
      if (want == taken || want == answered) continue;  // answers draw randomness: the recording fits no more
      for (auto i = s; i < table.size(); ++i) walk.step(table[i]);
      walk.world().run(200ms);
      EXPECT_EQ(walk.world().kernel().sas().size(), 2u) << "and the connection comes up as ever";
      EXPECT_THAT(walk.world().kernel().complaints(), IsEmpty());
    }
  }
}

TEST(StateWalk, EveryMessageInEveryStateDoesWhatTheTableSays) { walk(Way::psk, main_mode); }
TEST(StateWalk, TheSameWithSignatures) { walk(Way::certificate, main_mode_with_signatures); }
TEST(StateWalk, TheSameInAggressiveMode) { walk(Way::aggressive, aggressive_mode); }

}  // namespace
