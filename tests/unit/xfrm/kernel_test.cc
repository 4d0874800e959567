// Against the running kernel, in a network namespace of its own; skipped where it has no ESP. The lab
// runs this on Debian's 6.1 and 6.12.
#include "xfrm/kernel.h"

#include <array>
#include <cerrno>
#include <cstdio>

#include <poll.h>
#include <sched.h>

#include "compare.h"
#include "samples.h"

namespace {

using namespace std::chrono_literals;

std::string output_of(const char* command) {
  std::string out;
  FILE* pipe = ::popen(command, "r");
  if (pipe == nullptr) return out;
  std::array<char, 4096> block{};
  while (std::fgets(block.data(), block.size(), pipe) != nullptr) out += block.data();
  ::pclose(pipe);
  return out;
}

class RealKernel : public testing::Test {
 protected:
  void SetUp() override {
    if (::unshare(CLONE_NEWNET) != 0) GTEST_SKIP() << "needs CAP_SYS_ADMIN";
    auto opened = xfrm::Kernel::open();
    if (!opened) GTEST_SKIP() << opened.error().message;
    kernel_.emplace(std::move(*opened));
    const auto probe = kernel_->install(samples::outbound());
    if (!probe && (probe.error().number == EPROTONOSUPPORT || probe.error().number == ENOSYS)) {
      GTEST_SKIP() << "no ESP here: " << probe.error().message;
    }
    ASSERT_TRUE(probe.has_value()) << probe.error().message;
    ASSERT_TRUE(kernel_->remove(id_of(samples::outbound())).has_value());
  }
  std::optional<xfrm::Kernel> kernel_;
};

#define ASSERT_OK(expression)                                    \
  do {                                                           \
    const auto& outcome = (expression);                          \
    ASSERT_TRUE(outcome.has_value()) << outcome.error().message; \
  } while (false)

TEST_F(RealKernel, ListsAnSaAsItWasInstalled) {
  ASSERT_OK(kernel_->install(samples::inbound()));
  ASSERT_OK(kernel_->install(samples::outbound()));
  const auto all = kernel_->dump_sas();
  ASSERT_OK(all);
  ASSERT_EQ(all->size(), 2U);
  for (const auto& expected : {samples::inbound().clone(), samples::outbound().clone()}) {
    const auto read = kernel_->get(id_of(expected));
    ASSERT_OK(read);
    expect_same(read->sa, expected);
    EXPECT_EQ(read->statistics.packets, 0U);
    EXPECT_EQ(read->statistics.used, std::nullopt);
    EXPECT_GT(read->statistics.added, 0s);
  }
}

TEST_F(RealKernel, IprouteReadsWhatWeMeant) {
  ASSERT_OK(kernel_->install(samples::inbound()));
  ASSERT_OK(kernel_->install(samples::outbound()));
  ASSERT_OK(kernel_->install(samples::policy()));
  const auto states = output_of("ip xfrm state");
  for (const auto* line :
       {"src 198.51.100.1 dst 203.0.113.1", "proto esp spi 0xc0000101 reqid 1 mode transport",
        "output-mark 0x100/0xfffff00", "replay-window 0", "auth-trunc hmac(sha256) 0x2222", " 128\n",
        "enc cbc(aes) 0x1111", "encap type espinudp sport 40001 dport 4500",
        "replay_window 128, bitmap-length 4", "sel src 240.0.0.1/32 dst 203.0.113.1/32 proto udp dport 1701",
        "mark 0x100/0xfffff00", "aead rfc4106(gcm(aes)) 0x3333",
        "encap type espinudp sport 4500 dport 40001"}) {
    EXPECT_THAT(states, testing::HasSubstr(line));
  }
  const auto policies = output_of("ip xfrm policy");
  EXPECT_THAT(policies, testing::HasSubstr("src 203.0.113.1/32 dst 240.0.0.1/32 proto udp sport 1701"));
  EXPECT_THAT(policies, testing::HasSubstr("dir out priority 100"));
  EXPECT_THAT(policies, testing::HasSubstr("proto esp reqid 1 mode transport"));
}

TEST_F(RealKernel, TakesEveryTransform) {
  using xfrm::Encryption;
  using xfrm::Integrity;
  const std::pair<Integrity, std::size_t> digests[] = {{Integrity::hmac_md5_96, 16},
                                                       {Integrity::hmac_sha1_96, 20},
                                                       {Integrity::hmac_sha2_256_128, 32},
                                                       {Integrity::hmac_sha2_384_192, 48},
                                                       {Integrity::hmac_sha2_512_256, 64}};
  const std::pair<Encryption, std::size_t> ciphers[] = {{Encryption::null, 0},
                                                        {Encryption::des3_cbc, 24},
                                                        {Encryption::aes_cbc, 16},
                                                        {Encryption::aes_cbc, 24},
                                                        {Encryption::aes_cbc, 32}};
  std::uint32_t spi = 0x1000;
  for (const auto& [encryption, key_size] : ciphers) {
    for (const auto& [integrity, digest_size] : digests) {
      auto sa = samples::inbound();
      sa.spi = xfrm::Spi(++spi);
      base::Bytes key(key_size);  // three different DES keys, or FIPS-minded kernels refuse
      for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::uint8_t>(i * 7);
      sa.transform = {.encryption = encryption,
                      .encryption_key = base::Secret(std::move(key)),
                      .integrity = integrity,
                      .integrity_key = base::Secret(base::Bytes(digest_size, 0x44))};
      ASSERT_OK(kernel_->install(sa));
      const auto read = kernel_->get(id_of(sa));
      ASSERT_OK(read);
      expect_same(read->sa, sa);
    }
  }
  for (const std::size_t key_size : {20U, 28U, 36U}) {
    auto sa = samples::outbound();
    sa.spi = xfrm::Spi(++spi);
    sa.transform.encryption_key = base::Secret(base::Bytes(key_size, 0x55));
    ASSERT_OK(kernel_->install(sa));
  }
}

TEST_F(RealKernel, TheNatsNewPortIsAnUpdateInPlace) {
  ASSERT_OK(kernel_->install(samples::outbound()));
  const auto id = id_of(samples::outbound());
  const auto move = [&](const xfrm::SaId& which, xfrm::Encap encap) {
    auto installed = kernel_->get(which);
    ASSERT_OK(installed);
    installed->sa.encap = encap;
    ASSERT_OK(kernel_->update(installed->sa));
  };
  move(id, {.source_port = 4500, .destination_port = 61000});
  auto expected = samples::outbound();
  expected.encap->destination_port = 61000;
  const auto read = kernel_->get(id);
  ASSERT_OK(read);
  expect_same(read->sa, expected);
  // The inbound one keeps its window and its marks.
  ASSERT_OK(kernel_->install(samples::inbound()));
  move(id_of(samples::inbound()), {.source_port = 61000, .destination_port = 4500});
  auto inbound = samples::inbound();
  inbound.encap->source_port = 61000;
  const auto read_inbound = kernel_->get(id_of(inbound));
  ASSERT_OK(read_inbound);
  expect_same(read_inbound->sa, inbound);
}

TEST_F(RealKernel, EqualSpisOfTwoPeersLiveSideBySideAtTheirAliases) {
  auto other = samples::outbound();
  other.destination = samples::address("240.0.0.2");
  other.selector.destination = samples::prefix("240.0.0.2/32");
  other.mark = xfrm::MaskedMark{.value = 0x200, .mask = 0x0fffff00};
  ASSERT_OK(kernel_->install(samples::outbound()));
  ASSERT_OK(kernel_->install(other));
  ASSERT_OK(kernel_->remove(id_of(other)));
  const auto left = kernel_->dump_sas();
  ASSERT_OK(left);
  ASSERT_EQ(left->size(), 1U);
  EXPECT_EQ(left->front().sa.destination, samples::outbound().destination);
}

TEST_F(RealKernel, RefusalsSayWhich) {
  ASSERT_OK(kernel_->install(samples::outbound()));
  const auto twice = kernel_->install(samples::outbound());
  ASSERT_FALSE(twice.has_value());
  EXPECT_EQ(twice.error().number, EEXIST);
  EXPECT_THAT(twice.error().message, testing::HasSubstr("installing the SA 0x0badcafe to 240.0.0.1"));
  const auto absent = kernel_->remove(id_of(samples::inbound()));
  ASSERT_FALSE(absent.has_value());
  EXPECT_EQ(absent.error().number, ESRCH);
  const auto no_policy = kernel_->remove(id_of(samples::policy()));
  ASSERT_FALSE(no_policy.has_value());
  EXPECT_EQ(no_policy.error().number, ENOENT);
}

TEST_F(RealKernel, PoliciesComeAreReplacedAndGo) {
  ASSERT_OK(kernel_->install(samples::policy()));
  const auto twice = kernel_->install(samples::policy());
  ASSERT_FALSE(twice.has_value());
  EXPECT_EQ(twice.error().number, EEXIST);
  auto changed = samples::policy();
  changed.reqid = xfrm::Reqid(9);
  ASSERT_OK(kernel_->update(changed));
  auto listed = kernel_->dump_policies();
  ASSERT_OK(listed);
  EXPECT_THAT(*listed, testing::ElementsAre(changed));
  ASSERT_OK(kernel_->remove(id_of(changed)));
  listed = kernel_->dump_policies();
  ASSERT_OK(listed);
  EXPECT_THAT(*listed, testing::IsEmpty());
}

TEST_F(RealKernel, AHardTimeLimitRaisesExpireAndEndsTheSa) {
  auto events = xfrm::EventSource::open();
  ASSERT_OK(events);
  auto sa = samples::outbound();
  sa.lifetimes.soft.time = 1s;
  sa.lifetimes.hard.time = 2s;
  ASSERT_OK(kernel_->install(sa));
  std::vector<xfrm::Expire> seen;
  for (int round = 0; round < 20 && seen.size() < 2; ++round) {
    pollfd ready{.fd = events->fd(), .events = POLLIN, .revents = 0};
    ::poll(&ready, 1, 500);
    EXPECT_EQ(events->receive([&](const xfrm::Event& event) {
      if (const auto* expire = std::get_if<xfrm::Expire>(&event)) seen.push_back(*expire);
    }),
              nl::Socket::Events::complete);
  }
  const auto expire = [&](bool hard) {
    return xfrm::Expire{.sa = id_of(sa), .reqid = sa.reqid, .hard = hard};
  };
  EXPECT_THAT(seen, testing::ElementsAre(expire(false), expire(true)));
  const auto gone = kernel_->get(id_of(sa));
  ASSERT_FALSE(gone.has_value());
  EXPECT_EQ(gone.error().number, ESRCH);
}

}  // namespace
