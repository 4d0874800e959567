// The sandbox needs root, and a kernel that lets it make namespaces.

#include "self_test/sandbox.h"

#include <chrono>
#include <csignal>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace self_test {
namespace {

using namespace std::chrono_literals;

class Sandbox : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0 || !in_sandbox([] { return 0; })) GTEST_SKIP() << "needs namespaces of its own";
  }
};

TEST_F(Sandbox, FilesWrittenInItAreNobodyElses) {
  const auto mark = std::string(run_directory) + "/of-the-sandbox";
  const auto status = in_sandbox([&] {
    std::ofstream(mark) << "here";
    return ::access(mark.c_str(), F_OK) == 0 && ::getpid() == 1 ? 7 : 8;
  });
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(*status, 7);
  EXPECT_NE(::access(mark.c_str(), F_OK), 0);
}

TEST_F(Sandbox, WhatIsKilledInItIsAnError) {
  EXPECT_FALSE(in_sandbox([]() -> int {
    ::signal(SIGSEGV, SIG_DFL);  // a sanitizer's
    ::abort();  // the first process of a namespace survives its own SIGABRT, not what follows
    return 0;
  }));
}

TEST_F(Sandbox, ItEndsWithWhoeverMadeIt) {
  int life[2];
  ASSERT_EQ(::pipe(life), 0);
  const auto parent = ::fork();
  ASSERT_GE(parent, 0);
  if (parent == 0) {
    ::close(life[0]);
    (void)in_sandbox([] {
      const auto child = ::fork();  // holds the pipe, too
      (void)child;
      for (;;) ::pause();
      return 0;
    });
    ::_exit(0);
  }
  ::close(life[1]);
  std::this_thread::sleep_for(200ms);
  ::kill(parent, SIGKILL);
  ::waitpid(parent, nullptr, 0);
  char end = 0;
  EXPECT_EQ(::read(life[0], &end, 1), 0) << "all of the sandbox's processes have hung up";
  ::close(life[0]);
}

TEST_F(Sandbox, ADaemonsLastWordsAndItsEndAreKnown) {
  const auto status = in_sandbox([] {
    auto daemon = Daemon::start({"/bin/sh", "-c", "echo first; echo last >&2; exit 0"});
    while (!daemon->ended()) std::this_thread::sleep_for(1ms);
    if (daemon->said_last() != "last" || !daemon->ended_well()) return 1;
    auto another = Daemon::start({"/bin/sh", "-c", "exit 3"});
    while (!another->ended()) std::this_thread::sleep_for(1ms);
    if (another->said_last() != "it said nothing" || another->ended_well()) return 2;
    auto third = Daemon::start({"/bin/sleep", "60"});
    third->ask_to_end();
    while (!third->ended()) std::this_thread::sleep_for(1ms);
    return third->ended_well() ? 3 : 0;
  });
  EXPECT_EQ(status.value_or(-1), 0);
}

}  // namespace
}  // namespace self_test
