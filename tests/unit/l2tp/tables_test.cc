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
    EXPECT_EQ(idle.next, message == M::SCCRQ ? TunnelState::wait_ctl_conn : TunnelState::idle) << name;

    const auto waiting = lookup(TunnelState::wait_ctl_conn, message);
    const std::map<M, TunnelStep> due{{M::SCCCN, TunnelStep::accept_SCCCN},
                                      {M::StopCCN, TunnelStep::clean_up},
                                      {M::HELLO, TunnelStep::acknowledge}};
    EXPECT_EQ(waiting.step, due.contains(message) ? due.at(message) : TunnelStep::stop) << name;
    EXPECT_EQ(waiting.next, message == M::SCCCN   ? TunnelState::established
                            : message == M::HELLO ? TunnelState::wait_ctl_conn
                                                  : TunnelState::closing)
        << name;

    const auto up = lookup(TunnelState::established, message);
    const bool again = message == M::SCCRQ || message == M::SCCRP || message == M::SCCCN;
    const auto expected = again                   ? TunnelStep::stop
                          : message == M::StopCCN ? TunnelStep::clean_up
                          : message == M::HELLO   ? TunnelStep::acknowledge
                                                  : TunnelStep::to_session;
    EXPECT_EQ(up.step, expected) << name;
    EXPECT_EQ(up.next, again || message == M::StopCCN ? TunnelState::closing : TunnelState::established)
        << name;

    const auto closing = lookup(TunnelState::closing, message);
    EXPECT_EQ(closing.step, TunnelStep::acknowledge) << name;
    EXPECT_EQ(closing.next, TunnelState::closing) << name;
  }
}

TEST(CallTable, EveryStateAndMessageDoesWhatRFC2661Section742Says) {
  for (const auto message : all_message_types) {
    const auto name = to_string(message);
    const auto idle = lookup(CallState::idle, message);
    EXPECT_EQ(idle.step, message == M::ICRQ   ? CallStep::accept_ICRQ
                         : message == M::OCRQ ? CallStep::refuse
                                              : CallStep::acknowledge)
        << name;
    EXPECT_EQ(idle.next, message == M::ICRQ ? CallState::wait_connect : CallState::idle) << name;
    const bool misplaced = message == M::ICRQ || message == M::ICRP || message == M::OCRQ ||
                           message == M::OCRP || message == M::OCCN;
    const auto waiting = lookup(CallState::wait_connect, message);
    EXPECT_EQ(waiting.step, misplaced            ? CallStep::hang_up
                            : message == M::ICCN ? CallStep::accept_ICCN
                            : message == M::CDN  ? CallStep::clean_up
                                                 : CallStep::acknowledge)
        << name;
    EXPECT_EQ(waiting.next, misplaced || message == M::CDN ? CallState::idle
                            : message == M::ICCN           ? CallState::established
                                                           : CallState::wait_connect)
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
