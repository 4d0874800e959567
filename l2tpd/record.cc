#include "l2tpd/record.h"

#include <fstream>

#include <nlohmann/json.hpp>

namespace l2tpd {

std::string record_of(SessionEvent event, const SessionRecord& session, const control::Peer* peer,
                      base::Time now, std::string_view why) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now - session.since).count();
  control::Json out{
      {"version", 1},
      {"event", name_of(event)},
      {"user", session.account.name},
      {"ppp_address", session.address ? control::Json(session.address->to_string()) : control::Json(nullptr)},
      {"ipv6_prefix",
       session.ipv6_prefix ? control::Json(session.ipv6_prefix->to_string()) : control::Json(nullptr)},
      {"ifname", session.ifname},
      {"mtu", session.mtu},
      {"seconds", seconds},
      {"mark", session.tunnel.mark.value},
      {"address", session.tunnel.remote.address.to_string()},
      {"port", session.tunnel.remote.port},
      {"local_address", session.tunnel.local.address.to_string()},
      {"tunnel", session.tunnel.id.value},
      {"peer_tunnel", session.tunnel.peer.value},
      {"session", session.session.id.value},
      {"peer_session", session.session.peer.value},
      {"peer", peer ? control::to_json(*peer) : control::Json(nullptr)}};
  if (event == SessionEvent::down) {
    out["why"] = why;
    out["bytes_in"] = session.bytes_in;
    out["bytes_out"] = session.bytes_out;
  }
  // A login may hold any octets.
  return out.dump(-1, ' ', false, control::Json::error_handler_t::replace) + "\n";
}

InterfaceBytes bytes_of(const std::string& ifname) {
  const auto read = [&](const char* name) {
    std::uint64_t value = 0;
    std::ifstream("/sys/class/net/" + ifname + "/statistics/" + name) >> value;
    return value;
  };
  return {.in = read("rx_bytes"), .out = read("tx_bytes")};
}

}  // namespace l2tpd
