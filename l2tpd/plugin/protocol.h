/* What pppd's plugin and l2tpd say to each other over a SOCK_SEQPACKET pair. One packet is one message: a
 * kind octet, then fields, each an octet of length and that many octets; numbers are in network order. The
 * plugin asks, l2tpd answers each.
 */
#ifndef SAMEROOF_PLUGIN_PROTOCOL_H
#define SAMEROOF_PLUGIN_PROTOCOL_H

enum {
  sameroof_longest_message = 1024,
  /* The plugin waits so long for an answer, seconds: an address may be free only once RADIUS has heard of the
     end of the session before. */
  sameroof_patience = 60
};

enum sameroof_request {
  sameroof_secret = 'S',  /* name: the secret to check a CHAP response with, please */
  sameroof_checked = 'C', /* name, "1" or "0": the CHAP response was right or wrong */
  sameroof_pap = 'P',     /* name, password */
  sameroof_judged =
      'R', /* name, "1" or "0": RADIUS lets the peer in, or not; the address it gives, 4 octets, or 0 */
  sameroof_link = 'L', /* interface, the MTU (2 octets): the login is over, no protocol is up yet, and nothing
                          may be let in from the interface that a protocol has not allowed */
  sameroof_up = 'U',   /* interface, our address, the peer's address (4 octets each), the MTU (2 octets) */
  sameroof_down = 'D', /* interface, which goes once this is answered; pppd's exit status so far (1 octet) */
  sameroof_ipv6_up = 'V',  /* interface, the MTU (2 octets): IPV6CP is up */
  sameroof_ipv6_down = 'W' /* interface: IPV6CP is down */
};

enum sameroof_answer {
  sameroof_yes =
      'Y', /* to S: the secret; to C, P and R: the address the peer shall have, after how many seconds the
              session ends, and after how many without traffic, 4 octets each; to the others: nothing */
  sameroof_no = 'N' /* a reason, fit for the peer's eyes */
};

#endif
