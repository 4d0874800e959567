#include "netlink/socket.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <sys/socket.h>
#include <sys/time.h>

namespace nl {

namespace {

constexpr std::size_t buffer_size = 64 * 1024;  // the kernel fills dumps up to 32 KiB
constexpr int event_buffer_size = 4 * 1024 * 1024;

/// NETLINK_EXT_ACK's words, behind the errno of NLMSG_DONE or the whole structure of NLMSG_ERROR, which with
/// NETLINK_CAP_ACK does not repeat the request.
std::string explanation_of(const Message& message) {
  const std::size_t skip = message.type == NLMSG_ERROR ? sizeof(nlmsgerr) : sizeof(int);
  if ((message.header->nlmsg_flags & NLM_F_ACK_TLVS) == 0 || message.payload.size() < skip) return {};
  const auto attributes = Attributes::parse(message.payload.subspan(skip));
  if (!attributes) return {};
  const auto text = base::as_text(attributes->get(NLMSGERR_ATTR_MSG));
  return std::string(text.substr(0, text.find('\0')));
}

/// NLMSG_ERROR and NLMSG_DONE begin with a negative errno, or zero.
Result<void> result_of(const Message& message, std::string_view what) {
  const auto number = pod<int>(message.payload);
  if (!number) return fail_errno(what, EBADMSG);
  if (*number != 0) return fail_errno(what, -*number, explanation_of(message));
  return {};
}

bool set_netlink_option(const mnl_socket* socket, int option, unsigned value) {
  return mnl_socket_setsockopt(socket, option, &value, sizeof value) == 0;
}

}  // namespace

tl::unexpected<Error> fail_errno(std::string_view what, int number, std::string_view explanation) {
  auto message = fmt::format("{}: {}", what, std::strerror(number));
  if (!explanation.empty()) message += fmt::format(" ({})", explanation);
  return tl::unexpected(Error{.number = number, .message = std::move(message)});
}

Socket::Socket(Handle socket) : socket_(std::move(socket)), buffer_(base::Secret::of_size(buffer_size)) {}

base::Result<Socket> Socket::create(int protocol, int type_flags) {
  Handle socket(mnl_socket_open2(protocol, SOCK_CLOEXEC | type_flags));
  if (!socket) return base::fail_errno(fmt::format("opening netlink protocol {}", protocol), errno);
  if (!set_netlink_option(socket.get(), NETLINK_EXT_ACK, 1) ||
      !set_netlink_option(socket.get(), NETLINK_CAP_ACK, 1)) {
    return base::fail_errno("asking for netlink's extended acknowledgements", errno);
  }
  if (mnl_socket_bind(socket.get(), 0, MNL_SOCKET_AUTOPID) != 0) {
    return base::fail_errno("binding a netlink socket", errno);
  }
  return Socket(std::move(socket));
}

base::Result<Socket> Socket::open(int protocol) {
  auto socket = create(protocol, 0);
  if (!socket) return socket;
  const timeval patience{.tv_sec = 5, .tv_usec = 0};
  ::setsockopt(socket->fd(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  return socket;
}

base::Result<Socket> Socket::adopt_events(base::Fd fd) {
  Handle socket(mnl_socket_fdopen(fd.get()));
  if (!socket) return base::fail_errno("taking over a netlink socket", errno);
  (void)fd.release();
  return Socket(std::move(socket));
}

base::Fd Socket::duplicate() const { return base::Fd(::fcntl(fd(), F_DUPFD_CLOEXEC, 0)); }

base::Result<Socket> Socket::open_events(int protocol, std::initializer_list<unsigned> groups) {
  auto socket = create(protocol, SOCK_NONBLOCK);
  if (!socket) return socket;
  // Thousands of SAs may expire together; FORCE needs CAP_NET_ADMIN, the plain one is capped.
  for (const int option : {SO_RCVBUF, SO_RCVBUFFORCE}) {
    ::setsockopt(socket->fd(), SOL_SOCKET, option, &event_buffer_size, sizeof event_buffer_size);
  }
  for (const auto group : groups) {
    if (!set_netlink_option(socket->socket_.get(), NETLINK_ADD_MEMBERSHIP, group)) {
      return base::fail_errno(fmt::format("joining netlink group {}", group), errno);
    }
  }
  return socket;
}

Result<void> Socket::send(std::span<const Request> requests, std::string_view what) {
  std::size_t size = 0;
  for (const auto& request : requests) size += request.view().size();
  auto datagram = base::Secret::of_size(size);
  auto end = datagram.writable().begin();
  for (const auto& request : requests) end = std::ranges::copy(request.view(), end).out;
  if (mnl_socket_sendto(socket_.get(), datagram.view().data(), size) < 0) return fail_errno(what, errno);
  return {};
}

// The sender is not checked, as libmnl does not: to write to sockets of these protocols, a process other than
// the kernel needs CAP_NET_ADMIN, with which it could ask the kernel itself.
Result<void> Socket::receive_datagram(std::string_view what, const Handler& handle) {
  auto* const start = buffer_.writable().data();
  ssize_t got = 0;
  do {
    got = mnl_socket_recvfrom(socket_.get(), start, buffer_.size());
  } while (got < 0 && errno == EINTR);
  if (got < 0) return fail_errno(what, errno);
  const auto size = static_cast<std::size_t>(got);
  ByteView datagram(start, size);
  while (const auto message = next_message(datagram)) handle(*message);
  OPENSSL_cleanse(start, size);
  return {};
}

Result<void> Socket::transact(Request& request, std::string_view what) {
  return query(request, what, [](const Message&) {});
}

Result<void> Socket::query(Request& request, std::string_view what, const Handler& handle) {
  request.set_sequence(next_sequence_++);
  if (auto sent = send({&request, 1}, what); !sent) return sent;
  bool interrupted = false;
  std::optional<Result<void>> ended;
  const auto take = [&](const Message& message) {
    if (ended || !mnl_nlmsg_seq_ok(message.header, request.sequence())) return;
    const auto flags = message.header->nlmsg_flags;
    interrupted |= (flags & NLM_F_DUMP_INTR) != 0;
    if (message.type == NLMSG_ERROR || message.type == NLMSG_DONE) {
      ended = result_of(message, what);
    } else if (message.type >= NLMSG_MIN_TYPE) {
      handle(message);
      if ((flags & NLM_F_MULTI) == 0 && !request.wants_ack()) ended = Result<void>{};
    }
  };
  while (!ended) {
    if (auto received = receive_datagram(what, take); !received) return received;
  }
  if (*ended && interrupted) return fail_errno(what, EAGAIN, "the list changed while it was read");
  return *ended;
}

/// Which answers a batch still waits for.
struct Socket::Batch {
  std::uint32_t first = 0;
  std::vector<Result<void>> results;
  std::vector<bool> waiting;
  std::size_t left = 0;

  void settle(const Message& message, std::string_view what) {
    const std::size_t index = message.header->nlmsg_seq - first;
    if (message.type != NLMSG_ERROR || index >= results.size()) return;
    auto outcome = result_of(message, what);
    // Of several errors for one message the first is the cause.
    if (!outcome && results[index]) results[index] = outcome;
    if (waiting[index]) {
      waiting[index] = false;
      --left;
    } else if (!outcome) {
      fail_the_waiting(outcome.error());  // refused as a whole (nfnetlink's batch header)
    }
  }
  void fail_the_waiting(const Error& error) {
    for (std::size_t i = 0; i < results.size(); ++i) {
      if (waiting[i]) results[i] = tl::unexpected(error);
      waiting[i] = false;
    }
    left = 0;
  }
};

std::vector<Result<void>> Socket::batch(std::span<Request> requests, std::string_view what) {
  Batch batch{.first = next_sequence_,
              .results = std::vector<Result<void>>(requests.size()),
              .waiting = std::vector<bool>(requests.size()),
              .left = 0};
  for (std::size_t i = 0; i < requests.size(); ++i) {
    requests[i].set_sequence(next_sequence_++);
    if (!requests[i].wants_ack()) continue;
    batch.waiting[i] = true;
    ++batch.left;
  }
  if (auto sent = send(requests, what); !sent) batch.fail_the_waiting(sent.error());
  const auto settle = [&](const Message& message) { batch.settle(message, what); };
  while (batch.left > 0) {
    if (auto received = receive_datagram(what, settle); !received) batch.fail_the_waiting(received.error());
  }
  return std::move(batch.results);
}

Socket::Events Socket::receive(const Handler& handle) {
  constexpr int most_a_turn = 256;
  auto events = Events::complete;
  for (int i = 0; i < most_a_turn; ++i) {
    const auto received = receive_datagram("reading netlink events", handle);
    if (received) continue;
    if (received.error().number != ENOBUFS) return events;
    events = Events::lost;
  }
  return events;
}

}  // namespace nl
