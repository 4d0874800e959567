#include "netlink/message.h"

namespace nl {

std::optional<Message> next_message(ByteView& datagram) {
  const auto* header = reinterpret_cast<const nlmsghdr*>(datagram.data());
  auto left = static_cast<int>(datagram.size());
  // libmnl 1.0.4 compares as int: to it, a length of 2 GiB or more is a negative one that fits.
  if (!mnl_nlmsg_ok(header, left) || header->nlmsg_len > datagram.size()) {
    datagram = {};
    return std::nullopt;
  }
  const Message message{.header = header,
                        .type = header->nlmsg_type,
                        .payload = datagram.subspan(MNL_NLMSG_HDRLEN, mnl_nlmsg_get_payload_len(header))};
  mnl_nlmsg_next(header, &left);
  datagram = left > 0 ? datagram.last(static_cast<std::size_t>(left)) : ByteView{};
  return message;
}

std::optional<Attributes> Attributes::parse(ByteView bytes) {
  Attributes out;
  const auto* const end = bytes.data() + bytes.size();
  const auto left = [end](const nlattr* attribute) {
    return static_cast<int>(end - reinterpret_cast<const std::uint8_t*>(attribute));
  };
  const auto* attribute = reinterpret_cast<const nlattr*>(bytes.data());
  for (; mnl_attr_ok(attribute, left(attribute)); attribute = mnl_attr_next(attribute)) {
    if (mnl_attr_type_valid(attribute, max_type) > 0) out.found_[mnl_attr_get_type(attribute)] = attribute;
  }
  // libmnl stops at a bad length as it stops at the end (mnl_attr_parse too); only the end is fine.
  if (left(attribute) >= static_cast<int>(sizeof(nlattr))) return std::nullopt;
  return out;
}

ByteView Attributes::get(std::uint16_t type) const {
  if (!has(type)) return {};
  const auto* attribute = found_[type];
  return {static_cast<const std::uint8_t*>(mnl_attr_get_payload(attribute)),
          mnl_attr_get_payload_len(attribute)};
}

}  // namespace nl
