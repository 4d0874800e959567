// Whole setups as the popular guides leave them, written anew. Whatever comes out goes through our own
// parser.

#include <initializer_list>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "config/config.h"
#include "migrate/to_toml.h"
#include "migrate/words.h"

namespace migrate {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

Files files(std::initializer_list<std::pair<const char*, std::string_view>> list) {
  Files out;
  for (const auto& [name, text] : list) out.emplace(name, base::Secret::copy_of(base::as_bytes(text)));
  return out;
}

struct Imported {
  config::Config config;
  config::Secrets secrets;
  std::string toml;
  std::vector<std::string> lost;

  std::string psk(const std::string& name) const {
    return std::string(base::as_text(secrets.psk.at(name).front().view()));
  }
  std::string password(const std::string& user) const {
    return std::string(base::as_text(secrets.user.at(user).view()));
  }
};

/// Its files have to be good.
Imported import(const Files& old) {
  auto setup = read_setup(old);
  auto toml = to_toml(setup);
  const auto secret_text = to_secrets(setup);
  auto config = config::parse(toml, "sameroof.toml");
  auto secrets = config::parse_secrets(text_of(secret_text), "secrets.toml");
  if (!config || !secrets) {
    ADD_FAILURE() << (config ? secrets.error() : config.error()).message << "\n" << toml;
    return {};
  }
  const auto fits = config::check(*config, *secrets);
  EXPECT_TRUE(fits) << (fits ? "" : fits.error().message);
  return {std::move(*config), std::move(*secrets), std::move(toml), std::move(setup.lost)};
}

std::vector<std::string> values(const std::vector<config::Located<std::string>>& list) {
  std::vector<std::string> out;
  for (const auto& item : list) out.push_back(item.value);
  return out;
}

/// Libreswan with one shared conn, one for L2TP and one for XAUTH, as a popular script sets it up.
Files script() {
  return files({{"/etc/ipsec.conf", R"(version 2.0

config setup
  ikev1-policy=accept
  uniqueids=no

conn common
  left=%defaultroute
  right=%any
  encapsulation=yes
  authby=secret
  pfs=no
  rekey=no
  dpddelay=30
  dpdtimeout=300
  ikev2=never
  ike=aes256-sha2;modp2048,aes128-sha1;modp2048
  phase2alg=aes_gcm-null,aes128-sha1,aes256-sha2_512
  ikelifetime=24h
  salifetime=24h

conn phones
  auto=add
  leftprotoport=17/1701
  rightprotoport=17/%any
  type=transport
  also=common

conn xauth
  auto=add
  leftsubnet=0.0.0.0/0
  also=common
include /etc/ipsec.d/*.conf
)"},
                {"/etc/ipsec.d/ikev2.conf", "conn cp\n  auto=add\n  ikev2=insist\n"},
                {"/etc/ipsec.secrets", "%any  %any  : PSK \"correct horse\"\n"},
                {"/etc/xl2tpd/xl2tpd.conf", R"([global]
port = 1701

[lns default]
ip range = 192.168.50.10-192.168.50.250
local ip = 192.168.50.1
require chap = yes
refuse pap = yes
name = l2tpd
pppoptfile = /etc/ppp/options.xl2tpd
length bit = yes
)"},
                {"/etc/ppp/options.xl2tpd",
                 "+mschap-v2\nnoccp\nauth\nmtu 1280\nmru 1280\nlcp-echo-failure 4\n"
                 "connect-delay 5000\nms-dns 192.0.2.53\nms-dns 192.0.2.54\n"},
                {"/etc/ppp/chap-secrets",
                 "# users\n\"alice\" l2tpd \"her \\\"word\\\"\" *\n"
                 "\"bob\" l2tpd \"his\" 192.168.50.77\n\"carol\" pptpd \"old\" *\n"}});
}

TEST(Import, TheSetupOfAPopularScript) {
  const auto all = import(script());
  EXPECT_THAT(values(all.config.ike.proposals),
              ElementsAre("aes256-sha256-modp2048", "aes128-sha1-modp2048"));
  EXPECT_THAT(values(all.config.ike.esp_proposals),
              ElementsAre("aes128gcm16", "aes128-sha1", "aes256-sha512"));
  EXPECT_EQ(all.config.ike.lifetime.count(), 86400);
  EXPECT_EQ(all.config.ike.esp_lifetime.count(), 86400);
  EXPECT_EQ(all.config.ike.dpd.count(), 30);
  EXPECT_EQ(all.config.ike.dpd_timeout.count(), 300);
  EXPECT_EQ(all.psk("imported"), "correct horse");
  EXPECT_EQ(all.config.ppp.local_address.to_string(), "192.168.50.1");
  EXPECT_EQ(all.config.ppp.pool.to_string(), "192.168.50.0/24");
  EXPECT_EQ(all.config.ppp.mtu, 1280);
  EXPECT_EQ(all.config.ppp.dns.size(), 2U);
  ASSERT_EQ(all.config.users.size(), 2U);
  EXPECT_EQ(all.password("alice"), "her \"word\"");
  EXPECT_EQ(all.config.users[1].address->to_string(), "192.168.50.77");
}

TEST(Import, SaysWhatItCouldNotCarryOverInTheFileToo) {
  const auto all = import(script());
  EXPECT_THAT(all.lost, Contains("conn xauth is not for L2TP"));
  EXPECT_THAT(all.lost, Contains("conn cp is not for L2TP"));
  EXPECT_THAT(all.lost, Contains(HasSubstr("user carol is of the server pptpd")));
  EXPECT_THAT(all.lost, Contains(HasSubstr("192.168.50.0/24 is the smallest around one")));
  EXPECT_THAT(all.lost, Contains(HasSubstr("ike.nat_detection")));
  for (const auto& sentence : all.lost) EXPECT_THAT(all.toml, HasSubstr("#   " + sentence + "\n"));
}

TEST(Import, SecretsAreInTheSecretsPartAlone) {
  const auto all = import(script());
  for (const auto* secret : {"correct horse", "her ", "his", "old"}) {
    EXPECT_THAT(all.toml, Not(HasSubstr(secret)));
    for (const auto& sentence : all.lost) EXPECT_THAT(sentence, Not(HasSubstr(secret)));
  }
}

TEST(Import, ASecretThatNoTextCanHoldIsNotQuotedEither) {
  auto old = script();
  old["/etc/ipsec.secrets"] = base::Secret::copy_of(
      base::as_bytes("%any %any : PSK \"good\"\n198.51.100.1 %any : PSK 0xdeadbeef\nvpn.example : RSA "
                     "key.pem \"phrase\"\n: EAP \"eapword\"\n"));
  const auto all = import(old);
  for (const auto* secret : {"deadbeef", "phrase", "eapword"}) {
    for (const auto& sentence : all.lost) EXPECT_THAT(sentence, Not(HasSubstr(secret)));
  }
  EXPECT_EQ(all.config.ike.psks.size(), 1U);
  EXPECT_THAT(all.lost, Contains("/etc/ipsec.secrets:3: a secret of kind RSA"));
}

/// strongSwan's starter and xl2tpd, as the wikis of distributions tell it.
TEST(Import, StrongswanStrokeWithXl2tpd) {
  const auto all = import(
      files({{"/etc/ipsec.conf", R"(config setup
    charondebug="ike 1"

conn %default
    keyexchange=ikev1
    authby=psk
    ikelifetime=8h
    keylife=1h

conn roadwarriors   # phones and laptops
    left=203.0.113.1
    leftprotoport=17/1701
    right=%any
    rightprotoport=17/%any
    type=transport
    auto=add
    ike=aes256-sha1-modp1024,aes256-sha256-ecp384!
    esp=aes256-sha1,camellia128-sha1
    dpddelay=40
    dpdtimeout=130
)"},
             {"/etc/ipsec.secrets",
              "203.0.113.1 %any : PSK \"one\"\n"
              "203.0.113.1 198.51.100.9 : PSK \"two\"\n"},
             {"/etc/xl2tpd/xl2tpd.conf", R"([global]
listen-addr = 203.0.113.1   ; ours
[lns default]
ip range = 10.1.2.16-10.1.2.31,10.1.9.5
local ip = 10.1.2.1
challenge = yes
pppoptfile = /etc/ppp/options.l2tpd.lns
[lac other]
lns = 192.0.2.1
)"},
             {"/etc/ppp/options.l2tpd.lns",
              "require-mschap-v2 require-chap\nms-wins 10.1.2.3\nproxyarp\nidle 1800\npassive\nwho-knows\n"},
             {"/etc/ppp/chap-secrets", "dave * 'x y' 10.1.2.1\nerin * pw 10.1.2.20\nerin * pw2 *\n"}}));
  EXPECT_THAT(values(all.config.ike.proposals), ElementsAre("aes256-sha1-modp1024", "aes256-sha256-ecp384"));
  EXPECT_THAT(values(all.config.ike.esp_proposals), ElementsAre("aes256-sha1"));
  EXPECT_EQ(all.config.ike.lifetime.count(), 28800);
  EXPECT_EQ(all.config.ike.esp_lifetime.count(), 3600);
  ASSERT_EQ(all.config.ike.psks.size(), 2U);
  EXPECT_FALSE(all.config.ike.psks[0].peer);
  EXPECT_EQ(all.config.ike.psks[1].peer->to_string(), "198.51.100.9/32");
  EXPECT_EQ(all.psk("imported-2"), "two");
  EXPECT_EQ(all.config.ike.listen.front().to_string(), "203.0.113.1");
  EXPECT_EQ(all.config.l2tp.listen.front().to_string(), "203.0.113.1");
  EXPECT_EQ(all.config.ppp.pool.to_string(), "10.1.2.16/28");
  EXPECT_THAT(all.config.ppp.auth, ElementsAre(config::PppAuth::mschap_v2, config::PppAuth::chap));
  EXPECT_EQ(all.config.ppp.limits.idle.count(), 1800);
  EXPECT_EQ(all.password("dave"), "x y");
  EXPECT_FALSE(all.config.users[0].address) << "that of the gateway's end";
  EXPECT_EQ(all.config.users[1].address->to_string(), "10.1.2.20");
  for (const auto* lost : {"camellia128-sha1", "challenge = yes", "[lac other]", "who-knows",
                           "10.1.9.5 to 10.1.9.5", "erin is there twice", "the address of dave", "proxyarp"})
    EXPECT_THAT(all.lost, Contains(HasSubstr(lost)));
  EXPECT_THAT(all.lost, Not(Contains(HasSubstr("passive")))) << "nothing is lost with it";
}

TEST(Import, Swanctl) {
  const auto all = import(files({{"/etc/swanctl/swanctl.conf", "include conf.d/*.conf\n"},
                                 {"/etc/swanctl/conf.d/l2tp.conf", R"(
connections {
  l2tp {
    version = 1
    local_addrs = 203.0.113.1
    proposals = aes256-sha256-modp2048, default   # strong first
    dpd_delay = 30s
    rekey_time = 4h
    local { auth = psk }
    remote {
      auth = psk
    }
    children {
      l2tp {
        mode = transport
        local_ts = dynamic[udp/1701]
        remote_ts = dynamic[udp]
        esp_proposals = aes128gcm16,aes256-sha1
        life_time = 2h
      }
    }
  }
  ikev2 { version = 2 }
}
secrets {
  ike-all { secret = "a # key" }
  ike-branch {
    id-1 = 198.51.100.9
    secret = 0sc3dvcmQ=
  }
  eap-x { id = x
    secret = "hidden" }
}
)"},
                                 {"/etc/ppp/chap-secrets", "frank * pw *\n"}}));
  EXPECT_THAT(values(all.config.ike.proposals), ElementsAre("aes256-sha256-modp2048"));
  EXPECT_THAT(values(all.config.ike.esp_proposals), ElementsAre("aes128gcm16", "aes256-sha1"));
  EXPECT_EQ(all.config.ike.lifetime.count(), 4 * 3600);
  EXPECT_EQ(all.config.ike.esp_lifetime.count(), 2 * 3600);
  EXPECT_EQ(all.config.ike.dpd.count(), 30);
  ASSERT_EQ(all.config.ike.psks.size(), 2U);
  EXPECT_EQ(all.psk("imported"), "a # key");
  EXPECT_EQ(all.psk("imported-2"), "sword");
  EXPECT_EQ(all.config.ike.psks[1].peer->to_string(), "198.51.100.9/32");
  EXPECT_THAT(all.lost, Contains("connection ikev2 is not for L2TP over IKEv1"));
  EXPECT_THAT(all.lost, Contains(HasSubstr("eap-x: a secret that is no pre-shared key")));
  EXPECT_THAT(all.lost, Contains(HasSubstr("ppp.pool is an example")));
}

TEST(Import, TimesThatOurParserRefusesAreBroughtWithinItsLimits) {
  const auto all = import(files({{"/etc/ipsec.conf",
                                  "conn a\n type=transport\n auto=add\n ikelifetime=30d\n keylife=1m\n"
                                  " dpddelay=60\n dpdtimeout=20\n"},
                                 {"/etc/ipsec.secrets", ": PSK key\n"}}));
  EXPECT_EQ(all.config.ike.lifetime.count(), 7 * 86400);
  EXPECT_EQ(all.config.ike.esp_lifetime.count(), 120);
  EXPECT_EQ(all.config.ike.dpd_timeout.count(), 300);
  EXPECT_EQ(all.lost.size(), 5U) << "three times, pool and address";
}

TEST(Import, NothingIsFoundWhereNothingIs) { EXPECT_THAT(read_setup({}).sources, IsEmpty()); }

TEST(Import, FilesThatIncludeOneAnotherAndBrokenOnesEnd) {
  auto setup = read_setup(
      files({{"/etc/ipsec.conf",
              "include ipsec.d/*.conf\nconn a\n also=b\nconn b\n also=a\n type=transport\n auto=add\n"},
             {"/etc/ipsec.d/x.conf", "include /etc/ipsec.conf\nconn\n=\n \n x\n"},
             {"/etc/swanctl/swanctl.conf", "}}}\na {\nb = \"\nc { d = e }\nsecrets = x\n=\n{"},
             {"/etc/xl2tpd/xl2tpd.conf", "[\n[lns\nip range = 9-8,-\n=\n"},
             {"/etc/ipsec.secrets", ":\n: PSK\nPSK\n:PSK \"x\n"},
             {"/etc/ppp/chap-secrets", "a\na b\n* * x *\n\"\n'\\"}}));
  to_toml(setup);
  to_secrets(setup);
  EXPECT_THAT(setup.users, IsEmpty());
}

/// Of 8 names each, 8 deep: 16 million.
TEST(Import, WhatNamesTheSameAgainAndAgainIsDoneSoon) {
  std::string conns = "include ipsec.conf.d/*\nconn a\n type=transport\n auto=add\n also=0\n", files_again,
              inside;
  for (int i = 0; i < 9; ++i)
    conns += fmt::format("conn {0}\n also={1} {1} {1} {1} {1} {1} {1} {1}\n", i, i + 1);
  conns += "conn 9\n leftprotoport=17/1701\n";
  for (int i = 0; i < 8; ++i)
    files_again += "include /etc/ipsec.conf.d/*\n", inside += "include swanctl.conf.d/*\n";
  const auto setup = read_setup(files({{"/etc/ipsec.conf", conns},
                                       {"/etc/ipsec.conf.d/1", files_again},
                                       {"/etc/ipsec.conf.d/2", files_again},
                                       {"/etc/ipsec.secrets", files_again},
                                       {"/etc/swanctl/swanctl.conf", inside},
                                       {"/etc/swanctl/swanctl.conf.d/1", "include 2\n" + inside},
                                       {"/etc/swanctl/swanctl.conf.d/2", "include 1\n" + inside}}));
  EXPECT_LE(setup.sources.size(), 300U);
  EXPECT_THAT(setup.lost, Contains(HasSubstr("more than 256 files include one another")));
}

TEST(Import, PatternsAndDepthsThatNobodyMeantEnd) {
  std::string many;
  for (int i = 0; i < 64; ++i) many += "*a";
  const auto deep = [](std::size_t levels) {
    std::string out;
    for (std::size_t i = 0; i < levels; ++i) out += "a {\n";
    return out;
  };
  const auto conns = "include /" + many + "b\ninclude ipsec.?/[a-c]*\n", name = "/" + std::string(250, 'a'),
             sections = "include conf.d/*.conf\n" + deep(500'000), few = deep(16);
  const auto setup = read_setup(files({{"/etc/ipsec.conf", conns},
                                       {name.c_str(), "conn x\n"},
                                       {"/etc/ipsec.d/below/a", "conn y\n auto=add\n type=tunnel\n"},
                                       {"/etc/ipsec.d/b", "conn z\n auto=add\n type=tunnel\n"},
                                       {"/etc/swanctl/conf.d/.old.conf", "secrets { ike { secret = x } }\n"},
                                       {"/etc/swanctl/swanctl.conf", sections}}));
  EXPECT_THAT(setup.sources, ElementsAre("/etc/ipsec.conf", "/etc/ipsec.d/b", "/etc/swanctl/swanctl.conf"));
  EXPECT_THAT(setup.lost, Contains(HasSubstr("sections within sections, more than 16 deep")));
  EXPECT_THAT(read_setup(files({{"/etc/swanctl/swanctl.conf", few}})).lost, IsEmpty());
}

/// Each was refused by our own parser.
TEST(Import, WhatOurParserWouldRefuseIsLost) {
  std::string listen, long_name(5000, 'x');
  for (int i = 1; i <= 70; ++i) listen += fmt::format("192.0.2.{},", i);
  const auto connection =
      "connections { a { local_addrs = " + listen + "\n children { l2tp { mode = transport } } } }\n";
  const auto conns = "conn " + long_name + "\n auto=add\n type=tunnel\n";
  const auto pool = [&](const char* range, const char* local) {
    const auto xl2tpd = fmt::format("[lns default]\nip range = {}\nlocal ip = {}\n", range, local);
    return import(files({{"/etc/ipsec.conf", conns},
                         {"/etc/ipsec.secrets", ": PSK key\n"},
                         {"/etc/swanctl/swanctl.conf", connection},
                         {"/etc/ppp/chap-secrets", "a * pw 0.0.0.0\nb * pw 240.0.0.7\nc * pw 10.1.1.1\n"},
                         {"/etc/xl2tpd/xl2tpd.conf", xl2tpd}}));
  };
  for (const auto& [range, local] : {std::pair{"112.0.0.1-192.0.0.1", "10.0.0.1"},
                                     {"10.0.0.1-10.0.0.1", "10.0.0.1"},
                                     {"10.0.0.1-240.0.0.1", "2001:db8::1"}}) {
    const auto all = pool(range, local);
    EXPECT_EQ(all.config.ppp.pool.to_string(), "10.99.1.0/24") << range;
    EXPECT_EQ(all.config.ike.listen.size(), config::most_listen);
    ASSERT_EQ(all.config.users.size(), 3U);
    EXPECT_FALSE(all.config.users[0].address || all.config.users[1].address);
    EXPECT_EQ(all.config.users[2].address->to_string(), "10.1.1.1");
    EXPECT_THAT(all.lost, Contains(HasSubstr("ppp.pool is an example")));
    EXPECT_THAT(all.lost, Contains("192.0.2.70 is one address too many to listen on"));
  }
}

TEST(Import, WhatIsNoUtf8IsLostAndSpoilsNothingElse) {
  auto old = script();
  old.insert_or_assign("/etc/ppp/chap-secrets",
                       base::Secret::copy_of(base::as_bytes("j\xf6rg * one *\nbob * \"gr\xfc\xdf\" *\n"
                                                            "eve * \"gr\xc3\xbc\xc3\x9f\" *\n")));
  const auto out = import(old);
  EXPECT_THAT(out.lost, Contains(HasSubstr("user 'j?rg' has no name of his own")));
  EXPECT_THAT(out.lost, Contains(HasSubstr("the password of bob is not in UTF-8")));
  ASSERT_EQ(out.config.users.size(), 1U);
  EXPECT_EQ(out.password("eve"), "gr\xc3\xbc\xc3\x9f");
}

}  // namespace
}  // namespace migrate
