#include "control/server.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include <fmt/format.h>
#include <grp.h>
#include <nlohmann/json.hpp>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/event_log.h"
#include "control/connection.h"
#include "control/unix_socket.h"

namespace control {
namespace {

constexpr int longest_queue = 128;  ///< of clients that are not in yet
constexpr int deepest = 8;          ///< of a request: lists and objects within one another

std::string service_error(std::string_view name) { return fmt::format("org.varlink.service.{}", name); }

bool fits(const Json& value, Kind kind) {
  switch (kind) {
    case Kind::integer: return value.is_number_integer();
    case Kind::string: return value.is_string();
    case Kind::boolean: return value.is_boolean();
  }
  return false;
}

/// The first parameter that is missing or of the wrong type.
const Parameter* unfit(const Method& method, const Json& parameters) {
  for (const auto& parameter : method.in) {
    const auto it = parameters.find(parameter.name);
    if (it == parameters.end() || !fits(*it, parameter.kind)) return &parameter;
  }
  return nullptr;
}

bool flag(const Json& message, const char* name) {
  const auto it = message.find(name);
  return it != message.end() && it->is_boolean() && it->get<bool>();
}

/// The group's members may read. Without such a group the socket is root's.
void give_to_group(const std::string& path) {
  const auto* group = ::getgrnam("sameroof");
  if (group && group->gr_gid == ::getegid()) return;  // its already, as under the package's units
  if (group && ::chown(path.c_str(), static_cast<uid_t>(-1), group->gr_gid) < 0) {
    base::log(base::Severity::warning,
              fmt::format("cannot give {} to the group sameroof: only root can look", path));
  }
}

}  // namespace

base::Result<base::Fd> listen_at(const std::string& path) {
  if (auto free = remove_stale_socket(path); !free) return tl::unexpected(free.error());
  const auto address = unix_address(path);
  if (!address) return tl::unexpected(address.error());
  base::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return base::fail_errno("cannot make a control socket", errno);
  const auto old_mask = ::umask(0117);
  const int bound = ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address);
  const int error = errno;
  ::umask(old_mask);
  if (bound < 0) return base::fail_errno(fmt::format("cannot bind the control socket {}", path), error);
  give_to_group(path);
  if (::listen(fd.get(), longest_queue) < 0)
    return base::fail_errno(fmt::format("cannot listen on {}", path), errno);
  return fd;
}

Call::Call(std::weak_ptr<Connection> connection) : connection_(std::move(connection)) {}

Call& Call::operator=(Call&& other) noexcept {
  if (this != &other) {
    finish();
    connection_ = std::move(other.connection_);
  }
  return *this;
}

Call::~Call() { finish(); }

void Call::finish() {
  const auto connection = connection_.lock();
  connection_.reset();
  if (!connection || connection->dead()) return;
  if (connection->call_state() == Connection::CallState::oneway) return connection->finish_call();
  connection->die();
}

bool Call::alive() const {
  const auto connection = connection_.lock();
  return connection && !connection->dead();
}

void Call::reply(const Json& parameters) { reply_text(text_of(parameters)); }

void Call::reply_text(std::string_view parameters) {
  const auto connection = connection_.lock();
  connection_.reset();
  if (!connection || connection->dead()) return;
  connection->queue_text(fmt::format("{{\"parameters\":{}}}", parameters));
  connection->finish_call();
}

void Call::reply_and_continue(const Json& parameters) {
  if (const auto connection = connection_.lock(); connection && !connection->dead()) {
    connection->queue({{"parameters", parameters}, {"continues", true}});
  }
}

void Call::fail(std::string_view error, const Json& parameters) {
  const auto connection = connection_.lock();
  connection_.reset();
  if (!connection || connection->dead()) return;
  connection->queue({{"error", error}, {"parameters", parameters}});
  connection->finish_call();
}

void Call::in_turns(std::function<bool()> make) {
  if (const auto connection = connection_.lock(); connection && !connection->dead())
    connection->produce(std::move(make));
}

bool Call::takes_more() const {
  const auto connection = connection_.lock();
  return connection && (connection->call_state() == Connection::CallState::parts ||
                        connection->call_state() == Connection::CallState::stream);
}

void Call::fail(std::string_view error) { fail(error, Json::object()); }

void reply_list(Call call, const char* member, std::string_view too_many,
                std::function<bool(Json& rows)> next) {
  constexpr std::size_t most_at_once = 1000, rows_of_a_part = 16, steps_of_a_part = 256;
  const bool in_parts = call.takes_more();
  const auto shared = std::make_shared<Call>(std::move(call));
  shared->in_turns([shared, member, too_many, in_parts, next = std::move(next), count = std::size_t{0},
                    whole = std::string()]() mutable {
    auto rows = Json::array();
    bool more = true;
    for (std::size_t i = 0; more && i < steps_of_a_part && rows.size() < rows_of_a_part; ++i)
      more = next(rows);
    if (in_parts) {
      if (more)
        shared->reply_and_continue({{member, std::move(rows)}});
      else
        shared->reply({{member, std::move(rows)}});
      return more;
    }
    count += rows.size();
    if (count > most_at_once) {
      shared->fail(too_many);
      return false;
    }
    // As text it takes less to keep, and many may ask at once.
    for (const auto& row : rows) whole += (whole.empty() ? "" : ",") + text_of(row);
    if (!more) shared->reply_text(fmt::format("{{\"{}\":[{}]}}", member, whole));
    return more;
  });
}

Server::Server(os::Loop& loop, ServerOptions options, const Interface& interface)
    : loop_(loop), options_(std::move(options)), interface_(interface) {
  accept_again_ = loop_.on_time([this] { accepting_.set_io_events(EPOLLIN); });
  turn_ = loop_.on_time([this] { next_turn(); });
}

base::Result<std::unique_ptr<Server>> Server::listen(os::Loop& loop, ServerOptions options,
                                                     const Interface& interface) {
  auto fd = listen_at(options.path);
  if (!fd) return tl::unexpected(fd.error());
  const auto path = options.path;
  auto server = serve(loop, std::move(*fd), std::move(options), interface);
  server->path_ = path;
  return server;
}

std::unique_ptr<Server> Server::serve(os::Loop& loop, base::Fd socket, ServerOptions options,
                                      const Interface& interface) {
  std::unique_ptr<Server> server(new Server(loop, std::move(options), interface));
  server->socket_ = std::move(socket);
  server->accepting_ = loop.on_readable(server->socket_.get(), [self = server.get()] { self->accept(); });
  return server;
}

Server::~Server() {
  while (!connections_.empty()) connections_.begin()->second->die();
  if (!path_.empty()) ::unlink(path_.c_str());
}

void Server::handle(std::string_view method, Handler handler) {
  if (!interface_.method(method)) {
    base::log(base::Severity::error, fmt::format("{} has no method {}", interface_.name, method));
    std::abort();
  }
  handlers_[std::string(method)] = std::move(handler);
}

void Server::accept() {
  // Who only connects, again and again, costs as well; but all who wait come in at once, or he would fill the
  // queue before those who have a question.
  const auto started = base::Clock::now();
  for (int i = 0; i < longest_queue && take_in(); ++i) {
  }
  accepting_.set_io_events(0);
  accept_again_.set_time(rest_of(started));
}

bool Server::take_in() {
  base::Fd fd(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!fd) {
    // Out of descriptors, the waiting client would wake the loop for ever.
    if (errno == EMFILE || errno == ENFILE) make_room(std::nullopt);
    return false;
  }
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0) return true;
  if (!has_room_for(credentials.uid)) return true;
  const auto connection = std::make_shared<Connection>(*this, std::move(fd), credentials.uid);
  connections_[connection.get()] = connection;
  connection->start();
  return true;
}

/// Idle clients must not keep an operator out: the one idle for longest goes.
bool Server::make_room(std::optional<uid_t> of_user) {
  Connection* idlest = nullptr;
  for (const auto& [connection, owner] : connections_) {
    if (connection->busy() || (of_user && connection->uid() != *of_user)) continue;
    if (!idlest || connection->last_active() < idlest->last_active()) idlest = connection;
  }
  if (idlest) idlest->die();
  return idlest != nullptr;
}

/// No user takes all the room, and none that the privileged one needs.
bool Server::has_room_for(uid_t user) {
  const bool privileged = user == options_.privileged_uid;
  const auto own = static_cast<std::size_t>(
      std::ranges::count_if(connections_, [user](const auto& entry) { return entry.first->uid() == user; }));
  if (!privileged && own >= options_.most_connections_of_user) return make_room(user);
  if (connections_.size() < options_.most_connections) return true;
  return make_room(std::nullopt) || (privileged && own < options_.most_connections_of_user);
}

std::size_t Server::streams_of(uid_t user) const {
  return static_cast<std::size_t>(std::ranges::count_if(connections_, [user](const auto& entry) {
    return entry.first->uid() == user && entry.first->call_state() == Connection::CallState::stream;
  }));
}

bool Server::has_turn(Connection& connection) {
  if (turn_of_ == &connection || (waiting_.empty() && base::Clock::now() >= rest_until_)) return true;
  if (!connection.waits) waiting_.push_back(connection.weak_from_this());
  connection.waits = true;
  turn_.set_time(rest_until_);
  return false;
}

void Server::next_turn() {
  while (!waiting_.empty()) {
    const auto connection = waiting_.front().lock();
    waiting_.pop_front();
    if (!connection || connection->dead()) continue;
    connection->waits = false;
    turn_of_ = connection.get();
    connection->next_request();
    turn_of_ = nullptr;
    break;
  }
  if (!waiting_.empty()) turn_.set_time(rest_until_);
}

base::Time Server::rest_of(base::Time started) const {
  const auto now = base::Clock::now();
  return now + std::min<base::Duration>(options_.rest * (now - started), std::chrono::seconds(1));
}

void Server::rest_after(base::Time started) { rest_until_ = rest_of(started); }

void Server::close(Connection* connection) { connections_.erase(connection); }

void Server::dispatch(const std::string& request, Connection& connection) {
  using CallState = Connection::CallState;
  const auto started = base::Clock::now();
  bool too_deep = false;  // to copy it, which goes down level by level
  const Json message = Json::parse(
      request, [&too_deep](int depth, Json::parse_event_t, Json&) { return !(too_deep |= depth > deepest); },
      false);
  const auto named = message.is_object() ? message.find("method") : message.end();
  if (too_deep || !message.is_object() || named == message.end() || !named->is_string())
    return connection.die();
  const std::string full_name = named->get<std::string>();
  const auto dot = full_name.rfind('.');
  const std::string interface_name = full_name.substr(0, dot == std::string::npos ? 0 : dot);
  const std::string name = full_name.substr(dot == std::string::npos ? 0 : dot + 1);
  const Json parameters = message.contains("parameters") && message["parameters"].is_object()
                              ? message["parameters"]
                              : Json::object();

  const bool ours = interface_name == service_interface.name;
  const Interface& interface = ours ? service_interface : interface_;
  const Method* method = interface.method(name);
  const bool more = flag(message, "more");
  const bool streams = method && method->replies == Replies::stream;
  const bool in_parts =
      method && (method->replies == Replies::parts || (method->replies == Replies::pages && more));
  const bool too_many = streams && streams_of(connection.uid()) >= options_.most_streams_of_user;
  connection.begin_call(flag(message, "oneway") ? CallState::oneway
                        : streams               ? CallState::stream
                        : in_parts              ? CallState::parts
                                                : CallState::one);
  Call call(connection.weak_from_this());
  if (interface_name != interface.name) {
    call.fail(service_error("InterfaceNotFound"), {{"interface", interface_name}});
  } else if (!method) {
    call.fail(service_error("MethodNotFound"), {{"method", full_name}});
  } else if (method->access == Access::privileged && !connection.privileged()) {
    call.fail(permission_denied);
  } else if (const auto* parameter = unfit(*method, parameters)) {
    call.fail(service_error("InvalidParameter"), {{"parameter", parameter->name}});
  } else if (too_many) {
    call.fail(fmt::format("{}.TooManyStreams", interface.name));
  } else if ((streams || in_parts) && !more) {
    call.fail(service_error("ExpectedMore"));
  } else if (ours) {
    serve_ourselves(name, parameters, std::move(call));
  } else if (const auto handler = handlers_.find(name); handler == handlers_.end()) {
    call.fail(service_error("MethodNotImplemented"), {{"method", full_name}});
  } else {
    handler->second(parameters, std::move(call));
  }
  rest_after(started);
}

void Server::serve_ourselves(std::string_view method, const Json& parameters, Call call) {
  if (method == "GetInfo") {
    return call.reply({{"vendor", "Sameroof"},
                       {"product", options_.product},
                       {"version", options_.version},
                       {"url", ""},
                       {"interfaces", {service_interface.name, interface_.name}}});
  }
  const auto wanted = parameters["interface"].get<std::string>();
  for (const auto* interface : {&service_interface, &interface_}) {
    if (wanted == interface->name) return call.reply({{"description", describe(*interface)}});
  }
  call.fail(service_error("InterfaceNotFound"), {{"interface", wanted}});
}

}  // namespace control
