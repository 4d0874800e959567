#include "control/connection.h"

#include <array>
#include <cerrno>
#include <utility>

#include <nlohmann/json.hpp>
#include <sys/epoll.h>
#include <sys/socket.h>

namespace control {
namespace {

constexpr base::Duration longest_turn = std::chrono::milliseconds(1);

}  // namespace

std::string text_of(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

Connection::Connection(Server& server, base::Fd fd, uid_t uid)
    : server_(server),
      fd_(std::move(fd)),
      uid_(uid),
      input_(server.options_.longest_request),
      last_active_(base::Clock::now()) {}

void Connection::start() {
  // The server owns the connection and outlives the sources; callbacks hold it while they run.
  watch_ = server_.loop_.on_io(fd_.get(), EPOLLIN, [this](std::uint32_t events) {
    const auto self = shared_from_this();
    ready(events);
  });
  again_ = server_.loop_.on_time([this] {
    const auto self = shared_from_this();
    next_request();
  });
  patience_ = server_.loop_.on_time([this] { die(); });
}

void Connection::die() {
  if (dead_) return;
  dead_ = true;
  watch_ = {};
  again_ = {};
  patience_ = {};
  fd_.reset();
  server_.close(this);  // may free this
}

void Connection::ready(std::uint32_t events) {
  if ((events & (EPOLLHUP | EPOLLERR)) != 0) return die();
  if ((events & EPOLLOUT) != 0) write();
  if (!dead_ && (events & EPOLLIN) != 0) read();
}

void Connection::read() {
  std::array<std::uint8_t, 16384> buffer;
  const auto n = ::recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n < 0) return die();
  last_active_ = base::Clock::now();
  if (n == 0) {
    input_ended_ = true;  // but it may still read (a script's half-closed pipe)
  } else {
    input_.append({buffer.data(), static_cast<std::size_t>(n)});
  }
  next_request();
}

/// One request a turn; the next waits for the answer to be taken and for everybody else's turn.
void Connection::next_request() {
  if (dead_) return;
  if (output_.empty() && (call_ == CallState::none || make_)) {
    if (!server_.has_turn(*this)) return update_watch();
    if (make_) {
      take_turn();
      if (dead_) return;
      again_.set_time(base::Clock::now());
    } else if (const auto request = input_.next()) {
      server_.dispatch(*request, *this);
      if (dead_) return;
      again_.set_time(base::Clock::now());
    } else if (input_.overflowed() || input_ended_) {
      return die();
    }
  }
  update_watch();
}

void Connection::produce(std::function<bool()> make) {
  make_ = std::move(make);
  again_.set_time(base::Clock::now());
}

void Connection::take_turn() {
  const auto started = base::Clock::now();
  auto make = std::exchange(make_, nullptr);  // it may end us
  bool more = true;
  while (more && !dead_ && output_.empty() && base::Clock::now() - started < longest_turn) more = make();
  if (more && !dead_) make_ = std::move(make);
  server_.rest_after(started);
}

void Connection::queue(const Json& message) { queue_text(text_of(message)); }

void Connection::queue_text(std::string_view message) {
  if (dead_ || call_ == CallState::oneway) return;
  const auto backlog = output_.size() - written_;
  if (backlog > server_.options_.most_unread) return die();
  if (backlog == 0) patience_.set_time(base::Clock::now() + server_.options_.patience);
  output_ += message;
  output_ += '\0';
  write();
}

void Connection::write() {
  while (written_ < output_.size()) {
    const auto n =
        ::send(fd_.get(), output_.data() + written_, output_.size() - written_, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) break;
    if (n < 0) return die();
    written_ += static_cast<std::size_t>(n);
    patience_.set_time(base::Clock::now() + server_.options_.patience);
  }
  if (written_ == output_.size()) {
    output_.clear();
    output_.shrink_to_fit();
    written_ = 0;
    patience_.set_time(std::nullopt);
    last_active_ = base::Clock::now();
    again_.set_time(last_active_);
  } else if (written_ > output_.size() / 2) {
    output_.erase(0, written_);
    written_ = 0;
  }
  update_watch();
}

void Connection::update_watch() {
  // A client that sends ahead is read only until a whole request may wait.
  const bool full = input_.waiting() > server_.options_.longest_request;
  std::uint32_t events = 0;
  if (!full && !input_ended_) events |= EPOLLIN;
  if (!output_.empty()) events |= EPOLLOUT;
  watch_.set_io_events(events);
}

void Connection::finish_call() {
  call_ = CallState::none;
  if (!dead_) again_.set_time(base::Clock::now());
}

}  // namespace control
