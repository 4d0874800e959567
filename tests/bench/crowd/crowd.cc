#include "crowd/crowd.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <stdexcept>
#include <system_error>

#include <poll.h>
#include <sys/epoll.h>

namespace crowd {
namespace {

/// The first client's own address; the others follow.
constexpr std::uint32_t first_inside = 0x0a000002;  // 10.0.0.2

base::Endpoint place_of(const Setup& setup, std::size_t i) {
  const auto step = static_cast<std::uint32_t>(i);
  if (setup.places == Places::one_nat)
    return {setup.first.address, static_cast<std::uint16_t>(setup.first.port + step)};
  return {base::Address::v4(setup.first.address.v4_value() + step), setup.first.port};
}

}  // namespace

Crowd::Crowd(harness::InitiatorSettings like, base::Address gateway)
    : like_(std::move(like)), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  like_.gateway.address = gateway;
  if (!epoll_) throw std::system_error(errno, std::system_category(), "epoll_create1");
}

base::Result<void> Crowd::add(const base::Endpoint& outside) {
  auto settings = like_;
  const auto number = static_cast<std::uint32_t>(clients_.size());
  settings.local.address = base::Address::v4(first_inside + number);
  settings.seed = number + 1;
  auto client = Client::open(std::move(settings), outside);
  if (!client) return tl::unexpected(client.error());
  epoll_event event{.events = EPOLLIN, .data = {.u64 = number}};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, client->fd(), &event) != 0)
    return base::fail("epoll_ctl: " + std::system_category().message(errno));
  clients_.push_back(std::move(*client));
  return {};
}

void Crowd::settle(std::size_t i) {
  if (const auto when = clients_[i].next_timeout()) {
    timers_.set(i, *when);
  } else {
    timers_.cancel(i);
  }
}

/// True when something came.
bool Crowd::round(base::Duration longest, int fd) {
  using std::chrono::milliseconds;
  const auto begun = base::Clock::now();
  if (const auto first = timers_.earliest())
    longest = std::min(longest, std::max(base::Duration(0), *first - begun));
  std::array<pollfd, 2> wait{pollfd{.fd = epoll_.get(), .events = POLLIN, .revents = 0},
                             pollfd{.fd = fd, .events = POLLIN, .revents = 0}};
  (void)::poll(wait.data(), wait.size(), static_cast<int>(std::chrono::ceil<milliseconds>(longest).count()));
  std::array<epoll_event, 64> ready;
  const int count = ::epoll_wait(epoll_.get(), ready.data(), static_cast<int>(ready.size()), 0);
  const auto now = base::Clock::now();
  for (int k = 0; k < count; ++k) {
    const auto i = static_cast<std::size_t>(ready[static_cast<std::size_t>(k)].data.u64);
    clients_[i].readable(now);
    settle(i);
  }
  while (const auto i = timers_.pop_due(now)) {
    clients_[*i].timeout(now);
    settle(*i);
  }
  return wait[1].revents != 0;
}

void Crowd::serve(base::Duration longest, int fd) {
  const auto end = base::Clock::now() + longest;
  while (base::Clock::now() < end && !round(end - base::Clock::now(), fd)) {
  }
}

std::size_t Crowd::call(std::size_t first, std::size_t count, bool sessions, base::Duration patience) {
  std::size_t up = 0;
  for (auto i = first; i < first + count; ++i) {
    auto& client = clients_[i];
    if (!client.up()) continue;
    const auto end = base::Clock::now() + patience;
    client.call(l2tp::TunnelId(static_cast<std::uint16_t>(i + 1)), sessions, base::Clock::now());
    settle(i);
    while (!client.call()->up() && !client.call()->failed() && base::Clock::now() < end)
      round(end - base::Clock::now(), -1);
    up += client.call()->up() ? 1 : 0;
  }
  return up;
}

std::size_t Crowd::greeted() const {
  return static_cast<std::size_t>(std::ranges::count_if(
      clients_, [](const Client& c) { return c.call() != nullptr && c.call()->hellos() > 0; }));
}

void Crowd::keep_asking() {
  const auto now = base::Clock::now();
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    if (!clients_[i].up()) continue;
    clients_[i].keep_asking(now + question_every * i / clients_.size());
    settle(i);
  }
}

void Crowd::stop_asking(base::Duration patience) {
  for (auto& client : clients_) client.stop_asking();
  serve(patience);
}

base::Result<Outcome> Crowd::connect(const Setup& setup) {
  const auto first = clients_.size();
  for (std::size_t i = 0; i < setup.count; ++i) {
    if (auto added = add(place_of(setup, i)); !added) return tl::unexpected(added.error());
  }
  Outcome out;
  const auto begun = base::Clock::now();
  const auto end = begun + setup.patience;
  std::vector<std::size_t> waiting;
  std::size_t next = first;
  while ((next < clients_.size() || !waiting.empty()) && base::Clock::now() < end) {
    while (next < clients_.size() && waiting.size() < setup.at_once) {
      clients_[next].connect(base::Clock::now());
      settle(next);
      waiting.push_back(next++);
    }
    round(end - base::Clock::now(), -1);
    std::erase_if(waiting, [&](std::size_t i) {
      const auto& client = clients_[i];
      if (client.up()) {
        out.each.push_back(client.took());
        out.all = client.began() + client.took() - begun;
      }
      return client.up() || client.failed();
    });
  }
  out.up = out.each.size();
  out.failed = setup.count - out.up;
  for (auto i = first; i < clients_.size(); ++i) {
    out.sent += clients_[i].sent();
    if (out.complaint.empty() && !clients_[i].complaints().empty())
      out.complaint = clients_[i].complaints().front();
  }
  return out;
}

}  // namespace crowd
