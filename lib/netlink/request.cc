#include "netlink/request.h"

#include <string>

namespace nl {

Request::Request(std::uint16_t type, std::uint16_t flags) : Request(base::Secret::of_size(initial_size)) {
  auto* header = mnl_nlmsg_put_header(buffer_.writable().data());
  header->nlmsg_type = type;
  header->nlmsg_flags = static_cast<std::uint16_t>(flags | NLM_F_REQUEST);
}

Request Request::copy_of(const nlmsghdr& message) {
  return Request(base::Secret::copy_of({reinterpret_cast<const std::uint8_t*>(&message), message.nlmsg_len}));
}

// libmnl's buffers never grow; ours does, and wipes the one it leaves.
void Request::grow() {
  auto larger = base::Secret::of_size(buffer_.size() * 2);
  std::ranges::copy(buffer_.view(), larger.writable().begin());
  buffer_ = std::move(larger);
}

Request& Request::attr_bytes(std::uint16_t type, ByteView value) {
  while (!mnl_attr_put_check(message(), buffer_.size(), type, value.size(), value.data())) grow();
  return *this;
}

Request& Request::attr_text(std::uint16_t type, std::string_view text) {
  const std::string terminated(text);
  return attr_bytes(type, base::as_bytes({terminated.c_str(), terminated.size() + 1}));
}

}  // namespace nl
