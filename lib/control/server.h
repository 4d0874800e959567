#pragma once
// A varlink service on a Unix socket, for a daemon whose packets matter more: nothing here blocks, every
// buffer is bounded, and requests get a fifth of the processor at most, those who come in another.

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>
#include <sys/types.h>

#include "base/fd.h"
#include "base/result.h"
#include "base/time.h"
#include "control/interface.h"
#include "os/loop.h"

namespace control {

using Json = nlohmann::json;

class Connection;

/// One request, to be answered now or later. It outlives its connection safely: answers to a client that
/// has gone go nowhere. Dropped without a last answer, it closes the connection.
class Call {
 public:
  explicit Call(std::weak_ptr<Connection> connection);
  Call(Call&&) noexcept = default;
  Call& operator=(Call&&) noexcept;
  ~Call();

  /// The last answer. Octets that are no UTF-8 (an identity may hold any) arrive as U+FFFD.
  void reply(const Json& parameters);
  /// The same, where they are text already.
  void reply_text(std::string_view parameters);
  /// One of many, to a method whose replies are a stream.
  void reply_and_continue(const Json& parameters);
  /// The last answer: "sameroof.Ike.NoSuchPeer".
  void fail(std::string_view error, const Json& parameters);
  void fail(std::string_view error);
  /// Many replies, made when their reader has room for them and only so many at a time: `make` replies once
  /// or a few times, and says whether there is more to come. The call may be replied to meanwhile, too.
  void in_turns(std::function<bool()> make);
  /// The client takes several replies ("more").
  bool takes_more() const;
  /// Whether anybody still listens: holders of streams drop those that are not.
  bool alive() const;

 private:
  void finish();
  std::weak_ptr<Connection> connection_;
};

/// Answers with the list `member`. `next` adds the rows of the next thing, if it has any, and says whether
/// there was one. A reader that takes parts ("more") gets a few rows at a time; another gets all in one
/// answer, or where that would hold others up the error `too_many`.
void reply_list(Call call, const char* member, std::string_view too_many,
                std::function<bool(Json& rows)> next);

/// `parameters` holds what the method's table asks for, in the right types; integers may be negative.
using Handler = std::function<void(const Json& parameters, Call call)>;

struct ServerOptions {
  std::string path;     ///< made with mode 0660, group sameroof where there is one
  std::string product;  ///< "ikd"
  std::string version;
  std::size_t longest_request = 64 * 1024;  ///< octets
  std::size_t most_connections = 64;
  /// Of one user other than the privileged one.
  std::size_t most_connections_of_user = 32;
  std::size_t most_streams_of_user = 16;
  /// Octets that a stream may run ahead of its reader before the connection is closed.
  std::size_t most_unread = 1024 * 1024;
  /// A client that takes none of what waits for it for so long is closed.
  base::Duration patience = std::chrono::seconds(10);
  /// After a request nobody is served, and after clients have come no other one is taken in, for so many
  /// times as long as it took, at most a second.
  int rest = 4;
  uid_t privileged_uid = 0;
};

/// A socket with mode 0660, group sameroof where there is one. Replaces one that a dead process left; refuses
/// one that somebody answers on.
base::Result<base::Fd> listen_at(const std::string& path);

class Server {
 public:
  /// Replaces a socket that a dead process left; refuses one that somebody answers on.
  static base::Result<std::unique_ptr<Server>> listen(os::Loop& loop, ServerOptions options,
                                                      const Interface& interface);
  /// On a socket of listen_at(), which whoever made it removes; options.path is not looked at.
  static std::unique_ptr<Server> serve(os::Loop& loop, base::Fd socket, ServerOptions options,
                                       const Interface& interface);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  /// Closes every connection and removes the socket.
  ~Server();

  /// `method` is in the interface: anything else aborts. A method without a handler answers
  /// MethodNotImplemented.
  void handle(std::string_view method, Handler handler);
  std::size_t connections() const { return connections_.size(); }

 private:
  friend class Connection;
  Server(os::Loop& loop, ServerOptions options, const Interface& interface);
  void accept();
  /// False where nobody waits any more.
  bool take_in();
  /// False when nobody can go.
  bool make_room(std::optional<uid_t> of_user);
  bool has_room_for(uid_t user);
  std::size_t streams_of(uid_t user) const;
  /// Whether it may go on; if not it is called when it may, after those who have waited for longer.
  bool has_turn(Connection& connection);
  void next_turn();
  /// Whoever has been served since `started` has had enough of the processor for a while.
  void rest_after(base::Time started);
  base::Time rest_of(base::Time started) const;
  void dispatch(const std::string& request, Connection& connection);
  void serve_ourselves(std::string_view method, const Json& parameters, Call call);
  void close(Connection* connection);

  os::Loop& loop_;
  ServerOptions options_;
  const Interface& interface_;
  std::map<std::string, Handler, std::less<>> handlers_;
  base::Fd socket_;
  std::string path_;  ///< of our own socket
  os::Source accepting_;
  os::Source accept_again_;  ///< when rest is over
  std::map<Connection*, std::shared_ptr<Connection>> connections_;
  base::Time rest_until_{};                        ///< no request is served before
  std::deque<std::weak_ptr<Connection>> waiting_;  ///< for then, in the order they came
  const Connection* turn_of_ = nullptr;
  os::Source turn_;
};

}  // namespace control
