#include "ikd/broker_client.h"

#include <cstdlib>
#include <memory>

#include "base/event_log.h"

namespace ikd {
namespace {

constexpr std::size_t at_a_time = 1000;

/// Without a broker nothing can be done here, not even say goodbye; it cleans up, or its successor does.
[[noreturn]] void end(const char* why) {
  base::log(base::Severity::error, why);
  std::_Exit(1);
}

template <class Wanted>
Wanted ask(os::Channel& channel, const Request& request) {
  if (!channel.send(encode(request).view())) end("the broker has gone");
  const auto message = channel.receive();
  if (!message) end("the broker has gone");
  auto answer = decode_answer(message->bytes.view());
  auto* wanted = answer ? std::get_if<Wanted>(&*answer) : nullptr;
  if (wanted == nullptr) end("the broker answers something else than it was asked");
  return std::move(*wanted);
}

/// In pieces that a message holds.
template <class T, class Each>
void in_pieces(const std::vector<T>& all, Each each) {
  for (std::size_t at = 0; at < all.size(); at += at_a_time) {
    const auto begin = all.begin() + static_cast<std::ptrdiff_t>(at);
    const auto count = static_cast<std::ptrdiff_t>(std::min(at_a_time, all.size() - at));
    each(std::vector<T>(begin, begin + count));
  }
}

}  // namespace

base::Result<void> BrokerClient::outcome(Request request) { return ask<Outcome>(channel_, request).result; }

ike::DoneOrRefused BrokerClient::done(Request request) { return ask<Done>(channel_, request).result; }

base::Result<Traffic> BrokerClient::remove(ike::RemoveSa&& request) {
  return ask<Removed>(channel_, std::move(request)).carried;
}

bool BrokerClient::ruleset_loaded() { return ask<RulesetLoaded>(channel_, IsRulesetLoaded{}).loaded; }

base::Result<std::vector<RuleCount>> BrokerClient::rule_counts() {
  return ask<RulesRead>(channel_, ReadRules{}).counts;
}

base::Result<void> BrokerClient::fill_maps(const std::vector<ike::PeerEntry>& peers) {
  // Also without peers: what the broker kept of those that have gone goes now.
  if (peers.empty()) return outcome(FillMaps{});
  base::Result<void> out;
  in_pieces(peers, [&](std::vector<ike::PeerEntry> piece) {
    auto filled = outcome(FillMaps{std::move(piece)});
    if (out && !filled) out = std::move(filled);
  });
  return out;
}

base::Result<std::vector<xfrm::SaStatistics>> BrokerClient::count(std::vector<xfrm::SaId> sas) {
  const auto wanted = sas.size();
  auto out = ask<Counted>(channel_, Count{std::move(sas)}).statistics;
  if (out) out->resize(wanted);
  return out;
}

base::Result<Comparison> BrokerClient::compare(const std::vector<xfrm::SaId>& sas) {
  base::Result<Comparison> out;
  in_pieces(sas, [&](std::vector<xfrm::SaId> piece) {
    auto found = ask<Compared>(channel_, Compare{std::move(piece)}).found;
    if (!out) return;
    if (!found) {
      out = std::move(found);
    } else {
      out->absent.insert(out->absent.end(), found->absent.begin(), found->absent.end());
      out->worn.insert(out->worn.end(), found->worn.begin(), found->worn.end());
    }
  });
  return out;
}

base::Result<std::vector<std::string>> BrokerClient::check_reload() {
  return ask<Changes>(channel_, CheckReload{}).lines;
}

base::Result<std::vector<std::string>> BrokerClient::reload() {
  return ask<Changes>(channel_, Reload{}).lines;
}

Provision BrokerClient::provision() {
  base::Bytes all;
  while (true) {
    const auto piece = ask<Piece>(channel_, ReadProvision{static_cast<std::uint32_t>(all.size())}).octets;
    if (piece.empty()) break;
    base::append(all, piece);
  }
  auto provision = decode_provision(all);
  if (!provision) end("what the broker hands over is no provision");
  return std::move(*provision);
}

KeyService keys_behind(os::Channel channel) {
  const auto shared = std::make_shared<os::Channel>(std::move(channel));
  return {.derive = [shared](const ike::DeriveSkeyids& r) { return ask<ike::SkeyidsDone>(*shared, r); },
          .sign = [shared](const ike::Sign& r) { return ask<ike::Signed>(*shared, r); }};
}

}  // namespace ikd
