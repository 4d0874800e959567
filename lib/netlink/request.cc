#include "netlink/request.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include <openssl/crypto.h>

namespace nl {

namespace {
template <class Pod>
void put(base::Bytes& out, std::size_t at, const Pod& value) {
  std::memcpy(out.data() + at, &value, sizeof value);
}
}  // namespace

Request::Request(std::uint16_t type, std::uint16_t flags) {
  nlmsghdr header{};
  header.nlmsg_type = type;
  header.nlmsg_flags = static_cast<std::uint16_t>(flags | NLM_F_REQUEST);
  append(pod_bytes(header));
}

Request Request::copy_of(ByteView message) {
  Request out;
  out.append(message);
  return out;
}

Request& Request::operator=(Request&& other) noexcept {
  if (this != &other) {
    wipe();
    bytes_ = std::exchange(other.bytes_, {});
  }
  return *this;
}

void Request::wipe() {
  if (!bytes_.empty()) OPENSSL_cleanse(bytes_.data(), bytes_.size());
}

// Growing by hand: the vector's own growth would leave keys behind in freed memory.
void Request::append_raw(ByteView bytes) {
  const auto needed = bytes_.size() + bytes.size();
  if (needed > bytes_.capacity()) {
    base::Bytes larger;
    larger.reserve(std::max<std::size_t>(needed * 2, 512));
    larger.assign(bytes_.begin(), bytes_.end());
    wipe();
    bytes_ = std::move(larger);
  }
  base::append(bytes_, bytes);
}

void Request::append(ByteView bytes) {
  static constexpr std::uint8_t zeros[4] = {};
  append_raw(bytes);
  append_raw({zeros, aligned(bytes_.size()) - bytes_.size()});
  put(bytes_, offsetof(nlmsghdr, nlmsg_len), static_cast<std::uint32_t>(bytes_.size()));
}

Request& Request::attr_bytes(std::uint16_t type, ByteView value) {
  const auto start = begin_nested(type, Nesting::plain);
  append_raw(value);
  end_nested(start);
  return *this;
}

Request& Request::attr_text(std::uint16_t type, std::string_view text) {
  static constexpr std::uint8_t nul = 0;
  const auto start = begin_nested(type, Nesting::plain);
  append_raw(base::as_bytes(text));
  append_raw({&nul, 1});
  end_nested(start);
  return *this;
}

std::size_t Request::begin_nested(std::uint16_t type, Nesting nesting) {
  const auto start = bytes_.size();
  nlattr header{};
  header.nla_type = nesting == Nesting::flagged ? static_cast<std::uint16_t>(type | NLA_F_NESTED) : type;
  append(pod_bytes(header));
  return start;
}

// nla_len counts the payload without its padding, nlmsg_len counts both.
void Request::end_nested(std::size_t start) {
  put(bytes_, start + offsetof(nlattr, nla_len), static_cast<std::uint16_t>(bytes_.size() - start));
  append({});
}

void Request::set_sequence(std::uint32_t sequence) { put(bytes_, offsetof(nlmsghdr, nlmsg_seq), sequence); }
std::uint32_t Request::sequence() const { return pod<nlmsghdr>(view())->nlmsg_seq; }
std::uint16_t Request::type() const { return pod<nlmsghdr>(view())->nlmsg_type; }
bool Request::wants_ack() const { return (pod<nlmsghdr>(view())->nlmsg_flags & NLM_F_ACK) != 0; }

}  // namespace nl
