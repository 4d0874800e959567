#include "netlink/socket.h"

#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>

namespace nl {

namespace {

constexpr std::size_t buffer_size = 64 * 1024;  // the kernel fills dumps up to 32 KiB
constexpr int event_buffer_size = 4 * 1024 * 1024;

struct Outcome {
  int number = 0;  ///< 0 is success
  std::string explanation;
};

/// NLMSG_ERROR and NLMSG_DONE begin with a (negative) errno and may end with NLMSGERR_ATTR_MSG.
Outcome outcome_of(const Message& message) {
  Outcome out;
  const auto number = pod<int>(message.payload);
  if (!number) return {.number = EBADMSG, .explanation = {}};
  out.number = -*number;
  if ((message.flags & NLM_F_ACK_TLVS) == 0) return out;
  std::size_t skip = sizeof(int);
  if (message.type == NLMSG_ERROR) {
    const auto error = pod<nlmsgerr>(message.payload);
    if (!error) return out;
    skip = sizeof(nlmsgerr);
    if ((message.flags & NLM_F_CAPPED) == 0 && error->msg.nlmsg_len >= sizeof(nlmsghdr)) {
      skip += aligned(error->msg.nlmsg_len - sizeof(nlmsghdr));
    }
  }
  if (skip > message.payload.size()) return out;
  const auto attributes = Attributes::parse(message.payload.subspan(skip));
  if (!attributes) return out;
  const auto text = base::as_text(attributes->get(NLMSGERR_ATTR_MSG));
  out.explanation = text.substr(0, text.find('\0'));
  return out;
}

Result<void> result_of(const Message& message, std::string_view what) {
  const auto outcome = outcome_of(message);
  if (outcome.number != 0) return fail_errno(what, outcome.number, outcome.explanation);
  return {};
}

void set_option(int fd, int level, int option, int value) {
  ::setsockopt(fd, level, option, &value, sizeof value);
}

}  // namespace

tl::unexpected<Error> fail_errno(std::string_view what, int number, std::string_view explanation) {
  auto message = fmt::format("{}: {}", what, std::strerror(number));
  if (!explanation.empty()) message += fmt::format(" ({})", explanation);
  return tl::unexpected(Error{.number = number, .message = std::move(message)});
}

Socket::Socket(base::Fd fd) : fd_(std::move(fd)), buffer_(buffer_size) {}

base::Result<Socket> Socket::create(int protocol, int type_flags) {
  base::Fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | type_flags, protocol));
  if (!fd) return base::fail_errno(fmt::format("opening netlink protocol {}", protocol), errno);
  // Both are refinements: without them errors merely lose their words.
  set_option(fd.get(), SOL_NETLINK, NETLINK_EXT_ACK, 1);
  set_option(fd.get(), SOL_NETLINK, NETLINK_CAP_ACK, 1);
  sockaddr_nl local{};
  local.nl_family = AF_NETLINK;
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&local), sizeof local) != 0) {
    return base::fail_errno("binding a netlink socket", errno);
  }
  return Socket(std::move(fd));
}

base::Result<Socket> Socket::open(int protocol) {
  auto socket = create(protocol, 0);
  if (!socket) return socket;
  const timeval patience{.tv_sec = 5, .tv_usec = 0};
  ::setsockopt(socket->fd(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  return socket;
}

base::Result<Socket> Socket::open_events(int protocol, std::initializer_list<unsigned> groups) {
  auto socket = create(protocol, SOCK_NONBLOCK);
  if (!socket) return socket;
  // Thousands of SAs may expire together; FORCE needs CAP_NET_ADMIN, the plain one is capped.
  set_option(socket->fd(), SOL_SOCKET, SO_RCVBUF, event_buffer_size);
  set_option(socket->fd(), SOL_SOCKET, SO_RCVBUFFORCE, event_buffer_size);
  for (const auto group : groups) {
    if (::setsockopt(socket->fd(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0) {
      return base::fail_errno(fmt::format("joining netlink group {}", group), errno);
    }
  }
  return socket;
}

// Gathered, not copied: requests hold keys.
Result<void> Socket::send(std::span<const Request> requests, std::string_view what) {
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  std::vector<iovec> parts;
  for (const auto& request : requests) {
    parts.push_back(
        {.iov_base = const_cast<std::uint8_t*>(request.view().data()), .iov_len = request.view().size()});
  }
  msghdr header{};
  header.msg_name = &kernel;
  header.msg_namelen = sizeof kernel;
  header.msg_iov = parts.data();
  header.msg_iovlen = parts.size();
  ssize_t sent = 0;
  do {
    sent = ::sendmsg(fd_.get(), &header, 0);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) return fail_errno(what, errno);
  return {};
}

Result<ByteView> Socket::receive_datagram(std::string_view what) {
  for (;;) {
    sockaddr_nl from{};
    iovec part{.iov_base = buffer_.data(), .iov_len = buffer_.size()};
    msghdr header{};
    header.msg_name = &from;
    header.msg_namelen = sizeof from;
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    const auto got = ::recvmsg(fd_.get(), &header, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(what, errno);
    if (from.nl_pid != 0) continue;  // another process may write to us; only the kernel is believed
    if ((header.msg_flags & MSG_TRUNC) != 0) return fail_errno(what, EMSGSIZE, "answer too long");
    return ByteView(buffer_.data(), static_cast<std::size_t>(got));
  }
}

Result<void> Socket::transact(Request& request, std::string_view what) {
  const auto results = batch({&request, 1}, what);
  return results.front();
}

Result<void> Socket::query(Request& request, std::string_view what, const Handler& handle) {
  request.set_sequence(next_sequence_++);
  if (auto sent = send({&request, 1}, what); !sent) return sent;
  bool interrupted = false;
  for (;;) {
    auto datagram = receive_datagram(what);
    if (!datagram) return tl::unexpected(datagram.error());
    const auto all = *datagram;
    std::optional<Result<void>> ended;
    while (auto message = next_message(*datagram)) {
      if (message->sequence != request.sequence() || ended) continue;
      interrupted |= (message->flags & NLM_F_DUMP_INTR) != 0;
      if (message->type == NLMSG_ERROR || message->type == NLMSG_DONE) {
        ended = result_of(*message, what);
      } else if (message->type >= NLMSG_MIN_TYPE) {
        handle(*message);
        const bool multi = (message->flags & NLM_F_MULTI) != 0;
        if (!multi && !request.wants_ack()) ended = Result<void>{};
      }
    }
    OPENSSL_cleanse(buffer_.data(), all.size());
    if (!ended) continue;
    if (*ended && interrupted) return fail_errno(what, EAGAIN, "the list changed while it was read");
    return *ended;
  }
}

/// Which answers a batch still waits for.
struct Socket::Batch {
  std::uint32_t first = 0;
  std::vector<Result<void>> results;
  std::vector<bool> waiting;
  std::size_t left = 0;

  void settle(const Message& message, std::string_view what) {
    const std::size_t index = message.sequence - first;
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
  while (batch.left > 0) {
    auto answer = receive_datagram(what);
    if (!answer) {
      batch.fail_the_waiting(answer.error());
      break;
    }
    while (auto message = next_message(*answer)) batch.settle(*message, what);
  }
  return std::move(batch.results);
}

Socket::Events Socket::receive(const Handler& handle) {
  auto events = Events::drained;
  for (;;) {
    auto datagram = receive_datagram("reading netlink events");
    if (!datagram) {
      if (datagram.error().number != ENOBUFS) return events;
      events = Events::lost;
      continue;
    }
    while (auto message = next_message(*datagram)) handle(*message);
  }
}

}  // namespace nl
