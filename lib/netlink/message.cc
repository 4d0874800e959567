#include "netlink/message.h"

namespace nl {

std::optional<Message> next_message(ByteView& datagram) {
  const auto header = pod<nlmsghdr>(datagram);
  if (!header || header->nlmsg_len < sizeof(nlmsghdr) || header->nlmsg_len > datagram.size()) {
    datagram = {};
    return std::nullopt;
  }
  const Message message{.type = header->nlmsg_type,
                        .flags = header->nlmsg_flags,
                        .sequence = header->nlmsg_seq,
                        .payload = datagram.subspan(NLMSG_HDRLEN, header->nlmsg_len - NLMSG_HDRLEN)};
  datagram = datagram.subspan(std::min(aligned(header->nlmsg_len), datagram.size()));
  return message;
}

std::optional<Attributes> Attributes::parse(ByteView bytes) {
  Attributes out;
  while (bytes.size() >= sizeof(nlattr)) {
    const auto header = *pod<nlattr>(bytes);
    if (header.nla_len < sizeof(nlattr) || header.nla_len > bytes.size()) return std::nullopt;
    const auto type = static_cast<std::uint16_t>(header.nla_type & NLA_TYPE_MASK);
    if (type < max_type) {
      out.values_[type] = bytes.subspan(NLA_HDRLEN, header.nla_len - std::size_t{NLA_HDRLEN});
      out.present_[type] = true;
    }
    bytes = bytes.subspan(std::min(aligned(header.nla_len), bytes.size()));
  }
  return out;
}

}  // namespace nl
