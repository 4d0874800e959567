// Main Mode and Quick Mode from message 1 to two SAs on either side with the same keys.

#include <gmock/gmock.h>

#include "harness/world.h"

namespace {

using namespace std::chrono_literals;
using harness::NatBox;
using harness::World;
using ::testing::IsEmpty;

const auto nat_a = base::Address::v4(0xc6336401);  // 198.51.100.1

TEST(Setup, ClientBehindANatGetsBothSasAndFloatsTo4500) {
  World w;
  NatBox nat(nat_a);
  auto& client = w.add({}, &nat);
  client.connect(w.now());
  w.run(5s);
  EXPECT_THAT(w.complaints(), IsEmpty());
  ASSERT_EQ(client.children().size(), 1u);
  EXPECT_TRUE(client.floated());
  EXPECT_EQ(w.disagreement(client), "");
  EXPECT_THAT(w.kernel().imbalances(), IsEmpty());
  EXPECT_EQ(w.kernel().events_of(ike::EventKind::peer_up), 1u);
}

TEST(Setup, ClientWithoutANatStaysOn500AndGetsPlainEsp) {
  World w;
  auto& client = w.add({.local = {base::Address::v4(0xc0000207), 500}});
  client.connect(w.now());
  w.run(5s);
  EXPECT_THAT(w.complaints(), IsEmpty());
  EXPECT_FALSE(client.floated());
  EXPECT_EQ(w.disagreement(client), "");
}

}  // namespace
