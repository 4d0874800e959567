/* SPDX-License-Identifier: MIT
 *
 * SAref: which IPsec peer sent this datagram, and how to answer that very peer.
 *
 * Sameroof gives each IPsec peer a packet mark and an address of its own on this host. A server that
 * asks for the mark of what it receives, and sends its answers under the same mark, serves any number of
 * clients behind one NAT, whatever ports they use. What a peer may speak to besides L2TP is configured
 * as [[service]] in sameroof.toml.
 *
 * Functions return 0 or a length, or -1 with errno set. Nothing here allocates memory or keeps state;
 * any thread may call any of it.
 */
#ifndef SAREF_H
#define SAREF_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Which peer it is, for as long as the peer lives and some minutes longer. 0: none, the packet came
 * without IPsec. */
typedef uint32_t saref_t;

/* Where a datagram came from, and all that an answer needs. */
struct saref_origin {
  saref_t ref;               /* the peer's mark; 0: without IPsec */
  struct sockaddr_in source; /* the peer's own address on this host, and its port */
  struct in_addr local;      /* the address it was sent to */
};

/* From now on saref_recv() gets refs and local addresses of this UDP socket over IPv4. Linux 5.19 or
 * later (ENOPROTOOPT before). */
int saref_enable(int udp_socket);

/* One datagram, as recvmsg(2) with these flags; its length. What does not fit into the buffer is cut off:
 * with MSG_TRUNC in flags the length is that of the whole. `mask`: the bits that are ours ([marks] mask
 * in sameroof.toml, or SAREF_MASK); other bits are nobody's business here. */
ssize_t saref_recv(int udp_socket, void* buffer, size_t size, int flags, uint32_t mask,
                   struct saref_origin* origin);

/* One datagram back to where `to` came from: through that peer's SA and from the address that the peer
 * had sent to. Needs CAP_NET_RAW or CAP_NET_ADMIN where `to` has a ref. */
ssize_t saref_send(int udp_socket, const void* buffer, size_t size, int flags, const struct saref_origin* to);

/* Ties a socket to a peer: all that it sends goes through that peer's SA. For a connected UDP socket of
 * one peer, and for TCP where net.ipv4.tcp_fwmark_accept is 0. Needs CAP_NET_RAW or CAP_NET_ADMIN. */
int saref_bind(int socket, saref_t ref);

/* The peer that a socket is tied to: by saref_bind(), or a TCP connection by accept(2) where
 * net.ipv4.tcp_fwmark_accept is 1. */
int saref_of(int socket, uint32_t mask, saref_t* ref);

/* What ikd has authenticated. Text always ends with a NUL, and is cut off where it does not fit, except for
 * an identity, which is whole: nobody is taken for somebody whose name begins in the same way. */
struct saref_peer {
  uint32_t number;          /* as xfrmctl lists it */
  char identity[512];       /* what the peer calls itself; with a certificate, proved */
  char authentication[256]; /* "PSK family", "certificate O=Example, CN=bob" */
  char proposal[64];        /* of IKE: "aes256-sha256-modp2048"; empty: its IKE SA has ended */
  char transform[64];       /* of ESP, the newest: "aes256-sha1" */
  char address[64];         /* where its packets come from: its NAT's */
  uint16_t port;            /* 0: no UDP encapsulation */
};

/* Who a peer is, asked of ikd; ETIMEDOUT where it does not answer within five seconds. `ikd`: its control
 * socket, NULL for SAREF_IKD. For root and the group sameroof (EACCES). ENOENT: there is no such peer (any
 * more); EOVERFLOW: its identity does not fit; EPROTO: what answers is not ikd. */
int saref_whois(const char* ikd, saref_t ref, struct saref_peer* peer);

#define SAREF_MASK 0x0fffff00u
#define SAREF_IKD "/run/sameroof/ikd"

#ifdef __cplusplus
}
#endif

#endif
