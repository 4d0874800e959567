"""lns = "external": ikd and the ruleset serve a stock xl2tpd, which knows nothing of marks."""

import ctypes
import functools
import json
import os
import re
import socket

import checks
from catalogue import scenario
from netns import Failure
from scenarios import goodbye
from scenarios_controls import breaks, must_fail, without

SO_NO_CHECK = 11
SYS_pidfd_getfd = 438

# What reaches a client through IPsec from the L2TP server, by whether it bears a UDP checksum.
WATCH_CHECKSUMS = """
table inet watch {
  counter with_checksum { }
  counter without_checksum { }
  chain input {
    type filter hook input priority 0;
    meta ipsec exists udp sport 1701 udp checksum 0 counter name without_checksum
    meta ipsec exists udp sport 1701 udp checksum != 0 counter name with_checksum
  }
}
"""


def checksums(client):
    """Packets with and without a checksum since watching began."""
    listing = json.loads(client.host.run("nft", "-j", "list", "counters", "table", "inet", "watch"))["nftables"]
    counters = {entry["counter"]["name"]: entry["counter"]["packets"] for entry in listing if "counter" in entry}
    return counters["with_checksum"], counters["without_checksum"]


def expect_no_checksums(*clients):
    for client in clients:
        bearing, free = checksums(client)
        if bearing or not free:
            raise Failure(f"{client.name}: of what came from the L2TP server, {bearing} packets had a checksum and {free} had none")


def check_objects(gateway, clients, marked=False):
    """xfrmctl knows each client by its own mark and alias, and either nothing outbound asks for a mark, or everything does."""
    peers = gateway.peers()
    for key in ("peer", "mark", "alias", "spi_in"):
        if len({peer[key] for peer in peers}) != len(clients):
            raise Failure(f"xfrmctl was to list {len(clients)} peers, each with its own {key}: {peers}")
    if not all(peer["bytes_in"] and peer["bytes_out"] for peer in peers):
        raise Failure(f"xfrmctl counts no traffic for a peer: {peers}")
    said = gateway.xfrmctl("peers") + gateway.xfrmctl("status")
    if "nothing is known" in said or "another daemon serves L2TP" not in said:
        raise Failure(f"xfrmctl misses l2tpd, which is not wanted: {said}")
    policies, states = (gateway.host.run("ip", "xfrm", what) for what in ("policy", "state"))
    asking = len(re.findall(r"^\s+mark 0x\w*[1-9a-f]\w*/", policies, re.M))
    if asking != (len(clients) if marked else 0) or policies.count("dir out") < len(clients):
        raise Failure(f"{asking} policies ask for a mark: {policies}{states}")


@scenario(only="sameroof")
def external_daemon(lab):
    """Debian's xl2tpd serves three clients behind one NAT, one behind another and one without any, all at once; afterwards nothing
    is left. l2tpd refuses to start beside it."""
    clients = [lab.client(name) for name in ("a1", "a2", "a3", "b1", "pub")]
    gw = lab.world["gw"]
    with lab.gateway(lns="external") as gateway:
        elements = gateway.map_elements()
        refusal = gw.run(gateway.build / "l2tpd/l2tpd", *gateway.files, check=False)
        if "leaves nothing for l2tpd to do" not in refusal:
            raise Failure(f"l2tpd was to refuse to start: {refusal}")
        if checks.is_answered_in_clear(lab.world["a4"], lab.client("a4").remote):
            raise Failure("an SCCRQ in clear text was answered")
        lab.world.reset_wire()
        lab.dial(*clients)
        lab.prove(*clients)
        check_objects(gateway, clients)
        if set(gateway.drops()) - {"cleartext_in"}:
            raise Failure(f"the ruleset dropped packets of well-behaved clients: {gateway.drops()}")
        goodbye(lab, *clients)
        nothing = dict.fromkeys(gateway.traces(elements), 0)
        checks.wait_until_equal(lambda: gateway.traces(elements), nothing, 40, "what clients left behind")
    checks.wait_until_equal(lambda: checks.left_of_gateway(gw), {}, 30, "what the daemons left behind")


@scenario(only="sameroof", kernels="one")
def external_daemon_by_conntrack(lab):
    """Debian's xl2tpd again, for four clients behind two NATs: connection tracking keeps their marks for it, and without the
    rule that gives the mark to its answers none arrives."""
    clients = [lab.client(name) for name in ("a1", "a2", "a3", "b1")]
    kept = {"l2tp": {"external_lookup": "conntrack"}}
    with lab.gateway(lns="external", settings=kept) as gateway:
        lab.dial(*clients)
        lab.prove(*clients)
        check_objects(gateway, clients, marked=True)
        if gateway.drops():
            raise Failure(f"the ruleset dropped packets of well-behaved clients: {gateway.drops()}")
        goodbye(lab, *clients)
    with lab.gateway(lns="external", settings=kept, edit_ruleset=lambda ruleset: without(ruleset, "meta mark set ct mark")):
        must_fail("nothing marks what xl2tpd sends", lambda: lab.dial(clients[0], patience=15))


@scenario(only="sameroof", kernels="one")
def external_daemon_rekeys(lab):
    """Two clients of one NAT rekey both phases under xl2tpd, and go on."""
    clients = [lab.client(name, ikelifetime="40s", lifetime="25s", margin="8s") for name in ("a1", "a2")]
    with lab.gateway(lns="external"):
        lab.dial(*clients)
        lab.prove(*clients)
        for c in clients:
            checks.wait_until_equal(lambda: c.established("IKE_SA") >= 2 and c.established("CHILD_SA") >= 3, True, 120,
                                    f"{c.name}: one new IKE SA and two new CHILD SAs")
        lab.prove(*clients)
        goodbye(lab, *clients)


def make_it_send_checksums(process):
    """Takes SO_NO_CHECK off the UDP sockets of a daemon, xl2tpd's answer to kernels that compute checksums slowly."""
    syscall = ctypes.CDLL(None, use_errno=True).syscall
    pidfd = os.pidfd_open(process)
    for entry in os.listdir(f"/proc/{process}/fd"):
        fd = syscall(SYS_pidfd_getfd, pidfd, int(entry), 0)
        if not os.readlink(f"/proc/self/fd/{fd}").startswith("socket:"):
            os.close(fd)
            continue
        with socket.socket(fileno=fd) as taken:
            if taken.family == socket.AF_INET and taken.type == socket.SOCK_DGRAM:
                taken.setsockopt(socket.SOL_SOCKET, SO_NO_CHECK, 0)
    os.close(pidfd)


@scenario(only="sameroof", kernels="one")
def external_checksums(lab):
    """A daemon without the kernel's L2TP that sends UDP checksums: the ruleset takes them away, since they cover the alias. A
    client behind a NAT may not care; one without any, whose kernel looks at them, is lost without that rule."""
    clients = [lab.client(name) for name in ("a1", "pub")]
    gw = lab.world["gw"]

    def send_checksums():
        make_it_send_checksums(next(pid for pid, name in gw.processes().items() if name == "xl2tpd"))

    with lab.gateway(lns="external", userspace=True):
        send_checksums()
        for client in clients:
            client.host.nft("table inet watch\ndelete table inet watch\n" + WATCH_CHECKSUMS)
        try:
            lab.dial(*clients)
            lab.prove(*clients)
            expect_no_checksums(*clients)
            goodbye(lab, *clients)
        finally:
            for client in clients:
                client.host.nft("delete table inet watch")
    with lab.gateway(lns="external", userspace=True, edit_ruleset=lambda ruleset: without(ruleset, "udp checksum set 0")):
        send_checksums()
        must_fail("nothing takes the checksums away", lambda: lab.dial(clients[1], patience=15))


@scenario("all", "control", only="sameroof", kernels="one")
def broken_external(lab):
    """Two clients of xl2tpd. Without the rule that turns marks into aliases neither works; and where ikd believes that
    l2tpd serves them, and asks for marks, none comes up."""
    clients = [lab.client(name) for name in ("a1", "a2")]
    tunnels = [functools.partial(lab.prove, client, size=10_000, patience=3) for client in clients]
    with lab.gateway(lns="external") as gateway:
        lab.dial(*clients)
        for proof in tunnels:
            proof()
        breaks("the map alias is not used", tunnels,
               lambda: gateway.load_ruleset(lambda rules: without(rules, "map @alias")), gateway.load_ruleset)
        lab.hang_up(*clients)
    with lab.gateway(lns="external", settings={"l2tp": {"lns": "l2tpd"}}) as gateway:
        must_fail("SAs and policies ask for marks that nobody sets", lambda: lab.dial(*clients, patience=15))
        if not gateway.drops().get("leak"):
            raise Failure(f"xl2tpd was to answer, and the answers to be dropped: {gateway.drops()}")
