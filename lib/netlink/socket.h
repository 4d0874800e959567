#pragma once
// A netlink socket: requests that wait for the kernel's answer, dumps, batches, and multicast events.

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/result.h"
#include "base/secret.h"
#include "netlink/message.h"
#include "netlink/request.h"

namespace nl {

/// What the kernel refused. `number` is an errno (ESRCH, EEXIST, …), positive; `message` is a sentence
/// with the kernel's own explanation where it gave one.
struct Error {
  int number = 0;
  std::string message;
};

template <class T>
using Result = base::Result<T, Error>;

/// "installing an SA: No such process (the kernel's words)".
tl::unexpected<Error> fail_errno(std::string_view what, int number, std::string_view explanation = {});
/// The same failure for callers that speak base::Result.
inline tl::unexpected<base::Error> as_base(Error error) { return base::fail(std::move(error.message)); }

using Handler = std::function<void(const Message&)>;

/// For one thread. Requests block until the kernel answered, which it does before send(2) returns or
/// while a dump is read; five seconds of silence are an error.
class Socket {
 public:
  /// `protocol` is NETLINK_XFRM, …
  static base::Result<Socket> open(int protocol);
  /// For events only: non-blocking, member of `groups` (XFRMNLGRP_…), with a large receive buffer.
  static base::Result<Socket> open_events(int protocol, std::initializer_list<unsigned> groups);

  /// An events socket that another process opened.
  static base::Result<Socket> adopt_events(base::Fd fd);
  /// A copy of the descriptor, for another process.
  base::Fd duplicate() const;

  /// Sends one request and waits for its acknowledgement. `what` starts the sentence of a failure.
  Result<void> transact(Request& request, std::string_view what);
  /// A request with answers (a GET, or a dump with NLM_F_DUMP): each is given to `handle`, whose view
  /// ends with the call; the buffer is wiped, for dumps of SAs hold keys.
  Result<void> query(Request& request, std::string_view what, const Handler& handle);
  /// All of `requests`, at most 1000, in one datagram; one outcome each. A request without NLM_F_ACK counts
  /// as done unless the kernel says otherwise.
  std::vector<Result<void>> batch(std::span<Request> requests, std::string_view what);

  enum class Events { complete, lost };
  /// Hands over the events that are waiting, of very many some hundreds, and the others at the next call.
  /// `lost`: the kernel dropped some (ENOBUFS): what they would have said must be looked up.
  Events receive(const Handler& handle);
  int fd() const { return mnl_socket_get_fd(socket_.get()); }
  /// Its address (nlmsg_pid), which events name as that of the request that they are of.
  std::uint32_t port() const { return mnl_socket_get_portid(socket_.get()); }

 private:
  using Handle = std::unique_ptr<mnl_socket, base::FreeWith<mnl_socket_close>>;
  explicit Socket(Handle socket);
  static base::Result<Socket> create(int protocol, int type_flags);
  Result<void> send(std::span<const Request> requests, std::string_view what);
  Result<void> receive_datagram(std::string_view what, const Handler& handle);
  struct Batch;

  Handle socket_;
  std::uint32_t next_sequence_ = 1;
  base::Secret buffer_;
};

}  // namespace nl
