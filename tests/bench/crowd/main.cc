// A crowd of scripted clients that obeys its standard input, a command a line, and answers each with a line
// of JSON:
//
//   connect COUNT ADDRESS:PORT one|own AT_ONCE SECONDS
//       behind one NAT at ADDRESS from PORT on, or each behind its own
//   call FIRST COUNT tunnel|session SECONDS
//       L2TP of those of the clients 0, 1, … that are up, one after the other
//   flow CLIENT PACKETS BYTES
//       through its ESP SA, in its L2TP session if it has called
//   wait SECONDS
//       and how many have been greeted by then
//   leave CLIENT
//       deletes its SAs, if it is up
//   ask
//       those that are up keep asking whether the gateway is there, with a packet for each question
//   enough SECONDS
//       they stop: what they asked, and what they had heard so long after the last question
//
//   crowd GATEWAY PSK IKE-TRANSFORM
//   crowd send LOCAL:PORT TO:PORT MARK BYTES
//       the other way, to a peer of this host: obeys numbers of datagrams
//   crowd frames SOCKET BYTES
//       out of the inherited socket of a PPP session, likewise
//
// All stay until their input ends.

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <sstream>
#include <string>
#include <system_error>

#include <nlohmann/json.hpp>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "crowd/crowd.h"
#include "os/udp.h"

namespace {

using nlohmann::json;
using namespace std::chrono_literals;

double seconds(base::Duration d) { return std::chrono::duration<double>(d).count(); }

[[noreturn]] void complain(const std::string& what) {
  std::fprintf(stderr, "crowd: %s\n", what.c_str());
  std::exit(2);
}

base::Endpoint endpoint(const std::string& text) {
  const auto colon = text.rfind(':');
  const auto address = base::Address::parse(text.substr(0, colon));
  if (colon == std::string::npos || !address) complain(text + " is no ADDRESS:PORT");
  return {*address, static_cast<std::uint16_t>(std::atoi(text.c_str() + colon + 1))};
}

json connect(crowd::Crowd& all, std::istream& words) {
  crowd::Setup setup;
  std::string first, places;
  int patience = 0;
  if (!(words >> setup.count >> first >> places >> setup.at_once >> patience)) complain("connect what?");
  setup.first = endpoint(first);
  setup.places = places == "own" ? crowd::Places::own_nats : crowd::Places::one_nat;
  setup.patience = std::chrono::seconds(patience);
  auto outcome = all.connect(setup);
  if (!outcome) complain(outcome.error().message);
  auto& each = outcome->each;
  std::ranges::sort(each);
  json out{{"up", outcome->up},
           {"failed", outcome->failed},
           {"seconds", seconds(outcome->all)},
           {"sent", outcome->sent}};
  if (!outcome->complaint.empty()) out["complaint"] = outcome->complaint;
  if (!each.empty()) {
    out["median"] = seconds(each[each.size() / 2]);
    out["slowest"] = seconds(each.back());
  }
  return out;
}

json what_was_asked(crowd::Crowd& all) {
  std::size_t questions = 0, answers = 0, deleted = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto asked = all[i].asked();
    if (asked.questions == 0) continue;
    questions += asked.questions;
    answers += asked.answers;
    deleted += asked.deleted ? 1 : 0;
  }
  return {{"questions", questions}, {"answers", answers}, {"deleted", deleted}};
}

json obey(crowd::Crowd& all, const std::string& line) {
  std::istringstream words(line);
  std::string command;
  words >> command;
  if (command == "connect") return connect(all, words);
  if (command == "flow") {
    std::size_t client = 0, bytes = 0;
    std::uint32_t packets = 0;
    if (!(words >> client >> packets >> bytes) || client >= all.size() || !all[client].up())
      complain("flow of whom?");
    return {{"ns", all[client].flow(packets, bytes)}, {"packets", packets}};
  }
  if (command == "leave") {
    std::size_t client = 0;
    if (!(words >> client) || client >= all.size()) complain("who is to leave?");
    const bool up = all[client].up();
    if (up) all[client].leave();
    return {{"left", up ? 1 : 0}};
  }
  if (command == "ask") {
    all.keep_asking();
    return json::object();
  }
  if (command == "enough") {
    int patience = 0;
    words >> patience;
    all.stop_asking(std::chrono::seconds(patience));
    return what_was_asked(all);
  }
  if (command == "call") {
    std::size_t first = 0, count = 0;
    std::string what;
    int patience = 0;
    if (!(words >> first >> count >> what >> patience) || first + count > all.size()) complain("call whom?");
    return {{"up", all.call(first, count, what == "session", std::chrono::seconds(patience))}};
  }
  if (command == "wait") {
    int patience = 0;
    words >> patience;
    all.serve(std::chrono::seconds(patience));
    return {{"greeted", all.greeted()}};
  }
  complain("unknown command: " + line);
}

json send(int packets, const std::function<bool()>& send_one) {
  int refused = 0;
  std::string why;
  const auto begun = base::Clock::now();
  for (int i = 0; i < packets; ++i) {
    if (send_one()) continue;
    ++refused;
    why = std::system_category().message(errno);
  }
  const auto took = std::chrono::nanoseconds(base::Clock::now() - begun).count();
  return {{"ns", took}, {"packets", packets}, {"refused", refused}, {"why", why}};
}

int obey_as_sender(char** argv) {
  const auto from = endpoint(argv[0]), to = endpoint(argv[1]);
  const base::Mark mark(static_cast<std::uint32_t>(std::strtoul(argv[2], nullptr, 0)));
  const base::Bytes bytes(static_cast<std::size_t>(std::atoi(argv[3])));
  for (std::string line; std::getline(std::cin, line);) {
    // A socket of its own each time: one that stayed would take what comes from there.
    auto socket = os::UdpSocket::open_connected(from, to, mark);
    if (!socket) complain(socket.error().message);
    std::cout << send(std::atoi(line.c_str()), [&] { return socket->send_connected(bytes); }) << std::endl;
  }
  return 0;
}

int obey_as_pppd(char** argv) {
  const int session = std::atoi(argv[0]);
  base::Bytes frame(static_cast<std::size_t>(std::atoi(argv[1])));
  if (frame.size() < 2) complain("a frame begins with its protocol");
  frame[1] = 0x21;  // IPv4
  const auto send_one = [&] {
    return ::send(session, frame.data(), frame.size(), 0) == static_cast<ssize_t>(frame.size());
  };
  for (std::string line; std::getline(std::cin, line);)
    std::cout << send(std::atoi(line.c_str()), send_one) << std::endl;
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 6 && std::string(argv[1]) == "send") return obey_as_sender(argv + 2);
  if (argc == 4 && std::string(argv[1]) == "frames") return obey_as_pppd(argv + 2);
  if (argc != 4) complain("see the head of tests/bench/crowd/main.cc");
  const rlimit files{.rlim_cur = 65536, .rlim_max = 65536};
  if (::setrlimit(RLIMIT_NOFILE, &files) != 0) complain("needs 65536 descriptors");
  const auto gateway = base::Address::parse(argv[1]);
  const auto transform = ike::parse_ike_transform(argv[3]);
  if (!gateway || !transform) complain("which gateway, which transform?");
  harness::InitiatorSettings like;
  like.psk = argv[2];
  like.ike = {*transform};
  like.esp = {*ike::parse_esp_suite("aes128-sha1")};
  like.takes_any_ids = true;
  like.resend_after = {1s, 2s, 4s, 8s, 16s};
  like.sends_at_most = 5;
  crowd::Crowd all(std::move(like), *gateway);
  std::string text, line;
  char buffer[4096];
  for (;;) {
    all.serve(1h, STDIN_FILENO);
    const auto size = ::read(STDIN_FILENO, buffer, sizeof buffer);
    if (size <= 0) return 0;
    text.append(buffer, static_cast<std::size_t>(size));
    for (auto end = text.find('\n'); end != std::string::npos; end = text.find('\n')) {
      line = text.substr(0, end);
      text.erase(0, end + 1);
      std::cout << obey(all, line) << std::endl;
    }
  }
}
