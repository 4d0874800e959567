"""What a process that reads packets can do once somebody has taken it over: it serves its peers ill, and that is all."""

import pathlib
import socket

from catalogue import scenario
from netns import Failure, children, status_of
from scenarios import goodbye
from scenarios_controls import without
from topology import GATEWAY, NAT_A

PROGRAMS = "tests/lab/takeover"
REFUSED = "Operation not permitted"
FOREIGN_SPI = 0x12345678
FOREIGN_SA = ("src", "10.9.9.1", "dst", GATEWAY, "proto", "esp", "spi", FOREIGN_SPI, "reqid", 77, "mode", "transport",
              "enc", "cbc(aes)", "0x" + "11" * 16, "auth", "hmac(sha1)", "0x" + "22" * 20)


def foreign_sa(gw):
    return f"{FOREIGN_SPI:#x}" in gw.run("ip", "xfrm", "state", "list", "reqid", 77)


class Intruder:
    """Sends orders from behind a NAT, as any stranger could."""

    def __init__(self, host, port, before=b""):
        self.port, self.before = port, before
        self.socket = host.socket(kind=socket.SOCK_DGRAM)
        self.socket.settimeout(10)

    def say(self, *words):
        self.socket.sendto(self.before + f"SAMEROOF TAKEOVER {' '.join(map(str, words))}".encode(), (GATEWAY, self.port))

    def expect(self, answer, *words):
        self.say(*words)
        try:
            got = self.socket.recv(2048).decode()
        except TimeoutError:
            raise Failure(f"no answer to the order {words}") from None
        if answer not in got:
            raise Failure(f"the order {words} was to be answered with {answer!r}: {got!r}")


def programs(lab, daemon):
    """One whose process that reads packets obeys, and one that nothing confines besides."""
    both = [f"{PROGRAMS}/{daemon}-{which}" for which in ("taken-over", "unconfined")]
    missing = [program for program in both if not pathlib.Path(lab.build, program).exists()]
    if missing:
        raise Failure(f"there is no {' and no '.join(missing)}: build with -DSAMEROOF_TAKEOVER=ON")
    return both


def expect_nothing_left(process):
    status = status_of(process)
    user, capabilities, seccomp = status["Uid"], status["CapPrm"], status["Seccomp"]
    if "0" in user.split() or int(capabilities, 16) or seccomp != "2":
        raise Failure(f"the process that reads packets has privileges: user {user}, capabilities {capabilities}, seccomp {seccomp}")


@scenario("all", "control", only="sameroof", places=("none",), kernels="one")
def taken_over(lab):
    """The process of ikd that reads packets does what a datagram says. It reads no file, runs nothing, makes no process or socket,
    signals nobody, gets no privilege back; through the kernel and through the broker it touches no SA, mark or map element
    that is not of its range, and two tunnels and l2tpd go on. Not confined, it reads the secrets and flushes the host's SAs."""
    obedient, unconfined = programs(lab, "ikd")
    clients = [lab.client(name) for name in ("a1", "a2")]
    gw = lab.world["gw"]
    intruder = Intruder(lab.world["natb"], 500)
    secrets = gw.etc / "secrets.toml"
    gw.run("ip", "xfrm", "state", "add", *FOREIGN_SA)
    with lab.gateway(ikd=obedient) as gateway:
        lab.dial(*clients)
        (process,) = children(gateway.ikd.pid)
        expect_nothing_left(process)
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
    with lab.gateway(ikd=unconfined):
        for order in (("read", secrets), ("socket",), ("execute-memory",), ("flush-sas",)):
            intruder.expect("done", *order)
        if foreign_sa(gw):
            raise Failure("the SA of somebody else is there after all SAs have been flushed")


@scenario("all", "control", only="sameroof", places=("none",), kernels="one")
def l2tpd_taken_over(lab):
    """The same of l2tpd: what a stranger's datagram in clear text makes of the process reads no file, runs nothing, and sends nothing
    with a peer's mark or from an address that is not the gateway's, while two tunnels go on. Once it asks for a session in a
    tunnel that nobody has opened, l2tpd ends, and ikd does not. Not confined, it reads the passwords and sets marks."""
    obedient, unconfined = programs(lab, "l2tpd")
    clients = [lab.client(name) for name in ("a1", "a2")]
    gw = lab.world["gw"]
    intruder = Intruder(lab.world["natb"], 1701, b"\xc8\x02")
    secrets = gw.etc / "secrets.toml"
    with lab.gateway(l2tpd=obedient, cleartext="beside") as gateway:
        lab.dial(*clients)
        (process,) = [child for child in children(gateway.l2tpd.pid) if status_of(child)["Name"] != "pppd"]
        expect_nothing_left(process)
        neighbour = max(peer["mark"] for peer in gateway.peers())
        for order in (("read", secrets), ("read", "/etc/passwd"), ("run", "/bin/true"), ("fork",), ("socket",),
                      ("kill", gateway.ikd.pid), ("kill", gateway.l2tpd.pid), ("trace", gateway.l2tpd.pid),
                      ("execute-memory",), ("become-root",), ("set-mark", neighbour), ("send-with-mark", neighbour), ("send-from", NAT_A)):
            intruder.expect(REFUSED, *order)
        gateway.load_ruleset(lambda rules: without(rules, "fib saddr type != local"))
        intruder.expect("done", "send-from", NAT_A)
        gateway.load_ruleset()
        lab.prove(*clients)
        intruder.say("start-session", neighbour)
        if gateway.l2tpd.wait(30) != 1:
            raise Failure(f"l2tpd ended with status {gateway.l2tpd.returncode}")
        if "The process that reads packets is not what it was." not in gw.log("l2tpd").read_text():
            raise Failure("l2tpd does not say why it ended")
        if "pppd" in gw.processes().values():
            raise Failure("a pppd has outlived l2tpd")
        gateway.l2tpd = None
    lab.world.sweep()
    with lab.gateway(l2tpd=unconfined, cleartext="beside"):
        for order in (("read", secrets), ("socket",), ("execute-memory",), ("set-mark", 0)):
            intruder.expect("done", *order)
