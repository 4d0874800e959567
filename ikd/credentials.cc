#include "ikd/credentials.h"

#include <fmt/format.h>

namespace ikd {
namespace {

using config::Config;
using config::Located;

tl::unexpected<base::Error> refuse(const Config& config, int line, std::string_view key,
                                   std::string_view why) {
  return tl::unexpected(config::complaint(config, line, key, why));
}

/// What is read here is handed to the process that parses packets.
base::Result<base::Secret> read_public(const std::string& path, const ReadFile& read) {
  auto text = read(path);
  if (text && base::as_text(text->view()).find("PRIVATE KEY-----") != std::string_view::npos)
    return base::fail(path + " holds a private key, which has no place beside it");
  return text;
}

base::Result<void> load_trust(const Config& config, const ReadFile& read, Authorities& out) {
  for (const auto& path : config.ike.trust) {
    const auto text = read_public(path.value, read);
    if (!text) return refuse(config, path.line, "ike.trust", text.error().message);
    const auto authorities = pki::Certificate::from_pem(text->view());
    if (!authorities)
      return refuse(config, path.line, "ike.trust", path.value + " " + authorities.error().message);
    for (const auto& authority : *authorities) {
      if (!authority.is_authority())
        return refuse(config, path.line, "ike.trust",
                      fmt::format("{}: {} is no authority", path.value, authority.subject()));
      out.verifier.trust(authority);
      out.trusted_names.push_back(authority.subject_der());
    }
  }
  for (const auto& path : config.ike.revocation) {
    const auto text = read_public(path.value, read);
    if (!text) return refuse(config, path.line, "ike.revocation", text.error().message);
    if (auto added = out.verifier.add_revocations(text->view()); !added)
      return refuse(config, path.line, "ike.revocation", path.value + " " + added.error().message);
  }
  return {};
}

base::Result<std::optional<pki::NamePattern>> pattern(const std::string& text) {
  if (text.empty()) return std::nullopt;
  auto parsed = pki::NamePattern::parse(text);
  if (!parsed) return tl::unexpected(parsed.error());
  return std::move(*parsed);
}

base::Result<void> load_classes(const Config& config, Authorities& out) {
  for (const auto& c : config.ike.certificates) {
    auto subject = pattern(c.subject);
    if (!subject) return refuse(config, c.line, "ike.certificate.subject", subject.error().message);
    auto issuer = pattern(c.issuer);
    if (!issuer) return refuse(config, c.line, "ike.certificate.issuer", issuer.error().message);
    out.verifier.add_class({.name = c.name,
                            .subject = std::move(*subject),
                            .issuer = std::move(*issuer),
                            .alternative_name = c.san,
                            .bind_user = c.bind_user});
  }
  return {};
}

/// No message of IKE has room for more.
constexpr std::size_t most_octets = 64 * 1024;

std::size_t octets_of(const ike::OwnCertificate& own) {
  std::size_t out = own.id_body.size();
  for (const auto* list : {&own.chain, &own.issuers}) {
    for (const auto& each : *list) out += each.size() + sizeof(std::uint32_t);
  }
  return out;
}

}  // namespace

base::Result<Authorities> load_authorities(const Config& config, const ReadFile& read) {
  Authorities out{.verifier = pki::Verifier(config.ike.revocation_required ? pki::Revocation::required
                                                                           : pki::Revocation::if_known),
                  .trusted_names = {}};
  if (auto ok = load_trust(config, read, out); !ok) return tl::unexpected(ok.error());
  if (auto ok = load_classes(config, out); !ok) return tl::unexpected(ok.error());
  return out;
}

base::Result<OwnCertificates> load_own_certificates(const Config& config) {
  OwnCertificates out;
  std::size_t octets = 0;
  for (const auto& own : config.ike.own_certificates) {
    const auto chain = config::read_file(own.file);
    if (!chain) return refuse(config, own.line, "ike.own_certificate.file", chain.error().message);
    const auto key = config::read_secret_file(own.key);
    if (!key) return refuse(config, own.line, "ike.own_certificate.key", key.error().message);
    const pki::PemFile certificates{own.file, chain->view()};
    auto identity = pki::own_identity(certificates, {own.key, key->view()}, own.identity);
    if (!identity) return refuse(config, own.line, "ike.own_certificate", identity.error().message);
    octets += octets_of(identity->certificate);
    if (octets > most_octets)
      return refuse(config, own.line, "ike.own_certificate.file",
                    own.file + " has more certificates than the gateway's own and those of its authorities");
    out.identities.push_back(std::move(*identity));
    for (auto& doubt : pki::doubts_about(certificates)) out.doubts.push_back(std::move(doubt));
  }
  return out;
}

}  // namespace ikd
