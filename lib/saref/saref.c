/* SPDX-License-Identifier: MIT */
#include "saref.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>

#ifndef SO_RCVMARK
#define SO_RCVMARK 75 /* Linux 5.19; glibc does not name it everywhere */
#endif

int saref_enable(int udp_socket) {
  const int on = 1;
  if (setsockopt(udp_socket, SOL_SOCKET, SO_RCVMARK, &on, sizeof on) < 0) return -1;
  return setsockopt(udp_socket, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
}

/* As much room as two control messages need, aligned for them. */
union control {
  struct cmsghdr align;
  char room[CMSG_SPACE(sizeof(uint32_t)) + CMSG_SPACE(sizeof(struct in_pktinfo))];
};

ssize_t saref_recv(int udp_socket, void* buffer, size_t size, int flags, uint32_t mask,
                   struct saref_origin* origin) {
  union control control;
  struct iovec part = {.iov_base = buffer, .iov_len = size};
  struct msghdr message = {.msg_name = &origin->source,
                           .msg_namelen = sizeof origin->source,
                           .msg_iov = &part,
                           .msg_iovlen = 1,
                           .msg_control = &control,
                           .msg_controllen = sizeof control};
  memset(origin, 0, sizeof *origin);
  const ssize_t length = recvmsg(udp_socket, &message, flags);
  if (length < 0) return -1;
  for (struct cmsghdr* c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_MARK && c->cmsg_len >= CMSG_LEN(sizeof origin->ref))
      memcpy(&origin->ref, CMSG_DATA(c), sizeof origin->ref);
    if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO &&
        c->cmsg_len >= CMSG_LEN(sizeof(struct in_pktinfo))) {
      struct in_pktinfo info;
      memcpy(&info, CMSG_DATA(c), sizeof info);
      origin->local = info.ipi_addr;
    }
  }
  origin->ref &= mask;
  return length;
}

/* Appends one control message; returns where the next one goes. */
static struct cmsghdr* put(struct msghdr* message, struct cmsghdr* at, int level, int type, const void* data,
                           size_t size) {
  at->cmsg_level = level;
  at->cmsg_type = type;
  at->cmsg_len = CMSG_LEN(size);
  memcpy(CMSG_DATA(at), data, size);
  message->msg_controllen += CMSG_SPACE(size);
  return (struct cmsghdr*)((char*)at + CMSG_SPACE(size));
}

ssize_t saref_send(int udp_socket, const void* buffer, size_t size, int flags,
                   const struct saref_origin* to) {
  union control control;
  struct iovec part = {.iov_base = (void*)buffer, .iov_len = size};
  struct msghdr message = {.msg_name = (void*)&to->source,
                           .msg_namelen = sizeof to->source,
                           .msg_iov = &part,
                           .msg_iovlen = 1,
                           .msg_control = &control};
  /* Never the interface it came by: the way back need not be the same, and the kernel would insist. */
  const struct in_pktinfo info = {.ipi_spec_dst = to->local};
  memset(&control, 0, sizeof control);
  struct cmsghdr* next = put(&message, &control.align, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
  if (to->ref != 0) put(&message, next, SOL_SOCKET, SO_MARK, &to->ref, sizeof to->ref);
  return sendmsg(udp_socket, &message, flags);
}

int saref_bind(int socket, saref_t ref) { return setsockopt(socket, SOL_SOCKET, SO_MARK, &ref, sizeof ref); }

int saref_of(int socket, uint32_t mask, saref_t* ref) {
  socklen_t size = sizeof *ref;
  if (getsockopt(socket, SOL_SOCKET, SO_MARK, ref, &size) < 0) return -1;
  *ref &= mask;
  return 0;
}
