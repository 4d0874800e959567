#include "xfrmctl/peers.h"

#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "xfrmctl/status.h"

namespace xfrmctl {
namespace {

control::Peer a_peer(std::uint32_t number, const std::string& identity) {
  control::Peer peer;
  peer.peer = number;
  peer.mark = number << 8;
  peer.alias = "240.0.0.1";
  peer.identity = identity;
  peer.client = "strongswan";
  peer.psk = "lab";
  peer.nat = true;
  peer.address = "198.51.100.1";
  peer.port = 40001;
  peer.local_address = "203.0.113.1";
  control::Sa old{.spi_in = "0xc0000001",
                  .spi_out = "0x00000001",
                  .transform = "aes256-sha1",
                  .service = "udp/1701",
                  .state = "superseded"};
  old.bytes_in = 1000;
  control::Sa now{.spi_in = "0xc0000002",
                  .spi_out = "0x00000002",
                  .transform = "aes256-sha1",
                  .service = "udp/1701",
                  .state = "active"};
  now.bytes_in = 234;
  now.bytes_out = 5'600'000'000;
  peer.sas = {old, now};
  return peer;
}

control::Tunnel a_tunnel(std::uint32_t mark, std::uint16_t id, std::uint64_t since) {
  control::Tunnel tunnel;
  tunnel.mark = mark;
  tunnel.tunnel = id;
  tunnel.since_seconds = since;
  return tunnel;
}

control::Session a_session(std::uint32_t mark, std::uint16_t tunnel, std::uint64_t since) {
  control::Session session;
  session.mark = mark;
  session.tunnel = tunnel;
  session.session = 77;
  session.user = "alice";
  session.ppp_address = "10.99.1.1";
  session.since_seconds = since;
  return session;
}

control::Json json_of(const std::vector<PeerRow>& rows) { return control::Json::parse(peers_json(rows)); }

TEST(Peers, AreJoinedWithL2tpByMarkAndOrderedByNumber) {
  const auto rows = join({a_peer(2, "b"), a_peer(1, "a")}, {a_tunnel(256, 11, 5), a_tunnel(512, 22, 5)},
                         {a_session(512, 22, 4), a_session(256, 11, 4)});
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].peer.identity, "a");
  EXPECT_EQ(rows[0].tunnel->tunnel, 11);
  EXPECT_EQ(rows[1].session->tunnel, 22);
}

TEST(Peers, TunnelsWithoutIpsecBelongToNoPeer) {
  auto unmarked = a_peer(1, "a");
  unmarked.mark = 0;
  const auto rows = join({unmarked}, {a_tunnel(0, 11, 5)}, {a_session(0, 11, 5)});
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_FALSE(rows[0].tunnel);
  EXPECT_FALSE(rows[0].session);
}

TEST(Peers, TheNewestSessionIsShownWithItsOwnTunnel) {
  const auto rows = join({a_peer(1, "a")}, {a_tunnel(256, 11, 50), a_tunnel(256, 12, 1)},
                         {a_session(256, 10, 90), a_session(256, 11, 40)});
  EXPECT_EQ(rows[0].session->tunnel, 11);
  EXPECT_EQ(rows[0].tunnel->tunnel, 11);
}

TEST(Peers, JsonHasTheActiveSaAndTheSumsAndNullsForTheRest) {
  const auto json = json_of(join({a_peer(1, "a")}, {}, {}));
  EXPECT_EQ(json["version"], 1);
  const auto& peer = json["peers"][0];
  EXPECT_EQ(peer["mark"], 256);
  EXPECT_EQ(peer["client"], "strongswan");
  EXPECT_EQ(peer["spi_in"], "0xc0000002");
  EXPECT_EQ(peer["bytes_in"], 1234);
  EXPECT_EQ(peer["bytes_out"], 5'600'000'000);
  EXPECT_EQ(peer["sas"], 2);
  for (const char* member : {"tunnel", "session", "user", "ppp_address", "ifname", "proposal"}) {
    EXPECT_TRUE(peer.contains(member) && peer[member].is_null()) << member;
  }
  const auto joined = json_of(join({a_peer(1, "a")}, {a_tunnel(256, 11, 5)}, {a_session(256, 11, 4)}));
  EXPECT_EQ(joined["peers"][0]["tunnel"], 11);
  EXPECT_EQ(joined["peers"][0]["user"], "alice");
  EXPECT_TRUE(joined["peers"][0]["ifname"].is_null());
}

TEST(Peers, APeerWithoutSasHasNoSpi) {
  auto peer = a_peer(1, "a");
  peer.sas.clear();
  const auto json = json_of(join({peer}, {}, {}));
  EXPECT_TRUE(json["peers"][0]["spi_in"].is_null());
  EXPECT_EQ(json["peers"][0]["bytes_in"], 0);
}

TEST(Peers, TheTableReads) {
  EXPECT_EQ(
      peers_table(join({a_peer(1, "192.168.1.2")}, {a_tunnel(256, 11, 5)}, {a_session(256, 11, 4)})),
      "PEER MARK  ADDRESS            IDENTITY    CLIENT     SPI IN/OUT          IN  OUT L2TP  USER  PPP "
      "ADDRESS\n"
      "   1 0x100 198.51.100.1:40001 192.168.1.2 strongswan c0000002/00000002 1.2k 5.6G 11/77 alice "
      "10.99.1.1\n");
}

TEST(Peers, TheTableFits120ColumnsAndObeysNoName) {
  auto peer = a_peer(1'000'000, std::string(100, 'i') + "\x1b[2J");
  peer.mark = 0x0fffff00;
  peer.address = "198.151.100.100";
  auto session = a_session(peer.mark, 65535, 4);
  session.session = 65535;
  session.user = "\x1b]0;pwned\x07" + std::string(200, 'u');
  session.ppp_address = "210.199.101.101";
  const auto table = peers_table(join({peer}, {a_tunnel(peer.mark, 65535, 5)}, {session}));
  std::stringstream lines(table);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 120U) << line;
  EXPECT_EQ(table.find('\x1b'), std::string::npos);
  EXPECT_NE(table.find("210.199.101.101"), std::string::npos);
  EXPECT_NE(table.find("iiiii~"), std::string::npos);
}

TEST(Peers, NoPeersIsAHeading) {
  EXPECT_EQ(peers_table({}), "PEER MARK ADDRESS IDENTITY CLIENT SPI IN/OUT IN OUT L2TP USER PPP ADDRESS\n");
}

TEST(Status, SaysWhoAnswersAndWhyTheOtherDoesNot) {
  const control::Status up{.version = "0.1.0",
                           .pid = 7,
                           .uptime_seconds = 200,
                           .gauges = {{"peers", 4}},
                           .counters = {},
                           .lns = "l2tpd",
                           .cleartext = {}};
  EXPECT_EQ(status_line("ikd", up), "ikd answers: version 0.1.0, pid 7, up 3 minutes, 4 peers\n");
  const base::Result<control::Status> down =
      base::fail("cannot connect to /run/x: No such file or directory");
  EXPECT_EQ(status_line("l2tpd", down),
            "l2tpd does not answer: cannot connect to /run/x: No such file or directory\n");
  const auto json = control::Json::parse(status_json(up, down));
  EXPECT_EQ(json["ikd"]["gauges"]["peers"], 4);
  EXPECT_TRUE(json["l2tpd"].is_null());
}

}  // namespace
}  // namespace xfrmctl
