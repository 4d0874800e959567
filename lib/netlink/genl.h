#pragma once
// Generic netlink: families have names, and their numbers must be asked for.

#include <cstdint>
#include <optional>
#include <string_view>

#include "netlink/socket.h"

namespace nl {

/// The number that stands in nlmsg_type for family `name` ("l2tp", …). ENOENT: the module is not there.
Result<std::uint16_t> genl_family(Socket& generic, std::string_view name);

/// A request to a family, with its generic header (`command`, `version`).
Request genl_request(std::uint16_t family, std::uint8_t command, std::uint8_t version,
                     std::uint16_t flags = NLM_F_ACK);

/// The attributes of a generic message (behind its header); none when malformed.
std::optional<Attributes> genl_attributes(const Message& message);

}  // namespace nl
