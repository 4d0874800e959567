#include "self_test/network.h"

#include <cerrno>
#include <fstream>

#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sched.h>

#include "doctor/program.h"

namespace self_test {
namespace {

// The route is that of the aliases.
constexpr const char* of_gateway = R"(
link set lo up
link add internet type veth peer name internet netns nat
link set internet up
address add 192.0.2.1/24 dev internet
route add default via 192.0.2.2
)";

// Each client has a network of its own behind the NAT; what they share is its address outside.
constexpr const char* of_nat = R"(
link set internet up
address add 192.0.2.2/24 dev internet
link add one type veth peer name nat netns one
link add two type veth peer name nat netns two
link set one up
link set two up
address add 192.168.1.1/24 dev one
address add 192.168.2.1/24 dev two
)";

constexpr const char* nat_rules = R"(
table ip nat {
  chain postrouting {
    type nat hook postrouting priority 100
    oifname "internet" masquerade
  }
})";

base::Result<void> done(base::Result<std::string> output) {
  if (!output) return tl::unexpected(output.error());
  return {};
}

base::Result<void> forward() {
  std::ofstream file("/proc/sys/net/ipv4/ip_forward");
  if (!(file << "1" << std::flush)) return base::fail("net.ipv4.ip_forward cannot be set");
  return {};
}

base::Result<void> build_nat() {
  const auto visit = Visit::to("nat");
  if (!visit) return tl::unexpected(visit.error());
  if (auto made = done(doctor::output_of({"ip", "-batch", "-"}, of_nat)); !made) return made;
  if (auto made = done(doctor::output_of({"nft", "-f", "-"}, nat_rules)); !made) return made;
  return forward();
}

base::Result<void> build_client(const Place& place) {
  const auto visit = Visit::to(place.name);
  if (!visit) return tl::unexpected(visit.error());
  auto router = place.address.to_string();
  router.back() = '1';
  return done(doctor::output_of({"ip", "-batch", "-"},
                                fmt::format("link set lo up\nlink set nat up\naddress add {}/24 dev nat\n"
                                            "route add default via {}\n",
                                            place.address.to_string(), router)));
}

}  // namespace

base::Result<void> build_network() {
  // Names of namespaces are files below /run, which is the sandbox's own.
  for (const char* name : {"nat", "one", "two"})
    if (auto made = done(doctor::output_of({"ip", "netns", "add", name})); !made) return made;
  if (auto made = done(doctor::output_of({"ip", "-batch", "-"}, of_gateway)); !made) return made;
  if (auto made = build_nat(); !made) return made;
  for (const auto& place : clients)
    if (auto made = build_client(place); !made) return made;
  return {};
}

base::Result<Visit> Visit::to(const std::string& name) {
  base::Fd home(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  const base::Fd there(::open(("/run/netns/" + name).c_str(), O_RDONLY | O_CLOEXEC));
  if (!home || !there || ::setns(there.get(), CLONE_NEWNET) != 0)
    return base::fail_errno("cannot enter the network namespace " + name, errno);
  return Visit(std::move(home));
}

Visit::~Visit() {
  if (home_) ::setns(home_.get(), CLONE_NEWNET);
}

std::map<std::string, std::uint64_t> drops() {
  std::map<std::string, std::uint64_t> out;
  const auto text = doctor::output_of({"nft", "--json", "list", "counters", "table", "inet", "sameroof"});
  const auto json = nlohmann::json::parse(text.value_or("{}"), nullptr, false);
  if (!json.is_object() || !json.contains("nftables")) return out;
  for (const auto& object : json["nftables"]) {
    if (!object.contains("counter")) continue;
    const auto& counter = object["counter"];
    if (const auto packets = counter.value("packets", std::uint64_t{0}); packets > 0)
      out[counter.value("name", std::string())] = packets;
  }
  return out;
}

}  // namespace self_test
