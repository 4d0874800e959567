"""New keys, asked for by the clients or by the gateway, under running pings."""

import contextlib
import re

import checks
from catalogue import scenario
from netns import Failure, each, wait_for
from scenarios import goodbye

# Of a client that is asked by the gateway, in its charon's words.
QUICK_MODE_FROM_GATEWAY = r"parsed QUICK_MODE request \d+ \[ HASH SA"
MAIN_MODE_FROM_GATEWAY = r"parsed ID_PROT request 0 \[ SA"


def asked(client, exchange):
    """How many exchanges of this kind the gateway has begun with the client."""
    return len(set(re.findall(exchange, client.charon_log()))) if exchange == QUICK_MODE_FROM_GATEWAY \
        else len(re.findall(exchange, client.charon_log()))


@contextlib.contextmanager
def no_ping_lost(lab, *clients):
    """All clients ping meanwhile, five times a second; in the end no sequence number is missing or came twice, 10 s
    being enough for an answer, and no IPsec error counter has moved, of the gateway or of a client."""
    hosts = [lab.world["gw"], *(c.host for c in clients)]
    before = {host: checks.xfrm_errors(host) for host in hosts}
    starts = {c: len(c.host.log("ping").read_text()) if c.host.log("ping").exists() else 0 for c in clients}
    pings = {c: c.host.spawn("ping", *checks.ping_command(c)) for c in clients}

    def heard(client):
        return client.host.log("ping").read_text()[starts[client]:]

    try:
        yield lambda client: heard(client).count("icmp_seq")
        sofar = {c: heard(c).count("icmp_seq") for c in clients}
        for c in clients:  # the newest keys must carry traffic, too
            wait_for(lambda: heard(c).count("icmp_seq") > sofar[c] + 25, 30, f"{c.name}: pings with the newest keys")
    finally:
        for ping in pings.values():
            ping.send_signal(2)
            ping.wait(20)
    for c in clients:
        got = [int(n) for n in re.findall(r"icmp_seq=(\d+)", heard(c))]
        if got != list(range(1, len(got) + 1)) or "DUP" in heard(c):
            missing = sorted(set(range(1, max(got, default=0) + 1)) - set(got))
            raise Failure(f"{c.name}: of {len(got)} pings across rekeys these are missing: {missing}")
    for host, errors in before.items():
        if checks.xfrm_errors(host) != errors:
            raise Failure(f"{host.name}: IPsec error counters moved: {errors} → {checks.xfrm_errors(host)}")


@scenario("all", "basic")
def rekey_both_phases(lab):
    """Three clients, two of one NAT, with lifetimes of 60 s for IKE and 40 s for ESP renew both while pings run: none is lost,
    nobody counts an error and the gateway keeps no SA."""
    clients = [lab.client(name, ikelifetime="60s", lifetime="40s", margin="10s")
               for name in lab.crowd("a1", "a2", "b1")]
    with lab.gateway():
        lab.dial(*clients)
        lab.prove(*clients)
        with no_ping_lost(lab, *clients):
            for c in clients:
                wait_for(lambda: c.established("IKE_SA") >= 2 and c.established("CHILD_SA") >= 3, 120,
                         f"{c.name}: one new IKE SA and two new CHILD SAs")
        lab.prove(*clients)
        goodbye(lab, *clients)
        wait_for(lambda: "proto esp" not in lab.world["gw"].run("ip", "xfrm", "state"), 40, "all SAs of rekeyed peers gone")


@scenario("long")
def rekey_by_gateway(lab):
    """Two clients behind one NAT leave it to the gateway to renew both phases: no ping is lost, no SA is left over."""
    clients = [lab.client(name, ikelifetime="60s", lifetime="40s", margin="1s") for name in ("a1", "a2")]
    with lab.gateway():
        lab.dial(*clients)
        lab.prove(*clients)
        with no_ping_lost(lab, *clients):
            for c in clients:
                wait_for(lambda: asked(c, QUICK_MODE_FROM_GATEWAY) >= 2 and asked(c, MAIN_MODE_FROM_GATEWAY) >= 1, 150,
                         f"{c.name}: two Quick Modes and a Main Mode of the gateway's")
        lab.prove(*clients)
        goodbye(lab, *clients)
        wait_for(lambda: "proto esp" not in lab.world["gw"].run("ip", "xfrm", "state"), 40, "all SAs of rekeyed peers gone")


@scenario(kernels="one")
def rekey_by_volume(lab):
    """An SA of the gateway's reaches its soft byte limit: a transfer goes on under new keys, and neither the client nor
    its neighbour behind the same NAT loses a ping."""
    clients = mover, neighbour = [lab.client(name) for name in ("a1", "a2")]
    with lab.gateway(settings={"ike": {"esp_kilobytes": 1000}}):
        lab.dial(*clients)
        with no_ping_lost(lab, *clients):
            lab.prove(mover, size=1_200_000)
            wait_for(lambda: asked(mover, QUICK_MODE_FROM_GATEWAY) >= 1, 20, f"{mover.name}: a Quick Mode of the gateway's")
            lab.prove(mover, size=1_200_000)
        if asked(neighbour, QUICK_MODE_FROM_GATEWAY):
            raise Failure(f"{neighbour.name} was asked for new keys, and it has hardly sent anything")
        each(lambda c: checks.check_client(c), clients)
        goodbye(lab, *clients)
