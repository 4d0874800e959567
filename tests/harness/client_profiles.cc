// The clients one by one. V: read at the source named in clients.md or here; M: from memory, varied.

#include <algorithm>
#include <random>

#include "harness/client_profile.h"
#include "ike/v1/vendor_ids.h"

namespace harness {
namespace {

using namespace std::chrono_literals;
namespace v1 = ike::v1;
namespace ike_attr = ike::v1::ike_attribute;
namespace esp_attr = ike::v1::esp_attribute;

// RFC 2409 Appendix A and the IANA registry that continues it.
constexpr std::uint16_t des = 1, des3 = 5, aes = 7;
constexpr std::uint16_t xauth_init_pre_shared = 65001;
constexpr std::uint16_t md5 = 1, sha1 = 2, sha256 = 4, sha384 = 5, sha512 = 6;
constexpr std::uint16_t modp1024 = 2, modp1536 = 5, modp2048 = 14, modp3072 = 15, ecp256 = 19, ecp384 = 20;
// RFC 2407 §4.4.4 and §4.5.
constexpr std::uint8_t esp_des = 2, esp_3des = 3, esp_null = 11, esp_aes = 12, esp_gcm16 = 20;
constexpr std::uint16_t hmac_md5 = 1, hmac_sha1 = 2, hmac_sha256 = 5, hmac_sha384 = 6, hmac_sha512 = 7;

/// What is from memory.
class Memory {
 public:
  Memory(std::uint64_t seed, std::uint64_t client) : engine_(seed * 100 + client) {}

  bool maybe() { return engine_() % 2 != 0; }
  template <class T>
  T one_of(std::initializer_list<T> choices) {
    return *(choices.begin() + engine_() % choices.size());
  }
  std::vector<std::uint16_t> ike_order() {
    return shuffled<std::uint16_t>({ike_attr::encryption, ike_attr::key_length, ike_attr::hash,
                                    ike_attr::group, ike_attr::authentication, ike_attr::life_type});
  }
  std::vector<std::uint16_t> esp_order() {
    return shuffled<std::uint16_t>({esp_attr::life_type, esp_attr::encapsulation, esp_attr::authentication,
                                    esp_attr::key_length, esp_attr::group});
  }
  LifeForm life_form() { return one_of({LifeForm::shortest, LifeForm::four_bytes}); }
  template <class T>
  std::vector<T> shuffled(std::vector<T> values) {
    std::shuffle(values.begin(), values.end(), engine_);
    return values;
  }
  /// RFC 3947 §3.2: one about itself for each address that it may send from.
  std::vector<NatD> nat_d() {
    using enum NatD;
    return one_of<std::vector<NatD>>({{gateway, itself},
                                      {gateway, itself, another_of_its_addresses},
                                      {gateway, another_of_its_addresses, itself}});
  }
  std::vector<base::Duration> patience() {
    return maybe() ? std::vector<base::Duration>{1s, 2s, 4s, 8s, 16s}
                   : std::vector<base::Duration>{one_of({1s, 3s, 5s, 10s})};
  }

 private:
  std::mt19937_64 engine_;
};

template <std::size_t size>
Bytes bytes(const std::array<std::uint8_t, size>& id) {
  return {id.begin(), id.end()};
}

Bytes with_version(ByteView id, std::initializer_list<std::uint8_t> version) {
  auto out = base::to_bytes(id);
  out.insert(out.end(), version);
  return out;
}

/// Each cipher with each hash, the ciphers in the outer loop.
std::vector<IkeLine> crossed(std::initializer_list<std::pair<std::uint16_t, std::uint16_t>> ciphers,
                             std::initializer_list<std::uint16_t> hashes, std::uint16_t group) {
  std::vector<IkeLine> out;
  for (const auto& [cipher, bits] : ciphers) {
    for (const auto hash : hashes) out.push_back({cipher, bits, hash, group});
  }
  return out;
}
std::vector<EspLine> crossed(std::initializer_list<std::pair<std::uint8_t, std::uint16_t>> ciphers,
                             std::initializer_list<std::uint16_t> hashes) {
  std::vector<EspLine> out;
  for (const auto& [id, bits] : ciphers) {
    for (const auto hash : hashes) out.push_back({id, bits, hash});
  }
  return out;
}

template <class T>
void add(std::vector<T>& to, const std::vector<T>& more) {
  to.insert(to.end(), more.begin(), more.end());
}

std::uint16_t ephemeral(Memory& memory) {
  return static_cast<std::uint16_t>(49152 + (memory.one_of({1, 77, 4321, 16000})));
}

}  // namespace

ClientProfile windows_10(std::uint64_t seed) {
  Memory memory(seed, 1);
  ClientProfile p;
  p.name = "windows_10";
  p.client = ike::Client::windows;
  // V: order and the first one's last byte, xl2tpd issue 219 and setup-simple-ipsec-l2tp-vpn issue 37.
  p.vendor_ids = {base::from_hex("01528bbbc00696121849ab9a1c5b2a5100000001"),
                  with_version(v1::vendor_microsoft, {0, 0, 0, 9}),
                  bytes(v1::vendor_rfc3947),
                  bytes(v1::vendor_natt_02n),
                  bytes(v1::vendor_fragmentation),
                  bytes(v1::vendor_ms_negotiation),
                  bytes(v1::vendor_ms_initial_contact),
                  bytes(v1::vendor_ms_cga)};
  // V: the first three and the membership of the others (clients.md §1); M: the rank of the last two.
  p.ike = {{aes, 256, sha1, ecp384}, {aes, 128, sha1, ecp256}, {aes, 256, sha1, modp2048}};
  add(p.ike, memory.shuffled<IkeLine>({{des3, 0, sha1, modp2048}, {des3, 0, sha1, modp1024}}));
  p.ike_order = memory.ike_order();
  p.ike_life = 28800s;
  // V: message 1 has 408 bytes (luci issue 150), which it has only with four-byte durations.
  p.ike_life_form = LifeForm::four_bytes;
  p.esp = {{esp_aes, 256, hmac_sha1}, {esp_aes, 128, hmac_sha1}, {esp_3des, 0, hmac_sha1}};
  if (memory.maybe()) add(p.esp, {{esp_des, 0, hmac_sha1}, {esp_null, 0, hmac_sha1}});  // M
  p.esp_offer = Offer::proposal_each;
  p.esp_order = memory.esp_order();
  p.esp_life = 3600s;
  p.esp_kilobytes = 250000;  // V: "received 250000000 lifebytes"
  const bool with_port = memory.maybe();
  p.id_protocol = with_port ? 17 : 0;  // V: ID_IPV4_ADDR of the private address; M: its port
  p.id_port = with_port ? 500 : 0;
  p.nonce = memory.one_of<std::size_t>({20, 48});
  p.nat_oa = 2;  // V: vpnease's openswan patch natoa-vista
  p.initial_contact = memory.one_of({Contact::none, Contact::in_message_5});
  p.dpd = false;  // V: "DPD not supported by peer"
  p.resend_after = memory.patience();
  p.fragment_above = memory.one_of<std::size_t>({548, 1228});  // M
  p.nat_d = memory.nat_d();                                    // M
  // V: clients.md §1, "after QM rekey it deletes the old SA", and "CDN then StopCCN, then IKE DELETEs".
  p.deletes = Deletes::old_pair_too;
  return p;
}

ClientProfile apple(std::uint64_t seed) {
  Memory memory(seed, 2);
  ClientProfile p;
  p.name = "apple";
  p.client = ike::Client::apple;
  // V: racoon/nattraversal.c, isakmp_ident.c; Openswan issue 116 and setup-ipsec-vpn issue 308 agree.
  p.vendor_ids = {bytes(v1::vendor_rfc3947), bytes(v1::vendor_natt_apple), bytes(v1::vendor_natt_08),
                  bytes(v1::vendor_natt_07), bytes(v1::vendor_natt_06),    bytes(v1::vendor_natt_05),
                  bytes(v1::vendor_natt_04), bytes(v1::vendor_natt_03),    bytes(v1::vendor_natt_02),
                  bytes(v1::vendor_natt_02n)};
  if (memory.maybe())  // V: that a log of 2014 has them; M: their place
    add(p.vendor_ids, {bytes(v1::vendor_xauth), with_version(v1::vendor_unity, {1, 0})});
  add(p.vendor_ids, {bytes(v1::vendor_fragmentation_main), bytes(v1::vendor_dpd)});
  // V: ipsec_utils.c:2914-3060.
  p.ike = {{aes, 256, sha256, modp2048}, {aes, 256, sha1, modp2048},   {aes, 256, md5, modp2048},
           {aes, 256, sha512, modp2048}, {aes, 256, sha256, modp1536}, {aes, 256, sha1, modp1536},
           {aes, 256, md5, modp1536},    {aes, 256, sha256, modp1024}, {aes, 256, sha1, modp1024},
           {aes, 256, md5, modp1024},    {aes, 128, sha1, modp1024},   {aes, 128, md5, modp1024},
           {des3, 0, sha1, modp1024},    {des3, 0, md5, modp1024}};
  p.ike_order = memory.ike_order();
  p.ike_life = 3600s;
  p.ike_life_form = memory.life_form();
  // V: ipsec_utils.c:3072-3095; M: that racoon puts them into one proposal.
  p.esp = crossed({{esp_aes, 256}, {esp_aes, 128}, {esp_3des, 0}}, {hmac_sha256, hmac_sha1, hmac_md5});
  p.esp_offer = memory.one_of({Offer::one_proposal, Offer::proposal_each});
  p.esp_order = memory.esp_order();
  p.esp_life = 3600s;
  p.client_port = ephemeral(memory);  // V: opt_udpport = 0
  p.nat_oa = 2;                       // V: isakmp_quick.c:273-326
  p.rekeys_on_4500 = true;            // V: ike_session.c:136-158, isakmp.c:1139-1156
  p.initial_contact = Contact::informational;
  p.resend_after = memory.patience();
  p.fragment_above = 1280;  // V: isakmp_frag.h:50
  p.fragments_look_encrypted = true;
  p.deletes = Deletes::none;  // V: mast-l2tp-psk.conf.in, "Apple iOS doesn't send delete notify"
  return p;
}

ClientProfile apple_with_a_group(std::uint64_t seed) {
  auto p = apple(seed);
  p.name = "apple_with_a_group";
  p.group_name = {ike::v1::IdType::key_id, "branch"};  // V: L2TP-plugin/main.c:165, 1664-1678
  // V: ipsec_utils.c:2914-3060, main.c:1893-1899: those of DH 14, and once more those of DH 2.
  const auto of = [all = p.ike](std::uint16_t group) {
    auto out = all;
    std::erase_if(out, [group](const IkeLine& line) { return line.group != group; });
    return out;
  };
  p.ike = of(modp2048);
  p.ike_once_more = of(modp1024);
  p.message_3_in_clear = true;  // V: racoon's isakmp_agg.c, agg_i2send
  return p;
}

/// What both of the captured Androids say (clients.md §3, "as captured on the wire": all V).
static ClientProfile android(Memory& memory) {
  ClientProfile p;
  p.client = ike::Client::android;
  p.vendor_ids = {bytes(v1::vendor_rfc3947),
                  bytes(v1::vendor_natt_02),
                  bytes(v1::vendor_natt_02n),
                  bytes(v1::vendor_natt_00),
                  bytes(v1::vendor_fragmentation_main),
                  bytes(v1::vendor_dpd)};
  p.ike_order = {ike_attr::life_type,      ike_attr::encryption, ike_attr::key_length,
                 ike_attr::authentication, ike_attr::hash,       ike_attr::group};
  p.ike_life = 28800s;
  p.ike_life_form = memory.life_form();
  p.esp_order = memory.esp_order();
  p.esp_life = 28800s;
  p.id_protocol = 17;
  p.id_port = 500;
  p.client_port = 0;
  p.initial_contact = Contact::informational;
  p.quick_mode_after = 1s;
  p.resend_after = {3s};   // setup.c: 10 times 3 s
  p.fragment_above = 552;  // V: ISAKMP_FRAG_MAXLEN
  p.fragments_look_encrypted = true;
  return p;
}

ClientProfile android_7(std::uint64_t seed) {
  Memory memory(seed, 3);
  auto p = android(memory);
  p.name = "android_7";
  p.ike = {{aes, 256, sha384, modp1024}, {aes, 256, sha256, modp1024}, {aes, 256, sha512, modp1024},
           {aes, 256, sha1, modp1024},   {aes, 256, md5, modp1024},    {aes, 128, sha512, modp1024},
           {aes, 128, sha384, modp1024}, {aes, 128, sha256, modp1024}, {aes, 128, sha1, modp1024},
           {aes, 128, md5, modp1024}};
  add(p.ike, crossed({{des3, 0}, {des, 0}}, {sha256, sha1, md5}, modp1024));
  p.esp = crossed({{esp_aes, 256}, {esp_aes, 128}, {esp_3des, 0}, {esp_des, 0}},
                  {hmac_sha512, hmac_sha384, hmac_sha1, hmac_sha256, hmac_md5});
  return p;
}

ClientProfile android_6(std::uint64_t seed) {
  Memory memory(seed, 4);
  auto p = android(memory);
  p.name = "android_6";
  p.deletes = Deletes::none;  // V: as captured; 7.1.2 sends them behind its StopCCN
  p.ike = crossed({{aes, 256}, {aes, 128}, {des3, 0}, {des, 0}}, {sha256, sha1, md5}, modp1024);
  p.esp = crossed({{esp_aes, 256}, {esp_aes, 128}, {esp_3des, 0}, {esp_des, 0}},
                  {hmac_sha256, hmac_sha1, hmac_md5});
  return p;
}

ClientProfile android_with_an_identifier(std::uint64_t seed) {
  auto p = android_7(seed);
  p.name = "android_with_an_identifier";
  p.group_name = {ike::v1::IdType::key_id, "branch"};  // V: setup.c; with a dot FQDN, with '@' USER_FQDN
  p.message_3_in_clear = true;                         // as Apple's
  return p;
}

/// What charon says whatever its configuration. V: isakmp_vendor.c, go-l2tp issue 8.
static ClientProfile charon(Memory& memory) {
  ClientProfile p;
  p.client = ike::Client::strongswan;
  p.vendor_ids = {bytes(v1::vendor_xauth), bytes(v1::vendor_dpd), bytes(v1::vendor_fragmentation_main),
                  bytes(v1::vendor_rfc3947), bytes(v1::vendor_natt_02n)};
  p.ike_order = memory.ike_order();
  p.ike_life = memory.one_of({10800s, 14400s, 28800s});
  p.ike_life_form = memory.life_form();
  p.esp_order = memory.esp_order();
  p.esp_offer = memory.one_of({Offer::one_proposal, Offer::proposal_each});
  p.nonce = 32;
  p.nat_d = {NatD::gateway, NatD::itself};  // V: isakmp_natd.c, "destination has to be added first"
  p.nat_oa = 2;
  p.initial_contact = memory.one_of({Contact::none, Contact::in_message_5});
  p.deletes = Deletes::at_hang_up;               // V: charon.delete_rekeyed is off by default
  p.resend_after = {4s, 7200ms, 13s, 23s, 42s};  // its documented defaults: timeout 4 s, base 1.8
  p.fragment_above = 1280 - 28;                  // V: charon.fragment_size is of the IP packet
  return p;
}

ClientProfile chromeos(std::uint64_t seed) {
  Memory memory(seed, 5);
  auto p = charon(memory);
  p.name = "chromeos";
  p.client = ike::Client::chromeos;
  // V: shill/vpn/ipsec_connection.cc; M: the default list that follows.
  p.ike = {{aes, 128, sha256, modp3072},
           {aes, 128, sha1, modp2048},
           {des3, 0, sha1, modp1536},
           {des3, 0, sha1, modp1024}};
  add(p.ike, memory.shuffled<IkeLine>({{aes, 128, sha256, ecp256},
                                       {aes, 256, sha384, ecp384},
                                       {aes, 256, sha256, modp2048},
                                       {aes, 128, sha256, modp2048}}));
  p.esp = {{esp_gcm16, 128, 0},
           {esp_aes, 128, hmac_sha256},
           {esp_aes, 128, hmac_sha1},
           {esp_3des, 0, hmac_sha1},
           {esp_3des, 0, hmac_md5}};
  p.client_port = memory.one_of<std::uint16_t>({1701, 0});
  return p;
}

ClientProfile chromeos_with_a_tunnel_group(std::uint64_t seed) {
  auto p = chromeos(seed);
  p.name = "chromeos_with_a_tunnel_group";
  // V: ipsec_connection.cc, "@#" and hexadecimal digits; charon's aggressive_mode.c sends all proposals, and
  // a KE of the first one's group.
  p.group_name = {ike::v1::IdType::key_id, "branch"};
  return p;
}

ClientProfile chromeos_with_a_user(std::uint64_t seed) {
  auto p = chromeos(seed);
  p.name = "chromeos_with_a_user";
  // V: ipsec_connection.cc, XAUTH as a second round; draft-ietf-ipsec-isakmp-xauth-06 §7.2 has the number.
  for (auto& line : p.ike) line.authentication = xauth_init_pre_shared;
  return p;
}

ClientProfile network_manager_strongswan(std::uint64_t seed) {
  Memory memory(seed, 6);
  auto p = charon(memory);
  p.name = "network_manager_strongswan";
  // V: nm-l2tp-service.c; the log of go-l2tp issue 8 has the same order.
  p.ike = {{aes, 256, sha256, modp2048}, {aes, 256, sha256, modp1536}, {aes, 256, sha256, modp1024},
           {aes, 256, sha1, modp2048},   {aes, 256, sha1, modp1536},   {aes, 256, sha1, modp1024},
           {aes, 256, sha1, ecp384},     {aes, 128, sha1, modp1024},   {aes, 128, sha1, ecp256},
           {des3, 0, sha1, modp2048},    {des3, 0, sha1, modp1024}};
  p.esp = {{esp_aes, 256, hmac_sha1}, {esp_aes, 128, hmac_sha1}, {esp_3des, 0, hmac_sha1}};
  p.client_port = memory.one_of<std::uint16_t>({1701, 0});
  return p;
}

ClientProfile network_manager_libreswan(std::uint64_t seed) {
  Memory memory(seed, 7);
  ClientProfile p;
  p.name = "network_manager_libreswan";
  p.client = ike::Client::libreswan;
  // V: out_v1VID_set in pluto's vendor code: a name only with send-vendorid, FRAGMENTATION without
  // capabilities, DPD last, then NAT-T; M: which drafts of NAT-T.
  if (memory.maybe()) p.vendor_ids.push_back(base::to_bytes(base::as_bytes("OE-Libreswan-4.10")));
  add(p.vendor_ids, {bytes(v1::vendor_fragmentation), bytes(v1::vendor_dpd), bytes(v1::vendor_rfc3947)});
  if (memory.maybe())
    add(p.vendor_ids, {bytes(v1::vendor_natt_03), bytes(v1::vendor_natt_02n), bytes(v1::vendor_natt_02)});
  // V: as strongSwan's, without MODP1024.
  p.ike = {{aes, 256, sha256, modp2048}, {aes, 256, sha256, modp1536}, {aes, 256, sha1, modp2048},
           {aes, 256, sha1, modp1536},   {aes, 256, sha1, ecp384},     {aes, 128, sha1, ecp256},
           {des3, 0, sha1, modp2048}};
  p.ike_order = memory.ike_order();
  p.ike_life = memory.one_of({3600s, 28800s});
  p.ike_life_form = memory.life_form();
  p.esp = {{esp_aes, 256, hmac_sha1}, {esp_aes, 128, hmac_sha1}, {esp_3des, 0, hmac_sha1}};
  p.esp_offer = memory.one_of({Offer::one_proposal, Offer::proposal_each});
  p.esp_order = memory.esp_order();
  p.esp_life = 28800s;
  p.nonce = memory.one_of<std::size_t>({16, 32});
  p.nat_oa = memory.one_of<std::size_t>({0, 2});  // M
  p.resend_after = {500ms, 1s, 2s, 4s, 8s, 16s};  // M
  p.fragment_above = 552;                         // V: ikev1_send.c:46-48
  p.nat_d = memory.nat_d();                       // M
  return p;
}

ClientProfile mikrotik(std::uint64_t seed) {
  Memory memory(seed, 8);
  ClientProfile p;
  p.name = "mikrotik";
  p.client = ike::Client::mikrotik;
  p.vendor_ids = memory.shuffled<Bytes>({bytes(v1::vendor_xauth), bytes(v1::vendor_dpd)});  // V: both seen
  // M: its NAT-T. One that speaks none would get plain ESP.
  p.vendor_ids.insert(p.vendor_ids.begin(), bytes(v1::vendor_rfc3947));
  // M: "suggests aes-256, aes-128, 3des with sha1 and sha256", MODP1024 and MODP2048.
  for (const auto group : {modp2048, modp1024})
    add(p.ike, memory.shuffled(crossed({{aes, 256}, {aes, 128}, {des3, 0}}, {sha256, sha1}, group)));
  p.ike_order = memory.ike_order();
  p.ike_life = 86400s;  // M
  p.ike_life_form = memory.life_form();
  p.esp = memory.shuffled(crossed({{esp_aes, 256}, {esp_aes, 128}, {esp_3des, 0}}, {hmac_sha1, hmac_sha256}));
  p.esp_order = memory.esp_order();
  p.esp_life = 1800s;               // M
  p.pfs = crypto::Group::modp1024;  // M: of its default proposal, unless told otherwise
  p.client_port = memory.one_of<std::uint16_t>({1701, 0});
  p.nonce = memory.one_of<std::size_t>({16, 24});
  p.initial_contact = memory.one_of({Contact::none, Contact::informational});
  p.resend_after = memory.patience();
  p.nat_d = memory.nat_d();                                                 // M
  p.deletes = memory.one_of({Deletes::at_hang_up, Deletes::old_pair_too});  // M
  p.floats_in_message_3 = memory.maybe();                                   // M: as Cisco's
  return p;
}

ClientProfile cisco(std::uint64_t seed) {
  Memory memory(seed, 9);
  ClientProfile p;
  p.name = "cisco";
  p.client = ike::Client::cisco;
  // V: which; M: their order, and NAT-T.
  p.vendor_ids = memory.shuffled<Bytes>({bytes(v1::vendor_rfc3947), with_version(v1::vendor_unity, {1, 0}),
                                         bytes(v1::vendor_xauth), bytes(v1::vendor_dpd),
                                         with_version(v1::vendor_fragmentation, {0xc0, 0, 0, 0})});
  p.ike = memory.shuffled<IkeLine>(
      {{aes, 256, sha1, modp2048}, {aes, 128, sha1, modp2048}, {des3, 0, sha1, modp1024}});  // M
  p.ike_order = memory.ike_order();
  p.ike_life = 86400s;  // M
  p.ike_life_form = LifeForm::four_bytes;
  p.esp = {{esp_aes, 256, hmac_sha1}, {esp_3des, 0, hmac_sha1}};  // M
  p.esp_offer = Offer::proposal_each;
  p.esp_order = memory.esp_order();
  p.esp_life = 3600s;
  p.esp_kilobytes = 4608000;  // M
  p.client_port = 0;          // V: VPN3000 proposes port 0, Openswan CHANGES 2.4.10
  p.initial_contact = memory.one_of({Contact::none, Contact::in_message_5});
  p.resend_after = {10s};                                                   // M
  p.fragment_above = memory.one_of<std::size_t>({548, 1228});               // M
  p.nat_d = memory.nat_d();                                                 // M
  p.deletes = memory.one_of({Deletes::at_hang_up, Deletes::old_pair_too});  // M
  p.floats_in_message_3 = memory.maybe();  // M: clients.md §8 knows that some do, and not who
  return p;
}

ClientProfile racoon(std::uint64_t seed) {
  Memory memory(seed, 10);
  ClientProfile p;
  p.name = "racoon";
  p.client = ike::Client::unknown;  // its vendor IDs are Android's, its groups are not
  p.vendor_ids = {bytes(v1::vendor_rfc3947),
                  bytes(v1::vendor_natt_02),
                  bytes(v1::vendor_natt_02n),
                  bytes(v1::vendor_natt_00),
                  bytes(v1::vendor_fragmentation_main),
                  bytes(v1::vendor_dpd)};
  p.ike = {{aes, 256, sha1, modp2048}};
  p.ike_order = memory.ike_order();
  p.ike_life = 3600s;
  p.ike_life_form = memory.life_form();
  p.esp = crossed({{esp_aes, 256}, {esp_aes, 128}}, {hmac_sha1, hmac_sha256});
  p.esp_order = memory.esp_order();
  p.client_port = 0;  // V: both Quick Mode IDs are 17/0
  p.server_port = 0;
  p.nat_oa = 2;
  p.initial_contact = Contact::informational;
  p.resend_after = {10s};
  p.fragment_above = 552;
  p.fragments_look_encrypted = true;
  return p;
}

}  // namespace harness
