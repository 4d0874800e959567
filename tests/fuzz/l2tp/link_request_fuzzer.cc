// Any packet from pppd's plugin: what decodes is within the bounds that its users rely on.

#include "l2tpd/link_protocol.h"

namespace {

void require(bool holds) {
  if (!holds) __builtin_trap();
}

bool is_name(const std::string& name) { return !name.empty() && name.size() <= 255; }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace l2tpd;
  const auto request = decode_link_request({data, size});
  if (!request) return 0;
  if (const auto* secret = std::get_if<SecretWanted>(&*request)) {
    require(is_name(secret->name) && size == 2 + secret->name.size());
  } else if (const auto* checked = std::get_if<ChapChecked>(&*request)) {
    require(is_name(checked->name) && size == 4 + checked->name.size());
  } else if (const auto* pap = std::get_if<PapLogin>(&*request)) {
    require(is_name(pap->name) && size == 3 + pap->name.size() + pap->password.size());
  } else if (const auto* judged = std::get_if<Judged>(&*request)) {
    require(is_name(judged->name) && size == 9 + judged->name.size());
    require(!judged->given || (judged->given->is_v4() && !judged->given->is_unspecified()));
  } else if (const auto* down = std::get_if<LinkDown>(&*request)) {
    require(!down->ifname.empty() && down->ifname.size() <= 15);
  } else if (const auto* made = std::get_if<LinkMade>(&*request)) {
    require(!made->ifname.empty() && made->ifname.size() <= 15);
  } else if (const auto* ipv6_up = std::get_if<Ipv6Up>(&*request)) {
    require(!ipv6_up->ifname.empty() && ipv6_up->ifname.size() <= 15);
  } else if (const auto* ipv6_down = std::get_if<Ipv6Down>(&*request)) {
    require(!ipv6_down->ifname.empty() && size == 2 + ipv6_down->ifname.size());
  } else {
    const auto& up = std::get<LinkUp>(*request);
    require(!up.ifname.empty() && up.ifname.size() <= 15 && up.ours.is_v4() && up.theirs.is_v4());
  }
  return 0;
}
