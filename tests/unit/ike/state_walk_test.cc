// Every message in every state of an exchange: what is due is taken, what was is answered with the same
// bytes, and all else is dropped by name and spoils nothing.

#include "scene.h"

namespace {

using namespace scene;

/// A whole connection as it was recorded; a world of the same seeds says the same bytes again.
struct Rehearsal {
  std::vector<harness::Datagram> said;     ///< messages 1, 3, 5 of Main Mode, 1 and 3 of Quick Mode
  std::vector<harness::Datagram> answers;  ///< 2, 4, 6, and 2 of Quick Mode
  harness::Datagram question;              ///< R-U-THERE, after all of those
  Rehearsal() {
    Connected c;
    said = c.world.arrived();
    answers = c.world.left();
    c.client.r_u_there(1);
    c.world.run(1s);
    question = c.world.arrived().back();
  }
};

/// How far the responder has come.
enum State { nothing, sent_2, computing, sent_4, up, installing, sent_quick_2, connected, state_count };
constexpr std::array state_names{"nothing",
                                 "message 2 is out",
                                 "Diffie-Hellman is computed",
                                 "message 4 is out",
                                 "up",
                                 "the inbound SA is installed",
                                 "message 2 of Quick Mode is out",
                                 "connected"};

enum Message {
  message_1,
  message_3,
  message_5,
  quick_1,
  quick_3,
  question,
  aggressive,
  transaction,
  other_quick,
  clear_quick,
  message_count
};
constexpr std::array message_names{
    "message 1", "message 3",       "message 5",     "message 1 of Quick Mode",    "message 3 of Quick Mode",
    "R-U-THERE", "Aggressive Mode", "a transaction", "another Quick Mode, forged", "Quick Mode in clear"};

enum class Outcome {
  taken,     ///< the responder goes on
  same,      ///< the bytes of before
  ignored,   ///< a repetition while the work is under way, or that needs no answer
  answered,  ///< with something new, and the state stays
  state,
  exchange,
  cookies,
  hash,
  clear  ///< dropped: wrong_state, unsupported_exchange, …
};
using enum Outcome;

// Rows are states, columns messages.
constexpr Outcome table[state_count][message_count] = {
    //                 1         3        5        q1       q3       R-U-T     Aggr.     trans.    forged
    //                 clear
    /* nothing     */ {taken, cookies, cookies, cookies, cookies, cookies, cookies, cookies, cookies,
                       cookies},
    /* sent_2      */ {same, taken, state, state, state, state, exchange, exchange, state, state},
    /* computing   */ {state, ignored, state, state, state, state, exchange, exchange, state, state},
    /* sent_4      */ {state, same, taken, state, state, state, exchange, exchange, state, state},
    /* up          */ {answered, state, same, taken, hash, answered, exchange, exchange, hash, clear},
    /* installing  */ {answered, state, same, ignored, state, answered, exchange, exchange, hash, clear},
    /* sent_quick_2*/ {answered, state, same, same, taken, answered, exchange, exchange, hash, clear},
    /* connected   */ {answered, state, same, state, ignored, answered, exchange, exchange, hash, clear},
};

class Walk {
 public:
  explicit Walk(const Rehearsal& recorded) : recorded_(recorded), world_(settings()) {}

  World& world() { return world_; }

  /// Brings the responder, from nothing, to that state.
  void go_to(State state) {
    for (int s = nothing; s < state; ++s) step(static_cast<State>(s));
  }
  void go_on(State from) {
    for (int s = from; s < connected; ++s) step(static_cast<State>(s));
  }

  harness::Datagram datagram(Message m) const {
    if (m <= quick_3) return recorded_.said[m];
    if (m == question) return recorded_.question;
    auto d = recorded_.said[m == aggressive || m == transaction ? 2 : 3];
    auto& header = d.bytes;  // behind the non-ESP marker, as both of them are
    if (m == aggressive) header[4 + 18] = 4;
    if (m == transaction) header[4 + 18] = 6;
    if (m == other_quick) header[4 + 20] ^= 0x55;
    if (m == clear_quick) header[4 + 19] = 0;
    return d;
  }

  Outcome say(Message m) {
    const auto before = world_.engine().counters();
    const auto left = world_.left();
    const auto d = datagram(m);
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
    if (dropped(DropReason::not_encrypted)) return clear;
    const bool repeated = after.duplicates > before.duplicates;
    if (world_.left().size() == left.size()) return repeated ? ignored : taken;
    const bool known = std::ranges::any_of(
        left, [&](const harness::Datagram& old) { return old.bytes == world_.left().back().bytes; });
    if (repeated && known) return same;
    return answered;
  }

 private:
  static WorldSettings settings() {
    auto ws = cheap();
    ws.kernel.dh_delay = ws.kernel.install_delay = 100ms;
    return ws;
  }

  void step(State from) {
    static constexpr std::array<std::optional<Message>, state_count> says{
        message_1, message_3, std::nullopt, message_5, quick_1, std::nullopt, quick_3, std::nullopt};
    if (says[from]) {
      const auto d = datagram(*says[from]);
      world_.inject(d.from, d.to, d.bytes);
      world_.run(5ms);
    } else {
      world_.run(150ms);
    }
  }

  const Rehearsal& recorded_;
  World world_;
};

TEST(StateWalk, EveryMessageInEveryStateDoesWhatTheTableSays) {
  const Rehearsal recorded;
  ASSERT_THAT(recorded.said, SizeIs(5));
  ASSERT_THAT(recorded.answers, SizeIs(4));
  for (int s = nothing; s < state_count; ++s) {
    for (int m = message_1; m < message_count; ++m) {
      SCOPED_TRACE(std::string(state_names[static_cast<std::size_t>(s)]) + ": " +
                   message_names[static_cast<std::size_t>(m)]);
      Walk walk(recorded);
      walk.go_to(static_cast<State>(s));
      const auto want = table[s][m];
      const auto got = walk.say(static_cast<Message>(m));
      // What goes on may answer at once or begin slow work.
      EXPECT_EQ(static_cast<int>(got == answered && want == taken ? taken : got), static_cast<int>(want));
      if (want == taken || want == answered) continue;  // answers draw randomness: the recording fits no more
      walk.go_on(static_cast<State>(s));
      walk.world().run(200ms);
      EXPECT_EQ(walk.world().kernel().sas().size(), 2u) << "and the connection comes up as ever";
      EXPECT_THAT(walk.world().kernel().complaints(), IsEmpty());
    }
  }
}

}  // namespace
