// The responder under a script: raw datagrams, messages of scripted initiators as they are, mutated or
// repeated, time, completions in odd order and failing ones. State stays bounded, the fake kernel finds no
// fault with any effect, and once everybody has gone nothing is left.
//
// The script is a byte of settings, and then one byte of operation and the bytes it needs, to the end of the
// input.

#include <algorithm>
#include <deque>

#include "harness/fake_kernel.h"
#include "harness/initiator.h"
#include "harness/network.h"
#include "ike/engine.h"
#include "ike/v1/identification.h"
#include "wire/reader.h"

namespace {

using namespace std::chrono_literals;
using base::Address;
using base::Bytes;
using base::Endpoint;
using harness::Initiator;

constexpr std::size_t clients = 5;
constexpr std::size_t most_steps = 200;
constexpr std::uint32_t most_half_open = 12;
constexpr std::uint32_t most_peers = 4;
const Address gateway = Address::v4(0xcb007101);      // 203.0.113.1
const Address own_address = Address::v4(0x0a000001);  // the same behind a NAT of its own

void require(bool holds) {
  if (!holds) __builtin_trap();
}

Bytes bytes_of(std::string_view text) { return base::to_bytes(base::as_bytes(text)); }

Bytes named(std::string_view name) {
  return ike::v1::encode_identification(
      {.type = ike::v1::IdType::fqdn, .protocol = 0, .port = 0, .data = base::as_bytes(name)});
}

struct Client {
  Initiator initiator;
  harness::NatBox nat;
};

class Script {
 public:
  explicit Script(base::ByteView in)
      : in_(in), way_(in_.u8()), engine_(settings(), harness::seeded_random(1)), kernel_(kernel()) {
    for (std::size_t i = 0; i < clients; ++i) {
      harness::InitiatorSettings s;
      s.local.address = Address::v4(0xc0a80102 + static_cast<std::uint32_t>(i / 2));
      s.dh = harness::Dh::pretended;
      s.seed = i + 1;
      if (i == 0)
        s.esp_sa = [this](xfrm::Spi spi, ike::v1::EncapsulationMode mode) { return offer(spi, mode); };
      if (i == 1) s.pfs = crypto::Group::ecp256;
      if (i == 1 && is(old_client)) s.nat_flavour = ike::v1::NatFlavour::draft_02_newline;
      if (i == 1 && is(minimal)) s.nonce = 4;  // too short
      if (i == 1 && is(many_psks)) s.psk = "marlin";
      if (i == 2 && is(many_psks)) s.psk = "nobody's";
      if (i == 2) {  // small enough that every message after the first is in pieces
        s.vendor_ids = {base::to_bytes(ike::v1::vendor_rfc3947),
                        base::to_bytes(ike::v1::vendor_fragmentation)};
        s.fragment_above = 120;
      }
      if (i == 3) {
        const auto certificate = bytes_of(is(device) ? "bad client" : "good client");
        s.certificates = {.method = ike::AuthMethod::ecdsa_256,
                          .sent = {{ike::CertificateEncoding::x509_signature, certificate}}};
        s.identity = named("client");
      }
      if (i == 4) {
        s.aggressive = true;
        s.identity = named(is(no_dpd) ? "stranger" : "branch");
        if (is(minimal)) s.nonce = 4;
        if (is(many_psks)) s.psk = "nobody's";
      }
      const auto outside = Address::v4(0xc6336401 + static_cast<std::uint32_t>(i % 2));
      clients_.push_back({Initiator(s), harness::NatBox(outside)});
    }
  }

  void run() {
    for (std::size_t step = 0; step < most_steps && in_.left() > 0; ++step) {
      act();
      pump();
      check();
    }
    end();
  }

 private:
  /// Of the first byte.
  enum Way : std::uint8_t {
    echo = 1,
    minimal = 2,
    many_psks = 4,
    no_dpd = 8,
    device = 16,
    behind_nat = 32,
    old_client = 64,
    short_lives = 128
  };
  bool is(Way way) const { return (way_ & way) != 0; }

  ike::Settings settings() const {
    ike::Settings s;
    s.max_half_open = most_half_open;
    s.numbering.capacity = most_peers;
    s.aggressive = {{"branch", is(old_client) ? "not for its address" : "family"}};
    s.certificates = {{.method = ike::AuthMethod::ecdsa_256,
                       .id_body = named("gateway"),
                       .chain = {bytes_of("good gateway")},
                       .issuers = {bytes_of("authority")}}};
    s.trusted_names = {bytes_of("authority")};
    if (is(echo)) s.nat_detection = ike::v1::NatDetection::echo;
    if (is(minimal)) s.vendor_ids = ike::VendorIds::minimal;
    if (is(no_dpd)) s.dpd = 0s;
    if (is(device)) s.psks["family"].device = true;
    if (is(short_lives)) s.ike_lifetime = 1200s, s.esp_lifetime = 300s, s.esp_kilobytes = 100000;
    return s;
  }
  harness::KernelSettings kernel() const {
    harness::KernelSettings s;
    s.dh = harness::Dh::pretended;
    s.dh_delay = s.skeyid_delay = s.install_delay = 20ms;
    s.jitter = 50ms;
    s.pretended_certificates = {bytes_of("good gateway")};
    if (is(many_psks)) {
      s.psks = {{"other", "perch"}, {"family", "marlin"}, {"family", "swordfish"}, {"last", "eel"}};
      s.skeyid_batch = 1;
    }
    return s;
  }

  Client& client() { return clients_[in_.u8() % clients]; }

  void act() {
    const auto operation = in_.u8();
    if (operation == 255) return reconfigure();
    switch (operation % 20) {
      case 0: return client().initiator.connect(now_);
      case 1: return void(client().initiator.quick_mode(now_));
      case 2: return client().initiator.rekey_ike(now_);
      case 3: return delete_pair(client().initiator);
      case 4: return client().initiator.delete_isakmp();
      case 5: return client().initiator.r_u_there(7);
      case 6: return deliver(0);
      case 7: return deliver(in_.u8());
      case 8: return mutated();
      case 9: return repeated();
      case 10: return raw();
      case 11: return complete(false);
      case 12: return complete(true);
      case 13: return pass(std::chrono::milliseconds(in_.u16()));
      case 14: return refuse();
      case 15: return odd();
      case 16: return elsewhere();
      case 17: return reflected();
      case 18: return settle();
      default: return odd_quick_mode();
    }
  }

  /// Another configuration, in which keys have other places and the gateway's certificate may be missing.
  void reconfigure() {
    const auto byte = in_.u8();
    way_ ^= byte & (echo | minimal | no_dpd | device | short_lives);
    auto fresh = settings();
    if (byte % 2 != 0) fresh.certificates.clear();
    auto& psks = kernel_.settings().psks;
    std::rotate(psks.begin(), psks.begin() + 1, psks.end());
    engine_.reconfigure(std::move(fresh), now_);
  }

  static void delete_pair(Initiator& i) {
    if (!i.children().empty()) i.delete_esp(i.children().front().in);
  }

  Address local() const { return is(behind_nat) ? own_address : gateway; }

  void to_responder(const harness::Datagram& d) {
    seen_.push_back(d);
    if (seen_.size() > 32) seen_.erase(seen_.begin());
    engine_.input(d.from, {local(), d.to.port}, d.bytes, now_);
  }

  /// The datagram under way that is `index` from the oldest, whichever way it goes.
  void deliver(std::size_t index) {
    if (under_way_.empty()) return;
    const auto at = under_way_.begin() + static_cast<std::ptrdiff_t>(index % under_way_.size());
    const auto d = *at;
    under_way_.erase(at);
    if (d.to.address == gateway) return to_responder(d);
    for (auto& c : clients_) {
      const auto inside = c.nat.outside() == d.to.address ? c.nat.inward(d.to) : std::nullopt;
      if (inside && inside->address == c.initiator.settings().local.address)
        c.initiator.input(d.from, *inside, d.bytes, now_);
    }
  }

  void mutated() {
    if (under_way_.empty()) return;
    auto d = under_way_[in_.u8() % under_way_.size()];
    if (d.to.address != gateway || d.bytes.empty()) return;
    for (int i = in_.u8() % 4; i >= 0; --i)
      d.bytes[in_.u16() % d.bytes.size()] ^= static_cast<std::uint8_t>(in_.u8() | 1);
    if (in_.u8() % 4 == 0) d.bytes.resize(in_.u16() % (d.bytes.size() + 1));
    to_responder(d);
  }

  void repeated() {
    if (seen_.empty()) return;
    auto d = seen_[in_.u8() % seen_.size()];
    if (in_.u8() % 2 == 0) d.from = {Address::v4(0xc0000242), d.from.port};
    to_responder(d);
  }

  void raw() {
    const auto port = in_.u8() % 2 == 0 ? std::uint16_t{500} : std::uint16_t{4500};
    const auto body = base::to_bytes(in_.bytes(std::min<std::size_t>(in_.u16() % 512, in_.left())));
    to_responder({{Address::v4(0xc0000200u + in_.u8() % 4), port}, {gateway, port}, body});
  }

  /// The oldest or, out of order, the newest.
  void complete(bool newest) {
    if (!newest) {
      if (const auto due = kernel_.next_completion()) now_ = std::max(now_, *due);
      if (auto c = kernel_.pop_completion(now_)) engine_.completed(std::move(*c), now_);
      return;
    }
    std::vector<ike::Completion> all;
    while (auto c = kernel_.pop_completion(now_ + 1s)) all.push_back(std::move(*c));
    for (; !all.empty(); all.pop_back()) engine_.completed(std::move(all.back()), now_);
  }

  void pass(base::Duration span) {
    now_ += span;
    engine_.timeout(now_);
    for (auto& c : clients_) c.initiator.timeout(now_);
  }

  void refuse() {
    const auto what = in_.u8();
    if ((what & 1) != 0) kernel_.refuse_inbound(1);
    if ((what & 2) != 0) kernel_.refuse_outbound(1);
    if ((what & 8) != 0) kernel_.refuse_moves(1);
    if ((what & 4) != 0) clients_[what % clients].nat.rebind();
  }

  void odd() {
    const auto what = in_.u8();
    if (what % 4 == 0) return pass(std::chrono::minutes(in_.u8()));
    if (what % 4 == 1 && !engine_.peers().empty())
      return void(engine_.terminate(engine_.peers().begin()->first, "the script says so", now_));
    if (what % 4 == 2 && !kernel_.sas().empty()) {
      const auto id = what % 8 < 4 ? kernel_.sas().begin()->first : kernel_.sas().rbegin()->first;
      if (what % 16 < 8) return engine_.nearly_expired(id, now_);
      kernel_.expire(id);
      return engine_.expired(id, now_);
    }
    auto& c = clients_[in_.u8() % clients];
    c.initiator.informational(ike::v1::PayloadType{in_.u8()},
                              in_.bytes(std::min<std::size_t>(in_.u8(), in_.left())));
  }

  /// ESP comes from another place, or comes at all.
  void elsewhere() {
    const auto what = in_.u8();
    std::vector<const xfrm::Sa*> inbound;
    for (const auto& [id, sa] : kernel_.sas()) {
      if (!id.mark) inbound.push_back(&sa);
    }
    if (inbound.empty()) return;
    const auto& sa = *inbound[what % inbound.size()];
    kernel_.traffic(sa.spi, 1);
    if (what < 128) return;
    const Endpoint at{Address::v4(0xc6336401u + what % 4), static_cast<std::uint16_t>(40001 + in_.u8())};
    engine_.mapped({.sa = xfrm::id_of(sa), .reqid = sa.reqid, .old_source = {}, .new_source = at}, now_);
  }

  /// What we said comes back to us.
  void reflected() {
    if (under_way_.empty()) return;
    const auto& d = under_way_[in_.u8() % under_way_.size()];
    if (d.to.address != gateway) to_responder({d.to, d.from, d.bytes});
  }

  /// Everything that is due now happens, in order.
  void settle() {
    for (int i = 0; i < 40; ++i) {
      complete(false);
      deliver(0);
      pump();
    }
  }

  /// Inside of a valid session: what is offered and who the client says it is.
  void odd_quick_mode() {
    flips_.clear();
    for (int i = in_.u8() % 8; i > 0; --i) {
      const auto at = in_.u8();
      flips_.emplace_back(at, in_.u8());
    }
    auto& initiator = clients_[0].initiator;
    if (const std::size_t size = in_.u8() % 32; size > 0)
      initiator.call_itself(base::to_bytes(in_.bytes(std::min<std::size_t>(size, in_.left()))));
    initiator.quick_mode(now_);
    flips_.clear();
  }
  Bytes offer(xfrm::Spi spi, ike::v1::EncapsulationMode mode) const {
    namespace v1 = ike::v1;
    const auto suite = *ike::parse_esp_suite("aes256-sha1");
    const auto attributes = v1::encode_attributes(suite, mode, 3600s, {}, 250000);
    wire::Writer name;
    name.u32(spi.value);
    const v1::Transform transform{
        .number = 1, .id = v1::esp_transform_id(suite), .attributes = {}, .raw_attributes = attributes};
    auto body = v1::encode_sa({.doi = 1,
                               .situation = 1,
                               .proposals = {{.number = 1,
                                              .protocol = v1::protocol_ipsec_esp,
                                              .spi = name.view(),
                                              .transforms = {transform}}}});
    for (const auto& [at, bits] : flips_) body[at % body.size()] ^= bits;
    return body;
  }

  void pump() {
    while (auto effect = engine_.next_effect()) {
      if (auto* send = std::get_if<ike::Send>(&*effect)) {
        under_way_.push_back({{gateway, send->from.port}, send->to, std::move(send->bytes)});
      } else {
        kernel_.execute(std::move(*effect), now_);
      }
    }
    for (auto& c : clients_) {
      while (auto send = c.initiator.next_send())
        under_way_.push_back({c.nat.outward(send->from), send->to, std::move(send->bytes)});
    }
    if (under_way_.size() > 64) under_way_.erase(under_way_.begin(), under_way_.end() - 64);
  }

  void check() {
    require(kernel_.complaints().empty());
    require(engine_.half_open() <= most_half_open);
    require(engine_.peers().size() <= most_peers);
    for (const auto& [number, peer] : engine_.peers()) {
      for (const auto sa : peer.isakmp_sas) require(engine_.isakmp_sa(sa)->quick_modes.size() <= 24);
    }
    for (const auto& [number, peer] : engine_.peers()) {
      require(peer.children.size() <= 8 && peer.isakmp_sas.size() <= 4);
      require(std::ranges::count(peer.children, ike::ChildState::active, &ike::ChildSa::state) <= 1);
    }
    const auto next = engine_.next_timeout();
    engine_.timeout(now_);  // spurious calls do nothing
    if (next && *next > now_) require(engine_.next_timeout() == next);
  }

  void end() {
    // What is under way when the configuration changes is looked at again: a step may leave as much to do as
    // there are exchanges.
    for (std::size_t i = 0; i < most_steps * most_half_open && kernel_.next_completion(); ++i) {
      complete(false);
      pump();
    }
    require(!kernel_.next_completion());
    check();
    if (in_.ok() && seen_.size() % 2 == 0) {
      engine_.shut_down(now_);
    } else {
      for (int i = 0; i < 40; ++i) pass(30min);
    }
    pump();
    while (auto c = kernel_.pop_completion(now_ + 1h)) engine_.completed(std::move(*c), now_);
    pump();
    require(kernel_.complaints().empty() && kernel_.empty());
    require(engine_.isakmp_sas() == 0 && engine_.peers().empty() && engine_.half_open() == 0);
    require(!engine_.next_timeout());
  }

  wire::Reader in_;
  std::uint8_t way_;
  std::vector<std::pair<std::uint8_t, std::uint8_t>> flips_;
  base::Time now_{1h};
  ike::Engine engine_;
  harness::FakeKernel kernel_;
  std::deque<Client> clients_;
  std::vector<harness::Datagram> under_way_, seen_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Script({data, size}).run();
  return 0;
}
