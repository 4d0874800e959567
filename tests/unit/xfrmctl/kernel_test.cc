// The kernel's own lists, in a network namespace of its own; skipped where it has no ESP.

#include "xfrmctl/kernel.h"

#include <algorithm>
#include <cstdlib>

#include <gmock/gmock.h>
#include <sched.h>

#include "messages.h"
#include "xfrm/kernel.h"

namespace xfrmctl {
namespace {

class InAKernel : public testing::Test {
 protected:
  void SetUp() override {
    if (::unshare(CLONE_NEWNET) != 0) GTEST_SKIP() << "needs CAP_SYS_ADMIN";
    auto kernel = xfrm::Kernel::open();
    if (!kernel) GTEST_SKIP() << kernel.error().message;
    if (const auto done = kernel->install(messages::inbound_sa(1)); !done)
      GTEST_SKIP() << "no ESP here: " << done.error().message;
    ASSERT_TRUE(kernel->install(messages::outbound_sa(1)));
    ASSERT_TRUE(kernel->install(messages::outbound_policy(1)));
  }
};

TEST_F(InAKernel, ListsWhatWasInstalled) {
  const auto sas = read_sas();
  ASSERT_TRUE(sas) << sas.error().message;
  ASSERT_EQ(sas->size(), 2U);
  const auto in = std::ranges::find(*sas, 0x0badca01U, &KernelSa::spi);
  ASSERT_NE(in, sas->end());
  EXPECT_EQ(in->source, "198.51.100.1");
  EXPECT_EQ(in->protocol, "esp");
  EXPECT_EQ(in->mode, "transport");
  EXPECT_EQ(in->reqid, 0x100U);
  EXPECT_FALSE(in->mark);
  EXPECT_EQ(in->output_mark, (KernelMark{0x100, 0x0fffff00}));
  EXPECT_EQ(in->encap_source_port, 40001);
  EXPECT_EQ(in->replay_window, 128U);
  EXPECT_EQ(in->hard_seconds, 3600U);
  EXPECT_FALSE(in->hard_bytes);
  EXPECT_EQ(in->cipher->name, "cbc(aes)");
  EXPECT_EQ(in->cipher->key_bits, 256U);
  EXPECT_EQ(in->digest->check_bits, 96U);
  EXPECT_NE(in->added, 0U);
  EXPECT_EQ(in->used, 0U);
  const auto out = std::ranges::find(*sas, 0xfeed0001U, &KernelSa::spi);
  ASSERT_NE(out, sas->end());
  EXPECT_EQ(out->mark, (KernelMark{0x100, 0x0fffff00}));
  EXPECT_FALSE(out->output_mark);

  const auto policies = read_policies();
  ASSERT_TRUE(policies) << policies.error().message;
  ASSERT_EQ(policies->size(), 1U);
  const auto& policy = policies->front();
  EXPECT_EQ(policy.direction, "out");
  EXPECT_FALSE(policy.socket);
  EXPECT_EQ(policy.selector.destination, "240.0.0.1/32");
  EXPECT_EQ(policy.selector.source_port, 1701);
  ASSERT_EQ(policy.templates.size(), 1U);
  EXPECT_EQ(policy.templates[0].reqid, 0x100U);
}

TEST_F(InAKernel, ListsWhatOthersInstalled) {
  ASSERT_EQ(std::system("ip xfrm state add src 2001:db8::1 dst 2001:db8::2 proto esp spi 0x77 mode tunnel "
                        "enc 'cbc(aes)' 0x00112233445566778899aabbccddeeff auth 'hmac(sha1)' 0x00 &&"
                        "ip xfrm policy add dir fwd priority 9 action block"),
            0);
  const auto sas = read_sas();
  ASSERT_TRUE(sas);
  const auto foreign = std::ranges::find(*sas, 0x77U, &KernelSa::spi);
  ASSERT_NE(foreign, sas->end());
  EXPECT_EQ(foreign->source, "2001:db8::1");
  EXPECT_EQ(foreign->mode, "tunnel");
  EXPECT_EQ(foreign->selector.source, "::/0");
  const auto policies = read_policies();
  ASSERT_TRUE(policies);
  const auto block = std::ranges::find(*policies, "block", &KernelPolicy::action);
  ASSERT_NE(block, policies->end());
  EXPECT_EQ(block->direction, "forward");
  EXPECT_EQ(block->priority, 9U);
  EXPECT_TRUE(block->templates.empty());
}

}  // namespace
}  // namespace xfrmctl
