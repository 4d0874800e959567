#pragma once
// What another gateway's files say, in our terms, and what of it has no place here. The readers of single
// formats fill it in; to_toml.h writes it down.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/secret.h"

namespace migrate {

/// Path → content, secrets among them. Paths are as the files themselves would name one another.
using Files = std::map<std::string, base::Secret, std::less<>>;

struct Key {
  base::Secret secret;
  std::optional<base::Prefix> peer;
};

struct User {
  std::string name;
  base::Secret password;
  std::optional<base::Address> address;
};

struct Range {
  base::Address first, last;
};

struct OldSetup {
  std::vector<std::string> sources;  ///< files that were read, in order
  /// False, and lost, when so many were read that they include one another.
  bool opens(std::string_view path);

  std::vector<base::Address> ike_listen, l2tp_listen;
  std::vector<std::string> proposals, esp_proposals;  ///< in our words
  std::optional<std::int64_t> lifetime, esp_lifetime, dpd, dpd_timeout;
  std::vector<Key> keys;

  std::optional<base::Address> local_address;
  std::vector<Range> ranges;
  bool proxy_arp = false;  ///< clients' addresses lie in a network of others
  std::vector<base::Address> dns, nbns;
  std::vector<std::string> auth;  ///< in our words
  std::optional<std::int64_t> mtu, idle;
  std::string server_name;  ///< what chap-secrets calls this server; empty: anything
  std::vector<User> users;

  std::vector<std::string> lost;    ///< sentences; they never hold a secret
  std::set<std::string> told;       ///< those in `lost`
  void lose(std::string sentence);  ///< once, however often
};

/// Reads whatever of the known files is there. What is broken is lost and said to be; nothing is refused.
OldSetup read_setup(const Files& files);

// The formats, each adding to `out`.

/// Libreswan's and strongSwan's (stroke) ipsec.conf with what it includes.
void read_ipsec_conf(const Files& files, std::string_view path, OldSetup& out);
void read_ipsec_secrets(const Files& files, std::string_view path, OldSetup& out);
void read_swanctl(const Files& files, std::string_view path, OldSetup& out);
/// And the file of PPP options that it names.
void read_xl2tpd(const Files& files, std::string_view path, OldSetup& out);
void read_ppp_options(const Files& files, std::string_view path, OldSetup& out);
/// chap-secrets and pap-secrets.
void read_ppp_secrets(const Files& files, std::string_view path, OldSetup& out);

}  // namespace migrate
