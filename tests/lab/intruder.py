"""What somebody would send who wants into another's tunnel: every form of data message, and control messages, by ids."""

import contextlib
import socket
import struct

import lac
from netns import wait_for
from topology import INSIDE

PORT = 9999  # of the host inside, where an injected datagram would come out
IPPROTO_UDP, IPPROTO_RAW = 17, 255

# RFC 2661 §3.1: flags, and which fields they bring. The last two are no data message of version 2 at all.
FORMS = {"no flags": 0x0002, "length": 0x4002, "sequence": 0x0802, "length, sequence": 0x4802, "offset": 0x0202,
         "priority": 0x0102, "length, offset": 0x4202, "reserved bits": 0x3002, "version 3": 0x0003, "version 0": 0x0000}


def checksum(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ip_packet(source, destination, payload, protocol=IPPROTO_UDP):
    start = struct.pack(">BBHHHBB", 0x45, 0, 20 + len(payload), 1, 0, 64, protocol)
    addresses = socket.inet_aton(source) + socket.inet_aton(destination)
    return start + struct.pack(">H", checksum(start + b"\0\0" + addresses)) + addresses + payload


def udp_datagram(source_port, port, payload):
    return struct.pack(">HHHH", source_port, port, 8 + len(payload), 0) + payload


def data_message(flags, tunnel, session, payload):
    header = struct.pack(">H", flags) + (b"\0\0" if flags & 0x4000 else b"") + struct.pack(">HH", tunnel, session)
    header += struct.pack(">HH", 0, 0) if flags & 0x0800 else b""
    header += struct.pack(">H", 0) if flags & 0x0200 else b""
    message = header + b"\xff\x03\x00\x21" + payload
    return message[:2] + struct.pack(">H", len(message)) + message[4:] if flags & 0x4000 else message


def router_advertisement(to):
    """RFC 4861 §4.2, from a router that would have every packet to the internet for half an hour."""
    source, destination = socket.inet_pton(socket.AF_INET6, "fe80::bad"), socket.inet_pton(socket.AF_INET6, to)
    message = struct.pack(">BBHBBHII", 134, 0, 0, 64, 0x08, 1800, 0, 0)  # 0x08: prefer me (RFC 4191)
    pseudo_header = source + destination + struct.pack(">II", len(message), socket.IPPROTO_ICMPV6)
    message = message[:2] + struct.pack(">H", checksum(pseudo_header + message)) + message[4:]
    return struct.pack(">IHBB", 6 << 28, len(message), socket.IPPROTO_ICMPV6, 255) + source + destination + message


class Listener:
    """The host inside, listening for what was injected."""

    def __init__(self, host):
        self.socket = host.socket(kind=socket.SOCK_DGRAM)
        self.socket.bind(("0.0.0.0", PORT))
        self.socket.setblocking(False)

    def heard(self):
        found = set()
        with contextlib.suppress(BlockingIOError):
            while True:
                payload, peer = self.socket.recvfrom(2048)
                found.add((payload.decode(), peer[0]))
        return found

    def close(self):
        self.socket.close()


def data_messages(tunnel, session, source, who):
    """One of each form, as if the owner of `source` sent a datagram to the host inside."""
    return [data_message(flags, tunnel, session, ip_packet(source, INSIDE, udp_datagram(1, PORT, f"{who}: {form}".encode())))
            for form, flags in FORMS.items()]


def control_messages(tunnel, session):
    """StopCCN and CDN with every sequence number that could be due."""
    endings = (lac.avp(0, lac.u16(lac.STOPCCN)) + lac.avp(1, lac.u16(1)) + lac.avp(lac.TUNNEL, lac.u16(4)),
               lac.avp(0, lac.u16(lac.CDN)) + lac.avp(1, lac.u16(3)) + lac.avp(lac.SESSION, lac.u16(1)))
    return [lac.control(tunnel, session, ns, nr, body) for body in endings for ns in range(12) for nr in range(5)]


def forged(host, source, port, destination, messages):
    """Sends these to UDP port 1701 as if from that address and port."""
    with host.socket(socket.AF_INET, socket.SOCK_RAW, IPPROTO_RAW) as raw:
        for message in messages:
            raw.sendto(ip_packet(source, destination, udp_datagram(port, 1701, message)), (destination, 0))


def own_packets_arrive(listener, client, tunnel, session):
    """The same packets in the sender's own session do come out inside: the forms are right, and the listener hears."""
    for message in data_messages(tunnel, session, client.address, "own"):
        client.lac.send(message)
    return wait_for(lambda: [what for what in listener.heard() if what[1] == client.address], 10,
                    f"{client.name}: its own packets, hand-made, come out inside")
