#include "l2tpd/link_protocol.h"

#include "l2tpd/plugin/protocol.h"
#include "wire/reader.h"
#include "wire/writer.h"

namespace l2tpd {
namespace {

base::ByteView field(wire::Reader& in) { return in.bytes(in.u8()); }
std::string text(base::ByteView bytes) { return std::string(base::as_text(bytes)); }

void put_field(wire::Writer& out, base::ByteView bytes) {
  const auto part = bytes.first(std::min<std::size_t>(bytes.size(), 255));
  out.u8(static_cast<std::uint8_t>(part.size()));
  out.bytes(part);
}

bool is_ifname(base::ByteView bytes) { return !bytes.empty() && bytes.size() <= 15; }

std::optional<LinkRequest> decode_up(wire::Reader& in) {
  const auto ifname = field(in);
  const auto ours = base::Address::from_bytes(field(in));
  const auto theirs = base::Address::from_bytes(field(in));
  wire::Reader mtu(field(in));
  if (mtu.left() != 2 || !ours || !theirs || !ours->is_v4() || !theirs->is_v4() || !is_ifname(ifname))
    return std::nullopt;
  return LinkUp{text(ifname), *ours, *theirs, mtu.u16()};
}

std::optional<LinkRequest> decode_down(wire::Reader& in) {
  const auto ifname = field(in);
  const auto status = field(in);
  if (!is_ifname(ifname) || status.size() != 1) return std::nullopt;
  return LinkDown{text(ifname), status[0]};
}

template <class Interface>
std::optional<LinkRequest> decode_interface(wire::Reader& in) {
  const auto ifname = field(in);
  wire::Reader mtu(field(in));
  if (!is_ifname(ifname) || mtu.left() != 2) return std::nullopt;
  return Interface{text(ifname), mtu.u16()};
}

std::optional<LinkRequest> decode_ipv6_down(wire::Reader& in) {
  const auto ifname = field(in);
  if (!is_ifname(ifname)) return std::nullopt;
  return Ipv6Down{text(ifname)};
}

void put_number(wire::Writer& out, std::chrono::seconds value) {
  out.u8(4);
  out.u32(static_cast<std::uint32_t>(value.count()));
}

}  // namespace

std::optional<LinkRequest> decode_link_request(base::ByteView packet) {
  wire::Reader in(packet);
  std::optional<LinkRequest> out;
  const auto kind = in.u8();
  if (kind == sameroof_link) {
    out = decode_interface<LinkMade>(in);
  } else if (kind == sameroof_up) {
    out = decode_up(in);
  } else if (kind == sameroof_down) {
    out = decode_down(in);
  } else if (kind == sameroof_ipv6_up) {
    out = decode_interface<Ipv6Up>(in);
  } else if (kind == sameroof_ipv6_down) {
    out = decode_ipv6_down(in);
  } else {
    const auto name = field(in);
    if (name.empty()) return std::nullopt;
    if (kind == sameroof_secret) {
      out = SecretWanted{text(name)};
    } else if (kind == sameroof_checked) {
      const auto verdict = field(in);
      if (verdict.size() != 1 || (verdict[0] != '0' && verdict[0] != '1')) return std::nullopt;
      out = ChapChecked{text(name), verdict[0] == '1'};
    } else if (kind == sameroof_judged) {
      const auto verdict = field(in);
      auto given = base::Address::from_bytes(field(in));
      if (verdict.size() != 1 || (verdict[0] != '0' && verdict[0] != '1') || !given || !given->is_v4())
        return std::nullopt;
      if (given->is_unspecified()) given.reset();
      out = Judged{text(name), verdict[0] == '1', given};
    } else if (kind == sameroof_pap) {
      const auto password = field(in);
      out = PapLogin{text(name), base::Secret::copy_of(password)};
    }
  }
  if (!in.ok() || in.left() > 0) return std::nullopt;
  return out;
}

base::Secret encode_secret(const base::Secret& secret) {
  const auto part = secret.view().first(std::min<std::size_t>(secret.size(), 255));
  auto out = base::Secret::of_size(2 + part.size());
  out.writable()[0] = sameroof_yes;
  out.writable()[1] = static_cast<std::uint8_t>(part.size());
  std::ranges::copy(part, out.writable().begin() + 2);
  return out;
}

base::Bytes encode_lease(const Lease& lease) {
  wire::Writer out;
  out.u8(sameroof_yes);
  put_field(out, lease.address.bytes());
  put_number(out, lease.session);
  put_number(out, lease.idle);
  return out.take();
}

base::Bytes encode_yes() { return {sameroof_yes, 0}; }

base::Bytes encode_no(std::string_view reason) {
  wire::Writer out;
  out.u8(sameroof_no);
  put_field(out, base::as_bytes(reason));
  return out.take();
}

}  // namespace l2tpd
