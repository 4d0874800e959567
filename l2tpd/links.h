#pragma once
// The PPP links: one pppd per session, asked and answered over its plugin's channel.

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"
#include "l2tp/effect.h"
#include "l2tpd/accounts.h"
#include "l2tpd/bindings.h"
#include "l2tpd/link_protocol.h"
#include "l2tpd/pool.h"
#include "l2tpd/pppd.h"
#include "l2tpd/refusal.h"
#include "os/loop.h"

namespace l2tpd {

/// A session as its link knows it.
struct LinkStatus {
  std::optional<std::string> user;  ///< once authenticated
  std::optional<base::Address> address;
  std::optional<std::string> ifname;        ///< once IPCP or IPV6CP is up
  std::uint16_t mtu = 0;                    ///< then, too
  std::optional<base::Prefix> ipv6_prefix;  ///< for its use, once authenticated
};

/// A session that is, or was, up.
struct SessionRecord {
  std::uint64_t number = 0;  ///< of this process alone
  l2tp::TunnelName tunnel;
  l2tp::SessionName session;
  Account account;
  std::optional<base::Address> address;  ///< once IPCP has come up
  std::optional<base::Prefix> ipv6_prefix;
  std::string ifname;
  std::uint16_t mtu = 0;
  base::Time since;                           ///< when its pppd was started
  base::Duration setup{};                     ///< from then until its first protocol came up
  std::uint64_t bytes_in = 0, bytes_out = 0;  ///< from and to the peer, once it is down
};

/// The interface of a session, from its login to the end of its pppd.
struct InterfaceRecord {
  l2tp::TunnelName tunnel;
  l2tp::SessionName session;
  Account account;
  std::string ifname;
  std::uint16_t mtu = 0;
};

/// IPv6 of a session, from IPV6CP up to its end: before IPCP, after it or without it.
struct Ipv6Record {
  l2tp::TunnelName tunnel;
  l2tp::SessionName session;
  Account account;
  base::Prefix prefix;
  std::string ifname;
  std::uint16_t mtu = 0;
};

/// Whose an interface's name is when a session ends: a pppd that was killed says nothing, and the kernel may
/// have given the name away.
enum class IfName { still_its, anothers };

struct LinkCounters {
  std::uint64_t started = 0;
  std::uint64_t logins = 0;
  std::uint64_t refused_logins = 0;
  std::uint64_t bad_requests = 0;
  std::map<std::string, std::uint64_t, std::less<>> ended;  ///< by PppdEnd::name, or "by_us", "unaccounted"
};

class Links {
 public:
  struct Calls {
    /// Once for every link that ended by itself, not after stop().
    std::function<void(const l2tp::TunnelName&, const l2tp::SessionName&, l2tp::Ending)> ended;
    /// A login was refused, or PPP did not come up; in words.
    std::function<void(const l2tp::TunnelName&, Refusal, std::string_view user, std::string_view why)>
        refused = [](const l2tp::TunnelName&, Refusal, std::string_view, std::string_view) {};
    /// Somebody has logged in; again where they do so anew. pppd waits until this returns; where it fails the
    /// link ends.
    std::function<base::Result<void>(const InterfaceRecord&)> made = [](const InterfaceRecord&) {
      return base::Result<void>();
    };
    /// Once for each link with a `made` that did not fail, last of all.
    std::function<void(const InterfaceRecord&, IfName)> gone = [](const InterfaceRecord&, IfName) {};
    /// IPCP is up: the same.
    std::function<base::Result<void>(const SessionRecord&)> ipv4_up = [](const SessionRecord&) {
      return base::Result<void>();
    };
    /// Once for each `ipv4_up` that did not fail.
    std::function<void(const SessionRecord&, IfName)> ipv4_down = [](const SessionRecord&, IfName) {};
    /// After the first of `ipv4_up` and `ipv6_up`.
    std::function<void(const SessionRecord&)> up = [](const SessionRecord&) {};
    /// Once for each `up`, after the last of `ipv4_down` and `ipv6_down`: its interface is about to go, or
    /// gone where pppd was killed.
    std::function<void(SessionRecord&, IfName)> down = [](SessionRecord&, IfName) {};
    /// Once for a link that has come up: IPCP is up, or has not followed IPV6CP for a while.
    std::function<void(const SessionRecord&)> begun = [](const SessionRecord&) {};
    /// Once for each `begun`, when its pppd has gone.
    std::function<void(const SessionRecord&, std::string_view why)> over = [](const SessionRecord&,
                                                                              std::string_view) {};
    /// The same for each link of which IPv4 or IPv6 was up.
    std::function<void(const l2tp::TunnelName&, const std::string& user, std::string_view why)> user_down =
        [](const l2tp::TunnelName&, const std::string&, std::string_view) {};
    /// refit() has found that this interface has to carry less, or may carry more again.
    std::function<void(const std::string& ifname, std::uint16_t mtu)> refitted = [](const std::string&,
                                                                                    std::uint16_t) {};
    /// IPV6CP is up: the same.
    std::function<base::Result<void>(const Ipv6Record&)> ipv6_up = [](const Ipv6Record&) {
      return base::Result<void>();
    };
    std::function<void(const Ipv6Record&, IfName)> ipv6_down = [](const Ipv6Record&, IfName) {};
  };
  /// `config`, `accounts` and `bindings` outlive it.
  Links(os::Loop& loop, const config::Config& config, const Accounts& accounts, Bindings& bindings,
        PppdProgram program, Calls calls);

  /// Refuses a peer's 17th link, and in clear text one of too many that have nobody logged in; links that are
  /// ending count.
  base::Result<void> start(const l2tp::TunnelName& tunnel, const l2tp::SessionName& session,
                           base::Fd kernel_session, const PppdTerms& terms);
  /// SIGTERM now, SIGKILL if that does not help. Does nothing for a session without a link.
  void stop(const l2tp::TunnelName& tunnel, const l2tp::SessionName& session, std::string why);
  void stop_all(const std::string& why);
  /// The sessions of a user end with CDN; their tunnels.
  std::vector<l2tp::TunnelName> end_sessions_of(std::string_view user, const std::string& why);
  std::optional<LinkStatus> status(l2tp::TunnelId tunnel, l2tp::SessionId session) const;
  /// Whose session has it.
  std::optional<std::string> user_at(const base::Address& address) const;

  /// The way to a peer has become narrower, or wider. `largest` says which packets fit through a session now;
  /// none is larger than what was negotiated.
  void refit(base::Mark peer,
             const std::function<std::uint16_t(const l2tp::TunnelName&, const l2tp::SessionName&)>& largest);
  /// The configuration has changed: what is in use stays in use.
  void reconfigure() {
    pool_.configure(config_);
    prefixes_.configure(config_.ppp);
  }

  /// Every pppd has gone.
  bool empty() const { return links_.empty(); }
  std::size_t size() const { return links_.size(); }
  const Pool& pool() const { return pool_; }
  const PrefixPool& prefixes() const { return prefixes_; }
  const LinkCounters& counters() const { return counters_; }
  /// How many links were looked at so far for others that began, logged in, came up or ended.
  std::uint64_t looked_at() const { return looked_at_; }

 private:
  struct Link {
    std::uint64_t serial = 0;  ///< no two links of a process have the same
    pid_t pid = -1;
    l2tp::TunnelName tunnel;
    l2tp::SessionName session;
    base::Address near_end;  ///< ours, as its pppd was told
    base::Fd channel;
    os::Source readable;
    os::Source exit;
    os::Source kill_timer;
    os::Source ipcp_awaited;   ///< after IPV6CP
    bool accounted = false;    ///< by RADIUS, which it was started with
    bool unanswered = false;   ///< pppd waits for an answer
    std::string claimed_name;  ///< whose secret was asked for
    LinkStatus status;
    std::optional<Account> account;        ///< once an address was granted
    std::optional<Account> waiting;        ///< until an older link has ended, which has its address
    std::set<std::uint64_t> awaited_by;    ///< those that wait for this one's, by serial
    std::optional<InterfaceRecord> made;   ///< from Calls::made to Calls::gone
    std::optional<SessionRecord> record;   ///< from the first Calls::up on
    bool up = false;                       ///< between Calls::up and Calls::down
    bool begun = false;                    ///< after Calls::begun
    std::optional<std::uint16_t> fitting;  ///< what refit() was told last
    bool ipv4_up = false;                  ///< between Calls::ipv4_up and Calls::ipv4_down
    bool ipv6 = false;                     ///< it may have IPv6
    std::optional<Ipv6Record> ipv6_up;     ///< between Calls::ipv6_up and Calls::ipv6_down
    std::uint8_t reason = 0;               ///< pppd's, when IPCP went down
    std::optional<std::string> stopped;    ///< why, once stop() was called
    const char* stopped_as = "by_us";      ///< in LinkCounters::ended
    std::optional<std::string> refused;    ///< why, once a login failed
    base::Time since;
    base::Duration patience{};  ///< with a pppd that is to end, which tells the RADIUS it was started with
  };
  /// Serials by what they have in common.
  template <class Key>
  using Index = std::set<std::pair<Key, std::uint64_t>>;

  /// The oldest first.
  template <class Key>
  std::vector<Link*> those_of(const Index<Key>& index, const Key& key);
  base::Result<void> check_limits(const l2tp::TunnelName& tunnel);
  void read(Link& link);
  void answer(Link& link, LinkRequest request);
  void log_in(Link& link, const Account& account);
  void check_binding(Link& link, const Account& account);
  void admit(Link& link, const Account& account);
  void grant(Link& link, const Account& account);
  void refuse(Link& link, std::string_view name, Refusal refusal, std::string_view reason,
              std::string_view told);
  void report_made(Link& link, const LinkMade& made);
  void report_up(Link& link, const LinkUp& up);
  /// Nothing would watch what comes out of it.
  void turn_away(Link& link, const std::string& why);
  void protocol_up(Link& link, SessionRecord record);
  void fit(Link& link);
  void protocol_down(Link& link);
  void begin(Link& link);
  void await_IPCP(Link& link);
  void miss_IPCP(Link& link);
  SessionRecord record_of(const Link& link, const std::string& ifname, std::uint16_t mtu);
  IfName whose(const std::string& ifname, const Link& link) const;
  void report_down(Link& link);
  void report_ipv6_up(Link& link, const Ipv6Up& up);
  void report_ipv6_down(Link& link);
  void ended(Link& link, int status);
  void terminate(Link& link);
  void forget_session(const Link& link);
  void end(Link& link, std::string why, l2tp::CallResult code = l2tp::CallResult::administrative);
  bool make_room(Link& newer, const Account& account);
  std::optional<std::string> unusable(const std::optional<base::Address>& given) const;
  bool is_free(const Account& account, Link& newer);
  base::Duration patience() const;
  /// Nothing where no answer is awaited any more.
  static void send(Link& link, base::ByteView packet);

  os::Loop& loop_;
  const config::Config& config_;
  const Accounts& accounts_;
  Bindings& bindings_;
  std::uint64_t last_serial_ = 0;
  PppdProgram program_;
  Calls calls_;
  Pool pool_;
  PrefixPool prefixes_;
  std::uint64_t records_ = 0;
  /// By serial. A link stays where it is: the loop's callbacks hold on to it.
  std::map<std::uint64_t, Link> links_;
  Index<l2tp::Peer> by_peer_;
  std::map<base::Address, Link*> by_address_;                               ///< that they have been granted
  Index<std::string> by_ifname_;                                            ///< those that have one
  std::map<std::pair<l2tp::TunnelId, l2tp::SessionId>, Link*> by_session_;  ///< those that are not ending
  Index<std::string> by_user_;                                              ///< the same
  // With nobody logged in, by serial:
  std::set<std::uint64_t> strangers_;  ///< in clear text
  std::set<std::uint64_t> untold_;     ///< with marks that ikd had not told of when they began
  std::uint64_t looked_at_ = 0;
  LinkCounters counters_;
};

/// "peer 240.0.0.1:1701", as the log names it.
std::string words_for(const l2tp::TunnelName& tunnel);
/// MARK of its lines there.
std::string mark_field(const l2tp::TunnelName& tunnel);

}  // namespace l2tpd
