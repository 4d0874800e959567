#include "config/config.h"

#include <fstream>
#include <sstream>

#include <gmock/gmock.h>

namespace config {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

constexpr std::string_view ppp = R"(
[ppp]
local_address = "10.99.0.1"
pool = "10.99.1.0/24"
)";

std::string refusal(const std::string& text) {
  const auto parsed = parse(text, "sameroof.toml");
  return parsed ? "accepted" : parsed.error().message;
}
std::string refusal_beside_ppp(const std::string& text) { return refusal(text + std::string(ppp)); }

std::string packaged(const char* name) {
  std::ifstream in(std::string(SAMEROOF_SOURCE_DIR "/packaging/") + name);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST(Config, TheSmallestFileGetsTheDefaults) {
  const auto c = parse(ppp, "sameroof.toml");
  ASSERT_TRUE(c) << c.error().message;
  EXPECT_EQ(c->marks.mask, 0x0fffff00U);
  EXPECT_EQ(c->marks.alias.to_string(), "240.0.0.0/8");
  EXPECT_EQ(c->ike.listen, std::vector{base::Address{}});
  EXPECT_TRUE(c->ike.proposals.empty());
  EXPECT_EQ(c->ike.lifetime, seconds(28800));
  EXPECT_EQ(c->l2tp.cleartext, Cleartext::off);
  EXPECT_EQ(c->l2tp.hello, seconds(60));
  EXPECT_EQ(c->l2tp.hello_timeout, seconds(300));
  EXPECT_EQ(c->ppp.auth, std::vector{PppAuth::mschap_v2});
  EXPECT_FALSE(c->ppp.ipv6_prefix);
  EXPECT_FALSE(c->ppp.mtu);
  EXPECT_EQ(c->ppp.path_mtu, 1492);
  EXPECT_EQ(c->ppp.limits, Limits{});
}

TEST(Config, EveryKeyIsRead) {
  const auto c = parse(R"(
[marks]
mask = 0xff0000
alias = "100.127.0.0/16"
quarantine_seconds = 7
[ike]
listen = ["203.0.113.1", "203.0.113.2"]
proposals = ["aes256-sha256-modp2048",
             "aes128-sha1-modp1024"]
esp_proposals = ["aes256gcm16"]
lifetime_seconds = 3600
esp_lifetime_seconds = 1800
esp_kilobytes = 250000
dpd_seconds = 20
dpd_timeout_seconds = 90
silence_timeout_seconds = 600
max_half_open = 5
nat_detection = "echo"
identity = "vpn.example"
inner_ids = ["outer", "25.0.0.0/8"]
vendor_ids = "minimal"
[[ike.psk]]
name = "family"
[[ike.psk]]
name = "office"
peer = "198.51.100.0/24"
[l2tp]
listen = ["203.0.113.1"]
cleartext = "beside"
lns = "l2tpd"
hello_seconds = 0
hello_timeout_seconds = 900
[ppp]
local_address = "10.99.0.1"
pool = "10.99.1.0/24"
dns = ["10.99.0.53", "10.99.0.54"]
auth = ["pap", "chap"]
nbns = ["10.99.0.55"]
ipv6_prefix = "2001:db8:7:100::/56"
ipv6_dns = ["2001:db8::53"]
mtu = 1280
path_mtu = 1400
sessions = 3
when_full = "refuse"
session_seconds = 3600
idle_seconds = 600
plugin = "/x/y.so"
users = "radius"
[radius]
servers = ["192.0.2.1", "192.0.2.2:1645"]
nas_identifier = "roof"
timeout_seconds = 5
tries = 2
[hooks]
session_up = "/x/up"
session_down = "/x/down"
timeout_seconds = 20
[[user]]
name = "alice"
address = "10.99.1.77"
nft_sets = ["inet firewall office", "ip nat special"]
[[user]]
name = "bob"
sessions = 2
when_full = "replace"
session_seconds = 0
idle_seconds = 60
)",
                       "sameroof.toml");
  ASSERT_TRUE(c) << c.error().message;
  EXPECT_EQ(c->marks.mask, 0xff0000U);
  EXPECT_EQ(c->marks.alias.to_string(), "100.127.0.0/16");
  EXPECT_EQ(c->marks.quarantine, seconds(7));
  ASSERT_EQ(c->ike.listen.size(), 2U);
  EXPECT_EQ(c->ike.listen[1].to_string(), "203.0.113.2");
  ASSERT_EQ(c->ike.proposals.size(), 2U);
  EXPECT_EQ(c->ike.proposals[1].value, "aes128-sha1-modp1024");
  EXPECT_EQ(c->ike.proposals[1].line.number, 9);
  EXPECT_EQ(c->ike.silence_timeout, seconds(600));
  ASSERT_EQ(c->ike.esp_proposals.size(), 1U);
  EXPECT_EQ(c->ike.lifetime, seconds(3600));
  EXPECT_EQ(c->ike.esp_lifetime, seconds(1800));
  EXPECT_EQ(c->ike.esp_kilobytes, 250000u);
  EXPECT_EQ(c->ike.dpd, seconds(20));
  EXPECT_EQ(c->ike.dpd_timeout, seconds(90));
  EXPECT_EQ(c->ike.max_half_open, 5U);
  ASSERT_EQ(c->ike.psks.size(), 2U);
  EXPECT_FALSE(c->ike.psks[0].peer);
  EXPECT_EQ(c->ike.psks[1].peer->to_string(), "198.51.100.0/24");
  EXPECT_EQ(c->ike.nat_detection, NatDetection::echo);
  EXPECT_EQ(c->ike.identity, "vpn.example");
  EXPECT_TRUE(c->ike.inner_ids.outer);
  EXPECT_FALSE(c->ike.inner_ids.private_networks);
  EXPECT_EQ(c->ike.inner_ids.networks, std::vector{*base::Prefix::parse("25.0.0.0/8")});
  EXPECT_EQ(c->l2tp.listen[0].to_string(), "203.0.113.1");
  EXPECT_EQ(c->l2tp.cleartext, Cleartext::beside);
  EXPECT_EQ(c->l2tp.hello, seconds(0));
  EXPECT_EQ(c->l2tp.hello_timeout, seconds(900));
  EXPECT_EQ(c->ppp.dns.size(), 2U);
  EXPECT_EQ(c->ppp.auth, (std::vector{PppAuth::pap, PppAuth::chap}));
  EXPECT_EQ(c->ppp.nbns, std::vector{*base::Address::parse("10.99.0.55")});
  EXPECT_EQ(c->ppp.ipv6_prefix, base::Prefix::parse("2001:db8:7:100::/56"));
  EXPECT_EQ(c->ppp.ipv6_dns, std::vector{*base::Address::parse("2001:db8::53")});
  EXPECT_EQ(c->ppp.mtu, 1280);
  EXPECT_EQ(c->ppp.path_mtu, 1400);
  const Limits shared{
      .sessions = 3, .when_full = WhenFull::refuse, .session = seconds(3600), .idle = seconds(600)};
  EXPECT_EQ(c->ppp.limits, shared);
  EXPECT_EQ(c->ppp.plugin, "/x/y.so");
  ASSERT_NE(c->user("alice"), nullptr);
  EXPECT_EQ(c->user("alice")->address->to_string(), "10.99.1.77");
  EXPECT_EQ(c->ppp.users, UserSource::radius);
  const auto host = [](const char* text) { return *base::Address::parse(text); };
  EXPECT_EQ(c->radius, (Radius{.servers = {{host("192.0.2.1"), 1812}, {host("192.0.2.2"), 1645}},
                               .accounting = {{host("192.0.2.1"), 1813}, {host("192.0.2.2"), 1813}},
                               .nas_identifier = "roof",
                               .timeout = seconds(5),
                               .tries = 2}));
  EXPECT_EQ(c->hooks, (Hooks{.session_up = "/x/up", .session_down = "/x/down", .timeout = seconds(20)}));
  EXPECT_EQ(c->user("alice")->nft_sets,
            (std::vector<NftSet>{{"inet", "firewall", "office"}, {"ip", "nat", "special"}}));
  auto alone = shared;
  alone.sessions = 1;  // as many as she has addresses
  EXPECT_EQ(c->user("alice")->limits, alone);
  EXPECT_EQ(
      c->user("bob")->limits,
      (Limits{.sessions = 2, .when_full = WhenFull::replace, .session = seconds(0), .idle = seconds(60)}));
  EXPECT_EQ(c->user("eve"), nullptr);
}

TEST(Config, NumbersBecomeMarksAndAliases) {
  const Marks marks;
  EXPECT_EQ(marks.capacity(), (1U << 20) - 2);
  EXPECT_EQ(marks.mark_of(1), base::Mark(0x100));
  EXPECT_EQ(marks.mark_of(0xfffff), base::Mark(0x0fffff00));
  EXPECT_EQ(marks.alias_of(1).to_string(), "240.0.0.1");
  EXPECT_EQ(marks.alias_of(258).to_string(), "240.0.1.2");
  Marks narrow;
  narrow.alias = *base::Prefix::parse("240.0.0.0/29");
  EXPECT_EQ(narrow.capacity(), 2U);
  for (const auto* nothing : {"240.0.0.0/30", "240.0.0.0/31", "240.0.0.0/32"}) {
    narrow.alias = *base::Prefix::parse(nothing);
    EXPECT_EQ(narrow.capacity(), 0U) << nothing;
  }
  Marks all;
  all.mask = 0xffffffff;
  EXPECT_EQ(all.capacity(), (1U << 23) - 2);
}

TEST(Config, NearEndsAreTheUpperHalfOfTheAliases) {
  Marks marks;
  EXPECT_EQ(marks.near_bit(), 0x00800000U);
  EXPECT_EQ(marks.near_ends().to_string(), "240.128.0.0/9");
  marks.alias = *base::Prefix::parse("100.127.0.0/16");
  EXPECT_EQ(marks.near_ends().to_string(), "100.127.128.0/17");
  EXPECT_FALSE(marks.near_ends().contains(marks.alias_of(marks.capacity())));
}

TEST(Config, AnUnknownKeyIsNamedWithItsLine) {
  EXPECT_EQ(refusal_beside_ppp("[ike]\n\nmax_halfopen = 3\n"),
            "sameroof.toml: line 3: ike.max_halfopen: unknown key");
  EXPECT_EQ(refusal_beside_ppp("[[ike.psk]]\nname = 'a'\nsecret = 'x'\n"),
            "sameroof.toml: line 3: ike.psk.secret: unknown key");
  EXPECT_EQ(refusal_beside_ppp("[tls]\n"), "sameroof.toml: line 1: tls: unknown key");
}

TEST(Config, TheFirstLineAtFaultIsNamedWhateverTheOrderOfKeys) {
  EXPECT_EQ(refusal_beside_ppp("[l2tp]\nhello_seconds = -1\ncleartext = 'maybe'\n"),
            "sameroof.toml: line 2: l2tp.hello_seconds: must be from 0 to 86400");
}

TEST(Config, HalfWrittenAndForeignBytesAreRefusedByTheirLine) {
  EXPECT_THAT(refusal("[[ike.psk]]\nname = \"family\n"), HasSubstr("sameroof.toml: line 2: "));
  EXPECT_THAT(refusal("[[ike.psk]]\nname = \"fam"), HasSubstr("sameroof.toml: line 2: "));
  EXPECT_THAT(refusal("[[ike.psk]]\nname = \"a\"\nname = \"b\"\n"), HasSubstr("sameroof.toml: line 3: "));
  EXPECT_THAT(refusal("[ike]\n# \x01\n"), HasSubstr("sameroof.toml: line 2: "));
  EXPECT_THAT(refusal(std::string("[ike]\n\0\n", 8)), HasSubstr("sameroof.toml: line 2: "));
  EXPECT_EQ(refusal("[ike]\n# gr\xfcn\n"), "sameroof.toml: line 2: is not UTF-8");
  EXPECT_EQ(refusal(""), "sameroof.toml: line 1: ppp: the section [ppp] is missing");
}

TEST(Config, AByteOrderMarkAndLinesOfWindowsAreFine) {
  std::string text = "\xef\xbb\xbf[ppp]\nlocal_address = \"10.0.0.1\"\npool = \"10.0.1.0/24\"\n";
  for (auto at = text.find('\n'); at != text.npos; at = text.find('\n', at + 2)) text.insert(at, "\r");
  EXPECT_TRUE(parse(text, "sameroof.toml"));
}

TEST(Config, AKeyOfAMillionPartsIsRefused) {
  std::string key = "[ike]\n";
  for (int i = 0; i < 1'000'000; ++i) key += "a.";
  EXPECT_EQ(refusal(key + "a = 1\n"), "sameroof.toml: line 2: is longer than 4096 octets");
  const auto secret = parse_secrets(key + "a = 1\n", "secrets.toml");
  ASSERT_FALSE(secret);
  EXPECT_EQ(secret.error().message, "secrets.toml: line 2: is longer than 4096 octets");
  EXPECT_THAT(refusal_beside_ppp("[ike]\n" + key.substr(6, 4092) + "a=1\n"), HasSubstr("unknown key"));
  EXPECT_THAT(refusal_beside_ppp("[" + key.substr(6, 4000) + "a]\n" + key.substr(6, 4000) + "a = 1\n"),
              HasSubstr("unknown key"));
}

TEST(Config, ListensOnNoMoreAddressesThanTwoProcessesCanShare) {
  const auto listen = [](int count) {
    std::string text = "[ike]\nlisten = [";
    for (int i = 1; i <= count; ++i) text += "\"10.0.0." + std::to_string(i) + "\", ";
    return text + "]\n";
  };
  EXPECT_TRUE(parse(listen(64) + std::string(ppp), "sameroof.toml"));
  EXPECT_EQ(refusal_beside_ppp(listen(65)),
            "sameroof.toml: line 2: ike.listen: must have at most 64 addresses");
}

TEST(Config, BadTomlIsARefusalWithALine) {
  EXPECT_TRUE(refusal("[ike]\nlisten = [\n").starts_with("sameroof.toml: line "))
      << refusal("[ike]\nlisten = [\n");
  EXPECT_TRUE(refusal("[ike]\n[ike]\n").starts_with("sameroof.toml: line 2: "));
}

struct Refused {
  const char* text;
  const char* sentence;
};

TEST(Config, ValuesOutOfPlaceAreRefused) {
  const Refused refused[] = {
      {"[marks]\nmask = \"0x0f0f\"\n", "line 2: marks.mask: its bits must be one unbroken run"},
      {"[marks]\nmask = \"0\"\n", "line 2: marks.mask: must be a number of 32 bits such as \"0x0fffff00\""},
      {"[marks]\nmask = -1\n", "line 2: marks.mask: must be a number of 32 bits such as \"0x0fffff00\""},
      {"[marks]\nmask = 1\n", "line 1: marks: mask and alias leave no number for a peer"},
      {"[marks]\nalias = \"240.0.0.1/8\"\n",
       "line 2: marks.alias: must be an IPv4 network such as \"10.99.1.0/24\", without host bits"},
      {"[marks]\nalias = \"fd00::/8\"\n",
       "line 2: marks.alias: must be an IPv4 network such as \"10.99.1.0/24\", without host bits"},
      {"[marks]\nalias = \"10.99.0.0/16\"\n", "line 4: ppp.pool: overlaps marks.alias, 10.99.0.0/16"},
      {"[ike]\nlisten = []\n", "line 2: ike.listen: must be a list with something in it"},
      {"[ike]\nlisten = [\"fe80::1\"]\n",
       "line 2: ike.listen: must be an IPv4 or IPv6 address, not a link-local one"},
      {"[ike]\nlisten = [\"::ffff:192.0.2.1\"]\n",
       "line 2: ike.listen: must be an IPv4 or IPv6 address, not a link-local one"},
      {"[ike]\nlisten = [\"::\"]\n",
       "line 1: ike.listen: has IPv6 and l2tp.listen has none, so that nobody would be served over it"},
      {"[ike]\nlisten = [\"::\"]\n[l2tp]\nlns = \"external\"\n",
       "line 1: ike.listen: IPv6 needs l2tp.lns = \"l2tpd\": other daemons are served over IPv4"},
      {"[ike]\nlisten = [\"::\", \"192.0.2.1\", \"2001:db8::1\"]\n",
       "line 2: ike.listen: \"::\" is every address of its kind: list no other beside it"},
      {"[ike]\nlisten = [\"192.0.2.1\",\n\"192.0.2.1\"]\n", "line 3: ike.listen: is listed twice"},
      {"[ike]\nlisten = [\"192.0.2.1\", \"0.0.0.0\"]\n",
       "line 2: ike.listen: \"0.0.0.0\" is every address of its kind: list no other beside it"},
      {"[ike]\nproposals = \"best\"\n", "line 2: ike.proposals: must be \"default\" or a list"},
      {"[ike]\nproposals = [3]\n", "line 2: ike.proposals: must be a string"},
      {"[[service]]\nprotocol = \"tcp\"\n", "line 1: service: port is missing"},
      {"[[service]]\nprotocol = \"icmp\"\nport = 1\n",
       "line 2: service.protocol: must be one of \"tcp\", \"udp\""},
      {"[[service]]\nprotocol = \"udp\"\nport = 1701\n",
       "line 1: service: L2TP is served without being named"},
      {"[[service]]\nprotocol = \"udp\"\nport = 4500\n", "line 1: service: IKE is not spoken inside IPsec"},
      {"[[service]]\nprotocol = \"tcp\"\nport = 0\n", "line 3: service.port: must be from 1 to 65535"},
      {"[[service]]\nprotocol = \"tcp\"\nport = 80\n[[service]]\nprotocol = \"tcp\"\nport = 80\n",
       "line 4: service: is there twice"},
      {"[ike]\nnat_detection = \"lie\"\n",
       "line 2: ike.nat_detection: must be one of \"truthful\", \"echo\""},
      {"[ike]\ninner_ids = [\"outer\",\n\"privat\"]\n",
       "line 3: ike.inner_ids: must be \"private\", \"outer\" or an IPv4 network such as \"25.0.0.0/8\""},
      {"[ike]\ninner_ids = \"outer\"\n", "line 2: ike.inner_ids: must be a list with something in it"},
      {"[ike]\nvendor_ids = \"none\"\n", "line 2: ike.vendor_ids: must be one of \"all\", \"minimal\""},
      {"[ike]\ndpd_seconds = 60\ndpd_timeout_seconds = 60\n",
       "line 1: ike: dpd_timeout_seconds must be longer than dpd_seconds"},
      {"[ike]\nesp_kilobytes = 5\n", "line 2: ike.esp_kilobytes: must be 0 or at least 1000"},
      {"ike = 3\n", "line 1: ike: must be a table: [ike]"},
      {"[ike]\npsk = \"x\"\n", "line 2: ike.psk: must be a list with something in it"},
      {"[[ike.psk]]\npeer = \"192.0.2.0/24\"\n", "line 1: ike.psk: name is missing"},
      {"[[ike.psk]]\nname = \"a\"\n[[ike.psk]]\nname = \"a\"\n", "line 3: ike.psk: \"a\" is there twice"},
      {"[[ike.psk]]\nname = 7\n", "line 2: ike.psk.name: must be a string"},
      {"[[ike.psk]]\nname = 'a'\ndevice = 1\n", "line 3: ike.psk.device: must be true or false"},
      {"[[ike.psk]]\nname = 'a'\nidentity = 'b'\n",
       "line 1: ike.psk: identity tells keys apart in Aggressive Mode only: aggressive = true"},
      {"[[ike.psk]]\nname = 'a'\naggressive = true\n[[ike.psk]]\nname = 'b'\naggressive = true\nidentity = "
       "'a'\n",
       "line 4: ike.psk: identity \"a\" is there twice"},
      {"[ike]\ntrust = ['ca.pem']\n", "line 2: ike.trust: must be an absolute path"},
      {"[ike]\ntrust = []\n", "line 2: ike.trust: must be a list with something in it"},
      {"[[ike.own_certificate]]\nfile = '/a'\n", "line 1: ike.own_certificate: key is missing"},
      {"[[ike.certificate]]\nsubject = 'CN=*'\n", "line 1: ike.certificate: name is missing"},
      {"[[ike.certificate]]\nname = 'a'\n",
       "line 1: ike: [[ike.certificate]] needs trust, and an [[ike.own_certificate]]"},
      {"[l2tp]\nexternal_lookup = \"conntrack\"\n", "line 1: l2tp: external_lookup needs lns = \"external\""},
      {"[l2tp]\nlns = \"xl2tpd\"\n", "line 2: l2tp.lns: must be one of \"l2tpd\", \"external\""},
      {"[[user]]\nname = \"\"\n", "line 2: user.name: must have 1 to 255 octets and no control characters"},
      {"[[user]]\nname = \"a\"\n[[user]]\nname = \"a\"\n", "line 3: user.name: \"a\" is there twice"},
      {"[[user]]\nname = \"a\"\naddress = \"10.99.1.7\"\n[[user]]\nname = \"b\"\naddress = \"10.99.1.7\"\n",
       "line 4: user.address: 10.99.1.7 belongs to another user already"},
      {"[[user]]\nname = \"a\"\naddress = \"10.99.0.1\"\n",
       "line 1: user.address: 10.99.0.1 is ppp.local_address"},
      {"[[user]]\nname = \"a\"\naddress = \"240.0.0.9\"\n",
       "line 1: user.address: 240.0.0.9 lies in marks.alias"},
      {"[[user]]\nname = \"a\"\naddress = \"10.99.1.7\"\nsessions = 2\n",
       "line 1: user: an address of the user's own serves one session"},
      {"[[user]]\nname = \"a\"\nnft_sets = [\"inet office\"]\n",
       "line 3: user.nft_sets: must be family (\"inet\", \"ip\" or \"ip6\"), table and set: \"inet firewall "
       "office\""},
      {"[[user]]\nname = \"a\"\nnft_sets = [\"inet  office\"]\n",
       "line 3: user.nft_sets: must be family (\"inet\", \"ip\" or \"ip6\"), table and set: \"inet firewall "
       "office\""},
      {"[hooks]\nsession_up = \"up\"\n", "line 2: hooks.session_up: must be an absolute path"},
      {"[[user]]\nname = \"a\"\nwhen_full = \"wait\"\n",
       "line 3: user.when_full: must be one of \"replace\", \"refuse\""},
      {"[[user]]\nname = \"a\"\naddress = \"0.0.0.0\"\n",
       "line 3: user.address: must be an IPv4 address of a host"},
  };
  for (const auto& [text, sentence] : refused) {
    EXPECT_EQ(refusal_beside_ppp(text), std::string("sameroof.toml: ") + sentence) << text;
  }
}

TEST(Config, ThePppSectionIsJudgedWhole) {
  EXPECT_EQ(refusal(""), "sameroof.toml: line 1: ppp: the section [ppp] is missing");
  EXPECT_EQ(refusal("[ppp]\nlocal_address = \"10.0.0.1\"\n"), "sameroof.toml: line 1: ppp: pool is missing");
  EXPECT_EQ(refusal("[ppp]\nlocal_address = \"x\"\npool = \"10.0.0.0/24\"\n"),
            "sameroof.toml: line 2: ppp.local_address: must be an IPv4 address");
  EXPECT_EQ(refusal("[ppp]\nlocal_address = \"10.0.0.1\"\npool = \"10.0.0.1/32\"\n"),
            "sameroof.toml: line 1: ppp: the pool holds nothing but local_address");
  EXPECT_EQ(refusal_beside_ppp("") + refusal(std::string(ppp) + "auth = [\"eap\"]\n"),
            "acceptedsameroof.toml: line 5: ppp.auth: must be one of \"mschap-v2\", \"chap\", \"pap\"");
  EXPECT_EQ(refusal(std::string(ppp) + "users = \"radius\"\n"),
            "sameroof.toml: line 2: ppp.users: \"radius\" needs the section [radius] with its servers");
  EXPECT_EQ(refusal(std::string(ppp) + "[radius]\nservers = [\"192.0.2.1:0\"]\n"),
            "sameroof.toml: line 6: radius.servers: must be an IPv4 address, or one with a port: "
            "\"192.0.2.1:1812\"");
  EXPECT_EQ(refusal(std::string(ppp) + "[radius]\ntries = 1\n"),
            "sameroof.toml: line 5: radius: servers is missing");
  EXPECT_EQ(refusal(std::string(ppp) + "mtu = 100\n"),
            "sameroof.toml: line 5: ppp.mtu: must be from 576 to 1500");
  EXPECT_EQ(refusal(std::string(ppp) + "mtu = \"big\"\n"),
            "sameroof.toml: line 5: ppp.mtu: must be \"auto\" or a number");
  EXPECT_EQ(refusal(std::string(ppp) + "plugin = \"x.so\"\n"),
            "sameroof.toml: line 5: ppp.plugin: must be an absolute path");
  EXPECT_EQ(refusal(std::string(ppp) + "dns = [\"1.1.1.1\", \"1.1.1.2\", \"1.1.1.3\"]\n"),
            "sameroof.toml: line 5: ppp.dns: PPP can name two servers (RFC 1877)");
}

TEST(Config, Ipv6NeedsANetworkThatHolds64sAndHostsCanHave) {
  const auto said = [](const std::string& line) { return refusal(std::string(ppp) + line + "\n"); };
  EXPECT_EQ(said("ipv6_prefix = \"2001:db8:7::/64\""), "accepted");
  EXPECT_EQ(said("ipv6_prefix = \"fd00::/20\""), "accepted");
  for (const auto* bad : {"10.0.0.0/8", "2001:db8::/65", "2001::/19", "2001:db8::1/56", "2001:db8:7::", "x"})
    EXPECT_EQ(said(std::string("ipv6_prefix = \"") + bad + "\""),
              "sameroof.toml: line 5: ppp.ipv6_prefix: must be an IPv6 network of /20 to /64 such as "
              "\"2001:db8:7:100::/56\", without host bits");
  for (const auto* bad : {"fe80::/64", "ff00::/56", "::/64"})
    EXPECT_EQ(said(std::string("ipv6_prefix = \"") + bad + "\""),
              "sameroof.toml: line 5: ppp.ipv6_prefix: must lie in 2000::/3 or fc00::/7");
  EXPECT_EQ(said("ipv6_dns = [\"2001:db8::53\"]"), "sameroof.toml: line 2: ppp: ipv6_dns needs ipv6_prefix");
  EXPECT_EQ(said("ipv6_prefix = \"2001:db8:7::/64\"\nipv6_dns = [\"10.0.0.1\"]"),
            "sameroof.toml: line 6: ppp.ipv6_dns: must be an IPv6 address of a host");
  EXPECT_EQ(said("ipv6_prefix = \"2001:db8:7::/64\"\nipv6_dns = [\"2000::1\", \"2000::2\", \"2000::3\", "
                 "\"2000::4\"]"),
            "sameroof.toml: line 6: ppp.ipv6_dns: must have at most three servers");
}

TEST(Config, WhereAnotherDaemonServesL2tpThePppSectionMayBeMissing) {
  const std::string external = "[l2tp]\nlns = \"external\"\n";
  EXPECT_EQ(refusal(external), "accepted");
  EXPECT_EQ(refusal(external + "[[user]]\nname = \"a\"\naddress = \"240.0.0.9\"\n"),
            "sameroof.toml: line 3: user.address: 240.0.0.9 lies in marks.alias");
  EXPECT_EQ(refusal(external + "[ppp]\nlocal_address = \"240.0.0.9\"\npool = \"10.0.0.0/24\"\n"),
            "sameroof.toml: line 3: ppp.local_address: lies in marks.alias, 240.0.0.0/8");
}

TEST(Config, WhereAnotherDaemonServesL2tpNobodyMayRelyOnOurHooksOrRadius) {
  const std::string external = "[l2tp]\nlns = \"external\"\n";
  EXPECT_EQ(refusal(external + "[hooks]\nsession_up = \"/x/up\"\n"),
            "sameroof.toml: line 3: hooks: serves l2tpd only, and l2tp.lns is \"external\"");
  EXPECT_EQ(refusal(external + "[radius]\nservers = [\"192.0.2.1\"]\n"),
            "sameroof.toml: line 3: radius: serves l2tpd only, and l2tp.lns is \"external\"");
}

TEST(Config, APoolMayHoldTheLocalAddressAndFixedOnes) {
  EXPECT_EQ(refusal("[ppp]\nlocal_address = \"10.0.0.1\"\npool = \"10.0.0.0/24\"\n"
                    "[[user]]\nname = \"a\"\naddress = \"10.0.0.9\"\n"),
            "accepted");
}

TEST(Config, ThePackagedExamplesFitTogether) {
  const auto c = parse(packaged("sameroof.toml"), "sameroof.toml");
  ASSERT_TRUE(c) << c.error().message;
  const auto s = parse_secrets(packaged("secrets.toml"), "secrets.toml");
  ASSERT_TRUE(s) << s.error().message;
  const auto verdict = check(*c, *s);
  EXPECT_TRUE(verdict) << verdict.error().message;
}

TEST(Config, ThePackagedExampleShowsTheRealDefaults) {
  // Every "# key = value" of the example, uncommented, changes nothing.
  std::stringstream in(packaged("sameroof.toml"));
  std::string uncommented;
  for (std::string line; std::getline(in, line); uncommented += line + '\n') {
    if (line.starts_with("# ") && line.find(" = ") < 30 && !line.starts_with("# peer")) line.erase(0, 2);
  }
  const auto shown = parse(uncommented, "sameroof.toml");
  ASSERT_TRUE(shown) << shown.error().message;
  const auto real = parse(packaged("sameroof.toml"), "sameroof.toml");
  ASSERT_TRUE(real);
  EXPECT_NE(uncommented, packaged("sameroof.toml"));
  EXPECT_EQ(shown->marks.mask, real->marks.mask);
  EXPECT_EQ(shown->marks.alias, real->marks.alias);
  EXPECT_EQ(shown->marks.quarantine, real->marks.quarantine);
  EXPECT_EQ(shown->ike.listen, real->ike.listen);
  EXPECT_EQ(shown->ike.lifetime, real->ike.lifetime);
  EXPECT_EQ(shown->ike.esp_lifetime, real->ike.esp_lifetime);
  EXPECT_EQ(shown->ike.dpd, real->ike.dpd);
  EXPECT_EQ(shown->ike.dpd_timeout, real->ike.dpd_timeout);
  EXPECT_EQ(shown->ike.silence_timeout, real->ike.silence_timeout);
  EXPECT_EQ(shown->ike.max_half_open, real->ike.max_half_open);
  EXPECT_EQ(shown->ike.revocation_required, real->ike.revocation_required);
  EXPECT_EQ(shown->ike.psks.front().device, real->ike.psks.front().device);
  EXPECT_EQ(shown->ike.psks.front().bind_user, real->ike.psks.front().bind_user);
  EXPECT_EQ(shown->ike.psks.front().aggressive, real->ike.psks.front().aggressive);
  EXPECT_EQ(shown->l2tp.hello, real->l2tp.hello);
  EXPECT_EQ(shown->l2tp.hello_timeout, real->l2tp.hello_timeout);
  EXPECT_EQ(shown->l2tp.cleartext, real->l2tp.cleartext);
  EXPECT_EQ(shown->ppp, real->ppp);
}

TEST(Config, ThePackagedExampleOfCertificatesIsAccepted) {
  std::stringstream in(packaged("sameroof.toml"));
  std::string uncommented;
  for (std::string line; std::getline(in, line); uncommented += line + '\n') {
    if (line.starts_with("## identity = \"branch")) continue;  // belongs to aggressive = true
    if (line.starts_with("## ")) line.erase(0, 3);
  }
  const auto c = parse(uncommented, "sameroof.toml");
  ASSERT_TRUE(c) << c.error().message;
  EXPECT_EQ(c->ike.trust.size(), 1u);
  EXPECT_EQ(c->ike.revocation.size(), 1u);
  EXPECT_EQ(c->ike.own_certificates.size(), 1u);
  ASSERT_EQ(c->ike.certificates.size(), 1u);
  EXPECT_EQ(c->ike.certificates.front().san, "*.laptops.example");
}

TEST(Config, AuthenticationIsReadInFull) {
  const auto c = parse(R"([ike]
trust = ["/a/ca.pem"]
revocation = ["/a/ca.crl"]
revocation_required = true
[[ike.psk]]
name = "alice"
device = true
bind_user = true
aggressive = true
identity = "alice@example.com"
[[ike.own_certificate]]
file = "/a/gw.pem"
key = "/a/gw.key"
identity = "vpn.example"
[[ike.certificate]]
name = "laptops"
subject = "CN=*, O=Example"
issuer = "CN=Laptops"
san = "*.laptops.example"
bind_user = true
[ppp]
local_address = "10.0.0.1"
pool = "10.0.1.0/24"
[[user]]
name = "alice"
)",
                       "sameroof.toml");
  ASSERT_TRUE(c) << c.error().message;
  EXPECT_EQ(c->ike.trust.at(0).value, "/a/ca.pem");
  EXPECT_EQ(c->ike.revocation.at(0).line.number, 3);
  EXPECT_TRUE(c->ike.revocation_required);
  const auto& psk = c->ike.psks.at(0);
  EXPECT_TRUE(psk.device && psk.bind_user && psk.aggressive);
  EXPECT_EQ(psk.identity, "alice@example.com");
  EXPECT_EQ(c->ike.own_certificates.at(0).identity, "vpn.example");
  EXPECT_EQ(c->ike.own_certificates.at(0).key, "/a/gw.key");
  const auto& wanted = c->ike.certificates.at(0);
  EXPECT_EQ(wanted.subject, "CN=*, O=Example");
  EXPECT_EQ(wanted.issuer, "CN=Laptops");
  EXPECT_EQ(wanted.san, "*.laptops.example");
  EXPECT_TRUE(wanted.bind_user);
}

TEST(Config, AKeyThatIsBoundToNobodyIsRefused) {
  const auto c = parse(
      "[[ike.psk]]\nname = \"bob\"\nbind_user = true\n[ppp]\nlocal_address = \"10.0.0.1\"\n"
      "pool = \"10.0.1.0/24\"\n",
      "sameroof.toml");
  ASSERT_FALSE(c);
  EXPECT_EQ(c.error().message, "sameroof.toml: line 1: ike.psk.bind_user: there is no [[user]] \"bob\"");
}

}  // namespace
}  // namespace config
