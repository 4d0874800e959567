// Every refusal of l2tpd, provoked by a client or a host that leads to it: the sentence that explains it, the
// line in the log, and the counter.

#include <functional>
#include <map>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "../l2tp/bench.h"
#include "../l2tp/pretend_pppd.h"
#include "l2tpd/daemon.h"
#include "xfrmctl/explain.h"

namespace l2tpd {
namespace {

using l2tp::testing::Bench;
using l2tp::testing::of_type;
using l2tp::testing::vector;
using ::testing::HasSubstr;

class L2tpRefusals : public PretendPppd {
 protected:
  L2tpRefusals() {
    base::set_log_level(base::Severity::info);
    config_.ppp.ipv6_prefix = base::Prefix::parse("2001:db8:7::/56");
    with_pppd(folder_ + "/pppd");
  }

  void with_pppd(const std::string& program) {
    links_.emplace(loop_, config_, accounts_, bindings_, PppdProgram{.path = program},
                   Links::Calls{.ended = [](const auto&, const auto&, const auto&) {},
                                .refused =
                                    [this](const l2tp::TunnelName& tunnel, Refusal refusal,
                                           std::string_view user, std::string_view why) {
                                      refusals_.tell(tunnel, refusal, user, why);
                                      refused_.emplace_back(name_of(refusal));
                                    },
                                .ipv4_up = [this](const SessionRecord&) { return watched_; }});
  }
  /// A pppd that ends by itself, in this way.
  void pppd_ends(const std::string& how) {
    const auto program = folder_ + "/short-lived";
    std::ofstream(program) << "#!/bin/sh\n" << how << "\n";
    std::filesystem::permissions(program, std::filesystem::perms::owner_all);
    with_pppd(program);
    call(1);
    for (int turns = 0; turns < 500 && refused_.empty(); ++turns) loop_.run_once(10ms);
  }
  /// As Daemon does with a session that the core wants.
  void call(std::uint16_t id) {
    const auto started =
        links_->start(tunnel(), name(id), base::Fd(::open("/dev/null", O_RDWR | O_CLOEXEC)), {.mtu = 1398});
    if (!started) refusals_.tell(tunnel(), Refusal::ppp_not_startable, {}, started.error().message);
  }
  void tell_what_befell(Bench& bench) {
    while (auto effect = bench.server.next_effect()) bench.effects.push_back(std::move(*effect));
    for (const auto& effect : bench.effects) {
      if (const auto* down = std::get_if<l2tp::TunnelDown>(&effect)) refusals_.tell(*down);
      if (const auto* refused = std::get_if<l2tp::CallRefused>(&effect)) refusals_.tell(*refused);
    }
  }
  /// Logs in while its IPsec connection is bound to `logins`; without any, ikd does not tell.
  void log_in_through_a_bound_connection(const std::vector<std::string>& logins) {
    config_.ike.psks.push_back({.name = "branch", .peer = {}, .bind_user = true});
    if (!logins.empty()) told_of_.emplace().bound_to = logins;
    dial(1);
    log_in(1, "alice");
    for (int turns = 0; turns < 500 && refused_.empty(); ++turns) loop_.run_once(10ms);
  }
  void radius_says(char verdict, const std::string& address) {
    dial(1);
    ask(1, "R" + field("alice") + field({verdict}) + field(address));
  }

  /// What an administrator reads of the client whose mark is 0x100.
  std::string explanation() {
    control::Attempt ike;
    ike.peer = 1;
    ike.mark = 0x100;
    ike.address = "198.51.100.1";
    ike.outcome = control::outcome::up;
    ike.events.emplace_back();
    const auto story =
        xfrmctl::story_of("last", {ike}, chronicle_.history().attempts(), control::unix_milliseconds());
    return story ? xfrmctl::story_text(*story) : "nobody has tried to connect";
  }
  double counted(Refusal refusal) {
    const Tunnels none([] {});
    const auto families = metrics_.families(none, *links_, HookCounters{}, DaemonCounters{}, 0);
    const auto failures = std::ranges::find(families, "sameroof_l2tp_failures", &control::MetricFamily::name);
    for (const auto& sample : failures->samples) {
      if (sample.labels.at("reason") == name_of(refusal)) return sample.value;
    }
    return -1;
  }

  Metrics metrics_;
  Chronicle chronicle_;
  Quiet quiet_;
  Refusals refusals_{metrics_, chronicle_, quiet_};

  static const std::map<Refusal, std::function<void(L2tpRefusals&)>> provocations;
};

const std::map<Refusal, std::function<void(L2tpRefusals&)>> L2tpRefusals::provocations = {
    {Refusal::no_such_user, [](L2tpRefusals& t) { t.dial(1), t.log_in(1, "carol"); }},
    {Refusal::wrong_password, [](L2tpRefusals& t) { t.dial(1), t.log_in(1, "alice", "guess"); }},
    {Refusal::radius_refused, [](L2tpRefusals& t) { t.radius_says('0', "\0\0\0\0"s); }},
    {Refusal::radius_address_unusable, [](L2tpRefusals& t) { t.radius_says('1', "\x0a\x63\0\1"s); }},
    {Refusal::peer_unknown, [](L2tpRefusals& t) { t.log_in_through_a_bound_connection({}); }},
    {Refusal::bound_to_another_user, [](L2tpRefusals& t) { t.log_in_through_a_bound_connection({"bob"}); }},
    {Refusal::too_many_sessions,
     [](L2tpRefusals& t) {
       t.config_.users[0].limits = {.sessions = 1, .when_full = config::WhenFull::refuse};
       for (std::uint16_t id = 1; id <= 2; ++id) t.dial(id), t.log_in(id, "alice");
     }},
    {Refusal::address_in_use,
     [](L2tpRefusals& t) {
       t.config_.users[0].limits.when_full = config::WhenFull::refuse;
       t.config_.users[0].address = address("10.99.2.1");
       for (std::uint16_t id = 1; id <= 2; ++id) t.dial(id), t.log_in(id, "alice");
     }},
    {Refusal::pool_exhausted,
     [](L2tpRefusals& t) {
       t.config_.ppp.pool = *base::Prefix::parse("10.99.0.1/32");  // which is our own
       t.links_->reconfigure();
       t.dial(1);
       t.log_in(1, "alice");
     }},
    {Refusal::link_not_watched,
     [](L2tpRefusals& t) {
       t.watched_ = base::fail("adding ppp7: the set is full");
       t.dial(1);
       t.log_in(1, "alice");
       t.up(1, "ppp7");
     }},
    {Refusal::ppp_not_startable,
     [](L2tpRefusals& t) {
       for (std::uint16_t id = 1; id <= 16; ++id) t.dial(id);
       t.call(17);
     }},
    {Refusal::ppp_not_negotiated, [](L2tpRefusals& t) { t.pppd_ends("exit 10"); }},
    {Refusal::ppp_not_authenticated, [](L2tpRefusals& t) { t.pppd_ends("exit 11"); }},
    {Refusal::ppp_peer_silent, [](L2tpRefusals& t) { t.pppd_ends("exit 16"); }},
    {Refusal::ppp_failed, [](L2tpRefusals& t) { t.pppd_ends("kill -9 $$"); }},
    {Refusal::call_refused,
     [](L2tpRefusals& t) {
       Bench bench;
       const auto id = bench.establish();
       auto outgoing = of_type(l2tp::MessageType::OCRQ);
       outgoing.assigned_session_id = l2tp::SessionId(7);
       bench.input(outgoing, id, 2, 1);
       t.tell_what_befell(bench);
     }},
    {Refusal::tunnel_over_limit,
     [](L2tpRefusals& t) {
       l2tp::Settings settings;
       settings.limits.tunnels_per_mark = 1;
       Bench bench(std::move(settings));
       bench.establish();
       bench.input(vector("sccrq-apple"));
       t.tell_what_befell(bench);
     }},
    {Refusal::tunnel_unanswered,
     [](L2tpRefusals& t) {
       Bench bench;
       bench.input(vector("sccrq-windows10"));
       while (const auto next = bench.server.next_timeout()) bench.server.timeout(bench.now = *next);
       t.tell_what_befell(bench);
     }},
    {Refusal::tunnel_not_authorized,
     [](L2tpRefusals& t) {
       l2tp::Settings settings;
       settings.secret = l2tp::kept_here(base::Secret::copy_of(base::as_bytes("tunnel")));
       Bench bench(std::move(settings));
       bench.input(vector("sccrq-windows10"));
       const auto id = bench.server.tunnels().begin()->first;
       bench.input(of_type(l2tp::MessageType::SCCCN), id, 1, 1);
       t.tell_what_befell(bench);
     }},
    {Refusal::tunnel_malformed,
     [](L2tpRefusals& t) {
       Bench bench;
       const auto whole = vector("sccrq-apple");
       auto body = base::to_bytes(l2tp::decode_header(whole)->body);
       base::append(body, base::from_hex("8008 0137 0063 0000"));
       bench.input(encode(l2tp::Header{.tunnel = {}, .session = {}, .ns = {}, .nr = {}, .body = body}));
       t.tell_what_befell(bench);
     }},
    {Refusal::tunnel_not_in_kernel,
     [](L2tpRefusals& t) {
       Bench bench;
       bench.server.completed(l2tp::TunnelFailed{bench.establish(), "insufficient resources"}, bench.now);
       t.tell_what_befell(bench);
     }},
};

class EveryL2tpRefusal : public L2tpRefusals, public ::testing::WithParamInterface<int> {};

TEST_P(EveryL2tpRefusal, IsProvokedExplainedLoggedAndCounted) {
  const auto refusal = static_cast<Refusal>(GetParam());
  ASSERT_TRUE(provocations.contains(refusal)) << name_of(refusal) << " is provoked by nothing here";
  const auto* entry = control::catalogue_entry(name_of(refusal));
  ASSERT_NE(entry, nullptr) << name_of(refusal);
  ::testing::internal::CaptureStderr();
  provocations.at(refusal)(*this);
  const auto logged = ::testing::internal::GetCapturedStderr();
  const auto text = explanation();
  EXPECT_THAT(text, HasSubstr("\n" + std::string(entry->meaning) + "\n"));
  EXPECT_THAT(text, HasSubstr(std::string(entry->remedy)));
  EXPECT_EQ(counted(refusal), 1);
  EXPECT_EQ(std::ranges::count(logged, '\n'), 1) << logged;
}

INSTANTIATE_TEST_SUITE_P(Catalogue, EveryL2tpRefusal, ::testing::Range(1, static_cast<int>(Refusal::count_)),
                         [](const auto& instance) {
                           return std::string(name_of(static_cast<Refusal>(instance.param)));
                         });

TEST_F(L2tpRefusals, WhoIsRefusedAgainAndAgainDoesNotFillTheLog) {
  ::testing::internal::CaptureStderr();
  for (int i = 0; i < 1000; ++i) refusals_.tell(tunnel(), Refusal::wrong_password, "alice", "wrong password");
  const auto logged = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::ranges::count(logged, '\n'), 20);
  EXPECT_THAT(logged, ::testing::StartsWith(
                          "User 'alice' of peer 240.0.0.1:1701 is refused: wrong password.\nUser 'alice'"));
  EXPECT_EQ(counted(Refusal::wrong_password), 1000);
}

}  // namespace
}  // namespace l2tpd
