#include "os/readables.h"

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>

#include <sys/epoll.h>

namespace os {
namespace {

constexpr std::size_t most_a_turn = 64;  // what is left is ready at the next turn, too

[[noreturn]] void refuse() {
  throw std::runtime_error(std::string("cannot watch a descriptor: ") + std::strerror(errno));
}

}  // namespace

Readables::Readables(Loop& loop, std::function<void(std::uint64_t)> ready)
    : ready_(std::move(ready)), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (!epoll_) refuse();
  readable_ = loop.on_readable(epoll_.get(), [this] { look(); });
}

void Readables::add(int fd, std::uint64_t key) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = key;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) refuse();
}

void Readables::remove(int fd) { (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr); }

void Readables::look() {
  std::array<epoll_event, most_a_turn> events;
  const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 0);
  for (int i = 0; i < count; ++i) ready_(events[static_cast<std::size_t>(i)].data.u64);
}

}  // namespace os
