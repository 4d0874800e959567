// Lists of what l2tpd serves, for readers that take them whole and for those that take parts.

#include "l2tpd/status.h"

#include <set>

#include "served.h"

namespace l2tpd {
namespace {

using namespace std::chrono_literals;
using control::Json;

class Lists : public Served {
 protected:
  Lists() { serve_status(*control_, told_, links_, router_, hooks_, counters_, config::Cleartext::off, {}); }

  /// Peers with a tunnel each.
  void connect(std::uint32_t peers) {
    for (std::uint32_t i = 1; i <= peers; ++i) {
      auto sccrq = l2tp::testing::of_type(l2tp::MessageType::SCCRQ);
      sccrq.assigned_tunnel_id = l2tp::TunnelId(7);
      auto body = encode(sccrq);
      const base::Endpoint at{base::Address::v4(0xf0000000 + i), 1701};
      bench_.input(encode(l2tp::Header{.tunnel = {}, .session = {}, .ns = {}, .nr = {}, .body = body}), at,
                   base::Mark(i << 8));
      const auto id = std::ranges::find_if(bench_.server.tunnels(), [&](const auto& entry) {
                        return entry.second.name().remote == at;
                      })->first;
      body = encode(l2tp::testing::of_type(l2tp::MessageType::SCCCN));
      const l2tp::SeqNo one(1);
      bench_.input(encode(l2tp::Header{.tunnel = id, .session = {}, .ns = one, .nr = one, .body = body}), at,
                   base::Mark(i << 8));
      tell();
      bench_.now += 1s;
    }
  }
  /// The tunnels of each answer; an error's name.
  std::vector<std::string> ask(control::AsyncClient::Want want) {
    std::vector<std::string> out;
    bool over = false;
    seen_.clear();
    client_->call("sameroof.L2tp.ListTunnels", Json::object(), want, [&](const control::Answer& answer) {
      over = !answer.continues;
      if (!answer.error.empty()) return out.emplace_back(answer.error), void();
      const auto& rows = answer.parameters.at("tunnels");
      for (const auto& row : rows) seen_.insert(row.at("mark").get<std::uint32_t>());
      out.push_back(std::to_string(rows.size()));
    });
    for (int turns = 0; turns < 5000 && !over; ++turns) loop_.run_once(5ms);
    return out;
  }

  RouterCounters router_;
  std::set<std::uint32_t> seen_;  ///< marks
};

using Want = control::AsyncClient::Want;

TEST_F(Lists, AFewTunnelsComeInOneAnswerAndManyInPartsOnly) {
  connect(40);
  EXPECT_EQ(ask(Want::one), (std::vector<std::string>{"40"}));
  EXPECT_EQ(ask(Want::more), (std::vector<std::string>{"16", "16", "8"}));
  EXPECT_EQ(seen_.size(), 40U);
}

TEST_F(Lists, WhoWantsThousandsAtOnceHoldsNobodyUp) {
  connect(1200);
  EXPECT_EQ(ask(Want::one), (std::vector<std::string>{"sameroof.L2tp.TooManyTunnels"}));
  EXPECT_EQ(ask(Want::more).size(), 76U);
  EXPECT_EQ(seen_.size(), 1200U);
}

}  // namespace
}  // namespace l2tpd
