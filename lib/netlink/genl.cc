#include "netlink/genl.h"

#include <cerrno>
#include <string>

#include <linux/genetlink.h>

namespace nl {

Request genl_request(std::uint16_t family, std::uint8_t command, std::uint8_t version, std::uint16_t flags) {
  Request request(family, flags);
  request.header(genlmsghdr{.cmd = command, .version = version, .reserved = 0});
  return request;
}

std::optional<Attributes> genl_attributes(const Message& message) {
  if (message.payload.size() < GENL_HDRLEN) return std::nullopt;
  return Attributes::parse(message.payload.subspan(GENL_HDRLEN));
}

Result<std::uint16_t> genl_family(Socket& generic, std::string_view name) {
  auto request = genl_request(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1);
  request.attr_text(CTRL_ATTR_FAMILY_NAME, name);
  std::optional<std::uint16_t> id;
  const auto what = "asking for the generic netlink family " + std::string(name);
  auto answered = generic.query(request, what, [&](const Message& message) {
    if (const auto attributes = genl_attributes(message)) {
      id = attributes->get_as<std::uint16_t>(CTRL_ATTR_FAMILY_ID);
    }
  });
  if (!answered) return tl::unexpected(answered.error());
  if (!id) return fail_errno(what, ENOENT);
  return *id;
}

}  // namespace nl
