#include "l2tpd/pppd.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include "l2tpd/spawn.h"

namespace l2tpd {
namespace {

constexpr int first_inherited = 3;

const char* option_for(config::PppAuth auth) {
  switch (auth) {
    case config::PppAuth::mschap_v2: return "require-mschap-v2";
    case config::PppAuth::chap: return "require-chap";
    case config::PppAuth::pap: return "require-pap";
  }
  return "auth";
}

using l2tp::CallResult;

struct Cause {
  CallResult result;
  std::string_view name;
  const char* words;
};

/// pppd(8), EXIT STATUS; by the status.
constexpr Cause causes[] = {
    {CallResult::administrative, "closed", "the link was closed"},
    {CallResult::no_facilities_now, "fatal", "pppd met a fatal error"},
    {CallResult::no_facilities, "options", "pppd refused its options"},
    {CallResult::no_facilities, "rights", "pppd lacks the rights it needs"},
    {CallResult::no_facilities, "kernel", "the kernel has no PPP"},
    {CallResult::administrative, "signal", "the link was closed by a signal"},
    {CallResult::no_facilities_now, "device", "pppd could not lock its device"},
    {CallResult::no_facilities_now, "device", "pppd could not open its device"},
    {CallResult::no_facilities_now, "device", "pppd's connect script failed"},
    {CallResult::no_facilities_now, "device", "pppd's pty command failed"},
    {CallResult::general_error, "negotiation", "the PPP negotiation failed"},
    {CallResult::administrative, "authentication", "the peer did not authenticate itself"},
    {CallResult::administrative, "idle", "the link was idle"},
    {CallResult::administrative, "session_time", "the connect time is over"},
    {CallResult::administrative, "callback", "callback is not supported"},
    {CallResult::lost_carrier, "peer_dead", "the peer no longer answers"},
    {CallResult::lost_carrier, "hung_up", "the link was hung up"},
    {CallResult::general_error, "loopback", "the link is looped back"},
    {CallResult::no_facilities_now, "device", "pppd's init script failed"},
    {CallResult::administrative, "authentication", "we could not authenticate ourselves to the peer"},
    {CallResult::administrative, "traffic", "the traffic limit is reached"},
};

constexpr std::size_t hung_up = 16;
static_assert(causes[hung_up].name == "hung_up");

void put_auth(std::vector<std::string>& out, const config::Ppp& ppp) {
  out.emplace_back("auth");
  for (const auto auth : ppp.auth) out.emplace_back(option_for(auth));
  // We never log in to a client.
  for (const char* refused : {"refuse-pap", "refuse-chap", "refuse-mschap", "refuse-mschap-v2", "refuse-eap"})
    out.emplace_back(refused);
}

}  // namespace

std::vector<std::string> pppd_arguments(const config::Ppp& ppp, const PppdTerms& terms,
                                        const l2tp::TunnelName& tunnel, const l2tp::SessionName& session,
                                        int session_fd, int plugin_fd, const PppdProgram& program) {
  std::vector<std::string> out{program.path};
  const auto put = [&out](const auto&... words) { (out.push_back(fmt::format("{}", words)), ...); };
  put("plugin", "pppol2tp.so", "pppol2tp", session_fd, "pppol2tp_lns_mode");
  put("pppol2tp_tunnel_id", tunnel.id.value, "pppol2tp_session_id", session.id.value);
  // Ours is loaded last, and asks the other.
  if (!terms.radius_file.empty()) {
    put("plugin", "radius.so", "radius-config-file", terms.radius_file, "remotenumber",
        terms.calling_station);
    put("avpair", "Called-Station-Id=" + tunnel.local.address.to_string());
  }
  put("plugin", ppp.plugin, "sameroof_fd", plugin_fd);
  if (!terms.radius_file.empty()) put("sameroof_radius");
  put("nodetach", "nodefaultroute", "noipdefault");
  // We are fe80::1 on every link; the peer chooses for itself.
  if (terms.ipv6)
    put("+ipv6", "ipv6", "::1", "nodefaultroute6");
  else
    put("noipv6");
  // /etc/ppp/options is other people's, and is read first: what would keep a session from ending, or demand
  // an encryption that we refuse, does not hold here.
  put("nopersist", "nomppe");
  put_auth(out, ppp);
  put(ppp.local_address.to_string() + ":");
  for (const auto& dns : ppp.dns) put("ms-dns", dns.to_string());
  for (const auto& nbns : ppp.nbns) put("ms-wins", nbns.to_string());
  // Compression and MPPE: the clients' pppds need to hear a clear no (clients.md §2, §3).
  put("noccp", "mtu", terms.mtu, "mru", terms.mtu);
  const auto interval = terms.echo_interval.count();
  put("lcp-echo-interval", interval);
  if (interval > 0)
    put("lcp-echo-failure",
        std::max<std::int64_t>((terms.echo_patience.count() + interval - 1) / interval, 1));
  // One Terminate-Request, and no waiting for an answer: the peer that hung up gives none.
  put("lcp-max-terminate", 0, "lcp-restart", 2, "lcp-max-configure", 15);
  if (program.log == PppdLog::verbose) put("debug");
  return out;
}

base::Result<pid_t> spawn_pppd(const config::Ppp& ppp, const PppdTerms& terms, const l2tp::TunnelName& tunnel,
                               const l2tp::SessionName& session, const base::Fd& kernel_session,
                               const base::Fd& plugin_channel, const PppdProgram& program) {
  std::vector<std::pair<int, int>> descriptors{{kernel_session.get(), first_inherited},
                                               {plugin_channel.get(), first_inherited + 1}};
  // pppd logs to its standard output, too, where it has any.
  if (program.log == PppdLog::verbose) descriptors.emplace_back(STDERR_FILENO, STDOUT_FILENO);
  return spawn(pppd_arguments(ppp, terms, tunnel, session, first_inherited, first_inherited + 1, program),
               descriptors);
}

PppdEnd end_of_pppd(int status, std::uint8_t reason) {
  if (WIFSIGNALED(status))
    return {l2tp::hang_up(CallResult::no_facilities_now,
                          fmt::format("pppd was ended by signal {}", WTERMSIG(status))),
            "killed"};
  const auto last = static_cast<std::size_t>(WEXITSTATUS(status));
  const auto code = last == hung_up && reason != 0 ? std::size_t{reason} : last;
  if (code >= std::size(causes))
    return {l2tp::hang_up(CallResult::general_error, fmt::format("pppd ended with status {}", code)),
            "other"};
  const auto& cause = causes[code];
  return {l2tp::hang_up(cause.result, cause.words), cause.name};
}

}  // namespace l2tpd
