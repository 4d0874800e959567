#include "floor.h"

#include <array>
#include <cstdlib>

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ike/v1/identification.h"
#include "pki/own_certificate.h"
#include "pki/verifier.h"

namespace bench {
namespace {

/// Of one of them, once everything is warm.
template <class Work>
double cost(int times, Work work) {
  work();
  const double before = cpu_seconds(CLOCK_THREAD_CPUTIME_ID);
  for (int i = 0; i < times; ++i) work();
  return (cpu_seconds(CLOCK_THREAD_CPUTIME_ID) - before) / times;
}

void must(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

double exchange_cost(crypto::Group group) {
  const auto peer = crypto::make_key_pair(group);
  must(peer.has_value());
  return cost(1000, [&] { must(crypto::respond(group, peer->public_value).has_value()); });
}

SignatureCost signature_cost(harness::KeyKind kind) {
  const auto root =
      harness::TestIdentity::self_signed({.subject = "CN=root", .key = kind, .authority = true});
  const auto holder = root.issue({.subject = "CN=holder", .key = kind});
  const auto subject = holder.subject_der();
  const auto certificate = pki::Certificate::from_der(holder.der());
  const auto key = pki::PrivateKey::from_pem(base::as_bytes(holder.key_pem()));
  must(certificate && key);
  const auto method = pki::method_of(*certificate);
  must(method.has_value());
  const base::Bytes hash(32, 0x5a);
  base::Bytes signature;
  const double sign = cost(500, [&] {
    auto made = key->sign(*method, hash);
    must(made.has_value());
    signature = std::move(*made);
  });
  pki::Verifier verifier{pki::Revocation::if_known};
  verifier.trust(*pki::Certificate::from_der(root.der()));
  verifier.add_class({.name = "all", .subject = {}, .issuer = {}, .alternative_name = {}});
  const ike::VerifyCertificate request{
      .ticket = {},
      .method = *method,
      .id_body = ike::v1::encode_identification(
          {.type = ike::v1::IdType::der_asn1_dn, .protocol = 0, .port = 0, .data = subject}),
      .certificates = {{ike::CertificateEncoding::x509_signature, holder.der()}},
      .hash = hash,
      .signature = signature};
  return {.sign = sign,
          .verify = cost(1000, [&] { must(pki::verify(*certificate, *method, hash, signature)); }),
          .check = cost(1000, [&] { must(verifier.verify(request).has_value()); })};
}

double round_trip_cost(Places places) {
  constexpr int times = 20000;
  const auto cpus = allowed_cpus();
  const Confined here(cpus.front());
  std::array<int, 2> ends{};
  std::array<char, 100> message{};
  must(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) == 0);
  const pid_t child = ::fork();
  must(child >= 0);
  if (child == 0) {
    ::close(ends[0]);
    const Confined there(places == Places::one_cpu ? cpus.front() : cpus.back());
    while (::recv(ends[1], message.data(), message.size(), 0) > 0 &&
           ::send(ends[1], message.data(), message.size(), 0) > 0) {
    }
    ::_exit(0);
  }
  ::close(ends[1]);
  clockid_t other{};
  must(clock_getcpuclockid(child, &other) == 0);
  const auto both = [&] { return cpu_seconds() + cpu_seconds(other); };
  double before = 0;
  for (int i = -100; i < times; ++i) {
    if (i == 0) before = both();
    must(::send(ends[0], message.data(), message.size(), 0) > 0 &&
         ::recv(ends[0], message.data(), message.size(), 0) > 0);
  }
  const double spent = both() - before;
  ::close(ends[0]);
  ::waitpid(child, nullptr, 0);
  return spent / times;
}

}  // namespace bench
