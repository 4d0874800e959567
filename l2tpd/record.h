#pragma once
// What is known of a session, for an administrator's programs.

#include <optional>
#include <string>
#include <string_view>

#include "control/rows.h"
#include "l2tpd/hooks.h"
#include "l2tpd/links.h"

namespace l2tpd {

/// One JSON object in one line: l2tpd's part, and under "peer" ikd's row, null without IPsec. `why` is for
/// SessionEvent::down only.
std::string record_of(SessionEvent event, const SessionRecord& session, const control::Peer* peer,
                      base::Time now, std::string_view why = {});

/// Octets that an interface has received and sent; zeros where there is none.
struct InterfaceBytes {
  std::uint64_t in = 0, out = 0;
};
InterfaceBytes bytes_of(const std::string& ifname);

}  // namespace l2tpd
