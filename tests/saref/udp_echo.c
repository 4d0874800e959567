/* udp_echo PORT [IKD]: answers each datagram with "REF ADDRESS IDENTITY", a line break and its content. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "saref.h"

static void serve(int fd, const char* ikd) {
  char said[1024], answer[2048];
  struct saref_origin from;
  const ssize_t length = saref_recv(fd, said, sizeof said, 0, SAREF_MASK, &from);
  if (length < 0) return;
  struct saref_peer peer;
  if (from.ref == 0 || saref_whois(ikd, from.ref, &peer) < 0) strcpy(peer.identity, "nobody");
  char address[INET_ADDRSTRLEN];
  inet_ntop(AF_INET, &from.source.sin_addr, address, sizeof address);
  const int head = snprintf(answer, sizeof answer, "%u %s %s\n", from.ref, address, peer.identity);
  memcpy(answer + head, said, (size_t)length);
  if (saref_send(fd, answer, (size_t)head + (size_t)length, 0, &from) < 0) perror("udp_echo: saref_send");
}

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1]))};
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (fd < 0 || saref_enable(fd) < 0 || bind(fd, (const struct sockaddr*)&here, sizeof here) < 0) {
    perror("udp_echo");
    return 1;
  }
  for (;;) serve(fd, argc > 2 ? argv[2] : NULL);
}
