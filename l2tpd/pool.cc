#include "l2tpd/pool.h"

#include <fmt/format.h>

#include "wire/reader.h"
#include "wire/writer.h"

namespace l2tpd {

void Pool::configure(const config::Config& config) {
  const auto& pool = config.ppp.pool;
  const auto first = pool.network.v4_value();
  const auto size = pool.size();
  const bool has_broadcast = size > 2;  // a /31 or /32 is all hosts
  first_ = next_ = has_broadcast ? first + 1 : first;
  end_ = static_cast<std::uint32_t>(first + size - (has_broadcast ? 1 : 0));
  freed_.clear();
  local_ = config.ppp.local_address;
  reserved_.clear();
  for (const auto& user : config.users) {
    if (user.address) reserved_.insert(*user.address);
  }
}

bool Pool::is_ours(const base::Address& address) const {
  return address == local_ || near_ends_.contains(address);
}

base::Address Pool::take_near_end() {
  ++near_ends_[local_];
  return local_;
}

void Pool::give_back_near_end(const base::Address& address) {
  const auto it = near_ends_.find(address);
  if (it == near_ends_.end() || --it->second > 0) return;
  near_ends_.erase(it);
  set_free(address);
}

void Pool::set_free(const base::Address& address) {
  if (reserved_.contains(address) || is_ours(address)) return;
  const auto value = address.v4_value();
  // Beyond next_ it will be come across; outside it was an owner's, RADIUS', or an earlier configuration's.
  if (value >= first_ && value < next_) freed_.emplace(++releases_, address);
}

base::Result<base::Address> Pool::lease(const std::optional<base::Address>& wanted) {
  if (wanted) {
    if (is_ours(*wanted))
      return base::fail(fmt::format("{} is this server's own address", wanted->to_string()));
    if (!used_.insert(*wanted).second)
      return base::fail(fmt::format("{} is in use by another session", wanted->to_string()));
    std::erase_if(freed_, [&](const auto& entry) { return entry.second == *wanted; });
    return *wanted;
  }
  while (next_ < end_) {
    const auto address = base::Address::v4(next_++);
    if (reserved_.contains(address) || is_ours(address) || !used_.insert(address).second) continue;
    return address;
  }
  if (freed_.empty()) return base::fail("no address is left in the pool");
  const auto oldest = freed_.begin();
  const auto address = oldest->second;
  freed_.erase(oldest);
  used_.insert(address);
  return address;
}

void Pool::release(const base::Address& address) {
  if (used_.erase(address) > 0) set_free(address);
}

namespace {

constexpr std::uint8_t session_length = 64;

std::uint64_t upper_half(const base::Address& address) { return wire::Reader(address.bytes()).u64(); }

base::Prefix session_prefix(std::uint64_t upper) {
  wire::Writer out;
  out.u64(upper);
  out.zeros(8);
  return {*base::Address::from_bytes(out.view()), session_length};
}

}  // namespace

void PrefixPool::configure(const config::Ppp& ppp) {
  range_ = ppp.ipv6_prefix;
  freed_.clear();
  next_ = left_ = 0;
  if (!range_) return;
  next_ = upper_half(range_->network);
  left_ = std::uint64_t{1} << (session_length - range_->length);
}

std::optional<base::Prefix> PrefixPool::lease() {
  while (left_ > 0) {
    const auto prefix = session_prefix(next_);
    ++next_, --left_;
    if (used_.insert(prefix).second) return prefix;
  }
  if (freed_.empty()) return std::nullopt;
  const auto oldest = freed_.begin();
  const auto prefix = oldest->second;
  freed_.erase(oldest);
  used_.insert(prefix);
  return prefix;
}

void PrefixPool::release(const base::Prefix& prefix) {
  if (used_.erase(prefix) == 0 || !range_ || !range_->contains(prefix.network)) return;
  // Those from next_ on will be come across.
  if (left_ == 0 || upper_half(prefix.network) < next_) freed_.emplace(++releases_, prefix);
}

}  // namespace l2tpd
