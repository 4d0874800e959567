#pragma once
// Who may log in, with which secret, and what holds for a session of theirs.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/secret.h"
#include "config/config.h"

namespace l2tpd {

/// What the configuration says about a user when a session begins; a later configuration changes nothing of
/// it.
struct Account {
  std::string name;
  std::optional<base::Address> address;  ///< none: from the pool
  config::Limits limits;
  std::vector<config::NftSet> nft_sets{};
};

class Accounts {
 public:
  /// Both outlive it, and are read anew at each call. `unguessable` stands in for the secret of a user there
  /// is not.
  Accounts(const config::Config& config, const config::Secrets& secrets, base::Secret unguessable);

  /// Windows may send DOMAIN\name: the whole is looked up first, then what follows the last backslash.
  std::optional<Account> find(std::string_view name) const;
  /// For whom RADIUS lets in: an unknown user gets what [ppp] says. The name is taken as a whole, since the
  /// alice of one domain is not that of another.
  Account admitted(std::string_view name, const std::optional<base::Address>& given) const;
  /// For an unknown user one that nobody knows: a stranger learns from timing nothing about names.
  const base::Secret& secret_of(std::string_view name) const;
  bool password_is_right(std::string_view name, base::ByteView password) const;

 private:
  const config::User* user(std::string_view name) const;

  const config::Config& config_;
  const config::Secrets& secrets_;
  base::Secret unguessable_;
};

}  // namespace l2tpd
