#include "control/rows.h"

#include <limits>
#include <type_traits>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace control {
namespace {

// One list of members per row serves both directions.

class Put {
 public:
  explicit Put(Json& out) : out_(out) { out_ = Json::object(); }
  template <class T>
  void operator()(const char* name, const T& value) const {
    out_[name] = value;
  }
  template <class T>
  void operator()(const char* name, const std::optional<T>& value) const {
    out_[name] = value ? Json(*value) : Json(nullptr);
  }
  template <class T>
  void row(const char* name, const std::optional<T>& value) const;
  template <class T>
  void rows(const char* name, const std::vector<T>& values) const;

 private:
  Json& out_;
};

class Take {
 public:
  explicit Take(const Json& in) : in_(in) {
    if (!in_.is_object()) complain("it is no object");
  }
  const std::optional<std::string>& complaint() const { return complaint_; }

  void operator()(const char* name, std::string& value) {
    if (const auto* member = find(name)) take(name, *member, value);
  }
  void operator()(const char* name, bool& value) {
    const auto* member = find(name);
    if (!member) return;
    if (!member->is_boolean()) return complain(fmt::format("{} is no truth value", name));
    value = member->get<bool>();
  }
  template <class T>
  requires std::is_unsigned_v<T>
  void operator()(const char* name, T& value) {
    if (const auto* member = find(name)) take(name, *member, value);
  }
  void operator()(const char* name, std::optional<std::string>& value) {
    if (const auto* member = find_or_null(name)) take(name, *member, value.emplace());
  }
  void operator()(const char* name, std::optional<std::vector<std::string>>& values) {
    const auto* member = find_or_null(name);
    if (!member) return;
    if (!member->is_array()) return complain(fmt::format("{} is no list", name));
    values.emplace();
    for (const auto& element : *member) take(name, element, values->emplace_back());
  }
  void operator()(const char* name, std::map<std::string, std::uint64_t>& values) {
    const auto* member = find(name);
    if (!member) return;
    if (!member->is_object()) return complain(fmt::format("{} is no object", name));
    for (const auto& [key, number] : member->items()) take(name, number, values[key]);
  }
  template <class T>
  void row(const char* name, std::optional<T>& value);
  template <class T>
  void rows(const char* name, std::vector<T>& values);

 private:
  void complain(std::string why) {
    if (!complaint_) complaint_ = std::move(why);
  }
  const Json* find_or_null(const char* name) const {
    if (complaint_) return nullptr;
    const auto it = in_.find(name);
    return it == in_.end() || it->is_null() ? nullptr : &*it;
  }
  const Json* find(const char* name) {
    const auto* member = find_or_null(name);
    if (!member) complain(fmt::format("{} is missing", name));
    return member;
  }
  void take(const char* name, const Json& member, std::string& value) {
    if (!member.is_string()) return complain(fmt::format("{} is no string", name));
    value = member.get<std::string>();
  }
  template <class T>
  void take(const char* name, const Json& member, T& value) {
    // A negative number is_number_integer() only.
    if (!member.is_number_unsigned() || member.get<std::uint64_t>() > std::numeric_limits<T>::max()) {
      return complain(fmt::format("{} is no number of that size", name));
    }
    value = member.get<T>();
  }

  const Json& in_;
  std::optional<std::string> complaint_;
};

template <class Visitor, class Row>
void members(Visitor& v, Row& row) {
  using T = std::remove_const_t<Row>;
  if constexpr (std::is_same_v<T, Sa>) {
    v("spi_in", row.spi_in), v("spi_out", row.spi_out), v("transform", row.transform);
    v("service", row.service), v("state", row.state);
    v("bytes_in", row.bytes_in), v("bytes_out", row.bytes_out);
    v("packets_in", row.packets_in), v("packets_out", row.packets_out);
    v("packets_lost", row.packets_lost), v("age_seconds", row.age_seconds);
  } else if constexpr (std::is_same_v<T, IkeSa>) {
    v("proposal", row.proposal), v("cookie_i", row.cookie_i), v("cookie_r", row.cookie_r);
  } else if constexpr (std::is_same_v<T, Peer>) {
    v("peer", row.peer), v("mark", row.mark), v("alias", row.alias), v("identity", row.identity);
    v("client", row.client), v("authentication", row.authentication), v("certificate", row.certificate);
    v("connection", row.connection), v("bound_to", row.bound_to);
    v("psk", row.psk), v("nat", row.nat), v("address", row.address), v("port", row.port);
    v("local_address", row.local_address), v("established_seconds", row.established_seconds);
    v.row("ike", row.ike), v.rows("sas", row.sas);
  } else if constexpr (std::is_same_v<T, Tunnel>) {
    v("mark", row.mark), v("tunnel", row.tunnel), v("peer_tunnel", row.peer_tunnel);
    v("host_name", row.host_name), v("address", row.address), v("port", row.port);
    v("local_address", row.local_address), v("sessions", row.sessions), v("since_seconds", row.since_seconds);
  } else if constexpr (std::is_same_v<T, Session>) {
    v("mark", row.mark), v("tunnel", row.tunnel), v("peer_tunnel", row.peer_tunnel);
    v("session", row.session), v("peer_session", row.peer_session), v("user", row.user);
    v("ppp_address", row.ppp_address), v("ipv6_prefix", row.ipv6_prefix), v("ifname", row.ifname);
    v("since_seconds", row.since_seconds);
  } else if constexpr (std::is_same_v<T, Event>) {
    v("time_ms", row.time_ms), v("part", row.part), v("event", row.event), v("refusal", row.refusal);
    v("peer", row.peer), v("mark", row.mark), v("address", row.address), v("port", row.port);
    v("user", row.user), v("text", row.text);
  } else if constexpr (std::is_same_v<T, Attempt>) {
    v("number", row.number), v("peer", row.peer), v("mark", row.mark), v("address", row.address);
    v("port", row.port), v("user", row.user), v("outcome", row.outcome), v("left_out", row.left_out);
    v.rows("events", row.events);
  } else {
    static_assert(std::is_same_v<T, Status>);
    v("version", row.version), v("pid", row.pid), v("uptime_seconds", row.uptime_seconds);
    v("gauges", row.gauges), v("counters", row.counters), v("lns", row.lns);
    v("cleartext", row.cleartext);
  }
}

template <class Row>
Json put(const Row& row) {
  Json out;
  Put visitor(out);
  members(visitor, row);
  return out;
}

template <class Row>
base::Result<Row> take(const Json& json, std::string_view what) {
  Row row;
  Take visitor(json);
  members(visitor, row);
  if (visitor.complaint()) return base::fail(fmt::format("bad {}: {}", what, *visitor.complaint()));
  return row;
}

template <class T>
void Put::row(const char* name, const std::optional<T>& value) const {
  out_[name] = value ? put(*value) : Json(nullptr);
}
template <class T>
void Put::rows(const char* name, const std::vector<T>& values) const {
  auto& array = out_[name] = Json::array();
  for (const auto& value : values) array.push_back(put(value));
}
template <class T>
void Take::row(const char* name, std::optional<T>& value) {
  const auto* member = find_or_null(name);
  if (!member) return;
  auto row = control::take<T>(*member, name);
  if (!row) return complain(row.error().message);
  value = std::move(*row);
}
template <class T>
void Take::rows(const char* name, std::vector<T>& values) {
  const auto* member = find(name);
  if (!member) return;
  if (!member->is_array()) return complain(fmt::format("{} is no list", name));
  for (const auto& element : *member) {
    auto row = control::take<T>(element, name);
    if (!row) return complain(row.error().message);
    values.push_back(std::move(*row));
  }
}

}  // namespace

Json to_json(const Event& event) { return put(event); }
Json to_json(const Attempt& attempt) { return put(attempt); }
Json to_json(const Peer& peer) { return put(peer); }
Json to_json(const Tunnel& tunnel) { return put(tunnel); }
Json to_json(const Session& session) { return put(session); }
Json to_json(const Status& status) { return put(status); }

base::Result<Event> event_from(const Json& json) { return take<Event>(json, "event"); }
base::Result<Attempt> attempt_from(const Json& json) { return take<Attempt>(json, "attempt"); }
base::Result<Peer> peer_from(const Json& json) { return take<Peer>(json, "peer"); }
base::Result<Tunnel> tunnel_from(const Json& json) { return take<Tunnel>(json, "tunnel"); }
base::Result<Session> session_from(const Json& json) { return take<Session>(json, "session"); }
base::Result<Status> status_from(const Json& json) { return take<Status>(json, "status"); }

}  // namespace control
