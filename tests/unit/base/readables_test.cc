#include "os/readables.h"

#include <map>
#include <stdexcept>
#include <vector>

#include <gmock/gmock.h>
#include <unistd.h>

namespace os {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class ReadablesTest : public ::testing::Test {
 protected:
  struct Pipe {
    base::Fd in, out;
  };
  static Pipe pipe() {
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    return {base::Fd(ends[0]), base::Fd(ends[1])};
  }
  static void write(const Pipe& pipe) { ASSERT_EQ(::write(pipe.out.get(), "x", 1), 1); }
  std::vector<std::uint64_t> turn() {
    heard_.clear();
    loop_.run_once(10ms);
    return heard_;
  }

  Loop loop_;
  std::vector<std::uint64_t> heard_;
  std::function<void(std::uint64_t)> then_ = [](std::uint64_t) {};
  Readables readables_{loop_, [this](std::uint64_t key) {
                         heard_.push_back(key);
                         then_(key);
                       }};
};

TEST_F(ReadablesTest, WhoeverCanBeReadIsNamedUntilItIsRead) {
  const auto one = pipe(), two = pipe(), three = pipe();
  readables_.add(one.in.get(), 1);
  readables_.add(two.in.get(), 0x1'0000'0002);
  readables_.add(three.in.get(), 3);
  EXPECT_THAT(turn(), IsEmpty());
  write(one);
  write(two);
  EXPECT_THAT(turn(), UnorderedElementsAre(1u, 0x1'0000'0002u));
  char byte;
  ASSERT_EQ(::read(one.in.get(), &byte, 1), 1);
  EXPECT_THAT(turn(), ElementsAre(0x1'0000'0002u));
}

TEST_F(ReadablesTest, WhatIsRemovedIsNotNamedThoughAnotherProcessHasItOpen) {
  auto watched = pipe();
  const base::Fd anothers(::dup(watched.in.get()));
  readables_.add(watched.in.get(), 1);
  write(watched);
  EXPECT_THAT(turn(), ElementsAre(1u));
  readables_.remove(watched.in.get());
  watched.in = {};
  EXPECT_THAT(turn(), IsEmpty());
}

TEST_F(ReadablesTest, ACallbackMayRemoveItself) {
  const auto one = pipe();
  readables_.add(one.in.get(), 1);
  write(one);
  then_ = [&](std::uint64_t) { readables_.remove(one.in.get()); };
  EXPECT_THAT(turn(), ElementsAre(1u));
  EXPECT_THAT(turn(), IsEmpty());
}

TEST_F(ReadablesTest, ManyHaveTheirTurns) {
  std::vector<Pipe> pipes;
  for (std::uint64_t key = 0; key < 150; ++key) {
    readables_.add(pipes.emplace_back(pipe()).in.get(), key);
    write(pipes.back());
  }
  then_ = [&](std::uint64_t key) {
    char byte;
    ASSERT_EQ(::read(pipes[key].in.get(), &byte, 1), 1);
  };
  std::map<std::uint64_t, int> times;
  for (int i = 0; i < 10; ++i) {
    for (const auto key : turn()) ++times[key];
  }
  EXPECT_EQ(times.size(), pipes.size());
  for (const auto& [key, count] : times) EXPECT_EQ(count, 1) << key;
}

TEST_F(ReadablesTest, WhatCannotBeWatchedIsAnError) {
  EXPECT_THROW(readables_.add(-1, 1), std::runtime_error);
}

}  // namespace
}  // namespace os
