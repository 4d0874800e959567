"""The client's side of RFC 2661, one tunnel with any number of calls, written here so that its AVPs are Windows' own, byte by byte."""

import ctypes
import queue
import socket
import struct
import threading
import time

from netns import Failure, libc, wait_for

SCCRQ, SCCRP, SCCCN, STOPCCN, HELLO, ICRQ, ICRP, ICCN, CDN = 1, 2, 3, 4, 6, 10, 11, 12, 14
TUNNEL, SESSION = 9, 14  # the attributes that carry the other side's ids
AF_PPPOX, PX_PROTO_OL2TP = 24, 1


def avp(kind, value, mandatory=True, vendor=0):
    return struct.pack(">HHH", (0x8000 if mandatory else 0) | 6 + len(value), vendor, kind) + value


def u16(number):
    return struct.pack(">H", number)


def u32(number):
    return struct.pack(">I", number)


def control(tunnel, session, ns, nr, body=b""):
    return struct.pack(">HHHHHH", 0xC802, 12 + len(body), tunnel, session, ns, nr) + body


def attributes(body):
    """Type → value of the AVPs of a message."""
    found = {}
    while len(body) >= 6:
        flags_and_length, _, kind = struct.unpack(">HHH", body[:6])
        found[kind] = body[6:flags_and_length & 0x3FF]
        body = body[flags_and_length & 0x3FF:]
    return found


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


class WindowsLac:
    """Windows 10 as a RouterOS captured it: these AVPs in this order, source port 1701, a small tunnel id, window 8."""

    def __init__(self, host, remote, tunnel=4, session=1, port=1701, source=""):
        self.name, self.remote, self.tunnel, self.session = host.name, remote, tunnel, session
        self.udp = host.socket(family_of(remote), socket.SOCK_DGRAM)
        self.udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.udp.bind((source, port))
        self.udp.connect((remote, 1701))
        self.udp.settimeout(0.2)
        self.peer_tunnel = 0
        self.calls = {}       # our session id → theirs
        self.ended = {}       # our session id → what the gateway's CDN said
        self.ns = self.nr = 0
        self.unanswered = []  # (ns, datagram, when sent last), in order
        self.heard = {}       # message type → attributes
        self.data = queue.SimpleQueue()  # messages of calls that no kernel_socket() has
        self.lock = threading.Lock()
        self.open = True
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()

    def listen(self):
        while self.open:
            try:
                datagram = self.udp.recv(2048)
            except TimeoutError:
                datagram = b""
            except OSError:
                continue  # port unreachable; or closed
            with self.lock:
                if len(datagram) >= 12 and datagram[:2] == b"\xc8\x02":
                    self.take(datagram)
                elif datagram:
                    self.data.put(datagram)
                self.repeat()

    def take(self, datagram):
        _, length, tunnel, session, ns, nr = struct.unpack(">HHHHHH", datagram[:12])
        if tunnel != self.tunnel:
            return
        self.unanswered = [entry for entry in self.unanswered if (nr - entry[0] - 1) & 0x8000]
        body = datagram[12:length]
        if not body:
            return
        if ns == self.nr:
            self.nr = self.nr + 1 & 0xFFFF
            found = attributes(body)
            self.peer_tunnel = int.from_bytes(found.get(TUNNEL, u16(self.peer_tunnel)), "big")
            kind = int.from_bytes(found[0], "big")
            self.heard[kind] = found
            if kind == ICRP:
                self.calls[session] = int.from_bytes(found[SESSION], "big")
            if kind == CDN:
                self.ended[session] = found.get(1)
        self.send(control(self.peer_tunnel, 0, self.ns, self.nr))

    def repeat(self):
        now = time.monotonic()
        for entry in self.unanswered:
            if now - entry[2] > 1:
                entry[2] = now
                self.send(entry[1])

    def send(self, datagram):
        try:
            self.udp.send(datagram)
        except OSError:
            pass  # what is lost is sent again

    def say(self, kind, *avps, session=0):
        with self.lock:
            datagram = control(self.peer_tunnel, session, self.ns, self.nr, avp(0, u16(kind)) + b"".join(avps))
            self.unanswered.append([self.ns, datagram, time.monotonic()])
            self.ns = self.ns + 1 & 0xFFFF
            self.send(datagram)

    @property
    def peer_session(self):
        """Of the first call."""
        return self.calls.get(self.session, 0)

    def await_answer(self, look, what, seconds, session=None):
        def settled():
            if STOPCCN in self.heard or session in self.ended:
                raise Failure(f"{self.name}: the gateway ended it: {self.ended.get(session) or self.heard[STOPCCN].get(1)}")
            return look()

        return wait_for(settled, seconds, f"{self.name}: {what} of the gateway")

    def dial(self, seconds=30):
        """The tunnel and its first call."""
        self.say(SCCRQ, avp(2, b"\1\0"), avp(3, u32(1)), avp(4, u32(0)), avp(6, b"\x0a\0", mandatory=False),
                 avp(7, b"DESKTOP-7Q2"), avp(8, b"Microsoft", mandatory=False), avp(TUNNEL, u16(self.tunnel)), avp(10, u16(8)))
        self.await_answer(lambda: SCCRP in self.heard, "SCCRP", seconds)
        self.say(SCCCN)
        self.call(self.session, seconds)

    def call(self, session, seconds=30, sequencing=False):
        """Up to ICCN, with Sequencing Required or without; from then on data may flow."""
        self.ended.pop(session, None)
        self.say(ICRQ, avp(SESSION, u16(session)), avp(15, u32(session - 1)), avp(18, u32(2)),
                 avp(1, bytes(range(16)), mandatory=False, vendor=311))
        peer_session = self.await_answer(lambda: self.calls.get(session), "ICRP", seconds, session)
        self.say(ICCN, avp(24, u32(10_000_000)), avp(19, u32(1)), *([avp(39, b"")] if sequencing else []), session=peer_session)
        wait_for(lambda: not self.unanswered, seconds, f"{self.name}: ICCN acknowledged")

    def end_call(self, session, seconds=10):
        self.say(CDN, avp(1, u16(3)), avp(SESSION, u16(session)), session=self.calls.pop(session))
        wait_for(lambda: not self.unanswered, seconds, f"{self.name}: CDN acknowledged")

    def hang_up(self, seconds=10):
        for session in list(self.calls):
            self.end_call(session, seconds)
        self.say(STOPCCN, avp(1, u16(1)), avp(TUNNEL, u16(self.tunnel)))
        wait_for(lambda: not self.unanswered, seconds, f"{self.name}: StopCCN acknowledged")

    def close(self):
        self.open = False
        self.thread.join()
        self.udp.close()


def kernel_socket(host, lac, session=0):
    """The socket that keeps a call in the client's kernel (if_pppol2tp.h); without a call, the tunnel itself."""
    pppox = host.socket(AF_PPPOX, socket.SOCK_DGRAM, PX_PROTO_OL2TP)
    family = family_of(lac.remote)
    start = struct.pack("=HIii", AF_PPPOX, PX_PROTO_OL2TP, 0, lac.udp.fileno())
    to = struct.pack("=H", family) + struct.pack(">H", 1701)
    ids = struct.pack("=HHHH", lac.tunnel, session, lac.peer_tunnel, lac.calls.get(session, 0))
    if family == socket.AF_INET6:
        address = start + ids + to + bytes(4) + socket.inet_pton(family, lac.remote) + bytes(4)
    else:
        address = start + to + socket.inet_aton(lac.remote) + bytes(8) + ids
    if libc.connect(pppox.fileno(), ctypes.create_string_buffer(address, len(address)), len(address)):
        raise Failure(f"{host.name}: PPPoX connect: errno {ctypes.get_errno()}")
    return pppox
