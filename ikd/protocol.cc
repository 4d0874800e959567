#include "ikd/protocol.h"

#include <algorithm>
#include <chrono>
#include <concepts>
#include <tuple>
#include <type_traits>
#include <utility>

#include "wire/reader.h"
#include "wire/writer.h"

namespace ikd {
namespace {

template <class T, class Wanted>
concept Is = std::same_as<std::remove_const_t<T>, Wanted>;

// The fields of each struct, for both ways.

auto fields(Is<base::Error> auto& v) { return std::tie(v.message); }
auto fields(Is<ike::Refused> auto& v) { return std::tie(v.message, v.refusal); }

auto fields(Is<base::Endpoint> auto& v) { return std::tie(v.address, v.port); }
auto fields(Is<base::Prefix> auto& v) { return std::tie(v.network, v.length); }
auto fields(Is<xfrm::MaskedMark> auto& v) { return std::tie(v.value, v.mask); }
auto fields(Is<xfrm::Encap> auto& v) { return std::tie(v.source_port, v.destination_port); }
auto fields(Is<xfrm::Limits> auto& v) { return std::tie(v.bytes, v.packets, v.time); }
auto fields(Is<xfrm::Lifetimes> auto& v) { return std::tie(v.soft, v.hard); }
auto fields(Is<xfrm::Selector> auto& v) {
  return std::tie(v.source, v.destination, v.protocol, v.source_port, v.destination_port);
}
auto fields(Is<xfrm::EspTransform> auto& v) {
  return std::tie(v.encryption, v.encryption_key, v.integrity, v.integrity_key);
}
auto fields(Is<xfrm::Sa> auto& v) {
  return std::tie(v.source, v.destination, v.spi, v.reqid, v.mode, v.selector, v.transform, v.replay_window,
                  v.encap, v.mark, v.set_mark, v.lifetimes, v.mapping_interval);
}
auto fields(Is<xfrm::SaId> auto& v) { return std::tie(v.destination, v.spi, v.protocol, v.mark); }
auto fields(Is<xfrm::Policy> auto& v) {
  return std::tie(v.selector, v.direction, v.mark, v.reqid, v.priority);
}
auto fields(Is<xfrm::PolicyId> auto& v) { return std::tie(v.selector, v.direction, v.mark); }
auto fields(Is<xfrm::SaStatistics> auto& v) {
  return std::tie(v.bytes, v.packets, v.added, v.used, v.outside_window, v.replayed, v.integrity_failed,
                  v.newest);
}
auto fields(Is<ike::PeerEntry> auto& v) { return std::tie(v.mark, v.alias, v.home, v.dialled); }
auto fields(Is<ike::InstallInbound> auto& v) { return std::tie(v.ticket, v.sa, v.new_entry); }
auto fields(Is<ike::InstallOutbound> auto& v) { return std::tie(v.ticket, v.sa, v.new_policy); }
auto fields(Is<ike::RemoveSa> auto& v) { return std::tie(v.sa); }
auto fields(Is<ike::RemovePeer> auto& v) { return std::tie(v.entry); }
auto fields(Is<ike::MovePeer> auto& v) {
  return std::tie(v.mark, v.alias, v.new_home, v.port, v.inbound, v.outbound);
}
auto fields(Is<ike::DeriveSkeyids> auto& v) {
  return std::tie(v.ticket, v.hash, v.ni, v.nr, v.peer, v.names, v.from);
}
auto fields(Is<ike::Sign> auto& v) { return std::tie(v.ticket, v.certificate, v.hash); }
auto fields(Is<ike::NamedSkeyid> auto& v) { return std::tie(v.name, v.secret, v.id, v.skeyid); }
auto fields(Is<ike::SkeyidsDone> auto& v) { return std::tie(v.ticket, v.candidates, v.next); }
auto fields(Is<ike::Signed> auto& v) { return std::tie(v.ticket, v.signature); }
auto fields(Is<ike::OwnCertificate> auto& v) { return std::tie(v.method, v.id_body, v.chain, v.issuers); }
auto fields(Is<Hello> auto& v) {
  return std::tie(v.listeners, v.workers, v.user, v.group, v.watchdog_us, v.log_level);
}
auto fields(Is<Provision::File> auto& v) { return std::tie(v.path, v.bytes); }
auto fields(Is<Provision> auto& v) { return std::tie(v.file_name, v.configuration, v.files, v.certificates); }
auto fields(Is<FillMaps> auto& v) { return std::tie(v.peers); }
auto fields(Is<Count> auto& v) { return std::tie(v.sas); }
auto fields(Is<FindAbsent> auto& v) { return std::tie(v.sas); }
auto fields(Is<IsRulesetLoaded> auto&) { return std::tie(); }
auto fields(Is<ReadRules> auto&) { return std::tie(); }
auto fields(Is<Ready> auto&) { return std::tie(); }
auto fields(Is<Alive> auto&) { return std::tie(); }
auto fields(Is<CheckReload> auto&) { return std::tie(); }
auto fields(Is<Reload> auto&) { return std::tie(); }
auto fields(Is<ReadProvision> auto& v) { return std::tie(v.from); }
auto fields(Is<Outcome> auto& v) { return std::tie(v.result); }
auto fields(Is<Done> auto& v) { return std::tie(v.result); }
auto fields(Is<Removed> auto& v) { return std::tie(v.carried); }
auto fields(Is<RulesetLoaded> auto& v) { return std::tie(v.loaded); }
auto fields(Is<Counted> auto& v) { return std::tie(v.statistics); }
auto fields(Is<Absent> auto& v) { return std::tie(v.sas); }
auto fields(Is<RuleCount> auto& v) { return std::tie(v.rule, v.packets); }
auto fields(Is<RulesRead> auto& v) { return std::tie(v.counts); }
auto fields(Is<Changes> auto& v) { return std::tie(v.lines); }
auto fields(Is<Piece> auto& v) { return std::tie(v.octets); }
auto fields(Is<Traffic> auto& v) { return std::tie(v.in, v.out); }

/// The values that are sent; who uses them counts on that there are no others.
template <class Enum>
constexpr std::initializer_list<Enum> values_of;
template <>
constexpr auto values_of<base::Severity> = {base::Severity::info, base::Severity::debug};
template <>
constexpr auto values_of<xfrm::Encryption> = {xfrm::Encryption::null, xfrm::Encryption::des3_cbc,
                                              xfrm::Encryption::aes_cbc, xfrm::Encryption::aes_gcm_16};
template <>
constexpr auto values_of<xfrm::Integrity> = {xfrm::Integrity::none,
                                             xfrm::Integrity::hmac_md5_96,
                                             xfrm::Integrity::hmac_sha1_96,
                                             xfrm::Integrity::hmac_sha2_256_128,
                                             xfrm::Integrity::hmac_sha2_384_192,
                                             xfrm::Integrity::hmac_sha2_512_256};
template <>
constexpr auto values_of<ike::Refusal> = {ike::Refusal::kernel_refused, ike::Refusal::nft_refused};
template <>
constexpr auto values_of<xfrm::Mode> = {xfrm::Mode::transport, xfrm::Mode::tunnel};
template <>
constexpr auto values_of<xfrm::Direction> = {xfrm::Direction::in, xfrm::Direction::out,
                                             xfrm::Direction::forward};
template <>
constexpr auto values_of<crypto::Hash> = {crypto::Hash::md5, crypto::Hash::sha1, crypto::Hash::sha2_256,
                                          crypto::Hash::sha2_384, crypto::Hash::sha2_512};
template <>
constexpr auto values_of<ike::AuthMethod> = {ike::AuthMethod::psk, ike::AuthMethod::rsa_signature,
                                             ike::AuthMethod::ecdsa_256, ike::AuthMethod::ecdsa_384,
                                             ike::AuthMethod::ecdsa_521};

class Put {
 public:
  template <std::unsigned_integral T>
  void put(const T& v) {
    if constexpr (sizeof(T) == 1)
      out_.u8(v);
    else if constexpr (sizeof(T) == 2)
      out_.u16(v);
    else if constexpr (sizeof(T) == 4)
      out_.u32(v);
    else
      out_.u64(v);
  }
  template <class Tag, class Rep>
  void put(const base::Id<Tag, Rep>& v) {
    put(v.value);
  }
  template <class T>
  requires std::is_enum_v<T>
  void put(const T& v) { put(static_cast<std::underlying_type_t<T>>(v)); }
  void put(const std::chrono::seconds& v) { out_.u64(static_cast<std::uint64_t>(v.count())); }
  void put(const base::Address& v) { put_bytes(v.bytes()); }
  void put(const base::Bytes& v) { put_bytes(v); }
  void put(const base::Secret& v) { put_bytes(v.view()); }
  void put(const std::string& v) { put_bytes(base::as_bytes(v)); }
  template <class T>
  void put(const std::optional<T>& v) {
    put(static_cast<std::uint8_t>(v.has_value()));
    if (v) put(*v);
  }
  template <class T>
  void put(const std::vector<T>& v) {
    out_.u32(static_cast<std::uint32_t>(v.size()));
    for (const auto& each : v) put(each);
  }
  template <class T, class E>
  void put(const base::Result<T, E>& v) {
    put(static_cast<std::uint8_t>(v.has_value()));
    if (!v) return put(v.error());
    if constexpr (!std::is_void_v<T>) put(*v);
  }
  template <class T>
  requires requires(const T& v) { fields(v); }
  void put(const T& v) {
    std::apply([&](const auto&... each) { (put(each), ...); }, fields(v));
  }
  template <class... T>
  void put(const std::variant<T...>& v) {
    out_.u8(static_cast<std::uint8_t>(v.index()));
    std::visit([&](const auto& each) { put(each); }, v);
  }
  base::Secret take() { return base::Secret(out_.take()); }

 private:
  void put_bytes(base::ByteView v) {
    out_.u32(static_cast<std::uint32_t>(v.size()));
    out_.bytes(v);
  }
  wire::Writer out_;
};

class Get {
 public:
  explicit Get(base::ByteView in) : in_(in) {}
  bool complete() const { return ok_ && in_.ok() && in_.left() == 0; }

  template <std::unsigned_integral T>
  void get(T& v) {
    if constexpr (sizeof(T) == 1)
      v = static_cast<T>(in_.u8());
    else if constexpr (sizeof(T) == 2)
      v = in_.u16();
    else if constexpr (sizeof(T) == 4)
      v = in_.u32();
    else
      v = in_.u64();
  }
  void get(bool& v) {
    const auto byte = in_.u8();
    ok_ = ok_ && byte <= 1;
    v = byte == 1;
  }
  template <class Tag, class Rep>
  void get(base::Id<Tag, Rep>& v) {
    get(v.value);
  }
  template <class T>
  requires std::is_enum_v<T>
  void get(T& v) {
    std::underlying_type_t<T> number{};
    get(number);
    v = T{number};
    ok_ = ok_ && std::ranges::find(values_of<T>, v) != values_of<T>.end();
  }
  void get(std::chrono::seconds& v) {
    const auto count = in_.u64();
    ok_ = ok_ && count <= most_seconds;
    v = std::chrono::seconds(ok_ ? static_cast<std::int64_t>(count) : 0);
  }
  void get(base::Address& v) {
    if (const auto address = base::Address::from_bytes(get_bytes())) {
      v = *address;
    } else {
      ok_ = false;
    }
  }
  void get(base::Bytes& v) { v = base::to_bytes(get_bytes()); }
  void get(base::Secret& v) { v = base::Secret::copy_of(get_bytes()); }
  void get(std::string& v) { v = base::as_text(get_bytes()); }
  template <class T>
  void get(std::optional<T>& v) {
    bool there = false;
    get(there);
    if (there && ok_) get(v.emplace());
  }
  template <class T>
  void get(std::vector<T>& v) {
    const auto count = in_.u32();
    for (std::uint32_t i = 0; i < count && ok_ && in_.left() > 0; ++i) get(v.emplace_back());
    ok_ = ok_ && v.size() == count;
  }
  template <class T, class E>
  void get(base::Result<T, E>& v) {
    bool good = false;
    get(good);
    if (!good) {
      E why;
      get(why);
      v = tl::unexpected(std::move(why));
      return;
    }
    if constexpr (std::is_void_v<T>) {
      v = {};
    } else {
      T value{};
      get(value);
      v = std::move(value);
    }
  }
  template <class T>
  requires requires(T& v) { fields(v); }
  void get(T& v) {
    std::apply([&](auto&... each) { (get(each), ...); }, fields(v));
  }
  template <class... T>
  void get(std::variant<T...>& v) {
    const auto index = in_.u8();
    ok_ = ok_ && index < sizeof...(T);
    std::size_t at = 0;
    ((at++ == index ? get(v.template emplace<T>()) : void()), ...);
  }

 private:
  static constexpr std::uint64_t most_seconds = 1ULL << 40;
  base::ByteView get_bytes() { return in_.bytes(in_.u32()); }
  wire::Reader in_;
  bool ok_ = true;
};

template <class T>
base::Secret encoded(const T& value) {
  Put out;
  out.put(value);
  return out.take();
}

template <class T>
std::optional<T> decoded(base::ByteView bytes) {
  Get in(bytes);
  T out;
  in.get(out);
  if (!in.complete()) return std::nullopt;
  return out;
}

}  // namespace

base::Secret encode(const Hello& hello) { return encoded(hello); }
base::Secret encode(const Provision& provision) { return encoded(provision); }
base::Secret encode(const Request& request) { return encoded(request); }
base::Secret encode(const Answer& answer) { return encoded(answer); }
std::optional<Hello> decode_hello(base::ByteView bytes) { return decoded<Hello>(bytes); }
std::optional<Provision> decode_provision(base::ByteView bytes) { return decoded<Provision>(bytes); }
std::optional<Request> decode_request(base::ByteView bytes) { return decoded<Request>(bytes); }
std::optional<Answer> decode_answer(base::ByteView bytes) { return decoded<Answer>(bytes); }

}  // namespace ikd
