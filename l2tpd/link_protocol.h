#pragma once
// The daemon's side of plugin/protocol.h: requests decoded and answers encoded. Pure.

#include <optional>
#include <string>
#include <variant>

#include "base/address.h"
#include "base/bytes.h"
#include "base/secret.h"

namespace l2tpd {

struct SecretWanted {
  std::string name;
};
struct ChapChecked {
  std::string name;
  bool right = false;
};
struct PapLogin {
  std::string name;
  base::Secret password;
};
struct LinkUp {
  std::string ifname;
  base::Address ours;
  base::Address theirs;
};
using LinkRequest = std::variant<SecretWanted, ChapChecked, PapLogin, LinkUp>;

/// Nothing for what is no request: names are 1 to 255 octets, an interface name 1 to 15.
std::optional<LinkRequest> decode_request(base::ByteView packet);

/// At most 255 octets of `secret` are sent; config refuses longer ones.
base::Secret encode_secret(const base::Secret& secret);
base::Bytes encode_lease(const base::Address& address);
base::Bytes encode_yes();
base::Bytes encode_no(std::string_view reason);

}  // namespace l2tpd
