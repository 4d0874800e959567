/* tcp_echo PORT [IKD]: says "REF IDENTITY" in a line to whoever connects, and sends back what it gets.
 * net.ipv4.tcp_fwmark_accept has to be 1: then an accepted connection bears its peer's mark. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "saref.h"

static void serve(int fd, const char* ikd) {
  saref_t ref = 0;
  struct saref_peer peer;
  if (saref_of(fd, SAREF_MASK, &ref) < 0 || ref == 0 || saref_whois(ikd, ref, &peer) < 0)
    strcpy(peer.identity, "nobody");
  if (dprintf(fd, "%u %s\n", ref, peer.identity) < 0) return;
  char buffer[4096];
  for (ssize_t n; (n = recv(fd, buffer, sizeof buffer, 0)) > 0;)
    for (ssize_t sent = 0, now; sent < n; sent += now)
      if ((now = send(fd, buffer + sent, (size_t)(n - sent), MSG_NOSIGNAL)) < 0) return;
}

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1]))};
  const int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
  signal(SIGCHLD, SIG_IGN);
  if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 ||
      bind(listener, (const struct sockaddr*)&here, sizeof here) < 0 || listen(listener, 16) < 0) {
    perror("tcp_echo");
    return 1;
  }
  for (;;) {
    const int fd = accept(listener, NULL, NULL);
    if (fd < 0) continue;
    if (fork() == 0) {
      serve(fd, argc > 2 ? argv[2] : NULL);
      _exit(0);
    }
    close(fd);
  }
}
