#include "l2tp/tables.h"

#include <map>

#include <gtest/gtest.h>

#include "l2tp/message.h"

namespace l2tp {
namespace {

using M = MessageType;

TEST(TunnelTable, EveryStateAndMessageDoesWhatRFC2661Section721Says) {
  for (const auto message : all_message_types) {
    const auto name = to_string(message);
    const auto idle = lookup(TunnelState::idle, message);
    EXPECT_EQ(idle.step, message == M::SCCRQ ? TunnelStep::accept_SCCRQ : TunnelStep::drop) << name;

    const auto waiting = lookup(TunnelState::wait_ctl_conn, message);
    const std::map<M, TunnelStep> due{{M::SCCCN, TunnelStep::accept_SCCCN},
                                      {M::StopCCN, TunnelStep::clean_up},
                                      {M::HELLO, TunnelStep::acknowledge}};
    EXPECT_EQ(waiting.step, due.contains(message) ? due.at(message) : TunnelStep::stop) << name;
    EXPECT_EQ(waiting.next == TunnelState::closing,
              waiting.step == TunnelStep::stop || waiting.step == TunnelStep::clean_up)
        << name;

    const auto up = lookup(TunnelState::established, message);
    const bool again = message == M::SCCRQ || message == M::SCCRP || message == M::SCCCN;
    const auto expected = again                   ? TunnelStep::stop
                          : message == M::StopCCN ? TunnelStep::clean_up
                          : message == M::HELLO   ? TunnelStep::acknowledge
                                                  : TunnelStep::to_session;
    EXPECT_EQ(up.step, expected) << name;

    const auto closing = lookup(TunnelState::closing, message);
    EXPECT_EQ(closing.step, TunnelStep::acknowledge) << name;
    EXPECT_EQ(closing.next, TunnelState::closing) << name;
  }
}

TEST(CallTable, EveryStateAndMessageDoesWhatRFC2661Section742Says) {
  for (const auto message : all_message_types) {
    const auto name = to_string(message);
    const auto idle = lookup(CallState::idle, message).step;
    EXPECT_EQ(idle, message == M::ICRQ   ? CallStep::accept_ICRQ
                    : message == M::OCRQ ? CallStep::refuse
                                         : CallStep::acknowledge)
        << name;
    const bool misplaced = message == M::ICRQ || message == M::ICRP || message == M::OCRQ ||
                           message == M::OCRP || message == M::OCCN;
    const auto waiting = lookup(CallState::wait_connect, message);
    EXPECT_EQ(waiting.step, misplaced            ? CallStep::hang_up
                            : message == M::ICCN ? CallStep::accept_ICCN
                            : message == M::CDN  ? CallStep::clean_up
                                                 : CallStep::acknowledge)
        << name;
    const auto up = lookup(CallState::established, message);
    EXPECT_EQ(up.step, misplaced || message == M::ICCN ? CallStep::hang_up
                       : message == M::CDN             ? CallStep::clean_up
                                                       : CallStep::acknowledge)
        << name;
    EXPECT_EQ(up.next, up.step == CallStep::acknowledge ? CallState::established : CallState::idle) << name;
  }
}

}  // namespace
}  // namespace l2tp
