#include "l2tpd/accounts.h"

namespace l2tpd {

Accounts::Accounts(const config::Config& config, const config::Secrets& secrets, base::Secret unguessable)
    : config_(config), secrets_(secrets), unguessable_(std::move(unguessable)) {}

const config::User* Accounts::find(std::string_view name) const {
  if (const auto* user = config_.user(name)) return user;
  const auto backslash = name.rfind('\\');
  return backslash == std::string_view::npos ? nullptr : config_.user(name.substr(backslash + 1));
}

const base::Secret& Accounts::secret_of(std::string_view name) const {
  const auto* user = find(name);
  if (user == nullptr) return unguessable_;
  const auto it = secrets_.user.find(user->name);
  return it == secrets_.user.end() ? unguessable_ : it->second;
}

bool Accounts::password_is_right(std::string_view name, base::ByteView password) const {
  return base::same_in_constant_time(secret_of(name).view(), password) && find(name) != nullptr;
}

}  // namespace l2tpd
