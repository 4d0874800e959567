#include "os/channel.h"

#include <thread>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

namespace os {
namespace {

struct Ends {
  Channel here, there;
};

Ends ends() {
  auto [here, there] = Channel::pair().value();
  return {std::move(here), std::move(there)};
}

base::ByteView text(std::string_view t) { return base::as_bytes(t); }

TEST(Channel, AMessageArrivesWholeAndApartFromTheNext) {
  auto [here, there] = ends();
  ASSERT_TRUE(here.send(text("first")));
  ASSERT_TRUE(here.send(text("second")));
  EXPECT_TRUE(base::equal(there.receive()->bytes.view(), text("first")));
  EXPECT_TRUE(base::equal(there.receive()->bytes.view(), text("second")));
}

TEST(Channel, TheLongestMessageArrivesAndALongerOneIsNotSent) {
  auto [here, there] = ends();
  const base::Bytes longest(Channel::longest_message, 7), longer(Channel::longest_message + 1);
  ASSERT_TRUE(here.send(longest));
  EXPECT_TRUE(base::equal(there.receive()->bytes.view(), longest));
  EXPECT_FALSE(here.send(longer));
  EXPECT_FALSE(here.send({})) << "it would look like the end";
}

TEST(Channel, ALongerMessageOfSomethingElseIsNone) {
  auto [here, there] = ends();
  const base::Bytes longer(Channel::longest_message + 1);
  ASSERT_EQ(::send(here.fd(), longer.data(), longer.size(), 0), static_cast<ssize_t>(longer.size()));
  EXPECT_FALSE(there.receive());
}

TEST(Channel, DescriptorsComeAlongAndAreClosedOnExec) {
  auto [here, there] = ends();
  int pipe_ends[2];
  ASSERT_EQ(::pipe(pipe_ends), 0);
  const base::Fd read_end(pipe_ends[0]), write_end(pipe_ends[1]);
  ASSERT_TRUE(here.send(text("x"), std::vector{write_end.get()}));
  auto message = there.receive();
  ASSERT_TRUE(message);
  ASSERT_EQ(message->descriptors.size(), 1u);
  const int copy = message->descriptors.front().get();
  EXPECT_EQ(::fcntl(copy, F_GETFD), FD_CLOEXEC);
  ASSERT_EQ(::write(copy, "y", 1), 1);
  char read = 0;
  EXPECT_EQ(::read(read_end.get(), &read, 1), 1);
  EXPECT_EQ(read, 'y');
}

TEST(Channel, TheOtherEndsDeathIsSeenOnBothWays) {
  auto [here, there] = ends();
  there = {};
  EXPECT_FALSE(here.receive());
  EXPECT_FALSE(here.send(text("x")));
}

TEST(Channel, WhoDoesNotReadHoldsNobodyUp) {
  auto [here, there] = ends();
  int sent = 0;
  while (sent < 100'000 && here.send(text("x"))) ++sent;
  EXPECT_GT(sent, 0);
  EXPECT_LT(sent, 100'000);
  ASSERT_TRUE(there.receive());
  EXPECT_TRUE(here.send(text("x")));
}

TEST(Channel, ShuttingItWakesWhoWaits) {
  auto [here, there] = ends();
  bool woken = false;
  std::thread waiting([&, &receiver = here] { woken = !receiver.receive(); });
  here.shut();
  waiting.join();
  EXPECT_TRUE(woken);
  EXPECT_FALSE(there.receive()) << "the other end, too";
}

}  // namespace
}  // namespace os
