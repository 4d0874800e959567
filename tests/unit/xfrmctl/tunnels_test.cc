#include "xfrmctl/tunnels.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "validate.h"

namespace xfrmctl {
namespace {

using control::Json;

std::vector<control::Peer> peers() {
  control::Peer peer;
  peer.peer = 2;
  peer.mark = 0x200;
  peer.address = "198.51.100.1";
  peer.port = 40002;
  return {peer};
}

control::Tunnel tunnel(std::uint32_t mark, std::uint16_t id) {
  control::Tunnel out;
  out.mark = mark;
  out.tunnel = id;
  out.peer_tunnel = 7;
  out.host_name = "laptop";
  out.address = "240.0.0.2";
  out.port = 1701;
  out.local_address = "203.0.113.1";
  out.sessions = 1;
  out.since_seconds = 300;
  return out;
}

control::Session session(std::uint32_t mark, std::uint16_t id) {
  control::Session out;
  out.mark = mark;
  out.tunnel = 11;
  out.peer_tunnel = 7;
  out.session = id;
  out.peer_session = 9;
  out.since_seconds = 5;
  return out;
}

TEST(Tunnels, AreOrderedByMarkAndKnowTheirPeer) {
  const auto text =
      tunnels_json({tunnel(0x300, 1), tunnel(0x200, 12), tunnel(0x200, 11), tunnel(0, 4)}, peers());
  EXPECT_EQ(misfit("tunnels", text), "");
  const auto rows = Json::parse(text)["tunnels"];
  ASSERT_EQ(rows.size(), 4U);
  EXPECT_TRUE(rows[0]["peer"].is_null()) << "without IPsec";
  EXPECT_EQ(rows[1]["tunnel"], 11);
  EXPECT_EQ(rows[1]["peer"], 2);
  EXPECT_EQ(rows[1]["peer_address"], "198.51.100.1");
  EXPECT_EQ(rows[1]["peer_port"], 40002);
  EXPECT_EQ(rows[1]["address"], "240.0.0.2");
  EXPECT_TRUE(rows[3]["peer"].is_null()) << "its peer is not known to ikd, any more or yet";
}

TEST(Tunnels, TheTableReadsAndObeysNoName) {
  auto hostile = tunnel(0x200, 11);
  hostile.host_name = "\x1b[2J" + std::string(200, 'h');
  const auto text = tunnels_table({hostile, tunnel(0, 4)}, peers());
  EXPECT_EQ("\n" + text,
            R"(
PEER MARK  TUNNEL THEIRS HOST NAME                             PEER ADDRESS       SEEN AS        SERVED AT   SESSIONS UP
   - -     4      7      laptop                                -                  240.0.0.2:1701 203.0.113.1        1 5m
   2 0x200 11     7      ?[2Jhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh~ 198.51.100.1:40002 240.0.0.2:1701 203.0.113.1        1 5m
)");
}

TEST(Sessions, AreShownWithTheUserOncePppKnowsIt) {
  auto late = session(0x200, 21);
  late.user = "alice";
  late.ppp_address = "10.99.1.1";
  late.ipv6_prefix = "2001:db8:7::/64";
  late.ifname = "ppp0";
  const auto text = sessions_json({late, session(0x200, 20)}, peers());
  EXPECT_EQ(misfit("sessions", text), "");
  const auto rows = Json::parse(text)["sessions"];
  EXPECT_EQ(rows[0]["session"], 20);
  EXPECT_TRUE(rows[0]["user"].is_null());
  EXPECT_EQ(rows[1]["user"], "alice");
  EXPECT_EQ("\n" + sessions_table({late, session(0, 20)}, peers()), R"(
PEER MARK  TUNNEL SESSION THEIRS USER  PPP ADDRESS IPV6 PREFIX     INTERFACE PEER ADDRESS       UP
   - -     11     20      9      -     -           -               -         -                  5s
   2 0x200 11     21      9      alice 10.99.1.1   2001:db8:7::/64 ppp0      198.51.100.1:40002 5s
)");
}

TEST(Sessions, NoneIsAHeading) {
  EXPECT_EQ(Json::parse(sessions_json({}, {})), Json({{"version", 1}, {"sessions", Json::array()}}));
  EXPECT_EQ(sessions_table({}, {}),
            "PEER MARK TUNNEL SESSION THEIRS USER PPP ADDRESS IPV6 PREFIX INTERFACE PEER ADDRESS UP\n");
}

}  // namespace
}  // namespace xfrmctl
