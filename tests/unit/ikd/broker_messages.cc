#include "broker_messages.h"

namespace ikd::sample {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t mask = 0x0fffff00;
const auto gateway = base::Address::v4(0xcb007101), nat = base::Address::v4(0xc6336401);
const auto alias = base::Address::v4(0xf0000007);
const auto outside_v6 = *base::Address::parse("2001:db8::7");

ike::PeerEntry entry() {
  return {.mark = base::Mark(0x700), .alias = alias, .home = nat, .dialled = gateway};
}

base::Secret key(std::size_t size, std::uint8_t of) { return base::Secret(base::Bytes(size, of)); }

xfrm::SaId sa_id() {
  return {.destination = gateway,
          .spi = xfrm::Spi(0x1000),
          .protocol = 50,
          .mark = xfrm::MaskedMark{0x700, mask}};
}

xfrm::Policy policy() {
  xfrm::Policy out;
  out.selector = {.source = {gateway, 32},
                  .destination = {alias, 32},
                  .protocol = 17,
                  .source_port = 1701,
                  .destination_port = {}};
  out.direction = xfrm::Direction::out;
  out.mark = xfrm::MaskedMark{0x700, mask};
  out.reqid = xfrm::Reqid(0x700);
  out.priority = 5;
  return out;
}

xfrm::SaStatistics statistics() {
  return {.bytes = 1000,
          .packets = 10,
          .added = 1s,
          .used = 2s,
          .outside_window = 3,
          .replayed = 4,
          .integrity_failed = 5,
          .newest = 12};
}

ike::SkeyidsDone skeyids() {
  ike::SkeyidsDone out{.ticket = ike::Ticket(3), .candidates = {}, .next = 256};
  out.candidates.push_back({"family", 1, 0x12345678, key(32, 9)});
  return out;
}

}  // namespace

ike::InstallInbound inbound() {
  ike::InstallInbound out{.ticket = ike::Ticket(1), .sa = {}, .new_entry = entry()};
  auto& sa = out.sa;
  sa.source = nat;
  sa.destination = gateway;
  sa.spi = xfrm::Spi(0x1000);
  sa.reqid = xfrm::Reqid(0x700);
  sa.selector = {.source = {alias, 32},
                 .destination = {gateway, 32},
                 .protocol = 17,
                 .source_port = {},
                 .destination_port = 1701};
  sa.transform = {.encryption = xfrm::Encryption::aes_cbc,
                  .encryption_key = key(32, 1),
                  .integrity = xfrm::Integrity::hmac_sha2_256_128,
                  .integrity_key = key(32, 2)};
  sa.replay_window = 64;
  sa.encap = xfrm::Encap{.source_port = 40001, .destination_port = 4500};
  sa.set_mark = xfrm::MaskedMark{0x700, mask};
  sa.lifetimes = {.soft = {.bytes = 1 << 20, .packets = {}, .time = 3000s},
                  .hard = {.bytes = 1 << 21, .packets = 1 << 30, .time = 3600s}};
  sa.mapping_interval = 1s;
  return out;
}

ike::InstallOutbound outbound() {
  ike::InstallOutbound out{.ticket = ike::Ticket(2), .sa = {}, .new_policy = policy()};
  auto& sa = out.sa;
  sa.source = gateway;
  sa.destination = alias;
  sa.spi = xfrm::Spi(0x2000);
  sa.reqid = xfrm::Reqid(0x700);
  sa.selector = policy().selector;
  sa.transform = {.encryption = xfrm::Encryption::aes_gcm_16,
                  .encryption_key = key(36, 3),
                  .integrity = xfrm::Integrity::none,
                  .integrity_key = {}};
  sa.mark = policy().mark;
  return out;
}

ike::MovePeer move() {
  return {.mark = base::Mark(0x700),
          .alias = alias,
          .new_home = base::Address::v4(0xc6336402),
          .port = 40002,
          .inbound = {sa_id()},
          .outbound = {sa_id(),
                       {.destination = outside_v6, .spi = xfrm::Spi(0x3000), .protocol = 50, .mark = {}}}};
}

ike::DeriveSkeyids derive() {
  return {.ticket = ike::Ticket(3),
          .hash = crypto::Hash::sha2_256,
          .ni = base::Bytes(16, 1),
          .nr = base::Bytes(32, 2),
          .peer = nat,
          .names = {"family", "office"},
          .from = 256};
}

Hello hello() {
  return {.listeners = {{base::Address(), 500}, {outside_v6, 4500}},
          .workers = 2,
          .user = 990,
          .group = 991,
          .watchdog_us = 30'000'000,
          .log_level = base::Severity::debug};
}

Provision provision() {
  return {.file_name = "sameroof.toml",
          .configuration = "[ike]",
          .files = {{"/etc/ssl/ca.pem", base::Bytes(30, 8)}, {"/etc/ssl/ca.crl", base::Bytes(20, 9)}},
          .certificates = {{.method = ike::AuthMethod::ecdsa_256,
                            .id_body = base::Bytes(8, 4),
                            .chain = {base::Bytes(100, 5), base::Bytes(50, 6)},
                            .issuers = {base::Bytes(20, 7)}}}};
}

std::deque<Request> requests() {
  std::deque<Request> out;
  out.push_back(inbound());
  out.push_back(outbound());
  out.push_back(ike::RemoveSa{sa_id(), base::Mark(0x700)});
  out.push_back(ike::RemovePeer{entry()});
  out.push_back(move());
  out.push_back(FillMaps{{entry(),
                          {.mark = base::Mark(0x800),
                           .alias = outside_v6,
                           .home = outside_v6,
                           .dialled = *base::Address::parse("2001:db8::1")}}});
  out.push_back(FillMaps{});
  out.push_back(IsRulesetLoaded{});
  out.push_back(Count{{sa_id(), sa_id()}});
  out.push_back(Compare{{sa_id()}});
  out.push_back(ReadRules{});
  out.push_back(Ready{});
  out.push_back(Alive{});
  out.push_back(CheckReload{});
  out.push_back(Reload{});
  out.push_back(ReadProvision{65536});
  out.push_back(derive());
  out.push_back(ike::Sign{.ticket = ike::Ticket(4), .certificate = 1, .hash = base::Bytes(20, 8)});
  return out;
}

std::deque<Answer> answers() {
  std::deque<Answer> out;
  out.push_back(Outcome{});
  out.push_back(Outcome{base::fail("no")});
  out.push_back(Done{});
  out.push_back(Done{ike::refused_as(ike::Refusal::nft_refused, base::fail("the set is full"))});
  out.push_back(Removed{Traffic{.in = 3, .out = 0}});
  out.push_back(Removed{base::fail("not ours")});
  out.push_back(RulesetLoaded{true});
  out.push_back(Counted{std::vector<xfrm::SaStatistics>{statistics(), {}}});
  out.push_back(Counted{base::fail("the kernel does not answer")});
  out.push_back(Compared{Comparison{.absent = {sa_id()}, .worn = {sa_id(), sa_id()}}});
  out.push_back(Compared{base::fail("the kernel does not answer")});
  out.push_back(RulesRead{std::vector<RuleCount>{{"leak", 3}}});
  out.push_back(RulesRead{base::fail("there is no table")});
  out.push_back(Changes{std::vector<std::string>{"+ PSK guests", "~ [ike]"}});
  out.push_back(Changes{base::fail("sameroof.toml: line 3: ike.dpd: unknown key")});
  out.push_back(Piece{base::Bytes(40, 11)});
  out.push_back(skeyids());
  out.push_back(ike::Signed{ike::Ticket(4), base::Bytes(64, 10)});
  out.push_back(ike::Signed{ike::Ticket(4), base::fail("no such certificate")});
  return out;
}

}  // namespace ikd::sample
