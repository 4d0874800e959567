/* A plugin for pppd: who may log in and which address a peer gets is asked of l2tpd, over a descriptor that
 * pppd inherits (option sameroof_fd). The files in /etc/ppp are neither read for that nor needed. With
 * sameroof_radius, radius.so, which is loaded before, judges the password, and l2tpd the rest. */

#include <arpa/inet.h>
#include <errno.h>
#include <linux/ppp_defs.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pppd_interface.h"
#include "protocol.h"

char pppd_version[] = PPPD_VERSION;

static int l2tpd_fd = -1;
static u_int32_t leased; /* network order; 0: the peer is not authenticated yet */
static bool ipv6_was_up;

/* Those of radius.so. */
static bool radius_judges;
static int (*radius_verify_chap)(char*, char*, int, struct chap_digest_type*, unsigned char*, unsigned char*,
                                 char*, int);
static int (*radius_verify_pap)(char*, char*, char**, struct wordlist**, struct wordlist**);
static void (*radius_choose_address)(u_int32_t*);

static option_t options[] = {{.name = "sameroof_fd",
                              .type = o_int,
                              .addr = &l2tpd_fd,
                              .description = "Descriptor that leads to l2tpd",
                              .flags = OPT_PRIV},
                             {.name = "sameroof_radius",
                              .type = o_bool,
                              .addr = &radius_judges,
                              .description = "radius.so judges passwords",
                              .flags = OPT_PRIV | 1},
                             {.name = NULL}};

struct message {
  size_t size;
  unsigned char bytes[sameroof_longest_message];
};

static void put_field(struct message* m, const void* data, size_t size) {
  if (size > 255) size = 255;
  if (m->size + 1 + size > sizeof m->bytes) return;
  m->bytes[m->size++] = (unsigned char)size;
  memcpy(m->bytes + m->size, data, size);
  m->size += size;
}

static void begin(struct message* m, enum sameroof_request kind) {
  m->bytes[0] = (unsigned char)kind;
  m->size = 1;
}

/* Field `number`, counted from 0, of an answer; NULL when there is none. */
static const unsigned char* field_of(const struct message* m, int number, size_t* size) {
  size_t at = 1;
  for (;; at += 1 + m->bytes[at], --number) {
    if (at + 1 > m->size || at + 1 + m->bytes[at] > m->size) return NULL;
    if (number == 0) break;
  }
  *size = m->bytes[at];
  return m->bytes + at + 1;
}

/* The answer's kind; 0 when l2tpd does not answer, and then the link has nobody who would know of it. */
static int ask(const struct message* question, struct message* answer) {
  struct pollfd waiting = {.fd = l2tpd_fd, .events = POLLIN, .revents = 0};
  ssize_t got;
  answer->size = 0;
  if (send(l2tpd_fd, question->bytes, question->size, MSG_NOSIGNAL) != (ssize_t)question->size) {
    error("l2tpd is gone: %m");
    return 0;
  }
  do {
    got = poll(&waiting, 1, sameroof_patience * 1000);
  } while (got < 0 && errno == EINTR);
  if (got > 0) got = recv(l2tpd_fd, answer->bytes, sizeof answer->bytes, 0);
  if (got < 1) {
    error("l2tpd does not answer");
    /* An answer that comes later must not be taken for that to the next question. */
    close(l2tpd_fd);
    l2tpd_fd = -1;
    return 0;
  }
  answer->size = (size_t)got;
  return answer->bytes[0];
}

static void show_reason(const struct message* answer, char* out, int space) {
  size_t size = 0;
  const unsigned char* reason = field_of(answer, 0, &size);
  if (space > 0)
    snprintf(out, (size_t)space, "%.*s", reason ? (int)size : 0, reason ? (const char*)reason : "");
}

/* The same for CHAP. In MS-CHAPv2 words are the last part of a failure (RFC 2759 section 6): authentication
   failed, and another try with the same challenge will not do. */
static void show_chap_reason(const struct message* answer, const struct chap_digest_type* digest,
                             const unsigned char* challenge, char* out, int space) {
  char words[256];
  int size, i;
  show_reason(answer, words, sizeof words);
  if (digest->code != CHAP_MICROSOFT_V2) {
    snprintf(out, (size_t)space, "%s", words);
    return;
  }
  size = snprintf(out, (size_t)space, "E=691 R=0 C=");
  for (i = 1; i <= challenge[0] && size < space; ++i)
    size += snprintf(out + size, (size_t)(space - size), "%02X", challenge[i]);
  if (size < space) snprintf(out + size, (size_t)(space - size), " V=3 M=%s", words);
}

/* The stricter of two limits, of which zero is none. */
static unsigned int limit(int seconds, const struct message* answer, int number) {
  size_t size = 0;
  const unsigned char* field = field_of(answer, number, &size);
  uint32_t value = 0;
  if (field != NULL && size == sizeof value) memcpy(&value, field, sizeof value);
  value = ntohl(value);
  if (value == 0 || value > INT32_MAX) return (unsigned int)seconds;
  return seconds == 0 || value < (unsigned int)seconds ? value : (unsigned int)seconds;
}

/* From a yes that carries the peer's address and how long it may stay. */
static int take_lease(const struct message* answer) {
  size_t size = 0;
  const unsigned char* address = field_of(answer, 0, &size);
  if (address == NULL || size != sizeof leased) return 0;
  memcpy(&leased, address, sizeof leased);
  ppp_set_max_connect_time(limit(ppp_get_max_connect_time(), answer, 1));
  ppp_set_max_idle_time(limit(ppp_get_max_idle_time(), answer, 2));
  return leased != 0;
}

/* Whether l2tpd also lets in whom RADIUS does; its kind of answer, or no where RADIUS does not. */
static int admit(const char* name, int right, struct message* answer) {
  struct message question;
  u_int32_t given = 0;
  int kind;
  if (right && radius_choose_address) radius_choose_address(&given);
  begin(&question, sameroof_judged);
  put_field(&question, name, strlen(name));
  put_field(&question, right ? "1" : "0", 1);
  put_field(&question, &given, sizeof given);
  kind = ask(&question, answer);
  return right ? kind : 0;
}

static int verify_chap(char* name, char* ourname, int id, struct chap_digest_type* digest,
                       unsigned char* challenge, unsigned char* response, char* message, int space) {
  struct message question, answer;
  unsigned char secret[256];
  size_t size = 0;
  const unsigned char* field;
  int right, kind;

  if (radius_judges) {
    right = radius_verify_chap != NULL &&
            radius_verify_chap(name, ourname, id, digest, challenge, response, message, space) == 1;
    kind = admit(name, right, &answer);
  } else {
    begin(&question, sameroof_secret);
    put_field(&question, name, strlen(name));
    if (ask(&question, &answer) != sameroof_yes || (field = field_of(&answer, 0, &size)) == NULL) return 0;
    memcpy(secret, field, size);
    secret[size] = 0;
    /* An unknown user has a secret, too, which nobody knows: so MS-CHAPv2's failure message is well-formed.
     */
    right = digest->verify_response(id, name, secret, (int)size, challenge, response, message, space);
    explicit_bzero(secret, sizeof secret);
    explicit_bzero(&answer, sizeof answer);

    begin(&question, sameroof_checked);
    put_field(&question, name, strlen(name));
    put_field(&question, right ? "1" : "0", 1);
    kind = ask(&question, &answer);
  }
  if (right && kind == sameroof_yes) return take_lease(&answer);
  if (right && kind == sameroof_no) show_chap_reason(&answer, digest, challenge, message, space);
  return 0;
}

static int verify_pap(char* name, char* password, char** reason, struct wordlist** addresses,
                      struct wordlist** extra_options) {
  static char text[256];
  struct message question, answer;
  int right = 1, kind;

  if (radius_judges) {
    right =
        radius_verify_pap != NULL && radius_verify_pap(name, password, reason, addresses, extra_options) == 1;
    kind = admit(name, right, &answer);
  } else {
    begin(&question, sameroof_pap);
    put_field(&question, name, strlen(name));
    put_field(&question, password, strlen(password));
    kind = ask(&question, &answer);
    explicit_bzero(&question, sizeof question);
  }
  if (kind == sameroof_yes && take_lease(&answer)) return 1;
  snprintf(text, sizeof text, "%s", right ? "" : "Access denied");
  if (kind == sameroof_no) show_reason(&answer, text, sizeof text);
  *reason = text;
  return 0;
}

static int can_verify(void) { return 1; }
static int address_allowed(u_int32_t address) { return leased != 0 && address == leased; }

/* As IPCP begins, when pppd has made up its mind about what to ask for: never which servers the peer knows,
 * which Debian's ip-up would make this host's own. */
static void choose_address(u_int32_t* address) {
  ipcp_gotoptions[0].req_dns1 = ipcp_gotoptions[0].req_dns2 = 0;
  *address = leased;
}

static void report_interface(enum sameroof_request kind) {
  struct message question, answer;
  const uint16_t mtu = htons((uint16_t)ppp_get_mtu(0));
  begin(&question, kind);
  put_field(&question, ppp_ifname(), strlen(ppp_ifname()));
  put_field(&question, &mtu, sizeof mtu);
  ask(&question, &answer);
}

static void report_up(void* context, int argument) {
  struct message question, answer;
  const uint16_t mtu = htons((uint16_t)ppp_get_mtu(0));
  (void)context;
  (void)argument;
  begin(&question, sameroof_up);
  put_field(&question, ppp_ifname(), strlen(ppp_ifname()));
  put_field(&question, &ipcp_gotoptions[0].ouraddr, 4);
  put_field(&question, &ipcp_hisoptions[0].hisaddr, 4);
  put_field(&question, &mtu, sizeof mtu);
  ask(&question, &answer);
}

/* With the kernel's default, or accept_ra = 2 where this host forwards IPv6, a peer could tell it where the
 * internet is, whether or not the peer may have IPv6. */
static void take_no_advertisements(void) {
  char path[64];
  FILE* file;
  int written;
  snprintf(path, sizeof path, "/proc/sys/net/ipv6/conf/%s/accept_ra", ppp_ifname());
  file = fopen(path, "w");
  if (file == NULL && errno == ENOENT) return;
  written = file != NULL && fputs("0", file) >= 0;
  if (file != NULL && fclose(file) != 0) written = 0;
  if (!written) error("Cannot write %s: %m", path);
}

/* The interface is there, and not up before a protocol is. */
static void report_link(void* context, int argument) {
  (void)context;
  (void)argument;
  take_no_advertisements();
  report_interface(sameroof_link);
}

/* While the interface still is there, and its counters with it. When all is over pppd finds its channel
 * closed, and takes that for the reason. */
static void report_down(void* context, int argument) {
  struct message question, answer;
  const unsigned char reason = (unsigned char)ppp_status();
  (void)context;
  (void)argument;
  begin(&question, sameroof_down);
  put_field(&question, ppp_ifname(), strlen(ppp_ifname()));
  put_field(&question, &reason, 1);
  ask(&question, &answer);
}

static void report_ipv6_up(void* context, int argument) {
  (void)context;
  (void)argument;
  ipv6_was_up = 1;
  report_interface(sameroof_ipv6_up);
}

static void report_ipv6_down(void* context, int argument) {
  struct message question, answer;
  (void)context;
  (void)argument;
  begin(&question, sameroof_ipv6_down);
  put_field(&question, ppp_ifname(), strlen(ppp_ifname()));
  ask(&question, &answer);
}

/* How many seconds more a link may be idle. l2tpd's Router Advertisements are no traffic. */
static int idle_for_another(struct ppp_idle* idle) {
  const int limit = ppp_get_max_idle_time();
  long silence;
  if (idle == NULL) return limit;
  silence = ipv6_was_up || idle->recv_idle < idle->xmit_idle ? idle->recv_idle : idle->xmit_idle;
  return limit - (int)silence;
}

/* The scripts that pppd starts have no business with l2tpd. */
static void close_in_child(void* context, int argument) {
  (void)context;
  (void)argument;
  if (l2tpd_fd >= 0) close(l2tpd_fd);
}

void plugin_init(void) {
  /* When l2tpd is killed, the session in the kernel goes with its sockets, but pppd does not notice: its
   * interface would keep an address that the next l2tpd gives to somebody else. */
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  ppp_add_options(options);
  /* What /etc/ppp/options says of these is for other people's links. What l2tpd says comes after this. */
  memset(ipcp_allowoptions[0].dnsaddr, 0, sizeof ipcp_allowoptions[0].dnsaddr);
  memset(ipcp_allowoptions[0].winsaddr, 0, sizeof ipcp_allowoptions[0].winsaddr);
  ppp_set_max_connect_time(0);
  ppp_set_max_idle_time(0);
  ipcp_wantoptions[0].accept_local = 0;
  lcp_wantoptions[0].neg_upap = lcp_wantoptions[0].neg_chap = lcp_wantoptions[0].neg_eap = 0;
  lcp_wantoptions[0].chap_mdtype = MDTYPE_NONE;
  /* Whoever dials and says nothing is not waited for longer than lcp-max-configure has it. */
  lcp_wantoptions[0].passive = lcp_wantoptions[0].silent = 0;
  radius_verify_chap = chap_verify_hook;
  radius_verify_pap = pap_auth_hook;
  radius_choose_address = ip_choose_hook;
  chap_check_hook = can_verify;
  chap_verify_hook = verify_chap;
  pap_check_hook = can_verify;
  pap_auth_hook = verify_pap;
  allowed_address_hook = address_allowed;
  ip_choose_hook = choose_address;
  idle_time_hook = idle_for_another;
  ppp_add_notify(NF_AUTH_UP, report_link, NULL);
  ppp_add_notify(NF_IP_UP, report_up, NULL);
  ppp_add_notify(NF_IP_DOWN, report_down, NULL);
  ppp_add_notify(NF_IPV6_UP, report_ipv6_up, NULL);
  ppp_add_notify(NF_IPV6_DOWN, report_ipv6_down, NULL);
  ppp_add_notify(NF_FORK, close_in_child, NULL);
}
