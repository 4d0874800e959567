#include "crowd/client.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <thread>

#include <sched.h>
#include <sys/socket.h>
#include <time.h>

#include "crowd/esp.h"

namespace crowd {
namespace {

constexpr std::uint16_t nat_traversal_port = 4500;
constexpr std::array<std::uint8_t, 4> non_esp_marker{};

/// This thread gives way to any other that has something to do. The kernel hands a decrypted packet to one of
/// its workers, and what a packet costs depends on how often that is woken.
class GivingWay {
 public:
  GivingWay() { set(SCHED_IDLE); }
  ~GivingWay() { set(SCHED_OTHER); }
  GivingWay(const GivingWay&) = delete;
  GivingWay& operator=(const GivingWay&) = delete;

 private:
  static void set(int policy) {
    const sched_param none{};
    if (::sched_setscheduler(0, policy, &none) != 0)
      throw std::system_error(errno, std::system_category(), "sched_setscheduler");
  }
};

/// After each packet of a flow: some schedulers let this thread go on nevertheless, and the worker would find
/// ten at once.
constexpr auto pause = std::chrono::microseconds(100);

/// What this thread has run, the interrupts that it was stopped for among it.
std::chrono::nanoseconds ran() {
  timespec t{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
}

}  // namespace

base::Result<Client> Client::open(harness::InitiatorSettings settings, const base::Endpoint& outside) {
  base::Fd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_storage address;
  const auto length = outside.to_sockaddr(address);
  if (!fd || ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0)
    return base::fail(outside.to_string() + ": " + std::system_category().message(errno));
  return Client(std::move(settings), std::move(fd));
}

void Client::connect(base::Time now) {
  began_ = now;
  initiator_.connect(now);
  say();
}

void Client::readable(base::Time now) {
  std::array<std::uint8_t, 65536> buffer;
  sockaddr_storage address;
  for (;;) {
    socklen_t length = sizeof address;
    const auto size = ::recvfrom(socket_.get(), buffer.data(), buffer.size(), 0,
                                 reinterpret_cast<sockaddr*>(&address), &length);
    if (size < 0) break;
    const auto from = base::Endpoint::from_sockaddr(address);
    base::ByteView bytes(buffer.data(), static_cast<std::size_t>(size));
    if (!from) continue;
    const bool esp =
        from->port == nat_traversal_port &&
        !std::ranges::equal(bytes.first(std::min(bytes.size(), non_esp_marker.size())), non_esp_marker);
    if (!esp) {
      const bool before = up();
      initiator_.input(*from, {initiator_.settings().local.address, from->port}, bytes, now);
      if (!before && up()) up_since_ = now;
    } else if (call_) {
      const auto& child = initiator_.children().back();
      if (const auto inner = open_esp(child.in_keys, child.in, bytes)) call_->receive(*inner, now);
    }
    say();
  }
}

std::optional<base::Time> Client::next_timeout() const {
  std::optional<base::Time> first;
  for (const auto& each :
       {initiator_.next_timeout(), call_ ? call_->next_timeout() : std::nullopt, next_question_}) {
    if (each && (!first || *each < *first)) first = each;
  }
  return first;
}

void Client::timeout(base::Time now) {
  initiator_.timeout(now);
  if (call_) call_->timeout(now);
  if (next_question_ && *next_question_ <= now) ask(now);
  say();
}

void Client::leave() {
  initiator_.delete_esp(initiator_.children().back().in);
  initiator_.delete_isakmp();
  say();
}

void Client::ask(base::Time now) {
  initiator_.r_u_there(++questions_);
  send(gateway(), sealed(base::Bytes(100)));
  next_question_ = now + question_every;
}

Client::Asked Client::asked() const {
  const auto answers = std::ranges::count_if(initiator_.notified(), [](const harness::Notified& n) {
    return n.encrypted && n.type == ike::v1::notify::r_u_there_ack;
  });
  return {.questions = questions_,
          .answers = static_cast<std::uint32_t>(answers),
          .deleted = !initiator_.deleted_spis().empty() || initiator_.deleted_isakmp() > 0};
}

void Client::call(l2tp::TunnelId own, bool session, base::Time now) {
  call_.emplace(own, session);
  call_->begin(now);
  say();
}

base::Endpoint Client::gateway() const { return {initiator_.settings().gateway.address, nat_traversal_port}; }

base::Bytes Client::sealed(base::ByteView payload) {
  const auto& child = initiator_.children().back();
  return esp_packet(child.out_keys, child.out, ++sequence_, payload);
}

void Client::say() {
  while (auto datagram = call_ ? call_->next_datagram() : std::nullopt) send(gateway(), sealed(*datagram));
  while (const auto d = initiator_.next_send()) {
    ++sent_;
    send(d->to, d->bytes);
  }
}

// A datagram that does not leave is one that the network lost.
void Client::send(const base::Endpoint& to, base::ByteView bytes) {
  sockaddr_storage address;
  const auto length = to.to_sockaddr(address);
  (void)::sendto(socket_.get(), bytes.data(), bytes.size(), 0, reinterpret_cast<const sockaddr*>(&address),
                 length);
}

std::uint64_t Client::flow(std::uint32_t packets, std::size_t bytes) {
  const auto payload = call_ ? call_->data(bytes) : base::Bytes(bytes);
  std::vector<base::Bytes> ready;
  for (std::uint32_t i = 0; i < packets; ++i) ready.push_back(sealed(payload));
  const auto to = gateway();
  const GivingWay giving_way;
  const auto before = ran();
  for (const auto& packet : ready) {
    send(to, packet);
    std::this_thread::sleep_for(pause);
  }
  return static_cast<std::uint64_t>((ran() - before).count());
}

}  // namespace crowd
