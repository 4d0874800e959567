"""What clients speak to the gateway itself inside IPsec, besides L2TP: a [[service]]. Its servers are a few lines here, and
know each client by the mark of its packets."""

import contextlib
import json
import re
import socket
import struct
import threading

import checks
from catalogue import scenario
from gateway_sameroof import RUN_DIR
from netns import Failure, each, stop, wait_for
from scenarios import goodbye
from topology import GATEWAY

SO_RCVMARK = 75  # asm-generic/socket.h; Python has no name for it
ECHO, PAGE = ("udp", 7777), ("tcp", 7778)
SAME_PORT = 5555  # of every client: behind the NAT nothing but the mark tells them apart


def mark_of(ancillary):
    return next((struct.unpack("I", data)[0] for level, kind, data in ancillary
                 if (level, kind) == (socket.SOL_SOCKET, socket.SO_MARK)), 0)


@contextlib.contextmanager
def echo_server(host):
    """Answers each datagram with its mark, its source and its content, under the same mark."""
    server = host.socket(kind=socket.SOCK_DGRAM)
    server.setsockopt(socket.SOL_SOCKET, SO_RCVMARK, 1)
    server.bind(("0.0.0.0", ECHO[1]))

    def serve():
        while True:
            data, ancillary, _, source = server.recvmsg(2048, 256)
            if data == b"":
                return
            answer = json.dumps({"mark": mark_of(ancillary), "alias": source[0], "said": data.decode()}).encode()
            with contextlib.suppress(OSError):
                server.sendmsg([answer], [(socket.SOL_SOCKET, socket.SO_MARK, struct.pack("I", mark_of(ancillary)))], 0, source)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        with host.socket(kind=socket.SOCK_DGRAM) as end:
            end.sendto(b"", ("127.0.0.1", ECHO[1]))
        thread.join(10)
        server.close()


@contextlib.contextmanager
def page_server(host, inherit_marks):
    """Says by which mark and address it knows a client and sends back what it gets, over TCP. `inherit_marks`: an accepted
    connection answers under its client's mark (net.ipv4.tcp_fwmark_accept)."""
    def sysctl(value):
        host.run("sh", "-c", f"echo {value} > /proc/sys/net/ipv4/tcp_fwmark_accept")

    def answer(connection, peer):
        size = int.from_bytes(checks.receive(connection, 8), "big")
        content = checks.receive(connection, size)
        mark = connection.getsockopt(socket.SOL_SOCKET, socket.SO_MARK)
        report = json.dumps({"mark": mark, "alias": peer[0]}).encode()
        connection.sendall(len(report).to_bytes(8, "big") + report + content[::-1])

    sysctl(int(inherit_marks))
    server = checks.serve(host, PAGE[1], answer)
    try:
        yield
    finally:
        checks.close_server(server)
        sysctl(0)


def ask(client, text, patience=10):
    """What the echo server answers to a client, asked once a second."""
    with client.host.socket(kind=socket.SOCK_DGRAM) as out:
        out.bind(("0.0.0.0", SAME_PORT))
        out.connect((GATEWAY, ECHO[1]))
        out.settimeout(1)
        for _ in range(patience):
            out.send(text.encode())
            with contextlib.suppress(OSError):
                return json.loads(out.recv(2048))
    raise Failure(f"{client.name}: the echo server does not answer")


@contextlib.contextmanager
def connected(client, port=SAME_PORT, patience=30):
    """A connection from this port to the page server's; its end leaves nothing behind that would keep the port from the next."""
    with client.host.socket() as connection:
        connection.settimeout(patience)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.bind(("0.0.0.0", port))
        connection.connect((GATEWAY, PAGE[1]))
        yield connection


def exchange(client, size, port=SAME_PORT, patience=30):
    """Sends `size` bytes to the page server from this port and gets them back; what it knew the client by."""
    content = bytes(range(256)) * (size // 256)
    try:
        with connected(client, port, patience) as connection:
            connection.sendall(len(content).to_bytes(8, "big") + content)
            report = json.loads(checks.receive(connection, int.from_bytes(checks.receive(connection, 8), "big")))
            returned = checks.receive(connection, len(content))
    except (OSError, ValueError) as error:
        raise Failure(f"{client.name}: the page server: {error}") from None
    if returned != content[::-1]:
        raise Failure(f"{client.name}: received something else than the page server sent")
    return report


def known_as(gateway, client):
    peer = next(peer for peer in gateway.peers() if peer["user"] == client.user)
    return {"mark": peer["mark"], "alias": peer["alias"]}


def forget_what_the_sa_is_for(client):
    """The client's L2TP SA encrypts whatever goes to the gateway from now on."""
    states = client.host.run("ip", "xfrm", "state")
    sa = re.search(rf"src (\S+) dst {GATEWAY}\s+proto esp spi (\S+) .*?auth-trunc (\S+) (\S+) (\d+)\s+enc (\S+) (\S+)"
                   r"\s+encap type espinudp sport (\d+) dport (\d+)", states, re.DOTALL)
    source, spi, auth, auth_key, bits, cipher, key, sport, dport = sa.groups()
    ends = ("src", source, "dst", GATEWAY)
    client.host.run("sh", "-c", "ip xfrm policy flush; ip xfrm state flush")
    client.host.run("ip", "xfrm", "state", "add", *ends, "proto", "esp", "spi", spi, "reqid", 1, "mode", "transport",
                    "replay-oseq", 1000, "auth-trunc", auth, auth_key, bits, "enc", cipher, key, "encap", "espinudp", sport, dport, "0.0.0.0")
    client.host.run("ip", "xfrm", "policy", "add", *ends, "dir", "out", "tmpl", *ends, "proto", "esp", "reqid", 1, "mode", "transport")


@scenario(only="sameroof", kernels="one")
def selector_is_kept(lab):
    """What a peer sends through its SA for another port, by another protocol, or to another's service, goes nowhere: the SA that
    it came through is for L2TP alone."""
    client, gw, refused, datagrams, pings = lab.client("a1"), lab.world["gw"], "XfrmInStateMismatch", 10, 3
    with lab.gateway(services=[ECHO]) as gateway, echo_server(gw):
        client.start_ipsec()
        before = checks.xfrm_errors(gw).get(refused, 0)
        forget_what_the_sa_is_for(client)
        with client.host.socket(kind=socket.SOCK_DGRAM) as out:
            for _ in range(datagrams):
                out.sendto(b"let me in", (GATEWAY, ECHO[1]))
        client.host.run("ping", "-c", pings, "-i", "0.2", "-W", 1, GATEWAY, check=False)
        checks.wait_until_equal(lambda: checks.xfrm_errors(gw).get(refused, 0) - before, datagrams + pings, 10, f"{refused} counts them")
        if gateway.drops():  # an answer would have found no SA
            raise Failure(f"the ruleset dropped {gateway.drops()}")
        client.hang_up()


@scenario(only="sameroof", places=("none", "one-to-one"), kernels="one")
def service_for_each(lab):
    """Two clients behind one NAT speak UDP to a [[service]] of the gateway beside their L2TP, from one and the same port: its
    server tells them apart and each gets its own answers, across new keys. A port that is not admitted is refused."""
    clients = [lab.client(name, services=[ECHO], lifetime="40s", margin="10s") for name in ("a1", "a2")]
    with lab.gateway(services=[ECHO]) as gateway, echo_server(lab.world["gw"]):
        lab.dial(*clients)
        lab.prove(*clients)
        expected = {c: known_as(gateway, c) for c in clients}

        def rounds(count):
            for number in range(count):
                for c, answer in zip(clients, each(lambda c: ask(c, f"{c.name} {number}"), clients)):
                    if answer != {**expected[c], "said": f"{c.name} {number}"}:
                        raise Failure(f"{c.name}: known as {expected[c]}, and answered {answer}")

        rounds(20)
        keys = {c: c.established("CHILD_SA") for c in clients}
        for c in clients:
            wait_for(lambda: len(re.findall(r"CHILD_SA udp-7777\{\d+\} established", c.charon_log())) >= 2
                     and c.established("CHILD_SA") > keys[c], 90, f"{c.name}: new keys of the service and of L2TP")
        rounds(20)
        lab.prove(*clients)
        if gateway.drops():
            raise Failure(f"the ruleset dropped packets of well-behaved clients: {gateway.drops()}")
        for other in (("udp", ECHO[1] + 1), ("tcp", ECHO[1])):
            stranger = lab.client("a3", services=[other])
            try:
                stranger.start_ipsec()
            except Failure as failure:
                if "INVALID_ID_INFORMATION" not in str(failure):
                    raise
            else:
                raise Failure(f"{other} was admitted, and nobody had configured it")
            lab.hang_up(stranger)
        rounds(1)
        goodbye(lab, *clients)


@scenario("long", only="sameroof", places=("none", "one-to-one"))
def service_over_tcp(lab):
    """The same over TCP: with net.ipv4.tcp_fwmark_accept an accepted connection bears its client's mark, and so do its answers.
    Without it nothing of them leaves."""
    clients = [lab.client(name, services=[PAGE]) for name in ("a1", "a2")]
    gw = lab.world["gw"]
    with lab.gateway(services=[PAGE]) as gateway:
        lab.dial(*clients)
        lab.prove(*clients)
        with page_server(gw, inherit_marks=True):
            for port in range(SAME_PORT, SAME_PORT + 3):
                for c, report in zip(clients, each(lambda c: exchange(c, 102_400, port), clients)):
                    if report != known_as(gateway, c):
                        raise Failure(f"{c.name}: known as {known_as(gateway, c)}, and the page server said {report}")
        if gateway.drops():
            raise Failure(f"the ruleset dropped packets of well-behaved clients: {gateway.drops()}")
        with page_server(gw, inherit_marks=False):
            try:
                exchange(clients[0], 1024, SAME_PORT + 3, patience=4)
            except Failure:
                pass
            else:
                raise Failure("the page server answered without its client's mark")
        if set(gateway.drops()) != {"leak"}:
            raise Failure(f"answers without a mark were to be dropped as a leak: {gateway.drops()}")
        lab.prove(*clients)
        goodbye(lab, *clients)


@contextlib.contextmanager
def servers_over_saref(gateway):
    """The small servers of tests/saref: both know by libsaref who speaks to them."""
    def inherit(value):
        gateway.host.run("sh", "-c", f"echo {value} > /proc/sys/net/ipv4/tcp_fwmark_accept")

    inherit(1)
    servers = [gateway.host.spawn(name, gateway.build / "tests/saref" / name, port, f"{RUN_DIR}/ikd")
               for name, port in (("udp_echo", ECHO[1]), ("tcp_echo", PAGE[1]))]
    try:
        yield
    finally:
        each(stop, servers)
        inherit(0)


def identities(client):
    """What both servers call this client, having sent back what it said to each: ("mark alias identity", "mark identity")."""
    said = f"this is {client.name}".encode()
    for _ in range(10):
        with client.host.socket(kind=socket.SOCK_DGRAM) as out:
            out.bind(("0.0.0.0", SAME_PORT))
            out.connect((GATEWAY, ECHO[1]))
            out.settimeout(1)
            out.send(said)
            with contextlib.suppress(OSError):
                by_udp, _, back = out.recv(2048).partition(b"\n")
                break
    else:
        raise Failure(f"{client.name}: udp_echo does not answer")
    try:
        with connected(client) as connection:
            connection.sendall(said)
            connection.shutdown(socket.SHUT_WR)
            by_tcp, _, back_over_tcp = b"".join(iter(lambda: connection.recv(2048), b"")).partition(b"\n")
    except OSError as error:
        raise Failure(f"{client.name}: tcp_echo: {error}") from None
    if (back, back_over_tcp) != (said, said):
        raise Failure(f"{client.name} said {said} and gets back {back} over UDP, {back_over_tcp} over TCP")
    return by_udp.decode(), by_tcp.decode()


@scenario(only="sameroof", places=("none", "one-to-one"), kernels="one")
def service_by_saref(lab):
    """Two clients behind one NAT speak UDP and TCP, from one and the same port, to servers over libsaref, which tell them apart
    and name the identity that each has proved to IKE."""
    clients = [lab.client(name, services=[ECHO, PAGE]) for name in ("a1", "a2")]
    with lab.gateway(services=[ECHO, PAGE]) as gateway, servers_over_saref(gateway):
        lab.dial(*clients)
        lab.prove(*clients)
        peers = {peer["user"]: peer for peer in gateway.peers()}
        if len({peer["identity"] for peer in peers.values()}) != len(clients):
            raise Failure(f"each client was to have an identity of its own: {peers}")
        for c, (by_udp, by_tcp) in zip(clients, each(identities, clients)):
            peer = peers[c.user]
            if by_udp != f"{peer['mark']} {peer['alias']} {peer['identity']}" or by_tcp != f"{peer['mark']} {peer['identity']}":
                raise Failure(f"{c.name} is {peer}, and known as '{by_udp}' over UDP and '{by_tcp}' over TCP")
        if gateway.drops():
            raise Failure(f"the ruleset dropped packets of well-behaved clients: {gateway.drops()}")
        goodbye(lab, *clients)
