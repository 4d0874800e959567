// What the self-test says of what it has seen.

#include "self_test/verdicts.h"

#include <array>

#include <gtest/gtest.h>

#include "validate.h"
#include "xfrmctl/self_test.h"

namespace self_test {
namespace {

const auto nat = base::Address::v4(0xc0000202);

/// Both clients, when all went well.
std::array<Client, 2> two_clients() {
  std::array<Client, 2> out;
  for (std::uint32_t i = 0; i < 2; ++i) {
    auto& client = out[i];
    client.name = i == 0 ? "client 1" : "client 2";
    client.address = base::Address::v4(0xc0a80102 + (i << 8));
    client.up = client.connected = true;
    client.peer.emplace();
    client.peer->mark = (i + 1) << 8;
    client.peer->alias = i == 0 ? "240.0.0.1" : "240.0.0.2";
    client.peer->address = "192.0.2.2";
    client.tunnel.emplace();
    client.tunnel->mark = client.peer->mark;
  }
  return out;
}

TEST(Verdicts, TwoClientsThatAreServedPassEveryCheck) {
  const auto clients = two_clients();
  for (const auto& verdict : {judge_ike(clients[0]), judge_marks(clients, nat), judge_answers(clients, {}),
                              judge_tunnels(clients)}) {
    EXPECT_TRUE(verdict.holds) << verdict.sentence;
    EXPECT_EQ(verdict.remedy, "");
  }
  EXPECT_NE(judge_marks(clients, nat).sentence.find("0x100 is 240.0.0.1, 0x200 is 240.0.0.2"),
            std::string::npos);
}

TEST(Verdicts, AClientWithoutSAsSaysWhyAsFarAsItKnows) {
  auto client = two_clients()[1];
  client.up = false;
  EXPECT_EQ(judge_ike(client).sentence,
            "client 2 (192.168.2.2) got no IPsec SAs: ikd did not answer in time");
  client.failure = "the kernel refused";
  EXPECT_EQ(judge_ike(client).sentence, "client 2 (192.168.2.2) got no IPsec SAs: the kernel refused");
}

TEST(Verdicts, OneMarkOrOneAliasForBothIsWhatMustNotBe) {
  auto clients = two_clients();
  clients[1].peer->mark = clients[0].peer->mark;
  EXPECT_FALSE(judge_marks(clients, nat).holds);
  clients = two_clients();
  clients[1].peer->alias = clients[0].peer->alias;
  EXPECT_FALSE(judge_marks(clients, nat).holds);
}

TEST(Verdicts, ClientsThatAreNotBehindTheNatProveNothing) {
  auto clients = two_clients();
  clients[0].peer->address = "192.168.1.2";
  EXPECT_FALSE(judge_marks(clients, nat).holds);
  clients[0].peer.reset();
  EXPECT_EQ(judge_marks(clients, nat).sentence, "ikd does not list client 1 as a peer");
}

TEST(Verdicts, AnAnswerThatIsMissingOrAnothersIsToldWithWhatWasDropped) {
  auto clients = two_clients();
  clients[1].connected = false;
  EXPECT_EQ(judge_answers(clients, {{"leak", 1}, {"no_alias", 6}}).sentence,
            "client 2 got no answer to its L2TP, though its SAs are there; the ruleset dropped: leak 1, "
            "no_alias 6");
  clients[0].strays = 1;
  EXPECT_EQ(judge_answers(clients, {}).sentence, "client 1 got an answer that was another's");
}

TEST(Verdicts, ATunnelUnderAForeignMarkIsNoneOfTheClients) {
  auto clients = two_clients();
  clients[0].tunnel->mark = 0x200;
  EXPECT_FALSE(judge_tunnels(clients).holds);
  clients[0].tunnel.reset();
  EXPECT_FALSE(judge_tunnels(clients).holds);
}

TEST(Verdicts, TheJsonFitsItsSchema) {
  const std::vector<Verdict> verdicts{{"kernel", true, "fine"}, {"network", false, "broken", "mend it"}};
  EXPECT_EQ(misfit("self-test", xfrmctl::verdicts_json(verdicts)), "");
}

}  // namespace
}  // namespace self_test
