// Two engines that talk to one another under a script: the initiator of both phases, renewals from either end
// and from both at once, with datagrams lost, late, repeated, mutated and sent back, kernels that complete in
// odd order and refuse, and NATs that forget. Neither kernel finds fault with any effect, state stays
// bounded, and once all is over nothing is left.
//
// The script is a byte of settings, and then one byte of operation and the bytes it needs, to the end of the
// input.

#include <array>

#include "harness/fake_kernel.h"
#include "harness/network.h"
#include "ike/engine.h"
#include "ike/v1/identification.h"
#include "wire/reader.h"

namespace {

using namespace std::chrono_literals;
using base::Address;
using base::Bytes;
using base::Endpoint;
using harness::Datagram;

constexpr std::size_t most_steps = 200;
const Address client_address = Address::v4(0xc0a80102);   // 192.168.1.2
const Address gateway_address = Address::v4(0xcb007101);  // 203.0.113.1
const Address nat_address = Address::v4(0xc6336401);      // 198.51.100.1

void require(bool holds) {
  if (!holds) __builtin_trap();
}

Bytes bytes_of(std::string_view text) { return base::to_bytes(base::as_bytes(text)); }

Bytes named(std::string_view name) {
  return ike::v1::encode_identification(
      {.type = ike::v1::IdType::fqdn, .protocol = 0, .port = 0, .data = base::as_bytes(name)});
}

Bytes udp_1701(const Address& address) {
  auto id = ike::v1::identification_of(address);
  id.protocol = 17;
  id.port = 1701;
  return ike::v1::encode_identification(id);
}

struct Side {
  Side(ike::Settings settings, harness::KernelSettings kernel_settings, std::uint64_t seed)
      : engine(std::move(settings), harness::seeded_random(seed)), kernel(std::move(kernel_settings)) {}
  ike::Engine engine;
  harness::FakeKernel kernel;
};

class Script {
 public:
  explicit Script(base::ByteView in)
      : in_(in),
        way_(in_.u8()),
        sides_{Side(settings("client"), kernel(1), 1), Side(settings("gateway"), kernel(2), 2)} {}

  void run() {
    connect();
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
    pfs = 1,
    echo = 2,
    no_nat = 4,
    short_lives = 8,
    drafts = 16,
    two_secrets = 32,
    no_dpd = 64,
    no_key = 128
  };
  bool is(Way way) const { return (way_ & way) != 0; }
  /// Neither of these means anything beside the other.
  bool with_certificates() const { return is(no_key) && is(two_secrets); }

  /// FakeKernel takes it by its first word.
  Bytes certificate_of(std::string_view name) const {
    const bool bad = is(no_dpd) && name == "gateway";
    return bytes_of(std::string(bad ? "bad " : "good ").append(name));
  }

  ike::Settings settings(std::string_view name) const {
    ike::Settings s;
    s.max_half_open = 8;
    s.numbering.capacity = 6;
    if (is(echo)) s.nat_detection = ike::v1::NatDetection::echo;
    if (is(short_lives)) s.ike_lifetime = 600s, s.esp_lifetime = 1200s;
    if (is(no_dpd)) s.dpd = 0s;
    if (with_certificates()) {
      s.certificates = {{.method = ike::AuthMethod::ecdsa_256,
                         .id_body = named(name),
                         .chain = {certificate_of(name)},
                         .issuers = {bytes_of("authority")}}};
      s.trusted_names = {bytes_of("authority")};
    }
    return s;
  }
  harness::KernelSettings kernel(std::uint64_t seed) const {
    harness::KernelSettings s;
    s.dh = harness::Dh::pretended;
    s.dh_delay = s.skeyid_delay = s.install_delay = 20ms;
    s.jitter = 50ms;
    s.seed = seed;
    if (with_certificates())
      s.pretended_certificates = {certificate_of(seed == 1 ? "client" : "gateway")};
    else if (is(no_key) && seed == 1)
      s.psks = {{"other", "swordfish"}};
    else if (is(two_secrets))
      s.psks = {{"family", seed == 1 ? "swordfish" : "marlin"}, {"family", "swordfish"}};
    return s;
  }

  Side& client() { return sides_[0]; }
  Side& side() { return sides_[in_.u8() % 2]; }

  void connect() {
    ike::Connection c{.local = {client_address, 500},
                      .remote = {gateway_address, 500},
                      .psk = "family",
                      .ike = {},
                      .esp = {}};
    c.ike.transform = *ike::parse_ike_transform("aes256-sha256-modp2048");
    if (with_certificates()) c.ike.authentication = ike::AuthMethod::ecdsa_256;
    if (is(drafts)) c.ike.nat_flavour = ike::v1::NatFlavour::draft_03;
    c.esp.suite = *ike::parse_esp_suite("aes256-sha1");
    c.esp.our_id = udp_1701(client_address);
    c.esp.their_id = udp_1701(gateway_address);
    c.esp.nat_oas = is(drafts) ? 1 : 2;
    c.esp.kilobytes = 250000;
    if (is(pfs)) c.esp.pfs = crypto::Group::ecp256;
    client().engine.connect(std::move(c), now_);
  }

  void act() {
    const auto operation = in_.u8();
    if (operation == 255) return reconfigure();
    switch (operation % 18) {
      case 0: return deliver(0);
      case 1: return deliver(in_.u8());
      case 2: return mutated();
      case 3: return repeated();
      case 4: return lose();
      case 5: return complete(side());
      case 6: return complete_newest_first(side());
      case 7: return pass(std::chrono::milliseconds(in_.u16()));
      case 8: return pass(std::chrono::seconds(4 * in_.u8()));
      case 9: return limit(false);
      case 10: return limit(true);
      case 11: return connect();
      case 12: return terminate(side());
      case 13: return refuse(side());
      case 14: return traffic(side());
      case 15: return moved();
      case 16: return reflected();
      default: return settle();
    }
  }

  void reconfigure() {
    const auto byte = in_.u8();
    way_ ^= byte & (echo | short_lives | no_dpd);
    const bool first = byte % 2 == 0;
    auto& side = sides_[first ? 0 : 1];
    side.kernel.settings().pretended_certificates = kernel(first ? 1 : 2).pretended_certificates;
    side.engine.reconfigure(settings(first ? "client" : "gateway"), now_);
  }

  Endpoint outside(const Endpoint& from) {
    return !is(no_nat) && from.address == client_address ? nat_.outward(from) : from;
  }

  void to_engine(const Datagram& d) {
    seen_.push_back(d);
    if (seen_.size() > 32) seen_.erase(seen_.begin());
    if (d.to.address == gateway_address) return sides_[1].engine.input(d.from, d.to, d.bytes, now_);
    const auto at = is(no_nat) ? std::optional(d.to) : nat_.inward(d.to);
    if (at && at->address == client_address) sides_[0].engine.input(d.from, *at, d.bytes, now_);
  }

  void deliver(std::size_t index) {
    if (under_way_.empty()) return;
    const auto at = under_way_.begin() + static_cast<std::ptrdiff_t>(index % under_way_.size());
    const auto d = *at;
    under_way_.erase(at);
    to_engine(d);
  }
  void lose() {
    if (!under_way_.empty())
      under_way_.erase(under_way_.begin() + in_.u8() % static_cast<int>(under_way_.size()));
  }
  void mutated() {
    if (under_way_.empty()) return;
    auto d = under_way_[in_.u8() % under_way_.size()];
    for (int i = in_.u8() % 4; i >= 0 && !d.bytes.empty(); --i)
      d.bytes[in_.u16() % d.bytes.size()] ^= static_cast<std::uint8_t>(in_.u8() | 1);
    if (in_.u8() % 4 == 0) d.bytes.resize(in_.u16() % (d.bytes.size() + 1));
    to_engine(d);
  }
  void repeated() {
    if (seen_.empty()) return;
    auto d = seen_[in_.u8() % seen_.size()];
    if (in_.u8() % 2 == 0) d.from = {Address::v4(0xc0000242), d.from.port};
    to_engine(d);
  }
  void reflected() {
    if (under_way_.empty()) return;
    const auto& d = under_way_[in_.u8() % under_way_.size()];
    to_engine({d.to, d.from, d.bytes});
  }

  void complete(Side& s) {
    if (const auto due = s.kernel.next_completion()) now_ = std::max(now_, *due);
    if (auto c = s.kernel.pop_completion(now_)) s.engine.completed(std::move(*c), now_);
  }
  void complete_newest_first(Side& s) {
    std::vector<ike::Completion> all;
    while (auto c = s.kernel.pop_completion(now_ + 1s)) all.push_back(std::move(*c));
    for (; !all.empty(); all.pop_back()) s.engine.completed(std::move(all.back()), now_);
  }
  /// Everything that is due now happens, in order.
  void settle() {
    for (int i = 0; i < 40; ++i) {
      for (auto& s : sides_) complete(s);
      deliver(0);
      pump();
    }
  }
  void pass(base::Duration span) {
    now_ += span;
    for (auto& s : sides_) s.engine.timeout(now_);
  }

  /// The kernel's, soft or hard, of some SA.
  void limit(bool hard) {
    auto& s = side();
    const auto what = in_.u8();
    if (s.kernel.sas().empty()) return;
    const auto id = std::next(s.kernel.sas().begin(), what % static_cast<int>(s.kernel.sas().size()))->first;
    if (!hard) return s.engine.nearly_expired(id, now_);
    s.kernel.expire(id);
    s.engine.expired(id, now_);
  }
  void terminate(Side& s) {
    if (!s.engine.peers().empty())
      s.engine.terminate(s.engine.peers().begin()->first, "the script says so", now_);
  }
  void refuse(Side& s) {
    const auto what = in_.u8();
    if ((what & 1) != 0) s.kernel.refuse_inbound(1);
    if ((what & 2) != 0) s.kernel.refuse_outbound(1);
  }
  void traffic(Side& s) {
    for (const auto& [id, sa] : s.kernel.sas()) {
      if (!id.mark) s.kernel.traffic(sa.spi, 1);
    }
  }
  void moved() {
    const auto what = in_.u8();
    if (what < 64) return nat_.rebind();
    auto& s = sides_[1];
    for (const auto& [id, sa] : s.kernel.sas()) {
      if (id.mark) continue;
      const Endpoint at{Address::v4(0xc6336401u + what % 2), static_cast<std::uint16_t>(50000 + what)};
      return s.engine.mapped({.sa = id, .reqid = sa.reqid, .old_source = {}, .new_source = at}, now_);
    }
  }

  void pump() {
    for (auto& s : sides_) {
      while (auto effect = s.engine.next_effect()) {
        if (auto* send = std::get_if<ike::Send>(&*effect)) {
          under_way_.push_back({outside(send->from), send->to, std::move(send->bytes)});
        } else {
          s.kernel.execute(std::move(*effect), now_);
        }
      }
    }
    if (under_way_.size() > 64) under_way_.erase(under_way_.begin(), under_way_.end() - 64);
  }

  void check() {
    for (auto& s : sides_) {
      require(s.kernel.complaints().empty());
      require(s.engine.peers().size() <= 6);
      for (const auto& [number, peer] : s.engine.peers()) {
        require(peer.children.size() <= 8 && peer.isakmp_sas.size() <= 4);
        require(std::ranges::count(peer.children, ike::ChildState::active, &ike::ChildSa::state) <= 1);
        for (const auto sa : peer.isakmp_sas) require(s.engine.isakmp_sa(sa)->quick_modes.size() <= 24);
      }
      const auto next = s.engine.next_timeout();
      s.engine.timeout(now_);  // spurious calls do nothing
      if (next && *next > now_) require(s.engine.next_timeout() == next);
    }
  }

  void end() {
    for (int i = 0; i < 100; ++i) {
      for (auto& s : sides_) complete(s);
      pump();
    }
    check();
    for (auto& s : sides_) {
      if (in_.ok() && seen_.size() % 2 == 0) {
        s.engine.shut_down(now_);
      } else {
        for (int i = 0; i < 40; ++i) {
          pass(30min);
          pump();
          complete_newest_first(s);
          pump();
        }
      }
      pump();
      while (auto c = s.kernel.pop_completion(now_ + 1h)) s.engine.completed(std::move(*c), now_);
      pump();
      require(s.kernel.complaints().empty() && s.kernel.empty());
      require(s.engine.isakmp_sas() == 0 && s.engine.peers().empty() && s.engine.half_open() == 0);
      require(!s.engine.next_timeout());
    }
  }

  wire::Reader in_;
  std::uint8_t way_;
  base::Time now_{1h};
  std::array<Side, 2> sides_;
  harness::NatBox nat_{nat_address};
  std::vector<Datagram> under_way_, seen_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Script({data, size}).run();
  return 0;
}
