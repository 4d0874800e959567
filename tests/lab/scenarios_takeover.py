"""What the process of ikd that reads packets can do once somebody has taken it over: it serves its peers ill, and that is all."""

import pathlib
import socket

from catalogue import scenario
from netns import Failure, children, status_of
from scenarios import goodbye
from topology import GATEWAY

TAKEN_OVER, UNCONFINED = "tests/lab/takeover/ikd-taken-over", "tests/lab/takeover/ikd-unconfined"
REFUSED = "Operation not permitted"
FOREIGN_SPI = 0x12345678
FOREIGN_SA = ("src", "10.9.9.1", "dst", GATEWAY, "proto", "esp", "spi", FOREIGN_SPI, "reqid", 77, "mode", "transport",
              "enc", "cbc(aes)", "0x" + "11" * 16, "auth", "hmac(sha1)", "0x" + "22" * 20)


def foreign_sa(gw):
    return f"{FOREIGN_SPI:#x}" in gw.run("ip", "xfrm", "state", "list", "reqid", 77)


class Intruder:
    """Sends orders from behind a NAT, as any stranger could."""

    def __init__(self, host):
        self.socket = host.socket(kind=socket.SOCK_DGRAM)
        self.socket.settimeout(10)

    def order(self, *words):
        order = " ".join(map(str, words))
        self.socket.sendto(f"SAMEROOF TAKEOVER {order}".encode(), (GATEWAY, 500))
        try:
            return self.socket.recv(2048).decode()
        except TimeoutError:
            raise Failure(f"no answer to the order {order!r}") from None

    def expect(self, answer, *words):
        got = self.order(*words)
        if answer not in got:
            raise Failure(f"the order {words} was to be answered with {answer!r}: {got!r}")


@scenario("all", "control", only="sameroof", places=("none",), kernels="one")
def taken_over(lab):
    """The process that reads packets does what a datagram says. It reads no file, runs nothing, makes no process or socket,
    signals nobody, gets no privilege back; through the kernel and through the broker it touches no SA, mark or map element
    that is not of its range, and two tunnels and l2tpd go on. Not confined, it reads the secrets and flushes the host's SAs."""
    if not pathlib.Path(lab.build, TAKEN_OVER).exists():
        raise Failure(f"there is no {TAKEN_OVER}: build with -DSAMEROOF_TAKEOVER=ON")
    clients = [lab.client(name) for name in ("a1", "a2")]
    gw = lab.world["gw"]
    intruder = Intruder(lab.world["natb"])
    secrets = gw.etc / "secrets.toml"
    gw.run("ip", "xfrm", "state", "add", *FOREIGN_SA)
    with lab.gateway(ikd=TAKEN_OVER) as gateway:
        lab.dial(*clients)
        (process,) = children(gateway.ikd.pid)
        status = status_of(process)
        user, capabilities, seccomp = status["Uid"], status["CapPrm"], status["Seccomp"]
        if "0" in user.split() or int(capabilities, 16) or seccomp != "2":
            raise Failure(f"the process that reads packets has privileges: user {user}, capabilities {capabilities}, seccomp {seccomp}")
        for order in (("read", secrets), ("read", "/etc/passwd"), ("run", "/bin/true"), ("fork",), ("socket",),
                      ("kill", gateway.l2tpd.pid), ("kill", gateway.ikd.pid), ("trace", gateway.ikd.pid),
                      ("execute-memory",), ("become-root",), ("flush-sas",)):
            intruder.expect(REFUSED, *order)
        neighbour = max(peer["mark"] for peer in gateway.peers())
        for order in (("remove-sa", FOREIGN_SPI), ("stamp", neighbour), ("map", neighbour)):
            intruder.expect("outside our range", *order)
        if not foreign_sa(gw):
            raise Failure("the SA of somebody else is gone")
        lab.prove(*clients)
        goodbye(lab, *clients)
    with lab.gateway(ikd=UNCONFINED):
        for order in (("read", secrets), ("socket",), ("execute-memory",), ("flush-sas",)):
            intruder.expect("done", *order)
        if foreign_sa(gw):
            raise Failure("the SA of somebody else is there after all SAs have been flushed")
