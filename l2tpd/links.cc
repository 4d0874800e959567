#include "l2tpd/links.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

#include <fmt/format.h>
#include <sys/socket.h>

#include "base/event_log.h"
#include "l2tpd/plugin/protocol.h"

namespace l2tpd {
namespace {

using namespace std::chrono_literals;
using base::Severity;

/// A pppd that has just acknowledged the peer's Terminate-Request waits for lcp-restart before it ends.
constexpr base::Duration patience_with_pppd = 5s;
/// Those that are ending count: a peer that calls and hangs up all day must not fill this host with pppds.
constexpr std::ptrdiff_t most_of_a_peer = 16;

template <class... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};
template <class... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;

std::string mark_field(const l2tp::TunnelName& tunnel) { return fmt::format("{:#x}", tunnel.mark.value); }

}  // namespace

std::string words_for(const l2tp::TunnelName& tunnel) {
  return fmt::format("peer {}{}", tunnel.remote.to_string(), tunnel.mark.value == 0 ? " (clear text)" : "");
}

Links::Links(os::Loop& loop, const config::Config& config, const Accounts& accounts, Bindings& bindings,
             PppdLog log, Ended ended)
    : loop_(loop),
      config_(config),
      accounts_(accounts),
      bindings_(bindings),
      log_(log),
      on_end_(std::move(ended)),
      pool_(config) {}

base::Result<void> Links::start(const l2tp::TunnelName& tunnel, const l2tp::SessionName& session,
                                base::Fd kernel_session) {
  const auto same_peer = [&tunnel](const Link& link) {
    return link.tunnel.mark == tunnel.mark && link.tunnel.remote.address == tunnel.remote.address;
  };
  if (std::ranges::count_if(links_, same_peer) >= most_of_a_peer)
    return base::fail(fmt::format("it has {} PPP links already", most_of_a_peer));
  std::array<int, 2> pair{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair.data()) != 0)
    return base::fail_errno("cannot make a channel to pppd", errno);
  base::Fd ours(pair[0]);
  const base::Fd theirs(pair[1]);
  const auto pid = spawn_pppd(config_.ppp, tunnel, session, kernel_session, theirs, log_);
  if (!pid) return tl::unexpected(pid.error());
  const auto it = links_.emplace(links_.end());
  it->serial = ++last_serial_;
  it->pid = *pid;
  it->tunnel = tunnel;
  it->session = session;
  it->channel = std::move(ours);
  it->since = base::Clock::now();
  it->readable = loop_.on_readable(it->channel.get(), [this, it] { read(*it); });
  it->exit = loop_.on_child_exit(*pid, [this, it](int status) { ended(it, status); });
  ++counters_.started;
  return {};
}

void Links::stop(const l2tp::TunnelName& tunnel, const l2tp::SessionName& session, std::string why) {
  for (auto& link : links_) {
    if (link.stopped || link.tunnel != tunnel || link.session != session) continue;
    link.stopped = std::move(why);
    terminate(link);
    return;
  }
}

void Links::terminate(Link& link) {
  ::kill(link.pid, SIGTERM);
  link.kill_timer = loop_.on_time([pid = link.pid] { ::kill(pid, SIGKILL); });
  link.kill_timer.set_time(base::Clock::now() + patience_with_pppd);
}

std::optional<LinkStatus> Links::status(l2tp::TunnelId tunnel, l2tp::SessionId session) const {
  for (const auto& link : links_) {
    if (!link.stopped && link.tunnel.id == tunnel && link.session.id == session) return link.status;
  }
  return std::nullopt;
}

void Links::send(Link& link, base::ByteView packet) {
  // One question, one answer: the buffer cannot be full, and a pppd that has gone needs none.
  [[maybe_unused]] const auto sent = ::send(link.channel.get(), packet.data(), packet.size(), MSG_NOSIGNAL);
}

void Links::read(Link& link) {
  auto buffer = base::Secret::of_size(sameroof_longest_message);  // it may hold a password
  const auto got = ::recv(link.channel.get(), buffer.writable().data(), buffer.size(), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) {
    link.readable = os::Source();  // pppd is ending; its status says why
    return;
  }
  auto request = decode_request(buffer.view().first(static_cast<std::size_t>(got)));
  if (!request) {
    ++counters_.bad_requests;
    send(link, encode_no("not understood"));
    return;
  }
  answer(link, std::move(*request));
}

void Links::answer(Link& link, LinkRequest request) {
  std::visit(
      Overloaded{[&](const SecretWanted& wanted) {
                   link.claimed_name = wanted.name;
                   send(link, encode_secret(accounts_.secret_of(wanted.name)).view());
                 },
                 [&](const ChapChecked& checked) {
                   const bool known = accounts_.find(checked.name) != nullptr;
                   if (checked.right && known && checked.name == link.claimed_name) {
                     log_in(link, checked.name);
                   } else {
                     refuse(link, checked.name, known ? "wrong password" : "no such user", "Access denied");
                   }
                 },
                 [&](const PapLogin& login) {
                   const bool known = accounts_.find(login.name) != nullptr;
                   if (accounts_.password_is_right(login.name, login.password.view())) {
                     log_in(link, login.name);
                   } else {
                     refuse(link, login.name, known ? "wrong password" : "no such user", "Access denied");
                   }
                 },
                 [&](const LinkUp& up) { report_up(link, up); }},
      request);
}

void Links::log_in(Link& link, const std::string& name) {
  const auto* user = accounts_.find(name);
  if (link.status.address && link.status.user == user->name) {
    send(link, encode_lease(*link.status.address));  // CHAP may ask again during a link's life
    return;
  }
  check_binding(link, *user);
}

void Links::check_binding(Link& link, const config::User& user) {
  bindings_.ask(link.tunnel.mark, [this, serial = link.serial, &user](base::Result<Bindings::Logins> logins) {
    const auto it = std::ranges::find(links_, serial, &Link::serial);
    if (it == links_.end() || it->stopped) return;
    if (!logins) return refuse(*it, user.name, logins.error().message, "Access denied");
    if (*logins && std::ranges::find(**logins, user.name) == (*logins)->end()) {
      const auto bound = (*logins)->empty() ? std::string("nobody") : fmt::format("'{}'", (*logins)->front());
      return refuse(*it, user.name, fmt::format("its IPsec connection is for {} only", bound),
                    "Access denied");
    }
    admit(*it, user);
  });
}

void Links::admit(Link& link, const config::User& user) {
  // A phone that comes back from another network must not wait for its own ghost.
  if (user.address && end_older_link(link, user)) {
    link.waits_for_lease = &user;
    return;
  }
  grant(link, user);
}

bool Links::end_older_link(const Link& newer, const config::User& user) {
  for (auto& link : links_) {
    if (&link == &newer || link.status.address != user.address) continue;
    if (!link.stopped) {
      link.stopped = "the user logged in anew";
      terminate(link);
      on_end_(link.tunnel, link.session, l2tp::hang_up(l2tp::CallResult::administrative, *link.stopped));
    }
    return true;
  }
  return false;
}

void Links::grant(Link& link, const config::User& user) {
  if (link.status.address) pool_.release(*link.status.address);  // it logs in as somebody else
  link.status.address.reset();
  const auto address = pool_.lease(user);
  if (!address) {
    refuse(link, user.name, address.error().message, address.error().message);
    return;
  }
  link.status.user = user.name;
  link.status.address = *address;
  ++counters_.logins;
  send(link, encode_lease(*address));
}

void Links::refuse(Link& link, std::string_view name, std::string_view reason, std::string_view told) {
  ++counters_.refused_logins;
  link.refused = fmt::format("user '{}' refused: {}", name, reason);
  base::log(Severity::notice,
            fmt::format("User '{}' of {} refused: {}.", name, words_for(link.tunnel), reason),
            {{"MARK", mark_field(link.tunnel)}, {"USER", std::string(name)}});
  send(link, encode_no(told));
}

void Links::report_up(Link& link, const LinkUp& up) {
  link.status.ifname = up.ifname;
  base::log(Severity::info,
            fmt::format("User '{}' of {} is up: {} with {}.", link.status.user.value_or("?"),
                        words_for(link.tunnel), up.ifname, up.theirs.to_string()),
            {{"MARK", mark_field(link.tunnel)}, {"USER", link.status.user.value_or("?")}});
  send(link, encode_yes());
}

void Links::ended(Iterator it, int status) {
  auto gone = std::move(*it);
  links_.erase(it);
  if (gone.status.address) pool_.release(*gone.status.address);
  const auto ending = ending_of(status);
  const auto why = gone.stopped ? *gone.stopped : gone.refused ? *gone.refused : ending.message;
  if (gone.status.ifname) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(base::Clock::now() - gone.since);
    base::log(Severity::info,
              fmt::format("User '{}' of {} is down after {} s: {}.", gone.status.user.value_or("?"),
                          words_for(gone.tunnel), seconds.count(), why),
              {{"MARK", mark_field(gone.tunnel)}, {"USER", gone.status.user.value_or("?")}});
  } else if (!gone.stopped && !gone.refused) {
    base::log(Severity::notice, fmt::format("PPP with {} did not come up: {}.", words_for(gone.tunnel), why),
              {{"MARK", mark_field(gone.tunnel)}});
  }
  if (!gone.stopped) {
    auto told = ending;
    told.message = gone.refused ? "the peer did not authenticate itself" : why;
    on_end_(gone.tunnel, gone.session, std::move(told));
  }
  for (auto& link : links_) {
    if (link.waits_for_lease == nullptr || link.waits_for_lease->address != gone.status.address) continue;
    const auto* user = std::exchange(link.waits_for_lease, nullptr);
    grant(link, *user);
    break;
  }
}

}  // namespace l2tpd
