#include "orders.h"

#include <charconv>
#include <csignal>
#include <string_view>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"

namespace takeover {
namespace {

constexpr std::string_view magic = "SAMEROOF TAKEOVER ";

std::string read_file(const std::string& path) {
  const base::Fd fd(::open(path.c_str(), O_RDONLY));
  char text[64];
  return outcome(fd ? ::read(fd.get(), text, sizeof text) : -1);
}

std::string run_program(const std::string& path) {
  char* argv[] = {const_cast<char*>(path.c_str()), nullptr};
  return outcome(::execve(path.c_str(), argv, nullptr));
}

std::string make_memory_executable() {
  auto* page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return outcome(page == MAP_FAILED ? -1 : 0);
}

}  // namespace

std::uint32_t Order::number() const {
  std::uint32_t number = 0;
  std::from_chars(argument.data(), argument.data() + argument.size(), number);
  return number;
}

std::optional<Order> order_in(base::ByteView datagram) {
  auto words = base::as_text(datagram);
  if (!words.starts_with(magic)) return std::nullopt;
  words.remove_prefix(magic.size());
  Order out{.what = std::string(words.substr(0, words.find(' '))), .argument = {}};
  if (out.what.size() < words.size()) out.argument = words.substr(out.what.size() + 1);
  return out;
}

std::optional<std::string> obey(const Order& order) {
  const auto process = static_cast<pid_t>(order.number());
  if (order.what == "read") return read_file(order.argument);
  if (order.what == "run") return run_program(order.argument);
  if (order.what == "fork") return outcome(::fork());
  if (order.what == "socket") return outcome(::socket(AF_INET, SOCK_STREAM, 0));
  if (order.what == "kill") return outcome(::kill(process, SIGKILL));
  if (order.what == "trace") return outcome(::ptrace(PTRACE_ATTACH, process, nullptr, nullptr));
  if (order.what == "execute-memory") return make_memory_executable();
  if (order.what == "become-root") return outcome(::setresuid(0, 0, 0));
  return std::nullopt;
}

}  // namespace takeover
