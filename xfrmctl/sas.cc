#include "xfrmctl/sas.h"

#include <algorithm>
#include <tuple>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "xfrmctl/json_text.h"
#include "xfrmctl/table.h"

namespace xfrmctl {
namespace {

using control::Json;

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

std::string owner_cell(const Owned& owned) {
  if (owned.peer != nullptr) return fmt::format("{}", owned.peer->peer);
  return owned.owner == Owner::foreign ? "foreign" : "";
}

/// 0x100, and its mask where it need not be the usual one.
std::string mark_cell(const KernelMark& mark, const Owned& owned) {
  return owned.peer ? fmt::format("{:#x}", mark.value) : fmt::format("{:#x}/{:#x}", mark.value, mark.mask);
}

void put_owner(const Owned& owned, Json& row) {
  row["owner"] = name_of(owned.owner);
  row["peer"] = owned.peer ? Json(owned.peer->peer) : Json(nullptr);
  row["identity"] = owned.peer ? Json(owned.peer->identity) : Json(nullptr);
}

Json mark_json(const std::optional<KernelMark>& mark) {
  return mark ? Json{{"value", mark->value}, {"mask", mark->mask}} : Json(nullptr);
}

Json selector_json(const KernelSelector& s) {
  return {{"source", s.source},
          {"destination", s.destination},
          {"protocol", s.protocol},
          {"source_port", s.source_port ? Json(*s.source_port) : Json(nullptr)},
          {"destination_port", s.destination_port ? Json(*s.destination_port) : Json(nullptr)}};
}

std::uint64_t since(std::uint64_t then, std::uint64_t now) { return then < now ? now - then : 0; }

std::string spi_text(std::uint32_t spi) { return fmt::format("{:#010x}", spi); }

std::string document(const char* member, Json rows) {
  const Json out{{"version", 1}, {member, std::move(rows)}};
  return json_text(out);
}

/// Where a row belongs: the peers' first.
std::uint64_t rank(const Owned& owned) { return owned.peer ? owned.peer->peer : std::uint64_t{1} << 32; }

template <class Row>
std::vector<std::pair<Owned, Row>> sorted(std::vector<Row> rows, const Owners& owners) {
  std::vector<std::pair<Owned, Row>> out;
  for (auto& row : rows) {
    const auto owned = owners.of(row);
    out.emplace_back(owned, std::move(row));
  }
  std::ranges::stable_sort(
      out, {}, [](const auto& entry) { return std::tuple(rank(entry.first), entry.first.direction); });
  return out;
}

Json algorithm_json(const std::optional<KernelAlgorithm>& algorithm) {
  if (!algorithm) return nullptr;
  return {
      {"name", algorithm->name}, {"key_bits", algorithm->key_bits}, {"check_bits", algorithm->check_bits}};
}

Json sa_json(const Owned& owned, const KernelSa& sa, std::uint64_t now) {
  Json row;
  put_owner(owned, row);
  row["direction"] = owned.direction.empty() ? Json(nullptr) : Json(owned.direction);
  row["source"] = sa.source, row["destination"] = sa.destination;
  row["protocol"] = sa.protocol, row["spi"] = spi_text(sa.spi);
  row["reqid"] = sa.reqid, row["mode"] = sa.mode;
  row["encap_source_port"] = or_null(sa.encap_source_port);
  row["encap_destination_port"] = or_null(sa.encap_destination_port);
  row["mark"] = mark_json(sa.mark), row["output_mark"] = mark_json(sa.output_mark);
  row["if_id"] = or_null(sa.if_id);
  row["selector"] = selector_json(sa.selector);
  row["transform"] = transform_text(sa);
  row["cipher"] = algorithm_json(sa.cipher), row["digest"] = algorithm_json(sa.digest);
  row["aead"] = algorithm_json(sa.aead);
  row["replay_window"] = sa.replay_window;
  row["bytes"] = sa.bytes, row["packets"] = sa.packets;
  row["age_seconds"] = since(sa.added, now);
  row["idle_seconds"] = sa.used == 0 ? Json(nullptr) : Json(since(sa.used, now));
  row["soft_seconds"] = or_null(sa.soft_seconds), row["hard_seconds"] = or_null(sa.hard_seconds);
  row["soft_bytes"] = or_null(sa.soft_bytes), row["hard_bytes"] = or_null(sa.hard_bytes);
  row["outside_window"] = sa.outside_window, row["replayed"] = sa.replayed;
  row["integrity_failed"] = sa.integrity_failed;
  row["lost"] = sa.newest > sa.packets ? sa.newest - sa.packets : 0;
  return row;
}

std::string marks_text(const KernelSa& sa, const Owned& owned) {
  std::string out = sa.mark ? mark_cell(*sa.mark, owned) : std::string();
  if (sa.output_mark)
    out += fmt::format("{}gives {}", out.empty() ? "" : " ", mark_cell(*sa.output_mark, owned));
  return out;
}

std::string errors_text(const KernelSa& sa) {
  const auto errors = sa.outside_window + sa.replayed + sa.integrity_failed;
  return errors == 0 ? "" : short_count(errors);
}

std::string protocol_text(std::uint8_t protocol) {
  switch (protocol) {
    case 0: return "any";
    case 1: return "icmp";
    case 6: return "tcp";
    case 17: return "udp";
    default: return fmt::format("{}", protocol);
  }
}

/// "240.0.0.1:1701" for a host, "10.0.0.0/8" for a network.
std::string selected_text(const std::string& prefix, const std::optional<std::uint16_t>& port) {
  const bool host = prefix.ends_with("/32") || prefix.ends_with("/128");
  return place(host ? prefix.substr(0, prefix.rfind('/')) : prefix, port.value_or(0));
}

Json policy_json(const Owned& owned, const KernelPolicy& policy) {
  Json row;
  put_owner(owned, row);
  row["direction"] = policy.direction, row["socket"] = policy.socket, row["action"] = policy.action;
  row["priority"] = policy.priority, row["index"] = policy.index;
  row["mark"] = mark_json(policy.mark), row["if_id"] = or_null(policy.if_id);
  row["selector"] = selector_json(policy.selector);
  row["templates"] = Json::array();
  for (const auto& t : policy.templates) {
    row["templates"].push_back({{"protocol", t.protocol},
                                {"mode", t.mode},
                                {"source", t.source},
                                {"destination", t.destination},
                                {"spi", t.spi == 0 ? Json(nullptr) : Json(spi_text(t.spi))},
                                {"reqid", t.reqid},
                                {"optional", t.optional}});
  }
  return row;
}

std::string templates_text(const KernelPolicy& policy) {
  if (policy.action == "block") return "block";
  if (policy.templates.empty()) return "clear";
  std::string out;
  for (const auto& t : policy.templates)
    out += fmt::format("{}{} {} reqid {:#x}", out.empty() ? "" : ", ", t.protocol, t.mode, t.reqid);
  return out;
}

constexpr Column sa_columns[] = {{"PEER", Align::right},
                                 {"DIR"},
                                 {"FROM", Align::left, true},
                                 {"TO", Align::left, true},
                                 {"SPI"},
                                 {"MARK", Align::left, true},
                                 {"TRANSFORM", Align::left, true},
                                 {"BYTES", Align::right},
                                 {"PACKETS", Align::right},
                                 {"AGE", Align::right},
                                 {"IDLE", Align::right},
                                 {"ERRORS", Align::right}};

constexpr Column policy_columns[] = {{"PEER", Align::right},
                                     {"DIR"},
                                     {"FROM", Align::left, true},
                                     {"TO", Align::left, true},
                                     {"PROTOCOL"},
                                     {"MARK", Align::left, true},
                                     {"WANTS", Align::left, true},
                                     {"PRIORITY", Align::right}};

}  // namespace

std::string transform_text(const KernelSa& sa) {
  struct Name {
    std::string_view kernel;
    unsigned check_bits;
    std::string_view ours;
    unsigned salt_bits;  ///< no name says them; a name without a size has none
    bool sized;
  };
  constexpr Name names[] = {
      {"rfc4106(gcm(aes))", 128, "gcm16", 32, true}, {"cbc(aes)", 0, "aes", 0, true},
      {"cbc(des3_ede)", 0, "3des", 0, false},        {"hmac(md5)", 96, "md5", 0, false},
      {"hmac(sha1)", 96, "sha1", 0, false},          {"hmac(sha256)", 128, "sha256", 0, false},
      {"hmac(sha384)", 192, "sha384", 0, false},     {"hmac(sha512)", 256, "sha512", 0, false}};
  std::string out;
  for (const auto* part : {&sa.aead, &sa.cipher, &sa.digest}) {
    if (!*part) continue;
    const auto& algorithm = **part;
    const auto known = std::ranges::find_if(names, [&](const Name& n) {
      return n.kernel == algorithm.name && n.check_bits == algorithm.check_bits;
    });
    if (!out.empty()) out += "-";
    if (known == std::end(names))
      out += algorithm.name;
    else if (part == &sa.aead)
      out += fmt::format("aes{}{}", algorithm.key_bits - known->salt_bits, known->ours);
    else
      out += known->sized ? fmt::format("{}{}", known->ours, algorithm.key_bits) : std::string(known->ours);
  }
  return out;
}

std::string sas_json(std::vector<KernelSa> sas, const Owners& owners, std::uint64_t now) {
  auto rows = Json::array();
  for (const auto& [owned, sa] : sorted(std::move(sas), owners)) rows.push_back(sa_json(owned, sa, now));
  return document("sas", std::move(rows));
}

std::string sas_table(std::vector<KernelSa> sas, const Owners& owners, std::uint64_t now) {
  std::vector<std::vector<std::string>> lines;
  for (const auto& [owned, sa] : sorted(std::move(sas), owners)) {
    lines.push_back({owner_cell(owned), std::string(owned.direction),
                     place(sa.source, sa.encap_source_port.value_or(0)),
                     place(sa.destination, sa.encap_destination_port.value_or(0)),
                     fmt::format("{:08x}", sa.spi), marks_text(sa, owned),
                     sa.protocol == "esp" ? transform_text(sa) : sa.protocol + " " + transform_text(sa),
                     short_count(sa.bytes), short_count(sa.packets), short_duration(since(sa.added, now)),
                     sa.used == 0 ? "" : short_duration(since(sa.used, now)), errors_text(sa)});
  }
  return table(sa_columns, lines);
}

std::string policies_json(std::vector<KernelPolicy> policies, const Owners& owners) {
  auto rows = Json::array();
  for (const auto& [owned, policy] : sorted(std::move(policies), owners))
    rows.push_back(policy_json(owned, policy));
  return document("policies", std::move(rows));
}

std::string policies_table(std::vector<KernelPolicy> policies, const Owners& owners) {
  std::vector<std::vector<std::string>> lines;
  for (const auto& [owned, policy] : sorted(std::move(policies), owners)) {
    const auto& s = policy.selector;
    lines.push_back({owner_cell(owned), policy.socket ? "socket " + policy.direction : policy.direction,
                     selected_text(s.source, s.source_port), selected_text(s.destination, s.destination_port),
                     protocol_text(s.protocol), policy.mark ? mark_cell(*policy.mark, owned) : "",
                     templates_text(policy), fmt::format("{}", policy.priority)});
  }
  return table(policy_columns, lines);
}

}  // namespace xfrmctl
