#include "l2tpd/links.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <vector>

#include <fmt/format.h>
#include <sys/socket.h>

#include "base/event_log.h"
#include "l2tpd/plugin/protocol.h"
#include "l2tpd/radius.h"
#include "l2tpd/router_advertisement.h"

namespace l2tpd {
namespace {

using namespace std::chrono_literals;
using base::Severity;

/// A pppd that has just acknowledged the peer's Terminate-Request waits for lcp-restart before it ends.
constexpr base::Duration patience_with_pppd = 5s;
/// It asks again after three seconds. A hook that hears of a session with both is to find both.
constexpr base::Duration patience_with_IPCP = 5s;
/// Those that are ending count: a peer that calls and hangs up all day must not fill this host with pppds. In
/// clear text an address may be the NAT of many, and who they are shows their port; over IPv6 a /64 counts as
/// one.
constexpr std::ptrdiff_t most_of_a_peer = 16, most_of_an_address = 256;
/// In clear text, with nobody logged in: of all together, and of one address, which must not have every
/// place.
constexpr std::ptrdiff_t most_strangers = 200, most_strangers_of_an_address = 50;
/// With marks that ikd has not told of.
constexpr std::ptrdiff_t most_untold = 1000;

template <class... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};
template <class... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;

}  // namespace

std::string words_for(const l2tp::TunnelName& tunnel) {
  return fmt::format("peer {}{}", tunnel.remote.to_string(), tunnel.mark.value == 0 ? " (clear text)" : "");
}

std::string mark_field(const l2tp::TunnelName& tunnel) { return fmt::format("{:#x}", tunnel.mark.value); }

Links::Links(os::Loop& loop, const config::Config& config, const Accounts& accounts, Bindings& bindings,
             PppdProgram program, Calls calls)
    : loop_(loop),
      config_(config),
      accounts_(accounts),
      bindings_(bindings),
      program_(std::move(program)),
      calls_(std::move(calls)),
      pool_(config),
      prefixes_(config.ppp) {}

template <class Key>
std::vector<Links::Link*> Links::those_of(const Index<Key>& index, const Key& key) {
  std::vector<Link*> out;
  for (auto it = index.lower_bound({key, 0}); it != index.end() && it->first == key; ++it)
    out.push_back(&links_.at(it->second));
  looked_at_ += out.size();
  return out;
}

base::Result<void> Links::check_limits(const l2tp::TunnelName& tunnel) {
  const auto of_its_address = those_of(by_peer_, l2tp::peer_of(tunnel.mark, tunnel.remote));
  const auto same_peer = [&](const Link* link) {
    return tunnel.mark.value != 0 || link->tunnel.remote == tunnel.remote;
  };
  if (std::ranges::count_if(of_its_address, same_peer) >= most_of_a_peer)
    return base::fail(fmt::format("it has {} PPP links already", most_of_a_peer));
  if (std::ssize(of_its_address) >= most_of_an_address)
    return base::fail(fmt::format("its address has {} PPP links already", most_of_an_address));
  if (tunnel.mark.value == 0) {
    const auto stranger = [](const Link* link) { return !link->account; };
    if (std::ranges::count_if(of_its_address, stranger) >= most_strangers_of_an_address)
      return base::fail(
          fmt::format("{} PPP links of its address have nobody logged in", most_strangers_of_an_address));
    if (std::ssize(strangers_) >= most_strangers)
      return base::fail(fmt::format("{} PPP links in clear text have nobody logged in", most_strangers));
  } else if (!bindings_.knows(tunnel.mark)) {
    // ikd tells of a peer a moment late at worst; of so many marks only who has taken the other process over.
    std::erase_if(untold_,
                  [this](std::uint64_t serial) { return bindings_.knows(links_.at(serial).tunnel.mark); });
    if (std::ssize(untold_) >= most_untold)
      return base::fail(fmt::format("ikd has told nothing of {} peers with PPP links", most_untold));
  }
  return {};
}

base::Result<void> Links::start(const l2tp::TunnelName& tunnel, const l2tp::SessionName& session,
                                base::Fd kernel_session, const PppdTerms& terms) {
  if (auto within = check_limits(tunnel); !within) return within;
  std::array<int, 2> pair{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair.data()) != 0)
    return base::fail_errno("cannot make a channel to pppd", errno);
  base::Fd ours(pair[0]);
  const base::Fd theirs(pair[1]);
  const auto pid = spawn_pppd(config_.ppp, terms, tunnel, session, kernel_session, theirs, program_);
  if (!pid) return tl::unexpected(pid.error());
  const auto serial = ++last_serial_;
  auto& link = links_.try_emplace(serial).first->second;
  link.serial = serial;
  link.pid = *pid;
  link.tunnel = tunnel;
  link.session = session;
  link.near_end = pool_.take_near_end();
  link.channel = std::move(ours);
  link.ipv6 = terms.ipv6;
  link.accounted = !terms.radius_file.empty();
  link.since = base::Clock::now();
  link.patience = patience();
  by_session_[{tunnel.id, session.id}] = &link;
  by_peer_.emplace(l2tp::peer_of(tunnel.mark, tunnel.remote), serial);
  if (tunnel.mark.value == 0) {
    strangers_.insert(serial);
  } else if (!bindings_.knows(tunnel.mark)) {
    untold_.insert(serial);
  }
  link.readable = loop_.on_readable(link.channel.get(), [this, &link] { read(link); });
  link.exit = loop_.on_child_exit(*pid, [this, &link](int status) { ended(link, status); });
  ++counters_.started;
  return {};
}

void Links::stop(const l2tp::TunnelName& tunnel, const l2tp::SessionName& session, std::string why) {
  const auto found = by_session_.find({tunnel.id, session.id});
  if (found == by_session_.end()) return;
  auto& link = *found->second;
  if (link.tunnel != tunnel || link.session != session) return;
  link.stopped = std::move(why);
  terminate(link);
}

void Links::stop_all(const std::string& why) {
  for (const auto& [serial, link] : links_) {
    if (!link.stopped) stop(link.tunnel, link.session, why);
  }
}

void Links::forget_session(const Link& link) {
  const auto found = by_session_.find({link.tunnel.id, link.session.id});
  if (found != by_session_.end() && found->second == &link) by_session_.erase(found);
  if (link.status.user) by_user_.erase({*link.status.user, link.serial});
}

void Links::terminate(Link& link) {
  forget_session(link);
  // It sees no signal while it waits for an answer.
  link.waiting.reset();
  send(link, encode_no("Access denied"));
  ::kill(link.pid, SIGTERM);
  link.kill_timer = loop_.on_time([pid = link.pid] { ::kill(pid, SIGKILL); });
  link.kill_timer.set_time(base::Clock::now() + link.patience);
}

base::Duration Links::patience() const {
  if (config_.ppp.users != config::UserSource::radius) return patience_with_pppd;
  return patience_with_pppd + longest_accounting(config_.radius);
}

std::optional<LinkStatus> Links::status(l2tp::TunnelId tunnel, l2tp::SessionId session) const {
  const auto found = by_session_.find({tunnel, session});
  return found == by_session_.end() ? std::nullopt : std::optional(found->second->status);
}

std::optional<std::string> Links::user_at(const base::Address& address) const {
  const auto found = by_address_.find(address);
  return found == by_address_.end() ? std::nullopt : found->second->status.user;
}

void Links::send(Link& link, base::ByteView packet) {
  if (!std::exchange(link.unanswered, false)) return;
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
  link.unanswered = true;
  auto request = decode_link_request(buffer.view().first(static_cast<std::size_t>(got)));
  if (!request) {
    ++counters_.bad_requests;
    send(link, encode_no("not understood"));
    return;
  }
  answer(link, std::move(*request));
}

void Links::answer(Link& link, LinkRequest request) {
  const auto judge = [&](const std::string& name, bool right) {
    const auto account = accounts_.find(name);
    if (right && account) return log_in(link, *account);
    refuse(link, name, account ? Refusal::wrong_password : Refusal::no_such_user,
           account ? "wrong password" : "no such user", "Access denied");
  };
  std::visit(Overloaded{[&](const SecretWanted& wanted) {
                          link.claimed_name = wanted.name;
                          send(link, encode_secret(accounts_.secret_of(wanted.name)).view());
                        },
                        [&](const ChapChecked& checked) {
                          judge(checked.name, checked.right && checked.name == link.claimed_name);
                        },
                        [&](const PapLogin& login) {
                          judge(login.name, accounts_.password_is_right(login.name, login.password.view()));
                        },
                        [&](const Judged& judged) {
                          if (!judged.right) {
                            refuse(link, judged.name, Refusal::radius_refused,
                                   "RADIUS says no, or nothing (pppd's log tells which)", "Access denied");
                          } else if (const auto wrong = unusable(judged.given); wrong) {
                            refuse(link, judged.name, Refusal::radius_address_unusable,
                                   "RADIUS gives it " + *wrong, "Access denied");
                          } else {
                            log_in(link, accounts_.admitted(judged.name, judged.given));
                          }
                        },
                        [&](const LinkMade& made) { report_made(link, made); },
                        [&](const LinkUp& up) { report_up(link, up); },
                        [&](const LinkDown& down) {
                          link.reason = down.status;
                          report_down(link);
                          send(link, encode_yes());
                        },
                        [&](const Ipv6Up& up) { report_ipv6_up(link, up); },
                        [&](const Ipv6Down&) {
                          report_ipv6_down(link);
                          send(link, encode_yes());
                        }},
             request);
}

/// What is wrong with an address that RADIUS gave.
std::optional<std::string> Links::unusable(const std::optional<base::Address>& given) const {
  if (given && *given == config_.ppp.local_address)
    return fmt::format("{}, which is ppp.local_address", given->to_string());
  if (given && config_.marks.alias.contains(*given))
    return fmt::format("{}, which lies in marks.alias", given->to_string());
  return std::nullopt;
}

void Links::log_in(Link& link, const Account& account) {
  if (!link.status.address) return check_binding(link, account);
  // CHAP may ask again during a link's life, and LCP begin anew. Whose session it is has been told to others.
  if (link.status.user == account.name)
    return send(
        link, encode_lease({*link.status.address, link.account->limits.session, link.account->limits.idle}));
  send(link, encode_no("Access denied"));
  if (!link.stopped) end(link, "another user logged in over it");
}

void Links::check_binding(Link& link, const Account& account) {
  bindings_.ask(link.tunnel.mark, [this, serial = link.serial,
                                   account](base::Result<Bindings::Logins> logins) {
    const auto it = links_.find(serial);
    if (it == links_.end()) return;
    auto& asking = it->second;
    if (asking.stopped) return send(asking, encode_no("Access denied"));
    if (!logins)
      return refuse(asking, account.name, Refusal::peer_unknown, logins.error().message, "Access denied");
    if (*logins && std::ranges::find(**logins, account.name) == (*logins)->end()) {
      const auto bound = (*logins)->empty() ? std::string("nobody") : fmt::format("'{}'", (*logins)->front());
      return refuse(asking, account.name, Refusal::bound_to_another_user,
                    fmt::format("its IPsec connection is for {} only", bound), "Access denied");
    }
    admit(asking, account);
  });
}

void Links::admit(Link& link, const Account& account) {
  if (!make_room(link, account)) return;
  if (is_free(account, link)) grant(link, account);
}

/// Ends what has to end before one more session of that user begins; false when this one is refused instead.
bool Links::make_room(Link& newer, const Account& account) {
  const auto limit = account.limits.sessions;
  if (limit == 0) return true;
  auto others = those_of(by_user_, account.name);
  std::erase(others, &newer);
  const auto excess = others.size() < limit ? 0 : others.size() + 1 - limit;
  if (excess > 0 && account.limits.when_full == config::WhenFull::refuse) {
    const auto why = fmt::format("{} of {} sessions are in use", others.size(), limit);
    refuse(newer, account.name, Refusal::too_many_sessions, why, why);
    return false;
  }
  for (std::size_t i = 0; i < excess; ++i) end(*others[i], "the user logged in anew");
  return true;
}

/// False when `newer` has to wait for the address that it is to have, or is refused.
bool Links::is_free(const Account& account, Link& newer) {
  if (!account.address) return true;
  const auto holder = by_address_.find(*account.address);
  if (holder == by_address_.end() || holder->second == &newer) return true;
  auto& link = *holder->second;
  const bool own = link.status.user == account.name;
  if (!link.stopped && own && account.limits.when_full == config::WhenFull::replace)
    end(link, "the user logged in anew");
  if (link.stopped) {
    newer.waiting = account;
    link.awaited_by.insert(newer.serial);
  } else {
    const auto why = fmt::format("{} is in use by {}", account.address->to_string(),
                                 own ? "another session" : "another user");
    refuse(newer, account.name, Refusal::address_in_use, why, why);
  }
  return false;
}

void Links::end(Link& link, std::string why, l2tp::CallResult code) {
  link.stopped = std::move(why);
  terminate(link);
  calls_.ended(link.tunnel, link.session, l2tp::hang_up(code, *link.stopped));
}

std::vector<l2tp::TunnelName> Links::end_sessions_of(std::string_view user, const std::string& why) {
  std::vector<l2tp::TunnelName> out;
  for (auto* link : those_of(by_user_, std::string(user))) {
    out.push_back(link->tunnel);
    end(*link, why);
  }
  return out;
}

void Links::grant(Link& link, const Account& account) {
  const auto address = pool_.lease(account.address);
  if (!address) {
    refuse(link, account.name, account.address ? Refusal::address_in_use : Refusal::pool_exhausted,
           address.error().message, address.error().message);
    return;
  }
  link.account = account;
  link.status.user = account.name;
  link.status.address = *address;
  by_address_[*address] = &link;
  if (!link.stopped) by_user_.emplace(account.name, link.serial);
  strangers_.erase(link.serial);
  untold_.erase(link.serial);
  if (link.ipv6 && !link.status.ipv6_prefix) {
    link.status.ipv6_prefix = prefixes_.lease();
    if (!link.status.ipv6_prefix)
      base::log(Severity::notice,
                fmt::format("User '{}' of {} goes without IPv6: no prefix is left in ppp.ipv6_prefix.",
                            account.name, words_for(link.tunnel)),
                {{"MARK", mark_field(link.tunnel)}, {"USER", account.name}});
  }
  ++counters_.logins;
  send(link, encode_lease({*address, account.limits.session, account.limits.idle}));
}

void Links::refuse(Link& link, std::string_view name, Refusal refusal, std::string_view reason,
                   std::string_view told) {
  ++counters_.refused_logins;
  link.refused = fmt::format("user '{}' refused: {}", name, reason);
  send(link, encode_no(told));
  calls_.refused(link.tunnel, refusal, name, reason);
}

void Links::report_made(Link& link, const LinkMade& made) {
  if (link.account) {
    InterfaceRecord record{.tunnel = link.tunnel,
                           .session = link.session,
                           .account = *link.account,
                           .ifname = made.ifname,
                           .mtu = made.mtu};
    if (const auto watched = calls_.made(record)) {
      link.made = std::move(record);
      by_ifname_.emplace(made.ifname, link.serial);
    } else {
      turn_away(link, watched.error().message);
    }
  }
  send(link, encode_yes());
}

void Links::report_up(Link& link, const LinkUp& up) {
  if (link.account && link.status.address && !link.ipv4_up) {
    auto record = record_of(link, up.ifname, up.mtu);
    record.address = *link.status.address;
    if (const auto watched = calls_.ipv4_up(record)) {
      base::log(Severity::info,
                fmt::format("User '{}' of {} is up: {} with {}, MTU {}.", link.account->name,
                            words_for(link.tunnel), up.ifname, up.theirs.to_string(), up.mtu),
                {{"MARK", mark_field(link.tunnel)}, {"USER", link.account->name}});
      link.ipv4_up = true;
      protocol_up(link, std::move(record));
      begin(link);
    } else {
      turn_away(link, watched.error().message);
    }
  }
  send(link, encode_yes());
}

SessionRecord Links::record_of(const Link& link, const std::string& ifname, std::uint16_t mtu) {
  if (link.record) {
    auto again = *link.record;
    if (!link.ipv4_up && !link.ipv6_up) again.mtu = mtu;  // LCP began anew, and may have ended otherwise
    return again;
  }
  return {.number = ++records_,
          .tunnel = link.tunnel,
          .session = link.session,
          .account = *link.account,
          .address = {},
          .ipv6_prefix = link.status.ipv6_prefix,
          .ifname = ifname,
          .mtu = mtu,
          .since = link.since,
          .setup = base::Clock::now() - link.since};
}

void Links::turn_away(Link& link, const std::string& why) {
  if (link.stopped) return;
  calls_.refused(link.tunnel, Refusal::link_not_watched, link.account->name, why);
  end(link, "insufficient resources", l2tp::CallResult::no_facilities_now);
}

void Links::protocol_up(Link& link, SessionRecord record) {
  link.record = std::move(record);
  link.status.mtu = link.record->mtu;
  if (!std::exchange(link.up, true)) {
    link.status.ifname = link.record->ifname;
    calls_.up(*link.record);
  }
  fit(link);
}

void Links::protocol_down(Link& link) {
  if (link.ipv4_up || link.ipv6_up || !std::exchange(link.up, false)) return;
  calls_.down(*link.record, whose(link.record->ifname, link));
}

void Links::begin(Link& link) {
  link.ipcp_awaited = {};
  if (!std::exchange(link.begun, true)) calls_.begun(*link.record);
}

void Links::report_down(Link& link) {
  if (!std::exchange(link.ipv4_up, false)) return;
  calls_.ipv4_down(*link.record, whose(link.record->ifname, link));
  protocol_down(link);
  if (link.ipv6_up) await_IPCP(link);
}

void Links::refit(
    base::Mark peer,
    const std::function<std::uint16_t(const l2tp::TunnelName&, const l2tp::SessionName&)>& largest) {
  for (auto* each : those_of(by_peer_, l2tp::peer_of(peer, {}))) {
    each->fitting = largest(each->tunnel, each->session);
    fit(*each);
  }
}

void Links::fit(Link& link) {
  if (!link.up || link.stopped || !link.fitting) return;
  auto mtu = std::min(*link.fitting, link.record->mtu);
  // With less the kernel takes IPv6 from the interface; larger packets go as fragments of ESP's.
  if (link.ipv6_up) mtu = std::max(mtu, std::min(least_ipv6_mtu, link.record->mtu));
  if (mtu == link.status.mtu) return;
  link.status.mtu = mtu;
  base::log(Severity::info,
            fmt::format("User '{}' of {}: {} has MTU {} from now on.", link.account->name,
                        words_for(link.tunnel), *link.status.ifname, mtu),
            {{"MARK", mark_field(link.tunnel)}, {"USER", link.account->name}});
  calls_.refitted(*link.status.ifname, mtu);
}

void Links::report_ipv6_up(Link& link, const Ipv6Up& up) {
  if (link.account && link.status.ipv6_prefix && !link.ipv6_up) {
    const Ipv6Record ipv6{.tunnel = link.tunnel,
                          .session = link.session,
                          .account = *link.account,
                          .prefix = *link.status.ipv6_prefix,
                          .ifname = up.ifname,
                          .mtu = up.mtu};
    if (const auto watched = calls_.ipv6_up(ipv6)) {
      base::log(Severity::info,
                fmt::format("User '{}' of {} has IPv6: {} with {}.", link.account->name,
                            words_for(link.tunnel), up.ifname, ipv6.prefix.to_string()),
                {{"MARK", mark_field(link.tunnel)}, {"USER", link.account->name}});
      link.ipv6_up = ipv6;
      protocol_up(link, record_of(link, up.ifname, up.mtu));
      await_IPCP(link);
    } else {
      turn_away(link, watched.error().message);
    }
  }
  send(link, encode_yes());
}

void Links::await_IPCP(Link& link) {
  if (link.ipv4_up || (link.begun && !link.accounted)) return;
  link.ipcp_awaited = loop_.on_time([this, &link] { miss_IPCP(link); });
  link.ipcp_awaited.set_time(base::Clock::now() + patience_with_IPCP);
}

void Links::miss_IPCP(Link& link) {
  if (!link.accounted) return begin(link);
  if (link.stopped || !link.ipv6_up) return;
  // pppd's plugin tells RADIUS of what is between ip-up and ip-down, and of nothing else.
  link.stopped_as = "unaccounted";
  end(link, "it has IPv6 alone, of which RADIUS would hear nothing");
}

IfName Links::whose(const std::string& ifname, const Link& link) const {
  auto it = by_ifname_.lower_bound({ifname, 0});
  if (it != by_ifname_.end() && *it == std::pair(ifname, link.serial)) ++it;
  return it != by_ifname_.end() && it->first == ifname ? IfName::anothers : IfName::still_its;
}

void Links::report_ipv6_down(Link& link) {
  const auto was = std::exchange(link.ipv6_up, std::nullopt);
  if (!was) return;
  calls_.ipv6_down(*was, whose(was->ifname, link));
  protocol_down(link);
}

void Links::ended(Link& link, int status) {
  auto node = links_.extract(link.serial);
  auto& gone = node.mapped();
  forget_session(gone);
  by_peer_.erase({l2tp::peer_of(gone.tunnel.mark, gone.tunnel.remote), gone.serial});
  strangers_.erase(gone.serial);
  untold_.erase(gone.serial);
  pool_.give_back_near_end(gone.near_end);
  if (gone.status.address) {
    pool_.release(*gone.status.address);
    by_address_.erase(*gone.status.address);
  }
  if (gone.record) begin(gone);
  report_ipv6_down(gone);
  if (gone.status.ipv6_prefix) prefixes_.release(*gone.status.ipv6_prefix);
  const auto end = end_of_pppd(status, gone.reason);
  const auto why = gone.stopped ? *gone.stopped : gone.refused ? *gone.refused : end.ending.message;
  ++counters_.ended[std::string(gone.stopped ? gone.stopped_as : end.name)];
  report_down(gone);
  if (gone.made) {
    by_ifname_.erase({gone.made->ifname, gone.serial});
    calls_.gone(*gone.made, whose(gone.made->ifname, gone));
  }
  if (gone.record) calls_.over(*gone.record, why);
  if (gone.status.ifname) {
    calls_.user_down(gone.tunnel, gone.account->name, why);
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(base::Clock::now() - gone.since);
    base::log(Severity::info,
              fmt::format("User '{}' of {} is down after {} s: {}.", gone.account->name,
                          words_for(gone.tunnel), seconds.count(), why),
              {{"MARK", mark_field(gone.tunnel)}, {"USER", gone.account->name}});
  } else if (!gone.stopped && !gone.refused) {
    calls_.refused(gone.tunnel, refusal_behind(end.name), {}, why);
  }
  if (!gone.stopped) {
    auto told = end.ending;
    told.message = gone.refused ? "the peer did not authenticate itself" : why;
    calls_.ended(gone.tunnel, gone.session, std::move(told));
  }
  for (const auto serial : gone.awaited_by) {
    const auto next = links_.find(serial);
    if (next == links_.end()) continue;
    auto& waiting = next->second;
    if (waiting.stopped || !waiting.waiting || waiting.waiting->address != gone.status.address) continue;
    const auto account = *std::exchange(waiting.waiting, std::nullopt);
    log_in(waiting, account);  // of several that wait the newest comes last, and stays
  }
}

}  // namespace l2tpd
