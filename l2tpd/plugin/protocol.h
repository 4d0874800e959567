/* What pppd's plugin and l2tpd say to each other over a SOCK_SEQPACKET pair. One packet is one message: a
 * kind octet, then fields, each an octet of length and that many octets. The plugin asks, l2tpd answers each.
 */
#ifndef SAMEROOF_PLUGIN_PROTOCOL_H
#define SAMEROOF_PLUGIN_PROTOCOL_H

enum {
  sameroof_longest_message = 1024,
  /* The plugin waits so long for an answer, seconds. */
  sameroof_patience = 15
};

enum sameroof_request {
  sameroof_secret = 'S',  /* name: the secret to check a CHAP response with, please */
  sameroof_checked = 'C', /* name, "1" or "0": the CHAP response was right or wrong */
  sameroof_pap = 'P',     /* name, password */
  sameroof_up = 'U'       /* interface, our address, the peer's address (4 octets each, network order) */
};

enum sameroof_answer {
  sameroof_yes =
      'Y', /* to S: the secret; to C and P: the address the peer shall have, 4 octets; to U: nothing */
  sameroof_no = 'N' /* a reason, fit for the peer's eyes */
};

#endif
