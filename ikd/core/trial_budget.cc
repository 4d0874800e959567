#include "ike/trial_budget.h"

#include <algorithm>
#include <chrono>

namespace ike {
namespace {

using namespace std::chrono_literals;

constexpr base::Duration time_to_fill = std::chrono::seconds(TrialBudget::burst / TrialBudget::per_second);

}  // namespace

bool TrialBudget::spend(const base::Address& source, std::size_t tokens, base::Time now) {
  forget_full_ones(now);
  auto& bucket = buckets_.try_emplace(source.source(), Bucket{.tokens = burst, .filled = now}).first->second;
  const std::chrono::duration<double> passed = now - bucket.filled;
  bucket.tokens = std::min<double>(burst, bucket.tokens + passed.count() * per_second);
  bucket.filled = now;
  if (bucket.tokens < static_cast<double>(tokens)) return false;
  bucket.tokens -= static_cast<double>(tokens);
  return true;
}

void TrialBudget::refund(const base::Address& source, std::size_t tokens) {
  const auto bucket = buckets_.find(source.source());
  if (bucket == buckets_.end()) return;
  bucket->second.tokens = std::min<double>(burst, bucket->second.tokens + static_cast<double>(tokens));
}

void TrialBudget::forget_full_ones(base::Time now) {
  if (now - swept_ < time_to_fill) return;
  swept_ = now;
  std::erase_if(buckets_, [now](const auto& entry) { return now - entry.second.filled >= time_to_fill; });
}

void LastHits::add(const base::Address& address, const std::string& name) {
  const auto source = address.source();
  const auto known = by_address_.find(source);
  if (known == by_address_.end()) {
    if (order_.size() == most_addresses) {
      by_address_.erase(order_.back());
      order_.pop_back();
    }
    order_.push_front(source);
  } else {
    order_.splice(order_.begin(), order_, known->second.place);
  }
  auto& entry = by_address_[source];
  entry.place = order_.begin();
  std::erase(entry.names, name);
  entry.names.push_front(name);
  if (entry.names.size() > most_names) entry.names.pop_back();
}

std::vector<std::string> LastHits::of(const base::Address& source) const {
  const auto known = by_address_.find(source.source());
  if (known == by_address_.end()) return {};
  return {known->second.names.begin(), known->second.names.end()};
}

}  // namespace ike
