#include "migrate/old_setup.h"

#include <fmt/format.h>

#include "migrate/words.h"

namespace migrate {

bool OldSetup::opens(std::string_view path) {
  constexpr std::size_t most = 256;
  if (sources.size() == most) {
    lose(fmt::format("more than {} files include one another: the rest was not read", most));
    return false;
  }
  sources.emplace_back(path);
  return true;
}

OldSetup read_setup(const Files& files) {
  OldSetup out;
  // strongSwan's own folder is that of Fedora and its kin.
  for (const char* path : {"/etc/ipsec.conf", "/etc/strongswan/ipsec.conf"})
    read_ipsec_conf(files, path, out);
  for (const char* path : {"/etc/ipsec.secrets", "/etc/strongswan/ipsec.secrets"})
    read_ipsec_secrets(files, path, out);
  for (const char* path : {"/etc/swanctl/swanctl.conf", "/etc/strongswan/swanctl/swanctl.conf"})
    read_swanctl(files, path, out);
  read_xl2tpd(files, "/etc/xl2tpd/xl2tpd.conf", out);
  for (const char* path : {"/etc/ppp/chap-secrets", "/etc/ppp/pap-secrets"})
    read_ppp_secrets(files, path, out);
  return out;
}

}  // namespace migrate
