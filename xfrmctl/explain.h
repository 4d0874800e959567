#pragma once
// `xfrmctl explain`: what happened to one attempt to connect, and what to do about it.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/catalogue.h"
#include "control/rows.h"
#include "xfrmctl/command.h"

namespace xfrmctl {

/// One client's attempt, as both daemons saw it.
struct Story {
  std::uint32_t peer = 0, mark = 0;
  std::string address;
  std::uint16_t port = 0;
  std::optional<std::string> user;
  std::string outcome;  ///< of control::outcome
  std::uint64_t left_out = 0;
  std::vector<control::Event> events;  ///< in the order of time
  const control::CatalogueEntry* refusal = nullptr;
  std::string conclusion;  ///< a sentence
};

/// The newest attempt that `subject` means: a peer's number, an address, a user, or "last". Of clients
/// without IPsec only l2tpd knows. `now_ms`: Unix time.
std::optional<Story> story_of(std::string_view subject, const std::vector<control::Attempt>& ike,
                              const std::vector<control::Attempt>& l2tp, std::uint64_t now_ms);
std::string story_text(const Story& story);
std::string story_json(const Story& story);

/// "12:00:01.250  PPP    user …", in local time.
std::string event_line(const control::Event& event);

int run_explain(const Options& options);

}  // namespace xfrmctl
