#include <cerrno>

#include <gmock/gmock.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <sys/socket.h>

#include "netlink/message.h"
#include "netlink/request.h"
#include "netlink/socket.h"

namespace {

using base::Bytes;
using base::ByteView;

nl::Message only_message(ByteView bytes) {
  auto message = nl::next_message(bytes);
  EXPECT_TRUE(message.has_value());
  EXPECT_TRUE(bytes.empty());
  return message.value_or(nl::Message{});
}

TEST(Request, IsReadBackAttributeByAttribute) {
  nl::Request request(0x20, NLM_F_ACK);
  request.header(std::uint32_t{7}).attr_text(1, "abc").attr(2, std::uint16_t{0x1234});
  request.attr_with_tail(5, std::uint32_t{1}, base::as_bytes("tail!"));

  const auto message = only_message(request.view());
  EXPECT_EQ(message.type, 0x20);
  EXPECT_EQ(message.header->nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK);
  const auto attributes = nl::Attributes::parse(message.payload.subspan(4));
  ASSERT_TRUE(attributes.has_value());
  EXPECT_EQ(base::as_text(attributes->get(1)), std::string_view("abc\0", 4));
  EXPECT_EQ(attributes->get_as<std::uint16_t>(2), 0x1234);
  EXPECT_EQ(attributes->get(5).size(), 9U);
  EXPECT_EQ(base::as_text(attributes->get(5).subspan(4)), "tail!");
  EXPECT_FALSE(attributes->has(6));
  EXPECT_FALSE(attributes->has(64)) << "beyond what is kept";
}

TEST(Request, GrowsToThousandsOfBytes) {
  nl::Request request(0x20);
  const Bytes block(5000, 0x5a);
  for (std::uint16_t type = 1; type <= 10; ++type) request.attr_bytes(type, block);
  const auto attributes = nl::Attributes::parse(only_message(request.view()).payload);
  ASSERT_TRUE(attributes.has_value());
  for (std::uint16_t type = 1; type <= 10; ++type) EXPECT_TRUE(base::equal(attributes->get(type), block));
}

TEST(Attributes, LengthsThatReachOutsideAreRefused) {
  nl::Request request(0x20);
  request.attr(1, std::uint32_t{5}).attr(2, std::uint32_t{6});
  const Bytes whole = base::to_bytes(only_message(request.view()).payload);
  EXPECT_TRUE(nl::Attributes::parse(whole).has_value());
  EXPECT_FALSE(nl::Attributes::parse(ByteView(whole).first(14)).has_value());
  auto bad = whole;
  bad[0] = 3;  // nla_len below its own header: would never end
  bad[1] = 0;
  EXPECT_FALSE(nl::Attributes::parse(bad).has_value());
}

TEST(Message, ADatagramOfSeveralEndsAtTheFirstBadLength) {
  Bytes datagram;
  base::append(datagram, nl::Request(0x21).view());
  base::append(datagram, nl::Request(0x22).view());
  auto broken = nl::Request(0x23);
  base::append(datagram, broken.view().first(12));
  ByteView rest = datagram;
  std::vector<std::uint16_t> types;
  while (const auto message = nl::next_message(rest)) types.push_back(message->type);
  EXPECT_THAT(types, testing::ElementsAre(0x21, 0x22));
  EXPECT_TRUE(rest.empty());
}

TEST(Message, ALengthOfTwoGibibytesIsNotTakenForANegativeOne) {
  Bytes datagram = base::to_bytes(nl::Request(0x21).view());
  const std::uint32_t length = 0x80000010;
  std::memcpy(datagram.data(), &length, sizeof length);
  ByteView rest = datagram;
  EXPECT_FALSE(nl::next_message(rest).has_value());
  EXPECT_TRUE(rest.empty());
}

/// Every test of the kernel's own behaviour has a network namespace to itself.
class InNamespace : public testing::Test {
 protected:
  void SetUp() override {
    if (::unshare(CLONE_NEWNET) != 0) GTEST_SKIP() << "needs CAP_SYS_ADMIN";
  }
};

nl::Request link_request(std::uint16_t type, std::uint16_t flags, int index) {
  nl::Request request(type, flags);
  ifinfomsg info{};
  info.ifi_family = AF_UNSPEC;
  info.ifi_index = index;
  if (type == RTM_NEWLINK) info.ifi_flags = info.ifi_change = 1;  // IFF_UP
  request.header(info);
  return request;
}

TEST_F(InNamespace, ADumpListsTheLoopbackInterface) {
  auto socket = nl::Socket::open(NETLINK_ROUTE);
  ASSERT_TRUE(socket.has_value());
  auto request = link_request(RTM_GETLINK, NLM_F_DUMP, 0);
  std::vector<std::string> names;
  const auto listed = socket->query(request, "listing", [&](const nl::Message& message) {
    const auto attributes = nl::Attributes::parse(message.payload.subspan(sizeof(ifinfomsg)));
    ASSERT_TRUE(attributes.has_value());
    names.emplace_back(reinterpret_cast<const char*>(attributes->get(IFLA_IFNAME).data()));
  });
  ASSERT_TRUE(listed.has_value()) << listed.error().message;
  EXPECT_THAT(names, testing::Contains("lo"));
}

TEST_F(InNamespace, ARefusalCarriesTheErrnoAndTheSentenceOfTheCaller) {
  auto socket = nl::Socket::open(NETLINK_ROUTE);
  ASSERT_TRUE(socket.has_value());
  auto request = link_request(RTM_DELLINK, NLM_F_ACK, 4711);
  const auto refused = socket->transact(request, "removing an interface");
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().number, ENODEV);
  EXPECT_THAT(refused.error().message, testing::StartsWith("removing an interface: No such device"));
}

TEST_F(InNamespace, TheKernelsExplanationIsPartOfTheSentence) {
  auto socket = nl::Socket::open(NETLINK_ROUTE);
  ASSERT_TRUE(socket.has_value());
  nl::Request request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_ACK);
  rtmsg route{};
  route.rtm_family = AF_INET;
  route.rtm_dst_len = 77;
  request.header(route);
  const auto refused = socket->transact(request, "adding a route");
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().message, testing::HasSubstr("(Invalid prefix length"));
}

TEST_F(InNamespace, ABatchHasOneOutcomeForEachRequest) {
  auto socket = nl::Socket::open(NETLINK_ROUTE);
  ASSERT_TRUE(socket.has_value());
  std::vector<nl::Request> requests;
  requests.push_back(link_request(RTM_NEWLINK, NLM_F_ACK, 1));
  requests.push_back(link_request(RTM_DELLINK, NLM_F_ACK, 4711));
  requests.push_back(link_request(RTM_NEWLINK, NLM_F_ACK, 1));
  const auto results = socket->batch(requests, "batch");
  ASSERT_EQ(results.size(), 3U);
  EXPECT_TRUE(results[0].has_value());
  ASSERT_FALSE(results[1].has_value());
  EXPECT_EQ(results[1].error().number, ENODEV);
  EXPECT_TRUE(results[2].has_value());
  // Nothing is left over to confuse the next request.
  auto again = link_request(RTM_NEWLINK, NLM_F_ACK, 1);
  EXPECT_TRUE(socket->transact(again, "again").has_value());
}

TEST_F(InNamespace, EventsArriveWithoutBlocking) {
  auto events = nl::Socket::open_events(NETLINK_ROUTE, {RTNLGRP_LINK});
  auto socket = nl::Socket::open(NETLINK_ROUTE);
  ASSERT_TRUE(events.has_value() && socket.has_value());
  int seen = 0;
  const auto count = [&](const nl::Message& message) { seen += message.type == RTM_NEWLINK; };
  EXPECT_EQ(events->receive(count), nl::Socket::Events::complete);
  EXPECT_EQ(seen, 0);
  auto request = link_request(RTM_NEWLINK, NLM_F_ACK, 1);
  ASSERT_TRUE(socket->transact(request, "lo up").has_value());
  EXPECT_EQ(events->receive(count), nl::Socket::Events::complete);
  EXPECT_GE(seen, 1);
}

}  // namespace
