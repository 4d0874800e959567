#pragma once
// One client of a control server. Inside this folder only.

#include <functional>
#include <memory>
#include <string>

#include "control/framing.h"
#include "control/server.h"

namespace control {

/// Octets that are no UTF-8 are replaced.
std::string text_of(const Json& json);

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Server& server, base::Fd fd, uid_t uid);

  /// After make_shared: starts watching.
  void start();
  void queue(const Json& message);
  void queue_text(std::string_view message);
  void finish_call();
  /// See Call::in_turns().
  void produce(std::function<bool()> make);

  bool busy() const { return call_ != CallState::none || !output_.empty(); }
  bool privileged() const { return uid_ == server_.options_.privileged_uid; }
  uid_t uid() const { return uid_; }
  bool dead() const { return dead_; }
  base::Time last_active() const { return last_active_; }

  enum class CallState {
    none,
    one,     ///< its answer is due
    parts,   ///< several answers, until all is said
    stream,  ///< any number of answers
    oneway   ///< the client wants no answer
  };
  CallState call_state() const { return call_; }
  void begin_call(CallState state) { call_ = state; }

  /// What is next, when it is its turn; one request, or a part of an answer.
  void next_request();
  bool waits = false;  ///< in the server's queue

  /// Ends it: at once for all users, its memory when the current callback is over.
  void die();

 private:
  void ready(std::uint32_t events);
  void read();
  void write();
  void take_turn();
  void update_watch();

  Server& server_;
  base::Fd fd_;
  uid_t uid_;
  Framer input_;
  std::string output_;
  std::size_t written_ = 0;  ///< of output_
  CallState call_ = CallState::none;
  std::function<bool()> make_;  ///< what a stream is to say before anything else
  bool input_ended_ = false;
  bool dead_ = false;
  base::Time last_active_;
  os::Source watch_;
  os::Source again_;     ///< the next request
  os::Source patience_;  ///< output that nobody takes
};

}  // namespace control
