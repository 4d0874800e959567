// What listing ten thousand peers costs: xfrmctl's processor time, and the memory of whoever is asked while
// ten read. Servers that answer as the daemons do stand in for them.

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/interfaces.h"
#include "control/rows.h"
#include "control/server.h"
#ifdef SAMEROOF_SANITIZE
#include <sanitizer/allocator_interface.h>
#else
#include <malloc.h>
#endif

namespace xfrmctl {
namespace {

using control::Call;
using control::Json;

#ifdef SAMEROOF_SANITIZE
constexpr double slower = 10;  // at most
std::size_t allocated() { return ::__sanitizer_get_current_allocated_bytes(); }
#else
constexpr double slower = 1;
std::size_t allocated() {
  const auto info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
}
#endif

control::Peer peer(std::uint32_t number) {
  control::Peer out;
  out.peer = number;
  out.mark = number << 8;
  out.alias = fmt::format("240.0.{}.{}", number / 256, number % 256);
  out.identity = fmt::format("CN=client {}, O=Example", number);
  out.client = "windows";
  out.authentication = "certificate " + out.identity;
  out.certificate = out.identity;
  out.connection = "laptops";
  out.nat = true;
  out.address = fmt::format("198.51.{}.{}", number / 256, number % 256);
  out.port = 4500;
  out.local_address = "203.0.113.1";
  out.established_seconds = number;
  out.ike = control::IkeSa{"aes256-sha256-modp2048", "0011223344556677", "8899aabbccddeeff"};
  out.sas.push_back({.spi_in = fmt::format("{:#010x}", number),
                     .spi_out = fmt::format("{:#010x}", ~number),
                     .transform = "aes256-sha256",
                     .service = "udp/1701",
                     .state = "active",
                     .bytes_in = 1000ull * number,
                     .bytes_out = 2000ull * number,
                     .packets_in = number,
                     .packets_out = number,
                     .age_seconds = number});
  return out;
}

control::Tunnel tunnel(std::uint32_t number) {
  control::Tunnel out;
  out.mark = number << 8;
  out.tunnel = out.peer_tunnel = static_cast<std::uint16_t>(number);
  out.host_name = fmt::format("client-{}", number);
  out.address = peer(number).alias;
  out.port = 1701;
  out.local_address = "203.0.113.1";
  out.sessions = 1;
  return out;
}

control::Session session(std::uint32_t number) {
  control::Session out;
  out.mark = number << 8;
  out.tunnel = out.peer_tunnel = out.session = out.peer_session = static_cast<std::uint16_t>(number);
  out.user = fmt::format("user{}", number);
  out.ppp_address = fmt::format("10.99.{}.{}", number / 256, number % 256);
  out.ifname = fmt::format("ppp{}", number);
  return out;
}

double processor_seconds_of_children() {
  rusage used{};
  ::getrusage(RUSAGE_CHILDREN, &used);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

class ManyPeers : public testing::Test {
 protected:
  ManyPeers() {
    char folder[] = "/tmp/many.XXXXXX";
    if (!::mkdtemp(folder)) std::abort();
    folder_ = folder;
    ikd_ = serve("ikd", control::ike_interface);
    l2tpd_ = serve("l2tpd", control::l2tp_interface);
    list(*ikd_, "ListPeers", "peers", peer);
    list(*l2tpd_, "ListTunnels", "tunnels", tunnel);
    list(*l2tpd_, "ListSessions", "sessions", session);
  }
  ~ManyPeers() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<control::Server> serve(const std::string& name, const control::Interface& interface) {
    control::ServerOptions options;
    options.path = folder_ + "/" + name;
    options.rest = 0;  // nothing else waits here
    return std::move(control::Server::listen(loop_, options, interface).value());
  }
  template <class Row>
  void list(control::Server& server, std::string_view method, const char* member, Row (*row)(std::uint32_t)) {
    server.handle(method, [this, member, row](const Json&, Call call) {
      control::reply_list(std::move(call), member, "sameroof.Ike.TooManyPeers",
                          [this, row, number = std::uint32_t{0}](Json& rows) mutable {
                            if (number == count_) return false;
                            rows.push_back(control::to_json(row(++number)));
                            most_memory_ = std::max(most_memory_, allocated());
                            return true;
                          });
    });
  }
  /// Runs them at once, and returns what they take of the processor, all in all.
  double cost_of(const std::string& arguments, int copies = 1) {
    const auto before = processor_seconds_of_children();
    std::atomic<int> running = copies;
    std::vector<std::thread> children;
    for (int i = 0; i < copies; ++i) {
      children.emplace_back([&] {
        const auto command = "exec " XFRMCTL " --run-dir " + folder_ + " " + arguments + " >/dev/null";
        EXPECT_EQ(std::system(command.c_str()), 0);
        --running;
      });
    }
    while (running > 0) loop_.run_once(std::chrono::milliseconds(5));
    for (auto& child : children) child.join();
    return processor_seconds_of_children() - before;
  }

  os::Loop loop_;
  std::string folder_;
  std::uint32_t count_ = 0;
  std::size_t most_memory_ = 0;
  std::unique_ptr<control::Server> ikd_, l2tpd_;
};

TEST_F(ManyPeers, TenThousandAreListedInLessThanASecondOfTheProcessorAndNoneCostsMoreForTheOthers) {
  for (const std::string command : {"peers", "peers --json"}) {
    count_ = 1000;
    const auto of_thousand = std::min(cost_of(command), cost_of(command));
    count_ = 10'000;
    const auto once = cost_of(command);
    const auto of_ten_thousand = slower > 1 ? once : std::min(once, cost_of(command));
    EXPECT_LT(of_ten_thousand, 15 * of_thousand) << command << ": " << of_thousand << " s";
    EXPECT_LT(of_ten_thousand, slower) << command;
  }
}

TEST_F(ManyPeers, WhoeverIsAskedNeedsNoMoreMemoryForTenReadersOfThousands) {
  count_ = slower > 1 ? 2000 : 10'000;
  const auto before = allocated();
  cost_of("peers --json", 10);
  ASSERT_GT(most_memory_, 0U);
  EXPECT_LT(most_memory_, before + 4'000'000);  // each answer as a whole is two or ten millions
}

}  // namespace
}  // namespace xfrmctl
