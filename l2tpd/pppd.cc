#include "l2tpd/pppd.h"

#include <csignal>
#include <cstring>
#include <iterator>

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>

namespace l2tpd {
namespace {

constexpr const char* pppd_path = "/usr/sbin/pppd";
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
  const char* words;
};

/// pppd(8), EXIT STATUS; by the status.
constexpr Cause causes[] = {
    {CallResult::administrative, "the link was closed"},
    {CallResult::no_facilities_now, "pppd met a fatal error"},
    {CallResult::no_facilities, "pppd refused its options"},
    {CallResult::no_facilities, "pppd lacks the rights it needs"},
    {CallResult::no_facilities, "the kernel has no PPP"},
    {CallResult::administrative, "the link was closed by a signal"},
    {CallResult::no_facilities_now, "pppd could not lock its device"},
    {CallResult::no_facilities_now, "pppd could not open its device"},
    {CallResult::no_facilities_now, "pppd's connect script failed"},
    {CallResult::no_facilities_now, "pppd's pty command failed"},
    {CallResult::general_error, "the PPP negotiation failed"},
    {CallResult::administrative, "the peer did not authenticate itself"},
    {CallResult::administrative, "the link was idle"},
    {CallResult::administrative, "the connect time is over"},
    {CallResult::administrative, "callback is not supported"},
    {CallResult::lost_carrier, "the peer no longer answers"},
    {CallResult::lost_carrier, "the link was hung up"},
    {CallResult::general_error, "the link is looped back"},
    {CallResult::no_facilities_now, "pppd's init script failed"},
    {CallResult::administrative, "we could not authenticate ourselves to the peer"},
    {CallResult::administrative, "the traffic limit is reached"},
};

void put_auth(std::vector<std::string>& out, const config::Ppp& ppp) {
  out.emplace_back("auth");
  for (const auto auth : ppp.auth) out.emplace_back(option_for(auth));
  // We never log in to a client.
  for (const char* refused : {"refuse-pap", "refuse-chap", "refuse-mschap", "refuse-mschap-v2", "refuse-eap"})
    out.emplace_back(refused);
}

}  // namespace

std::vector<std::string> pppd_arguments(const config::Ppp& ppp, const l2tp::TunnelName& tunnel,
                                        const l2tp::SessionName& session, int session_fd, int plugin_fd,
                                        PppdLog log) {
  std::vector<std::string> out{pppd_path};
  const auto put = [&out](const auto&... words) { (out.push_back(fmt::format("{}", words)), ...); };
  put("plugin", "pppol2tp.so", "pppol2tp", session_fd, "pppol2tp_lns_mode");
  put("pppol2tp_tunnel_id", tunnel.id.value, "pppol2tp_session_id", session.id.value);
  put("plugin", ppp.plugin, "sameroof_fd", plugin_fd);
  put("nodetach", "noipv6", "nodefaultroute", "noipdefault");
  // /etc/ppp/options is other people's, and is read first: what would keep a session from ending, or demand
  // an encryption that we refuse, does not hold here.
  put("nopersist", "nomppe");
  put_auth(out, ppp);
  put(ppp.local_address.to_string() + ":");
  for (const auto& dns : ppp.dns) put("ms-dns", dns.to_string());
  // Compression and MPPE: the clients' pppds need to hear a clear no (clients.md §2, §3).
  put("noccp", "mtu", ppp.mtu, "mru", ppp.mtu);
  put("lcp-echo-interval", 30, "lcp-echo-failure", 10);
  // One Terminate-Request, and no waiting for an answer: the peer that hung up gives none.
  put("lcp-max-terminate", 0, "lcp-restart", 2, "lcp-max-configure", 15);
  if (ppp.idle.count() > 0) put("idle", ppp.idle.count());
  if (log == PppdLog::verbose) put("debug");
  return out;
}

base::Result<pid_t> spawn_pppd(const config::Ppp& ppp, const l2tp::TunnelName& tunnel,
                               const l2tp::SessionName& session, const base::Fd& kernel_session,
                               const base::Fd& plugin_channel, PppdLog log) {
  // Copies beyond the target numbers: neither dup2 below can then overwrite the other's source.
  const base::Fd first(::fcntl(kernel_session.get(), F_DUPFD_CLOEXEC, first_inherited + 2));
  const base::Fd second(::fcntl(plugin_channel.get(), F_DUPFD_CLOEXEC, first_inherited + 2));
  if (!first || !second) return base::fail_errno("cannot pass sockets to pppd", errno);
  const auto words = pppd_arguments(ppp, tunnel, session, first_inherited, first_inherited + 1, log);
  std::vector<char*> argv;
  for (const auto& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  char* environment[] = {path, nullptr};

  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  if (log == PppdLog::verbose) {
    posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO);
  } else {
    posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  }
  posix_spawn_file_actions_adddup2(&files, first.get(), first_inherited);
  posix_spawn_file_actions_adddup2(&files, second.get(), first_inherited + 1);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
  pid_t pid = -1;
  const int error = ::posix_spawn(&pid, pppd_path, &files, &attributes, argv.data(), environment);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  if (error != 0) return base::fail_errno(fmt::format("cannot start {}", pppd_path), error);
  return pid;
}

l2tp::Ending ending_of(int status) {
  if (WIFSIGNALED(status))
    return l2tp::hang_up(CallResult::no_facilities_now,
                         fmt::format("pppd was ended by signal {}", WTERMSIG(status)));
  const auto code = static_cast<std::size_t>(WEXITSTATUS(status));
  if (code >= std::size(causes))
    return l2tp::hang_up(CallResult::general_error, fmt::format("pppd ended with status {}", code));
  const auto& cause = causes[code];
  return l2tp::hang_up(cause.result, cause.words);
}

}  // namespace l2tpd
