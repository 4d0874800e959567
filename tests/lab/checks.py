"""What a working tunnel must do: carry a ping and a verified transfer, and be seen with its own address."""

import hashlib
import http.client
import json
import random
import re
import socket
import threading
import time

from netns import Failure, wait_for
from topology import INSIDE

TRANSFER_PORT = 8080
WEB_PAGE = b"<html><title>the lab</title>" + b"a page of some length, more than one segment of it. " * 400


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def serve(host, port, handler, address="0.0.0.0"):
    """Accepts connections on a host and runs handler(connection, peer) for each; the listening socket."""
    listener = host.socket(family_of(address))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if listener.family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    listener.bind((address, port))
    listener.listen(32)

    def handle(connection, peer):
        with connection:
            connection.settimeout(60)
            try:
                handler(connection, peer)
            except OSError:
                pass  # the client sees that its answer is missing

    def accept():
        while True:
            try:
                connection, peer = listener.accept()
            except OSError:
                return  # closed
            threading.Thread(target=handle, args=(connection, peer), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listener


def receive(connection, size):
    data = bytearray()
    while len(data) < size:
        piece = connection.recv(min(65536, size - len(data)))
        if not piece:
            break
        data += piece
    return bytes(data)


def mirror(connection, peer):
    """The server inside: says whom it saw and what it got, then sends the content back in reverse."""
    size = int.from_bytes(receive(connection, 8), "big")
    content = receive(connection, size)
    report = json.dumps({"peer": peer[0], "sha256": hashlib.sha256(content).hexdigest()}).encode()
    connection.sendall(len(report).to_bytes(8, "big") + report + content[::-1])


def transfer(client, size, patience=60, inside=INSIDE):
    """Sends `size` random bytes to the server inside and gets them back; (address seen there, seconds)."""
    content = random.randbytes(size)
    started = time.monotonic()
    try:
        with client.host.socket(family_of(inside)) as connection:
            connection.settimeout(patience)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, client.device.encode())
            connection.connect((inside, TRANSFER_PORT))
            connection.sendall(len(content).to_bytes(8, "big") + content)
            report = json.loads(receive(connection, int.from_bytes(receive(connection, 8), "big")))
            returned = receive(connection, size)
    except (OSError, ValueError) as error:
        raise Failure(f"{client.name}: transfer: {error}") from None
    if report["sha256"] != hashlib.sha256(content).hexdigest():
        raise Failure(f"{client.name}: the server inside received something else than was sent")
    if returned != content[::-1]:
        raise Failure(f"{client.name}: received something else than the server inside sent")
    return report["peer"], time.monotonic() - started


def ping_command(client, *options):
    return ("ping", "-n", "-i", "0.2", *options, "-I", client.device, INSIDE)


def check_ping(client, count=3, patience=10):
    """Pings the host inside through the client's own tunnel; the mean round trip in milliseconds."""
    # A client's IPCP opens before its server's: the way back may be missing for a moment, not later.
    first = client.host.run(*ping_command(client, "-c", 1, "-w", patience), check=False)
    if " 1 received" not in first:
        raise Failure(f"{client.name}: no answer to pings within {patience} s: {' '.join(first.split())}")
    # With -w it waits for the last answers; -W means little once there was one. It goes on asking meanwhile, so the numbers count.
    output = client.host.run(*ping_command(client, "-c", count, "-w", 10), check=False)
    answered = {int(n) for n in re.findall(r"icmp_seq=(\d+) ttl", output)}
    mean = re.search(r"= [\d.]+/([\d.]+)/", output)
    if len(answered) < count or answered != set(range(1, len(answered) + 1)) or not mean:
        raise Failure(f"{client.name}: pings were lost: {output}")
    return float(mean[1])


def check_client(client, size=200_000, patience=10):
    """Ping and transfer of one client; (mean round trip in ms, seconds of the transfer)."""
    rtt = check_ping(client, patience=patience)
    seen, seconds = transfer(client, size)
    if seen != client.address:
        raise Failure(f"{client.name}: has PPP address {client.address} and was seen as {seen}")
    return rtt, seconds


def web_server(host):
    """A little web server of one page, at every address of a host."""

    def page(connection, _):
        request = b""
        while b"\r\n\r\n" not in request:
            piece = connection.recv(4096)
            if not piece:
                return
            request += piece
        connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % len(WEB_PAGE) + WEB_PAGE)

    return serve(host, 80, page)


def close_server(listener):
    listener.shutdown(socket.SHUT_RDWR)  # wakes its accept(), which would keep the port
    listener.close()


def fetch(host, address, patience=20):
    """Fetches that page from `address`, as a host's own traffic."""
    request = http.client.HTTPConnection(address, 80, timeout=patience)
    request.sock = host.socket()
    request.sock.settimeout(patience)
    try:
        request.sock.connect((address, 80))
        request.request("GET", "/")
        page = request.getresponse().read()
    except (OSError, http.client.HTTPException) as error:
        raise Failure(f"{host.name}: the web page at {address}: {error}") from None
    finally:
        request.close()
    if page != WEB_PAGE:
        raise Failure(f"{host.name}: the web page at {address} came with {len(page)} of {len(WEB_PAGE)} bytes")


def avp(kind, value):
    return (0x8000 | 6 + len(value)).to_bytes(2, "big") + bytes(2) + kind.to_bytes(2, "big") + value


def is_answered_in_clear(host, gateway, seconds=4):
    """Sends an SCCRQ (RFC 2661 §6.1) from port 1701 without IPsec, once a second; whether anything comes back."""
    avps = (avp(0, b"\0\1") + avp(2, b"\1\0") + avp(7, b"lab") + avp(3, bytes([0, 0, 0, 3])) + avp(9, b"\x12\x34") +
            avp(10, b"\0\4"))
    sccrq = b"\xc8\x02" + (12 + len(avps)).to_bytes(2, "big") + bytes(8) + avps
    with host.socket(socket.AF_INET6 if ":" in gateway else socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        out.bind(("", 1701))
        out.settimeout(1)
        for _ in range(seconds):
            out.sendto(sccrq, (gateway, 1701))
            try:
                if out.recv(2048):
                    return True
            except OSError:
                pass
    return False


def xfrm_errors(host):
    """The kernel's IPsec error counters of a host that are not zero."""
    rows = (line.split() for line in host.proc_net("xfrm_stat").splitlines())
    return {name: int(value) for name, value in rows if int(value)}


def open_ports(host, ports=(500, 4500, 1701)):
    """Which of these UDP ports have a socket on the host."""
    local = {int(line.split()[1].split(":")[1], 16) for line in host.proc_net("udp").splitlines()[1:]}
    return sorted(local & set(ports))


def mtu_of(host, device):
    return int(re.search(r" mtu (\d+) ", host.run("ip", "link", "show", "dev", device))[1])


def wait_until_equal(look, wanted, seconds, what):
    """Waits until look() is what is wanted; the complaint says what it was instead."""
    try:
        wait_for(lambda: look() == wanted, seconds, what, every=1)
    except Failure as failure:
        raise Failure(f"{failure}: {look()} and not {wanted}") from None


def left_of_gateway(host):
    """What daemons that have ended left on the host: sockets, SAs, policies, processes, tunnels, ppp interfaces."""
    found = {"sockets": open_ports(host), "SAs": host.run("ip", "xfrm", "state").strip(), "processes": host.processes(),
             "policies": host.run("ip", "xfrm", "policy").strip(), "tunnels": host.run("ip", "l2tp", "show", "tunnel").strip(),
             "interfaces": re.findall(r" ppp\d+:", host.run("ip", "-o", "link"))}
    return {what: things for what, things in found.items() if things}


def must_fail(what, proof):
    """Runs a proof that has to fail; its complaint is the wanted result."""
    try:
        proof()
    except Failure as complaint:
        return complaint
    raise Failure(f"{what}, and everything works: this test would not notice a broken gateway")
