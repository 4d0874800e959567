#pragma once
// Who may log in, and with which secret.

#include <string>
#include <string_view>

#include "base/secret.h"
#include "config/config.h"

namespace l2tpd {

class Accounts {
 public:
  /// Both outlive it. `unguessable` stands in for the secret of a user there is not.
  Accounts(const config::Config& config, const config::Secrets& secrets, base::Secret unguessable);

  /// Windows may send DOMAIN\name: the whole is looked up first, then what follows the last backslash.
  const config::User* find(std::string_view name) const;
  /// For an unknown user one that nobody knows: a stranger learns from timing nothing about names.
  const base::Secret& secret_of(std::string_view name) const;
  bool password_is_right(std::string_view name, base::ByteView password) const;

 private:
  const config::Config& config_;
  const config::Secrets& secrets_;
  base::Secret unguessable_;
};

}  // namespace l2tpd
