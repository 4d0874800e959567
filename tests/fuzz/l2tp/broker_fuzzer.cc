// What a process that reads packets may tell l2tpd once it has been taken over. Whatever decodes has one
// encoding; whatever many requests are admitted one after the other, there is only what a core would have.
// The same bytes as an answer and as the hello, for the other side.

#include <map>
#include <optional>
#include <set>
#include <utility>

#include "l2tpd/admission.h"
#include "l2tpd/protocol.h"
#include "l2tpd/tunnels.h"
#include "wire/reader.h"

namespace {

using l2tpd::Request;

void require(bool holds) {
  if (!holds) __builtin_trap();
}

template <class Message>
std::optional<Message> one_encoding(std::optional<Message> message, base::ByteView in) {
  require(!message || base::equal(l2tpd::encode(*message).view(), in));
  return message;
}

/// What has been admitted so far.
class Admitted {
 public:
  explicit Admitted(config::Cleartext cleartext) : cleartext_(cleartext) {}

  void add(const Request& request) {
    std::visit([this](const auto& each) { add_one(each); }, request);
  }

 private:
  struct Tunnel {
    l2tp::TunnelName name;
    bool in_kernel = false;
    std::set<l2tp::SessionId> sessions;
  };

  void of_somebody(const l2tp::TunnelName& name) const {
    require(name.local.port == 1701 && name.local.address.is_v4() == name.remote.address.is_v4());
    const config::Marks marks;
    const bool alias = marks.alias.contains(name.remote.address);
    if (name.mark.value == 0) return require(cleartext_ != config::Cleartext::off && !alias);
    require(cleartext_ != config::Cleartext::only && (name.mark.value & ~marks.mask) == 0);
    if (name.remote.address.is_v4())
      require(name.remote.address.v4_value() == 0xf0000000 + (name.mark.value >> 8));
  }
  Tunnel& tunnel(const l2tp::TunnelName& name) {
    const auto it = tunnels_.find(name.id);
    require(it != tunnels_.end() && it->second.name == name);
    return it->second;
  }

  void add_one(const l2tp::Send& r) const {
    of_somebody(r.tunnel);
    require(r.bytes.size() >= 12 && (r.bytes[0] & 0x80) != 0 && r.via == l2tp::Via::main_socket);
  }
  void add_one(const l2tp::OpenTunnelSocket& r) {
    of_somebody(r.tunnel);
    require(r.tunnel.id.value != 0 && r.tunnel.peer.value != 0);
    require(tunnels_.emplace(r.tunnel.id, Tunnel{r.tunnel, false, {}}).second);
  }
  void add_one(const l2tp::CloseTunnelSocket& r) {
    (void)tunnel(r.tunnel);
    tunnels_.erase(r.tunnel.id);
  }
  void add_one(const l2tp::AddLatch& r) {
    (void)tunnel(r.tunnel);
    require(latches_.emplace(r.tunnel.id, r.tunnel.mark).second);
  }
  void add_one(const l2tp::RemoveLatch& r) {
    require(latches_.contains(r.tunnel.id) && latches_.at(r.tunnel.id) == r.tunnel.mark);
    latches_.erase(r.tunnel.id);
  }
  void add_one(const l2tp::KernelTunnelUp& r) {
    require(r.host_name.size() <= 64 && !std::exchange(tunnel(r.tunnel).in_kernel, true));
  }
  void add_one(const l2tp::StartSession& r) {
    auto& own = tunnel(r.tunnel);
    require(own.in_kernel && r.session.id.value != 0 && own.sessions.insert(r.session.id).second);
    require(own.sessions.size() <= 16);
  }
  void add_one(const l2tp::StopSession& r) {
    if (const auto it = tunnels_.find(r.tunnel.id); it != tunnels_.end())
      it->second.sessions.erase(r.session.id);
  }
  void add_one(const l2tp::TunnelDown& r) const { of_somebody(r.tunnel); }
  void add_one(const l2tp::CallRefused& r) const { of_somebody(r.tunnel); }
  void add_one(const l2tpd::Changed& r) const {
    for (const auto& row : r.rows) {
      of_somebody(row.name);
      require(row.sessions.size() <= 16 && row.host_name.size() <= 64);
    }
  }
  template <class Other>
  void add_one(const Other&) const {}

  config::Cleartext cleartext_;
  std::map<l2tp::TunnelId, Tunnel> tunnels_;
  std::map<l2tp::TunnelId, base::Mark> latches_;
};

/// The privileged process ends sessions meanwhile; none of them comes back.
void tell(l2tpd::Tunnels& told, const l2tpd::Changed& changed) {
  told.changed(changed, {});
  for (const auto id : changed.gone) require(told.find(id) == nullptr);
  for (const auto& row : changed.rows) {
    if (row.sessions.empty() || told.find(row.name.id) == nullptr) continue;
    const auto session = row.sessions.front().name.id;
    told.ended(row.name.id, session, {});
    l2tpd::Changed late;
    late.rows.push_back(row);
    told.changed(late, {});
    require(told.find(row.name.id, session) == nullptr);
  }
}

/// Each after its length (16 bits). What is not admitted changes nothing.
void in_a_row(base::ByteView in, config::Cleartext cleartext) {
  l2tpd::Admission admission(l2tpd::Door({}, cleartext));
  Admitted admitted(cleartext);
  l2tpd::Tunnels told([] {});
  for (wire::Reader reader(in); reader.left() > 0;) {
    const auto bytes = reader.bytes(reader.u16());
    const auto request = one_encoding(l2tpd::decode_request(bytes), bytes);
    if (!request || !admission.admits(*request)) continue;
    admitted.add(*request);
    if (const auto* changed = std::get_if<l2tpd::Changed>(&*request)) tell(told, *changed);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const base::ByteView in(data, size);
  one_encoding(l2tpd::decode_request(in), in);
  one_encoding(l2tpd::decode_answer(in), in);
  one_encoding(l2tpd::decode_hello(in), in);
  for (const auto cleartext : {config::Cleartext::off, config::Cleartext::beside, config::Cleartext::only})
    in_a_row(in, cleartext);
  return 0;
}
