#include "xfrmctl/top.h"

#include <gmock/gmock.h>

namespace xfrmctl {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

PeerRow peer(std::uint32_t number, std::uint64_t in, std::uint64_t out, std::uint64_t age,
             const char* alias = "240.0.0.1") {
  PeerRow row;
  row.peer.peer = number;
  row.peer.alias = alias;
  row.peer.address = "198.51.100.1";
  row.peer.port = 4500;
  row.peer.established_seconds = age;
  row.peer.sas.emplace_back();
  row.peer.sas[0].bytes_in = in;
  row.peer.sas[0].bytes_out = out;
  return row;
}

std::vector<std::uint32_t> numbers(const std::vector<TopRow>& rows) {
  std::vector<std::uint32_t> out;
  for (const auto& row : rows) out.push_back(row.row.peer.peer);
  return out;
}

TEST(Top, SortsByWhatMovesNowByAllOrByAge) {
  Top top;
  const std::vector before{peer(1, 9000, 0, 10), peer(2, 0, 0, 30), peer(3, 100, 0, 20)};
  EXPECT_THAT(numbers(top.look(before, 0, TopOrder::bytes)), ElementsAre(1, 3, 2));
  EXPECT_THAT(numbers(top.look(before, 2, TopOrder::age)), ElementsAre(2, 3, 1));
  const auto rows =
      top.look({peer(1, 9000, 0, 12), peer(2, 400, 2000, 32), peer(3, 1100, 0, 22)}, 2, TopOrder::rate);
  EXPECT_THAT(numbers(rows), ElementsAre(2, 3, 1));
  EXPECT_EQ(rows[0].in_per_second, 200);
  EXPECT_EQ(rows[0].out_per_second, 1000);
  EXPECT_EQ(rows[2].in_per_second, 0);
}

/// Of one SA: so many packets have come, and so many have not.
PeerRow peer_losing(std::uint32_t number, std::uint64_t came, std::uint64_t lost) {
  auto row = peer(number, came * 100, 0, 10);
  row.peer.sas[0].packets_in = came;
  row.peer.sas[0].packets_lost = lost;
  return row;
}

TEST(Top, LossIsOfWhatPeersHaveSentSinceTheLookBefore) {
  Top top;
  const auto first =
      top.look({peer_losing(1, 90, 10), peer_losing(2, 100, 0), peer_losing(3, 0, 0)}, 0, TopOrder::loss);
  EXPECT_THAT(numbers(first), ElementsAre(1, 2, 3));
  EXPECT_EQ(first[0].loss, 0.1) << "of all its SAs have seen";
  EXPECT_EQ(first[1].loss, 0);
  EXPECT_EQ(first[2].loss, std::nullopt) << "it has sent nothing";
  const auto next =
      top.look({peer_losing(1, 100, 0), peer_losing(2, 103, 1), peer_losing(3, 0, 0)}, 2, TopOrder::loss);
  EXPECT_THAT(numbers(next), ElementsAre(2, 1, 3));
  EXPECT_EQ(next[0].loss, 0.25);
  EXPECT_EQ(next[1].loss, 0) << "all that was late has come";
  const auto screen = top_screen(next, 24, 120);
  EXPECT_THAT(screen, HasSubstr(" LOSS "));
  EXPECT_THAT(screen, HasSubstr(" 25% "));
  EXPECT_EQ(top.look({peer_losing(2, 5, 0)}, 2, TopOrder::loss)[0].loss, std::nullopt)
      << "an SA has gone with what it counted";
}

TEST(Top, SasThatGoAndNumbersThatPassOnMakeNoRates) {
  Top top;
  top.look({peer(1, 9000, 0, 10), peer(2, 10, 0, 10)}, 0, TopOrder::rate);
  const auto rows = top.look({peer(1, 50, 0, 12), peer(2, 5000, 0, 1, "240.0.0.9")}, 2, TopOrder::rate);
  EXPECT_EQ(rows[0].in_per_second + rows[1].in_per_second, 0) << "less than before, and another peer";
}

TEST(Top, TheScreenHoldsWhatATerminalHas) {
  Top top;
  std::vector<PeerRow> peers;
  for (std::uint32_t i = 1; i <= 100; ++i) peers.push_back(peer(i, i, 0, 10));
  const auto rows = top.look(peers, 0, TopOrder::bytes);
  const auto screen = top_screen(rows, 24, 60);
  EXPECT_LE(std::count(screen.begin(), screen.end(), '\n'), 24);
  EXPECT_THAT(screen, HasSubstr("100 peers, 0 users, in 0B/s, out 0B/s\n"));
  for (std::size_t at = 0, end = 0; (end = screen.find('\n', at)) != std::string::npos; at = end + 1)
    EXPECT_LE(end - at, 60u);
}

}  // namespace
}  // namespace xfrmctl
