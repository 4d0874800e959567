#include "l2tpd/farewells.h"

#include <algorithm>
#include <limits>

#include <nlohmann/json.hpp>

#include "control/interfaces.h"

namespace l2tpd {
namespace {

using namespace std::chrono_literals;
using control::Call;
using control::Json;

/// For the acknowledgement of a StopCCN.
constexpr base::Duration farewell_time = 2s;
constexpr const char* why = "the operator ended it";

}  // namespace

Farewells::Farewells(os::Loop& loop, Tunnels& tunnels, Links& links)
    : tunnels_(tunnels), links_(links), timer_(loop.on_time([this] { look(); })) {}

void Farewells::serve(control::Server& control) {
  control.handle("Terminate", [this](const Json& parameters, Call call) {
    const auto mark = parameters.at("mark").get<std::int64_t>();
    // Without a mark they are many peers.
    if (mark <= 0 || mark > std::numeric_limits<std::uint32_t>::max())
      return call.fail(control::refused, {{"why", "no peer has this mark"}});
    end_peer(base::Mark(static_cast<std::uint32_t>(mark)), std::move(call));
  });
  control.handle("TerminateUser", [this](const Json& parameters, Call call) {
    end_user(parameters.at("user").get<std::string>(), std::move(call));
  });
}

void Farewells::end_peer(base::Mark mark, Call call) {
  Waiting waiting{.call = std::move(call),
                  .whose = Whose::peer,
                  .tunnels = {},
                  .sessions = 0,
                  .marks = {mark},
                  .until = {}};
  for (const auto& [id, tunnel] : tunnels_.all()) {
    if (tunnel.name.mark != mark) continue;
    waiting.tunnels.insert(id);
    waiting.sessions += tunnel.sessions.size();
  }
  answer_when_heard(std::move(waiting));
}

void Farewells::end_user(const std::string& user, Call call) {
  const auto ended = links_.end_sessions_of(user, why);
  if (ended.empty()) return call.fail(control::no_such_user);
  Waiting waiting{.call = std::move(call),
                  .whose = Whose::user,
                  .tunnels = {},
                  .sessions = ended.size(),
                  .marks = {},
                  .until = {}};
  for (const auto& name : ended) {
    const auto* tunnel = tunnels_.find(name.id);
    if (tunnel != nullptr && tunnel->sessions.empty()) waiting.tunnels.insert(name.id);
    if (name.mark.value != 0) waiting.marks.insert(name.mark);
  }
  answer_when_heard(std::move(waiting));
}

bool Farewells::has_sessions(base::Mark mark) const {
  return std::ranges::any_of(tunnels_.all(), [mark](const auto& entry) {
    return entry.second.name.mark == mark && !entry.second.sessions.empty();
  });
}

void Farewells::answer_when_heard(Waiting waiting) {
  const auto now = base::Clock::now();
  for (const auto id : waiting.tunnels) {
    auto ending = l2tp::stop(l2tp::StopResult::general, why);
    if (waiting.whose == Whose::peer) {
      tunnels_.close(id, std::move(ending));
    } else {
      tunnels_.close_idle(id, std::move(ending));
    }
  }
  waiting.until = now + farewell_time;
  waiting_.push_back(std::move(waiting));
  look();
}

bool Farewells::goes_on(const Waiting& waiting, l2tp::TunnelId id) const {
  const auto* tunnel = tunnels_.find(id);
  return waiting.whose == Whose::user && tunnel != nullptr && !tunnel->sessions.empty();
}

bool Farewells::heard(const Waiting& waiting) const {
  return std::ranges::none_of(waiting.tunnels, [&](l2tp::TunnelId id) {
    const auto* tunnel = tunnels_.find(id);
    return tunnel != nullptr && !tunnel->lingering && !goes_on(waiting, id);
  });
}

void Farewells::answer(Waiting& waiting) const {
  std::erase_if(waiting.tunnels, [&](l2tp::TunnelId id) { return goes_on(waiting, id); });
  auto marks = Json::array();
  for (const auto mark : waiting.marks) {
    if (waiting.whose == Whose::peer || !has_sessions(mark)) marks.push_back(mark.value);
  }
  waiting.call.reply(
      {{"tunnels", waiting.tunnels.size()}, {"sessions", waiting.sessions}, {"marks", std::move(marks)}});
}

void Farewells::look() {
  const auto now = base::Clock::now();
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    if (!heard(*it) && now < it->until) {
      ++it;
      continue;
    }
    answer(*it);
    it = waiting_.erase(it);
  }
  timer_.set_time(waiting_.empty() ? std::nullopt : std::optional(waiting_.front().until));
}

}  // namespace l2tpd
