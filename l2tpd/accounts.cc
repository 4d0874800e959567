#include "l2tpd/accounts.h"

namespace l2tpd {
namespace {

Account account_of(const config::User& user) {
  return {.name = user.name, .address = user.address, .limits = user.limits, .nft_sets = user.nft_sets};
}

}  // namespace

Accounts::Accounts(const config::Config& config, const config::Secrets& secrets, base::Secret unguessable)
    : config_(config), secrets_(secrets), unguessable_(std::move(unguessable)) {}

const config::User* Accounts::user(std::string_view name) const {
  if (const auto* user = config_.user(name)) return user;
  const auto backslash = name.rfind('\\');
  return backslash == std::string_view::npos ? nullptr : config_.user(name.substr(backslash + 1));
}

std::optional<Account> Accounts::find(std::string_view name) const {
  const auto* known = user(name);
  return known ? std::optional(account_of(*known)) : std::nullopt;
}

Account Accounts::admitted(std::string_view name, const std::optional<base::Address>& given) const {
  const auto* known = config_.user(name);
  auto out = known ? account_of(*known)
                   : Account{.name = std::string(name), .address = {}, .limits = config_.ppp.limits};
  if (given) out.address = given;
  return out;
}

const base::Secret& Accounts::secret_of(std::string_view name) const {
  const auto* known = user(name);
  if (known == nullptr) return unguessable_;
  const auto it = secrets_.user.find(known->name);
  return it == secrets_.user.end() ? unguessable_ : it->second;
}

bool Accounts::password_is_right(std::string_view name, base::ByteView password) const {
  return base::same_in_constant_time(secret_of(name).view(), password) && user(name) != nullptr;
}

}  // namespace l2tpd
