"""The client's side of PPP in a call of lac.py, written here so that it asks for what Debian's pppd cannot."""

import queue
import struct

from netns import Failure

LCP, PAP, IPCP, CCP, IPV4, IPV6 = 0xC021, 0xC023, 0x8021, 0x80FD, 0x0021, 0x0057
REQUEST, ACK, NAK, REJECT, PROTOCOL_REJECT = 1, 2, 3, 4, 8  # RFC 1661 §5; RFC 1334 §2.2 has the first two
MRU, CALLBACK, MPPC = 1, 13, 18  # of LCP (RFC 1661 §6.1, RFC 1570 §2.3) and of CCP (RFC 2118)
ADDRESS, DNS, NBNS, SECOND_DNS, SECOND_NBNS = 3, 129, 130, 131, 132  # RFC 1332 §3.3, RFC 1877
NO_FIELDS = 0x0002  # RFC 2661 §3.1: the header that the gateway's kernel sends


def text(value):
    return bytes([len(value)]) + value.encode()


def options_in(body):
    """Type → value."""
    found = {}
    while body:
        found[body[0]] = body[2:body[1]]
        body = body[body[1]:]
    return found


def body_of(options):
    return b"".join(bytes([kind, 2 + len(value)]) + value for kind, value in options.items())


class Ppp:
    def __init__(self, lac, session):
        self.lac, self.session, self.identifier = lac, session, 0
        self.granted = {}  # protocol → options of the gateway's

    def send(self, protocol, packet):
        self.lac.send(struct.pack(">HHHHH", NO_FIELDS, self.lac.peer_tunnel, self.lac.calls[self.session], 0xFF03, protocol) + packet)

    def say(self, protocol, code, identifier, body):
        self.send(protocol, struct.pack(">BBH", code, identifier, 4 + len(body)) + body)

    def ask(self, protocol, options):
        self.identifier += 1
        self.say(protocol, REQUEST, self.identifier, body_of(options))
        return self.identifier

    def hear(self, protocol, seconds=30):
        """Code, identifier and body of the next packet of this protocol, whatever else may come."""
        while True:
            try:
                frame = self.lac.data.get(timeout=seconds)
            except queue.Empty:
                raise Failure(f"{self.lac.name}: not a word of PPP protocol {protocol:#x} within {seconds} s") from None
            flags, _, session, _, heard, code, identifier, length = struct.unpack(">HHHHHBBH", frame[:14])
            if (flags, session, heard) == (NO_FIELDS, self.session, protocol):
                return code, identifier, frame[14:10 + length]

    def negotiate(self, protocol, wanted, imposed=None):
        """Until both sides agree: our options as the gateway would have them, and which of them it rejected. `imposed` are options
        that it is told once to ask for."""
        options, rejected, asked, agreed = dict(wanted), set(), None, False
        while not (agreed and protocol in self.granted):
            code, identifier, body = self.hear(protocol)
            if code == REQUEST:  # the gateway is the first to ask: it hears us
                if imposed:
                    self.say(protocol, NAK, identifier, body_of(imposed))
                    imposed = None
                else:
                    self.say(protocol, ACK, identifier, body)
                    self.granted[protocol] = options_in(body)
                asked = asked or self.ask(protocol, options)
            elif (code, identifier) == (ACK, asked):
                agreed = True
            elif identifier == asked:
                for kind, value in options_in(body).items():
                    if code == REJECT:
                        rejected.add(kind)
                        del options[kind]
                    else:
                        options[kind] = value
                asked = self.ask(protocol, options)
        return options, rejected

    def log_in(self, user, password, options=None):
        """LCP and PAP; what becomes of these options of LCP."""
        agreed = self.negotiate(LCP, options or {})
        self.say(PAP, REQUEST, 1, text(user) + text(password))
        if self.hear(PAP)[0] != ACK:
            raise Failure(f"{self.lac.name}: {user} was not let in")
        return agreed
