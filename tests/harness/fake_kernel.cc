#include "harness/fake_kernel.h"

#include <algorithm>

#include "harness/pretend_signature.h"
#include "ike/v1/keymat.h"

namespace harness {
namespace {

constexpr std::uint16_t natt_port = 4500;

/// Our end of a selector of either direction.
ike::Service served_by(const xfrm::Selector& s) {
  return {.protocol = s.protocol, .port = s.source_port.value_or(s.destination_port.value_or(0))};
}

std::string name_of(const xfrm::SaId& id) {
  return id.destination.to_string() + " SPI " + std::to_string(id.spi.value);
}

}  // namespace

void FakeKernel::execute(ike::Effect effect, base::Time now) {
  std::visit([&](auto& e) { run(std::move(e), now); }, effect);
}

void FakeKernel::complete(ike::Completion completion, base::Duration delay, base::Time now) {
  if (settings_.jitter.count() > 0)
    delay += base::Duration(
        static_cast<base::Duration::rep>(engine_() % static_cast<std::uint64_t>(settings_.jitter.count())));
  completions_.emplace(now + delay, std::move(completion));
}

std::optional<base::Time> FakeKernel::next_completion() const {
  return completions_.empty() ? std::nullopt : std::optional(completions_.begin()->first);
}

std::optional<ike::Completion> FakeKernel::pop_completion(base::Time now) {
  if (completions_.empty() || completions_.begin()->first > now) return std::nullopt;
  auto out = std::move(completions_.begin()->second);
  completions_.erase(completions_.begin());
  return out;
}

bool FakeKernel::refused(int& planned) {
  if (planned > 0) {
    --planned;
    return true;
  }
  return settings_.refuse_chance > 0 &&
         std::uniform_real_distribution<double>(0, 1)(engine_) < settings_.refuse_chance;
}

void FakeKernel::run(ike::MakeKeyPair e, base::Time now) {
  // A pretended pair has a real key, too, since its type has no other; nobody uses it.
  auto made = crypto::make_key_pair(settings_.dh == Dh::real ? e.group : crypto::Group::curve25519);
  if (settings_.dh == Dh::pretended) {
    made->public_value.resize(crypto::public_value_size(e.group));
    random_(made->public_value);
  }
  complete(ike::KeyPairMade{e.ticket, std::move(made)}, settings_.dh_delay, now);
}

base::Result<crypto::DhResult> FakeKernel::shared_secret(ike::ComputeDh& e) {
  if (!e.own && settings_.dh == Dh::real) return crypto::respond(e.group, e.peer_public_value);
  if (!e.own) return pretend_respond(e.group, e.peer_public_value, random_);
  auto shared = settings_.dh == Dh::real ? e.own->key.derive(e.peer_public_value)
                                         : pretend_shared(e.group, e.own->public_value, e.peer_public_value);
  if (!shared) return tl::unexpected(shared.error());
  return crypto::DhResult{std::move(e.own->public_value), std::move(*shared)};
}

void FakeKernel::run(ike::ComputeDh e, base::Time now) {
  if (put_off_dh_ > 0) {
    --put_off_dh_;
    return complete(ike::DhDone{.ticket = e.ticket, .result = base::fail("no room"), .put_off = true},
                    base::Duration(0), now);
  }
  ++computed_dh_;
  auto result = shared_secret(e);
  complete(ike::DhDone{e.ticket, std::move(result)}, settings_.dh_delay, now);
}

void FakeKernel::run(ike::DeriveSkeyids e, base::Time now) {
  ike::SkeyidsDone done{.ticket = e.ticket, .candidates = {}};
  std::map<std::string, std::uint32_t> secrets;
  for (std::size_t at = 0; at < settings_.psks.size(); ++at) {
    const auto& psk = settings_.psks[at];
    const auto secret = secrets[psk.name]++;
    const bool wanted = e.names.empty() ? at >= e.from && at < e.from + settings_.skeyid_batch
                                        : std::ranges::find(e.names, psk.name) != e.names.end();
    if (!wanted) continue;
    done.candidates.push_back({psk.name, secret,
                               static_cast<std::uint32_t>(std::hash<std::string>{}(psk.secret)),
                               ike::v1::skeyid_of_psk(e.hash, base::as_bytes(psk.secret), e.ni, e.nr)});
  }
  if (e.names.empty() && e.from + settings_.skeyid_batch < settings_.psks.size())
    done.next = e.from + settings_.skeyid_batch;
  derived_skeyids_ += done.candidates.size();
  complete(std::move(done), settings_.skeyid_delay, now);
}

void FakeKernel::run(ike::TryCandidates e, base::Time now) {
  complete(ike::CandidatesTried{e.ticket, ike::first_fitting(e.trial)}, settings_.skeyid_delay, now);
}

tl::expected<ike::Authentication, ike::Refused> FakeKernel::pretend_to_verify(
    const ike::VerifyCertificate& e) {
  const auto refuse = [](std::string why) {
    return tl::unexpected(ike::Refused{{std::move(why)}, ike::Refusal::certificate_refused});
  };
  if (e.certificates.empty()) return refuse("it sends no certificate that can be read");
  const auto& certificate = e.certificates.front().bytes;
  const std::string name(base::as_text(certificate));
  if (!name.starts_with("good")) return refuse("its certificate is not good");
  if (pretend_sign(certificate, e.hash) != e.signature)
    return refuse("its certificate did not make its signature");
  return ike::Authentication{.method = e.method,
                             .name = "pretended",
                             .secret = 0,
                             .secret_id = 0,
                             .certificate = name,
                             .fingerprint = name,
                             .device = true,
                             .bind_user = false,
                             .logins = {}};
}

void FakeKernel::run(const ike::VerifyCertificate& e, base::Time now) {
  if (settings_.verifier == nullptr && settings_.pretended_certificates.empty())
    return complain("a certificate where none was agreed on");
  ++verified_certificates_;
  auto result = settings_.verifier == nullptr ? pretend_to_verify(e) : settings_.verifier->verify(e);
  complete(ike::CertificateVerified{e.ticket, std::move(result)}, settings_.skeyid_delay, now);
}

void FakeKernel::run(const ike::Sign& e, base::Time now) {
  if (e.certificate < settings_.pretended_certificates.size())
    return complete(
        ike::Signed{e.ticket, pretend_sign(settings_.pretended_certificates[e.certificate], e.hash)},
        settings_.skeyid_delay, now);
  if (e.certificate >= settings_.own_keys.size()) return complain("a signature with a key there is not");
  const auto& key = *settings_.own_keys[e.certificate];
  const auto method = settings_.own_methods[e.certificate];
  complete(ike::Signed{e.ticket, key.sign(method, e.hash)}, settings_.skeyid_delay, now);
}

std::optional<base::Address> FakeKernel::near_end(const ike::PeerEntry& entry,
                                                  const ike::Service& service) const {
  if (settings_.near_bit == 0 || !entry.alias.is_v4() || service != ike::l2tp_service) return std::nullopt;
  return base::Address::v4(entry.alias.v4_value() | settings_.near_bit);
}

void FakeKernel::check_inbound(const xfrm::Sa& sa) {
  const auto what = name_of(xfrm::id_of(sa));
  if (sa.mark) complain("inbound " + what + " has a lookup mark");
  if (!sa.set_mark || sa.set_mark->value == 0 || (sa.set_mark->value & ~sa.set_mark->mask) != 0)
    return complain("inbound " + what + " sets no mark of ours");
  if (sa.reqid.value != sa.set_mark->value) complain("inbound " + what + ": reqid is not the mark");
  if (sa.encap && sa.encap->destination_port != natt_port)
    complain("inbound " + what + ": encap not on 4500");
  const auto entry = entries_.find(base::Mark(sa.set_mark->value));
  if (entry == entries_.end()) return complain("inbound " + what + " without map elements");
  if (entry->second.dialled != sa.destination)
    complain("inbound " + what + ": the map names another address");
  // nft sends what is of a tunnel to the near end, and the rest where it was sent.
  const bool two_ends = near_end(entry->second, served_by(sa.selector)).has_value();
  const base::Prefix ours = two_ends ? base::Prefix{base::Address::v4(0), 0} : base::host(sa.destination);
  if (sa.selector.source != base::host(entry->second.alias) || sa.selector.destination != ours ||
      sa.selector.source_port || !sa.selector.destination_port ||
      !settings_.served.contains(served_by(sa.selector)))
    complain("inbound " + what + " admits other than what is served to the alias");
}

void FakeKernel::check_outbound(const xfrm::Sa& sa) {
  const auto what = name_of(xfrm::id_of(sa));
  if (sa.set_mark) complain("outbound " + what + " sets a mark");
  const bool by_mark = settings_.lookup == ike::OutboundLookup::alias_and_mark;
  const bool plain = !sa.encap;
  if (sa.mark.has_value() != (by_mark && !plain))
    return complain("outbound " + what + (sa.mark ? " has a mark" : " has no mark"));
  if (sa.mark && sa.reqid.value != sa.mark->value) complain("outbound " + what + ": reqid is not the mark");
  if (sa.encap && sa.encap->source_port != natt_port) complain("outbound " + what + ": encap not from 4500");
  const auto entry = entries_.find(base::Mark(sa.reqid.value));
  if (entry == entries_.end()) return complain("outbound " + what + " without map elements");
  if (sa.destination != entry->second.alias) complain("outbound " + what + " does not lead to the alias");
  const bool has_policy = std::ranges::any_of(policies_, [&](const auto& p) {
    return p.second.mark.has_value() == by_mark && p.second.reqid == sa.reqid &&
           p.second.selector.destination == base::host(sa.destination) && p.second.selector == sa.selector;
  });
  const auto ours = near_end(entry->second, served_by(sa.selector)).value_or(entry->second.dialled);
  if (sa.source != ours || sa.selector.source != base::host(ours))
    complain("outbound " + what + " is not for what is sent from " + ours.to_string());
  if (!has_policy) complain("outbound " + what + " without a policy");
}

void FakeKernel::run(ike::InstallInbound e, base::Time now) {
  const auto id = xfrm::id_of(e.sa);
  const auto mark = base::Mark(e.sa.set_mark ? e.sa.set_mark->value : 0);
  const bool taken = sas_.contains(id);
  if (refused(refuse_inbound_) || taken) {
    if (!taken) excused_.insert(id);
    auto why = ike::refused_as(refuse_with_, base::fail("no room for the inbound SA"));
    return complete(ike::Installed{e.ticket, std::move(why)}, settings_.install_delay, now);
  }
  if (e.new_entry) {
    if (e.new_entry->mark != mark) complain("map elements of another mark");
    const auto [at, fresh] = entries_.emplace(mark, *e.new_entry);
    if (!fresh && (at->second.alias != e.new_entry->alias || at->second.home != e.new_entry->home))
      complain("map elements that are there already, with another content");
  }
  check_inbound(e.sa);
  excused_.erase(id);
  sas_.emplace(id, std::move(e.sa));
  complete(ike::Installed{e.ticket, {}}, settings_.install_delay, now);
}

void FakeKernel::run(ike::InstallOutbound e, base::Time now) {
  const auto id = xfrm::id_of(e.sa);
  const bool taken = sas_.contains(id);
  if (refused(refuse_outbound_) || taken) {
    if (!taken) excused_.insert(id);
    auto why = ike::refused_as(ike::Refusal::kernel_refused, base::fail("no room for the outbound SA"));
    return complete(ike::Installed{e.ticket, std::move(why)}, settings_.install_delay, now);
  }
  if (e.new_policy) policies_.emplace(xfrm::id_of(*e.new_policy), *e.new_policy);
  check_outbound(e.sa);
  excused_.erase(id);
  std::erase_if(outbound_order_, [this](const xfrm::SaId& old) { return !sas_.contains(old); });
  outbound_order_.push_back(id);
  sas_.emplace(id, std::move(e.sa));
  complete(ike::Installed{e.ticket, {}}, settings_.install_delay, now);
}

void FakeKernel::run(const ike::RemoveSa& e, base::Time) {
  const auto sa = sas_.find(e.sa);
  const bool there = sa != sas_.end();
  if (there && sa->second.reqid.value == e.owner.value) {
    packets_.erase(e.sa.spi);
    sas_.erase(sa);
    return;
  }
  removed_in_vain_.push_back(e.sa);
  if (there) return;  // another's: the broker knows it by its reqid
  if (excused_.erase(e.sa) == 0) complain("removes an SA that is not there: " + name_of(e.sa));
}

void FakeKernel::run(const ike::MovePeer& e, base::Time now) {
  if (refuse_moves_ > 0) {
    --refuse_moves_;
    return complete(ike::PeerMoved{e.mark, false}, base::Duration(0), now);
  }
  ++moves_;
  move_sas(e);
  complete(ike::PeerMoved{e.mark, true}, base::Duration(0), now);
}

void FakeKernel::move_sas(const ike::MovePeer& e) {
  const auto entry = entries_.find(e.mark);
  if (entry != entries_.end()) {
    if (entry->second.alias != e.alias) complain("moves a peer of another alias");
    if (e.new_home) entry->second.home = *e.new_home;
  }
  const auto move = [&](const xfrm::SaId& id, xfrm::Encap encap) {
    const auto sa = sas_.find(id);
    if (sa == sas_.end()) return;
    // One whose name clashes with another peer's was refused; the broker knows it by its reqid.
    if (sa->second.reqid.value != e.mark.value) return;
    if (!sa->second.encap) return complain("moves an SA without encapsulation: " + name_of(id));
    sa->second.encap = encap;
  };
  for (const auto& id : e.inbound) move(id, {.source_port = e.port, .destination_port = natt_port});
  for (const auto& id : e.outbound) move(id, {.source_port = natt_port, .destination_port = e.port});
}

void FakeKernel::run(const ike::RemovePeer& e, base::Time) {
  for (const auto& [id, sa] : sas_) {
    if (sa.reqid.value == e.entry.mark.value) complain("removes a peer that has an SA: " + name_of(id));
  }
  entries_.erase(e.entry.mark);
  std::erase_if(policies_, [&](const auto& p) { return p.second.reqid.value == e.entry.mark.value; });
}

void FakeKernel::run(const ike::CountInbound& e, base::Time now) {
  ike::InboundCounted counted{.peer = e.peer, .packets = 0};
  for (const auto& id : e.sas) {
    if (const auto count = packets_.find(id.spi); count != packets_.end()) *counted.packets += count->second;
  }
  if (do_not_count_ > 0) {
    --do_not_count_;
    counted.packets.reset();
  }
  complete(counted, base::Duration(0), now);
}

void FakeKernel::run(const ike::LookForTraffic& e, base::Time now) {
  const auto count = packets_.find(e.sa.spi);
  complete(ike::TrafficSeen{e.ticket, count == packets_.end() ? 0 : count->second}, base::Duration(0), now);
}

void FakeKernel::expire(const xfrm::SaId& id) {
  sas_.erase(id);
  excused_.insert(id);
}

const xfrm::Sa* FakeKernel::inbound(xfrm::Spi spi) const {
  for (const auto& [id, sa] : sas_) {
    if (sa.set_mark && id.spi == spi) return &sa;
  }
  return nullptr;
}

const xfrm::Sa* FakeKernel::outbound(base::Mark mark, xfrm::Spi spi) const {
  for (const auto& [id, sa] : sas_) {
    if (!sa.set_mark && sa.reqid.value == mark.value && id.spi == spi) return &sa;
  }
  return nullptr;
}

const xfrm::Sa* FakeKernel::newest_outbound(const ike::Service& service) const {
  for (auto id = outbound_order_.rbegin(); id != outbound_order_.rend(); ++id) {
    const auto it = sas_.find(*id);
    if (it != sas_.end() && served_by(it->second.selector) == service) return &it->second;
  }
  return nullptr;
}

std::size_t FakeKernel::inbound_sas() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(sas_, [](const auto& e) { return e.second.set_mark.has_value(); }));
}

std::string FakeKernel::told(ike::EventKind kind) const {
  const auto event = std::ranges::find(events_, kind, &ike::Event::kind);
  return event == events_.end() ? std::string() : event->detail;
}

std::size_t FakeKernel::events_of(ike::EventKind kind) const {
  return static_cast<std::size_t>(std::ranges::count(events_, kind, &ike::Event::kind));
}

std::vector<std::string> FakeKernel::imbalances() const {
  std::vector<std::string> out;
  // Mark and what is served → inbound, outbound.
  std::map<std::pair<std::uint32_t, ike::Service>, std::pair<int, int>> pairs;
  for (const auto& [id, sa] : sas_) {
    auto& pair = pairs[{sa.reqid.value, served_by(sa.selector)}];
    ++(sa.set_mark ? pair.first : pair.second);
  }
  for (const auto& [whose, pair] : pairs) {
    const auto& [mark, service] = whose;
    const auto who = "mark " + std::to_string(mark) + ", port " + std::to_string(service.port);
    if (pair.second == 0) out.push_back(who + " has an inbound SA and none back");
    if (pair.second > 1) out.push_back(who + " has several outbound SAs");
    if (pair.first == 0) out.push_back(who + " has an outbound SA alone");
    if (!entries_.contains(base::Mark(mark))) out.push_back(who + " has SAs and no map elements");
    const bool has_policy = std::ranges::any_of(policies_, [&wanted = whose](const auto& p) {
      return p.second.reqid.value == wanted.first && served_by(p.second.selector) == wanted.second;
    });
    if (pair.second > 0 && !has_policy) out.push_back(who + " has an outbound SA and no policy");
  }
  return out;
}

}  // namespace harness
