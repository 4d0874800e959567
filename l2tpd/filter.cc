#include "l2tpd/filter.h"

#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/event_log.h"

namespace l2tpd {
namespace {

using base::Severity;

std::set<config::NftSet> sets_of_users(const config::Config& config) {
  std::set<config::NftSet> out;
  for (const auto& user : config.users) out.insert(user.nft_sets.begin(), user.nft_sets.end());
  return out;
}

template <class Done>
void complain(const nl::Result<Done>& done) {
  if (!done) base::log(Severity::warning, done.error().message);
}

}  // namespace

Filter::Filter(const config::Config& config, const Latched& latched, nft::PeerMap table, nft::SetMembers sets,
               nft::TableWatch watch)
    : config_(config),
      latched_(latched),
      table_(std::move(table)),
      sets_(std::move(sets)),
      watch_(std::move(watch)) {}

base::Result<std::unique_ptr<Filter>> Filter::open(os::Loop& loop, const config::Config& config,
                                                   const Latched& latched) {
  auto table = nft::PeerMap::open();
  if (!table) return tl::unexpected(table.error());
  auto sets = nft::SetMembers::open();
  if (!sets) return tl::unexpected(sets.error());
  auto watch =
      nft::TableWatch::open({"tids", "tidsl", "latched", "cleartext", "links", "far_ends", "mss", "mss6"},
                            {table->author(), sets->author()});
  if (!watch) return tl::unexpected(watch.error());
  std::unique_ptr<Filter> out(
      new Filter(config, latched, std::move(*table), std::move(*sets), std::move(*watch)));
  out->reconfigure();
  out->readable_ = loop.on_readable(out->watch_.fd(), [filter = out.get()] {
    if (filter->watch_.disturbed()) filter->disturbed();
  });
  if (const auto done = out->table_.flush_tunnels(); !done) return nl::as_base(done.error());
  if (const auto done = out->table_.flush_links(); !done) return nl::as_base(done.error());
  if (const auto done = out->fill(); !done) return nl::as_base(done.error());
  return out;
}

Filter::~Filter() {
  table_.flush_tunnels();
  table_.flush_links();
  table_.set_cleartext(nft::Cleartext::refused);
  table_.set_latch(nft::Latch::off);
}

nl::Result<void> Filter::add_tunnel(const l2tp::TunnelName& tunnel) {
  return table_.add_tunnel(tunnel.mark, tunnel.id.value);
}

nl::Result<void> Filter::remove_tunnel(const l2tp::TunnelName& tunnel) {
  const auto done = table_.remove_tunnel(tunnel.mark, tunnel.id.value);
  if (!done) return tl::unexpected(done.error());
  return {};
}

// The latch first: better a packet dropped than one taken from the wrong peer.
nl::Result<void> Filter::fill() {
  const auto clear_text =
      config_.l2tp.cleartext == config::Cleartext::off ? nft::Cleartext::refused : nft::Cleartext::allowed;
  if (const auto done = table_.set_latch(nft::Latch::on); !done) return done;
  if (const auto done = table_.set_cleartext(clear_text); !done) return done;
  // One that there is no room for must not keep the others out.
  nl::Result<void> all;
  const auto note = [&all](nl::Result<void> done) {
    if (all && !done) all = std::move(done);
  };
  for (const auto& [tunnel, mark] : latched_) note(table_.add_tunnel(mark, tunnel.value));
  for (auto& [ifname, link] : links_) {
    note(write(ifname, link));
    if (link.far_end) put_into_sets(link.tunnel, link.account, base::host(*link.far_end));
    if (link.ipv6) put_into_sets(link.tunnel, link.account, *link.ipv6);
  }
  return all;
}

void Filter::disturbed() {
  if (!table_.loaded().value_or(false))
    return base::log(Severity::error, "Table inet sameroof is gone: load the ruleset again.");
  if (const auto done = fill(); !done) return base::log(Severity::error, done.error().message);
  base::log(
      Severity::notice,
      fmt::format(
          "Somebody has changed table inet sameroof or a set of users': all {} tunnels and {} links are "
          "there.",
          latched_.size(), links_.size()));
}

void Filter::reconfigure() { watch_.also(sets_of_users(config_)); }

template <class Record>
Filter::Link Filter::link_of(const Record& session) const {
  const auto known = links_.find(session.ifname);
  const bool its = known != links_.end() && known->second.tunnel == session.tunnel &&
                   known->second.session == session.session;
  return its ? known->second
             : Link{.tunnel = session.tunnel, .session = session.session, .account = session.account};
}

/// `fails`: what is to be filled in later, the link as it was or as it is.
nl::Result<void> Filter::put(const std::string& ifname, Link link, Kept fails) {
  const auto old = links_.find(ifname);
  if (old != links_.end()) link.stale = old->second.stale ? old->second.stale : old->second.far_end;
  if (link.made || link.far_end || link.ipv6) {
    auto done = write(ifname, link);
    if (done || fails == Kept::as_it_is) links_.insert_or_assign(ifname, std::move(link));
    return done;
  }
  if (old != links_.end()) {
    links_.erase(old);
    if (const auto done = table_.remove_link(ifname, link.stale); !done) return tl::unexpected(done.error());
  }
  return {};
}

nl::Result<void> Filter::write(const std::string& ifname, Link& link) {
  auto done = table_.put_link(ifname, link.far_end, link.mtu, link.stale);
  if (done) link.stale.reset();
  return done;
}

base::Result<void> Filter::made(const InterfaceRecord& interface) {
  auto link = link_of(interface);
  link.made = true;
  if (!link.far_end && !link.ipv6) link.mtu = interface.mtu;
  if (const auto done = put(interface.ifname, std::move(link), Kept::as_it_was); !done)
    return nl::as_base(done.error());
  return {};
}

void Filter::gone(const InterfaceRecord& interface, IfName name) {
  if (name == IfName::anothers) return;
  auto link = link_of(interface);
  link.made = false;
  complain(put(interface.ifname, std::move(link), Kept::as_it_is));
}

base::Result<void> Filter::ipv4_up(const SessionRecord& session) {
  auto link = link_of(session);
  link.far_end = session.address;
  link.mtu = session.mtu;
  if (const auto done = put(session.ifname, std::move(link), Kept::as_it_was); !done)
    return nl::as_base(done.error());
  put_into_sets(session.tunnel, session.account, base::host(*session.address));
  return {};
}

void Filter::ipv4_down(const SessionRecord& session, IfName name) {
  take_out_of_sets(session.tunnel, session.account, base::host(*session.address));
  if (name == IfName::anothers) return;
  auto link = link_of(session);
  link.far_end.reset();
  complain(put(session.ifname, std::move(link), Kept::as_it_is));
}

base::Result<void> Filter::ipv6_up(const Ipv6Record& session) {
  auto link = link_of(session);
  link.ipv6 = session.prefix;
  if (!link.far_end) link.mtu = session.mtu;
  if (const auto done = put(session.ifname, std::move(link), Kept::as_it_was); !done)
    return nl::as_base(done.error());
  put_into_sets(session.tunnel, session.account, session.prefix);
  return {};
}

void Filter::ipv6_down(const Ipv6Record& session, IfName name) {
  take_out_of_sets(session.tunnel, session.account, session.prefix);
  if (name == IfName::anothers) return;
  auto link = link_of(session);
  link.ipv6.reset();
  complain(put(session.ifname, std::move(link), Kept::as_it_is));
}

void Filter::refit(const std::string& ifname, std::uint16_t mtu) {
  const auto known = links_.find(ifname);
  if (known == links_.end()) return;
  auto link = known->second;
  link.mtu = mtu;
  complain(put(ifname, std::move(link), Kept::as_it_is));
}

/// Into those of its user, and out of any other that the configuration names: an l2tpd that was killed may
/// have left the address there.
void Filter::put_into_sets(const l2tp::TunnelName& tunnel, const Account& account,
                           const base::Prefix& prefix) {
  auto others = sets_of_users(config_);
  for (const auto& own : account.nft_sets) {
    others.erase(own);
    const auto done = sets_.add(own, prefix);
    if (done) continue;
    base::log(Severity::error, fmt::format("User '{}' is in no set: {}.", account.name, done.error().message),
              {{"MARK", mark_field(tunnel)}, {"USER", account.name}});
  }
  for (const auto& other : others) {
    [[maybe_unused]] const auto done = sets_.remove(other, prefix);
  }
}

void Filter::take_out_of_sets(const l2tp::TunnelName& tunnel, const Account& account,
                              const base::Prefix& prefix) {
  for (const auto& own : account.nft_sets) {
    const auto done = sets_.remove(own, prefix);
    if (!done)
      base::log(Severity::error,
                fmt::format("User '{}' leaves no set: {}.", account.name, done.error().message),
                {{"MARK", mark_field(tunnel)}, {"USER", account.name}});
  }
}

}  // namespace l2tpd
