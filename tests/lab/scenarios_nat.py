"""NATs that change under way, and a gateway that stands behind one itself."""

import random
import re
import socket
import threading
import time

import checks
from catalogue import scenario
from netns import Failure, wait_for
from scenarios import goodbye
from topology import INSIDE, NAT_A

NAT_A_SECOND = "198.51.100.2"

# The first rule is one host's: what leaves it from port 4500 comes from this place.
MOVED = """
table ip moved
delete table ip moved
table ip moved {{
  chain post {{
    type nat hook postrouting priority srcnat - 1;
    oifname "wan" ip saddr {client} udp sport 4500 snat to {place}
  }}
}}
"""


def move(lab, client, inside, place):
    """The NAT of a client forgets where it was and gives its packets another source."""
    nat = lab.world["nata"]
    nat.nft(MOVED.format(client=inside, place=place))
    nat.run("conntrack", "-D", "-p", "udp", "--orig-src", inside)
    address, port = place.split(":")
    if lab.kind == "sameroof":
        checks.wait_until_equal(lambda: [(p["address"], p["port"]) for p in lab.running.peers() if p["user"] == client.user],
                                [(address, int(port))], 10, f"{client.name} is followed to {place}")


class SlowTransfer(threading.Thread):
    """Sends to the server inside, evenly over some seconds, what it then gets back."""

    def __init__(self, client, seconds, pieces=40, piece=5000):
        super().__init__(daemon=True)
        self.client, self.seconds, self.pieces, self.piece = client, seconds, pieces, piece
        self.complaint = "it never ended"
        self.start()

    def run(self):
        content = random.randbytes(self.pieces * self.piece)
        try:
            with self.client.host.socket() as connection:
                connection.settimeout(30)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, self.client.device.encode())
                connection.connect((INSIDE, checks.TRANSFER_PORT))
                connection.sendall(len(content).to_bytes(8, "big"))
                for at in range(0, len(content), self.piece):
                    connection.sendall(content[at:at + self.piece])
                    time.sleep(self.seconds / self.pieces)
                checks.receive(connection, int.from_bytes(checks.receive(connection, 8), "big"))
                came = checks.receive(connection, len(content)) == content[::-1]
                self.complaint = None if came else "it brought something else back"
        except OSError as error:
            self.complaint = str(error)

    def check(self):
        self.join(90)
        if self.complaint:
            raise Failure(f"{self.client.name}: the transfer across the moves: {self.complaint}")


class Pings:
    """Pings that run meanwhile; how many are missing when they end."""

    def __init__(self, client):
        self.client = client
        self.process = client.host.spawn("ping", *checks.ping_command(client))

    def lost(self):
        self.process.send_signal(2)  # it then prints its summary
        self.process.wait(20)
        output = self.client.host.log("ping").read_text()
        got = {int(line.split("icmp_seq=")[1].split()[0]) for line in output.splitlines() if "icmp_seq=" in line}
        if not got:
            raise Failure(f"{self.client.name}: no ping came back at all")
        return max(got) - len(got)


@scenario()
def nat_moves(lab):
    """A client's NAT gives it another port, then another address: its transfer and pings go on, L2TP notices nothing,
    and its neighbour behind the same NAT loses not one ping."""
    moved, neighbour = clients = [lab.client(name) for name in ("a1", "a2")]
    nat, gw = lab.world["nata"], lab.world["gw"]
    nat.ip(f"addr add {NAT_A_SECOND}/25 dev wan")
    try:
        with lab.gateway() as gateway:
            lab.dial(*clients)
            lab.prove(*clients)
            before = {peer["user"]: peer for peer in gateway.peers()}
            errors = checks.xfrm_errors(gw)
            pings, transfer = {c: Pings(c) for c in clients}, SlowTransfer(moved, 6)
            time.sleep(2)
            move(lab, moved, "192.168.1.2", f"{NAT_A}:50001")
            time.sleep(2)
            move(lab, moved, "192.168.1.2", f"{NAT_A_SECOND}:50002")
            transfer.check()
            lost = {c.name: pings[c].lost() for c in clients}
            if lost["a2"] or lost["a1"] > 10:  # 2 s in all, most of it the time until the kernel's news
                raise Failure(f"pings lost across the moves: {lost}")
            after = {peer["user"]: peer for peer in gateway.peers()}
            for key in ("peer", "mark", "alias", "ppp_address", "tunnel", "spi_in", "spi_out"):
                if any(before[user].get(key) != after[user].get(key) for user in before):
                    raise Failure(f"a move changed the {key} of a peer: {before} → {after}")
            told = gateway.xfrmctl("explain", moved.user)
            if not re.search(rf"SA +240\.0\.0\.\d+ is at {NAT_A_SECOND} now", told):
                raise Failure(f"xfrmctl explain was to say that its SAs lead to where {moved.name} is: {told}")
            if checks.xfrm_errors(gw) != errors or any(c.established("IKE_SA") != 1 for c in clients):
                raise Failure(f"IPsec errors {errors} → {checks.xfrm_errors(gw)}, or a client had to connect again")
            lab.prove(*clients)
            goodbye(lab, *clients)
            return f"pings lost: {lost}"
    finally:
        nat.nft("table ip moved\ndelete table ip moved")
        nat.ip(f"addr del {NAT_A_SECOND}/25 dev wan")


@scenario(kernels="one")
def gateway_behind_one_to_one(lab):
    """A gateway with a private address behind a 1:1 NAT that says "echo": three clients behind a NAT and one without
    any see no NAT before the gateway and one before themselves."""
    lab.world.place_gateway("one-to-one")
    clients = [lab.client(name) for name in ("a1", "a2", "b1", "pub")]
    with lab.gateway(settings={"ike": {"nat_detection": "echo"}}):
        lab.dial(*clients)
        lab.prove(*clients)
        lab.check_listing(*clients)
        for c in clients:
            log = c.charon_log()
            if "remote host is behind NAT" in log or "local host is behind NAT" not in log:
                raise Failure(f"{c.name} was to see a NAT before itself and none before the gateway")
        goodbye(lab, *clients)
    wire = lab.world.wire()
    if wire["esp_in"] or wire["esp_out"]:
        raise Failure(f"everything was to go in UDP: {wire}")


@scenario(kernels="one")
def gateway_behind_port_forward(lab):
    """A gateway behind a router that forwards UDP 500 and 4500, and tells the truth about it: clients of two NATs and
    one without any; it sends keepalives for the sake of its own NAT."""
    lab.world.place_gateway("port-forward")
    clients = [lab.client(name) for name in ("a1", "a2", "b1", "pub")]
    with lab.gateway() as gateway:
        lab.dial(*clients)
        lab.prove(*clients)
        lab.check_listing(*clients)
        for c in clients:
            if "remote host is behind NAT" not in c.charon_log():
                raise Failure(f"{c.name} was to see that the gateway is behind a NAT")
        wait_for(lambda: gateway.counters()["keepalives_sent"], 25, "keepalives of the gateway's")
        goodbye(lab, *clients)
