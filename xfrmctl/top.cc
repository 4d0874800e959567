#include "xfrmctl/top.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <thread>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "xfrmctl/ask.h"
#include "xfrmctl/table.h"

namespace xfrmctl {
namespace {

constexpr const char* home_and_clear = "\x1b[H\x1b[2J";
constexpr const char *bold = "\x1b[1m", *plain = "\x1b[0m";

constexpr Column columns_shown[] = {{"PEER", Align::right},      {"ADDRESS"},
                                    {"USER", Align::left, true}, {"IDENTITY", Align::left, true},
                                    {"IN/s", Align::right},      {"OUT/s", Align::right},
                                    {"LOSS", Align::right},      {"IN", Align::right},
                                    {"OUT", Align::right},       {"UP", Align::right}};

Top::Moved moved_by(const control::Peer& peer) {
  Top::Moved out;
  for (const auto& sa : peer.sas) {
    out.in += sa.bytes_in, out.out += sa.bytes_out;
    out.packets_in += sa.packets_in, out.lost += sa.packets_lost;
  }
  return out;
}

/// A pair of SAs that has gone takes its bytes along.
double rate(std::uint64_t before, std::uint64_t now, double seconds) {
  return now < before || seconds <= 0 ? 0 : static_cast<double>(now - before) / seconds;
}

std::optional<double> loss(const Top::Moved& before, const Top::Moved& now) {
  if (now.packets_in < before.packets_in) return std::nullopt;
  // What came late is no longer lost.
  const auto lost = static_cast<double>(now.lost - std::min(before.lost, now.lost));
  const auto sent = lost + static_cast<double>(now.packets_in - before.packets_in);
  return sent > 0 ? std::optional(lost / sent) : std::nullopt;
}

std::string percent(const std::optional<double>& part) {
  if (!part) return {};
  return fmt::format(fmt::runtime(*part > 0 && *part < 0.0995 ? "{:.1f}%" : "{:.0f}%"), *part * 100);
}

std::vector<std::string> line_of(const TopRow& top) {
  const auto& peer = top.row.peer;
  const auto total = moved_by(peer);
  return {fmt::format("{}", peer.peer),
          place(peer.address, peer.port),
          top.row.session ? top.row.session->user.value_or("") : "",
          peer.identity,
          short_count(static_cast<std::uint64_t>(top.in_per_second)),
          short_count(static_cast<std::uint64_t>(top.out_per_second)),
          percent(top.loss),
          short_count(total.in),
          short_count(total.out),
          short_duration(peer.established_seconds)};
}

winsize size_of_terminal() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row < 5) size.ws_row = 24, size.ws_col = 120;
  return size;
}

TopOrder order_of(const std::string& name) {
  if (name == "age") return TopOrder::age;
  if (name == "bytes") return TopOrder::bytes;
  return name == "loss" ? TopOrder::loss : TopOrder::rate;
}

}  // namespace

std::vector<TopRow> Top::look(std::vector<PeerRow> rows, double seconds, TopOrder order) {
  std::vector<TopRow> out;
  std::map<std::uint32_t, Seen> now;
  for (auto& row : rows) {
    const auto moved = moved_by(row.peer);
    TopRow top{.row = std::move(row)};
    const auto known = before_.find(top.row.peer.peer);
    const bool seen = known != before_.end() && known->second.alias == top.row.peer.alias;
    const auto before = seen ? known->second.moved : Moved{};
    if (seen) {
      top.in_per_second = rate(before.in, moved.in, seconds);
      top.out_per_second = rate(before.out, moved.out, seconds);
    }
    top.loss = loss(before, moved);
    now[top.row.peer.peer] = {.alias = top.row.peer.alias, .moved = moved};
    out.push_back(std::move(top));
  }
  before_ = std::move(now);
  const auto weight = [order](const TopRow& top) {
    const auto total = moved_by(top.row.peer);
    if (order == TopOrder::loss) return top.loss.value_or(-1);
    if (order == TopOrder::age) return static_cast<double>(top.row.peer.established_seconds);
    if (order == TopOrder::bytes) return static_cast<double>(total.in + total.out);
    return top.in_per_second + top.out_per_second;
  };
  std::ranges::stable_sort(out, std::greater<>(), weight);
  return out;
}

std::string top_screen(const std::vector<TopRow>& rows, std::size_t lines, std::size_t columns) {
  double in = 0, out = 0;
  std::size_t users = 0;
  std::vector<std::vector<std::string>> cells;
  for (const auto& top : rows) {
    in += top.in_per_second;
    out += top.out_per_second;
    users += top.row.session && top.row.session->user ? 1 : 0;
    if (cells.size() + 3 < lines) cells.push_back(line_of(top));
  }
  auto text =
      fmt::format("{} peers, {} users, in {}B/s, out {}B/s\n\n", rows.size(), users,
                  short_count(static_cast<std::uint64_t>(in)), short_count(static_cast<std::uint64_t>(out))) +
      table(columns_shown, cells);
  // What a terminal would wrap would push the rest off the screen.
  std::string fitting;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    fitting += text.substr(at, std::min(end - at, columns)) + "\n";
    at = end + 1;
  }
  return fitting;
}

int run_top(const Options& options) {
  using Clock = std::chrono::steady_clock;
  const bool terminal = ::isatty(STDOUT_FILENO) == 1;
  const auto interval = std::chrono::seconds(options.watch == 0 ? 2 : options.watch);
  Top top;
  for (auto before = Clock::now();;) {
    auto peers = ask_peers(options.run_dir);
    if (!peers) return complain(peers.error().message, no_answer);
    const auto sessions = ask_sessions(options.run_dir).value_or(std::vector<control::Session>{});
    const auto now = Clock::now();
    const auto rows = top.look(join(std::move(*peers), {}, sessions),
                               std::chrono::duration<double>(now - before).count(), order_of(options.order));
    before = now;
    const auto size = size_of_terminal();
    auto screen = top_screen(rows, terminal ? size.ws_row : rows.size() + 4, terminal ? size.ws_col : 1000);
    if (terminal) screen = std::string(home_and_clear) + bold + screen.insert(screen.find('\n'), plain);
    // What could not be written is why nobody reads.
    if (std::fputs(screen.c_str(), stdout) < 0 || std::fflush(stdout) != 0) return good;
    std::this_thread::sleep_for(interval);
  }
}

}  // namespace xfrmctl
