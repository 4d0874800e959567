// In the place of ikd/receive.cc, in programs for the lab that no package holds: the process that reads
// packets does what a datagram tells it, as one would whose parser had a hole, and says what came of it.
//   SAMEROOF TAKEOVER <order> [<argument>]

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/xfrm.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ikd/daemon.h"

namespace ikd {
namespace {

constexpr std::string_view magic = "SAMEROOF TAKEOVER ";

std::uint32_t number_in(const std::string& text) {
  std::uint32_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::string outcome(long result) { return result < 0 ? std::strerror(errno) : "done"; }

template <class T, class E>
std::string outcome(const base::Result<T, E>& result) {
  return result ? "done" : result.error().message;
}

std::string read_file(const std::string& path) {
  const base::Fd fd(::open(path.c_str(), O_RDONLY));
  char text[64];
  return outcome(fd ? ::read(fd.get(), text, sizeof text) : -1);
}

std::string run_program(const std::string& path) {
  char* argv[] = {const_cast<char*>(path.c_str()), nullptr};
  return outcome(::execve(path.c_str(), argv, nullptr));
}

/// Every SA of the host, through the socket that the kernel's events come from.
std::string flush_sas(int netlink) {
  struct {
    nlmsghdr header;
    xfrm_usersa_flush flush;
  } request{};
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = XFRM_MSG_FLUSHSA;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  if (::send(netlink, &request, sizeof request, 0) < 0) return outcome(-1);
  alignas(nlmsghdr) std::uint8_t answer[8192];
  while (::recv(netlink, answer, sizeof answer, 0) > 0) {
    const auto* header = reinterpret_cast<const nlmsghdr*>(answer);
    if (header->nlmsg_type != NLMSG_ERROR) continue;
    errno = -reinterpret_cast<const nlmsgerr*>(header + 1)->error;
    return outcome(errno == 0 ? 0 : -1);
  }
  return outcome(-1);
}

std::string make_memory_executable() {
  auto* page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return outcome(page == MAP_FAILED ? -1 : 0);
}

/// An SA of this peer's number that stamps the mark of `stamped`.
ike::InstallInbound inbound(const ike::Peer& peer, base::Mark stamped) {
  ike::InstallInbound out{.ticket = {}, .sa = {}, .new_entry = {}};
  out.sa.source = peer.remote.address;
  out.sa.destination = peer.local.address;
  out.sa.spi = xfrm::Spi(0x7a6e0000);
  out.sa.reqid = xfrm::Reqid(peer.mark.value);
  out.sa.selector = {.source = base::host(peer.alias),
                     .destination = {base::Address::v4(0), 0},
                     .protocol = 17,
                     .source_port = {},
                     .destination_port = 1701};
  out.sa.transform = {.encryption = xfrm::Encryption::aes_cbc,
                      .encryption_key = base::Secret::of_size(16),
                      .integrity = xfrm::Integrity::hmac_sha1_96,
                      .integrity_key = base::Secret::of_size(20)};
  out.sa.set_mark = xfrm::MaskedMark{stamped.value, 0x0fffff00};
  return out;
}

/// By itself, and through the kernel. None where it does not know the order.
std::optional<std::string> obey(std::string_view order, const std::string& argument, int netlink) {
  const auto process = static_cast<pid_t>(number_in(argument));
  if (order == "read") return read_file(argument);
  if (order == "run") return run_program(argument);
  if (order == "fork") return outcome(::fork());
  if (order == "socket") return outcome(::socket(AF_INET, SOCK_STREAM, 0));
  if (order == "kill") return outcome(::kill(process, SIGKILL));
  if (order == "trace") return outcome(::ptrace(PTRACE_ATTACH, process, nullptr, nullptr));
  if (order == "execute-memory") return make_memory_executable();
  if (order == "become-root") return outcome(::setresuid(0, 0, 0));
  if (order == "flush-sas") return flush_sas(netlink);
  return std::nullopt;
}

/// Through the broker, where this peer's is the range.
std::optional<std::string> ask(BrokerClient& broker, const ike::Peer& peer, std::string_view order,
                               const std::string& argument) {
  const auto number = number_in(argument);
  if (order == "remove-sa")
    return outcome(broker.remove(ike::RemoveSa{
        {.destination = peer.local.address, .spi = xfrm::Spi(number), .protocol = 50, .mark = {}}}));
  if (order == "stamp") return outcome(broker.install(inbound(peer, base::Mark(number))));
  if (order == "map")
    return outcome(broker.fill_maps({{.mark = base::Mark(number),
                                      .alias = peer.local.address,
                                      .home = peer.remote.address,
                                      .dialled = peer.local.address}}));
  return std::nullopt;
}

}  // namespace

void Daemon::receive(os::UdpSocket& socket) {
  socket.receive(1, [&](const os::Datagram& d) {
    auto words = base::as_text(d.bytes);
    if (!words.starts_with(magic)) return engine_.input(d.from, d.to, d.bytes, base::Clock::now());
    words.remove_prefix(magic.size());
    const auto order = words.substr(0, words.find(' '));
    const std::string argument(order.size() < words.size() ? words.substr(order.size() + 1) : "");
    const auto peer = engine_.peers().begin();
    auto answer = obey(order, argument, events_->fd());
    if (!answer && peer != engine_.peers().end()) answer = ask(broker_, peer->second, order, argument);
    (void)socket.send(base::to_bytes(base::as_bytes(answer.value_or("what?"))), d.to.address, d.from,
                      std::nullopt);
  });
  drain();
}

}  // namespace ikd
