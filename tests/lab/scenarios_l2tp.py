"""L2TP with tunnels that look alike, and what one client can do to the tunnel of another: nothing."""

import re
import signal
import time
import types

import checks
import intruder
from catalogue import scenario
from client_windows import WindowsClient
from netns import Failure, stop
from scenarios import goodbye
from scenarios_reconnect import every_ping
from topology import GATEWAY, NAT_A


def windows(lab, *names, **options):
    return [lab.client(name, kind=WindowsClient, **options) for name in names]


@scenario(only="sameroof")
def windows_with_equal_tunnel_ids(lab):
    """Two clients behind one NAT whose L2TP is Windows' own: the same source port, and the same tunnel and session id."""
    clients = windows(lab, "a1", "a2")
    with lab.gateway() as gateway:
        lab.dial(*clients)
        lab.prove(*clients)
        lab.check_listing(*clients)
        ids = [(c.lac.tunnel, c.lac.session, c.lac.udp.getsockname()[1]) for c in clients]
        if ids != [(4, 1, 1701)] * 2:
            raise Failure(f"both were to have the same ids and port: {ids}")
        if gateway.drops():
            raise Failure(f"the ruleset dropped packets of well-behaved clients: {gateway.drops()}")
        goodbye(lab, *clients)


@scenario(only="sameroof")
def several_sessions_in_a_tunnel(lab):
    """Three calls in one tunnel, each with a PPP link and an address of its own, beside a neighbour with equal ids: one that ends
    leaves the others alone, and its id is good for the next call. Data of the third bear sequence numbers, for which its MTU
    has room."""
    many, neighbour = windows(lab, "a1", "a2")
    with lab.gateway() as gateway:

        def sessions():
            return [s for s in gateway.listed("sessions") if s["user"] == many.user]

        lab.dial(many, neighbour)
        first = types.SimpleNamespace(**vars(many))
        second, third = many.another_session(2), many.another_session(3, sequencing=True)
        lab.prove(first, second, third, neighbour)
        if {s["ppp_address"] for s in sessions()} != {first.address, second.address, third.address}:
            raise Failure(f"each session was to be listed with its address: {sessions()}")
        if len({(s["mark"], s["tunnel"]) for s in sessions()}) != 1 or len(gateway.listed("tunnels")) != 2:
            raise Failure(f"they were to share a tunnel: {sessions()}")
        mtus = {s["ppp_address"]: checks.mtu_of(lab.world["gw"], s["ifname"]) for s in sessions()}
        if (mtus[first.address], mtus[third.address]) != (1400, 1398):
            raise Failure(f"the MTU was to be what the client takes, and less with sequence numbers: {mtus}")
        many.end_session(2)
        checks.wait_until_equal(lambda: len(sessions()), 2, 20, "sessions left in the tunnel")
        lab.prove(first, third, neighbour)
        again = many.another_session(2)
        lab.prove(first, again, third, neighbour)
        if gateway.drops():
            raise Failure(f"the ruleset dropped packets of well-behaved clients: {gateway.drops()}")
        goodbye(lab, many, neighbour)
        checks.wait_until_equal(lambda: gateway.status("l2tpd")["gauges"]["pppd"], 0, 20, "pppds of sessions that have gone")


def break_in(listener, victim, attackers):
    """Everything that the attackers can send at the victim's tunnel; what came out inside in the victim's name."""
    tunnel, session = victim.lac.peer_tunnel, victim.lac.peer_session
    for attacker in attackers:
        for message in intruder.data_messages(tunnel, session, victim.address, attacker.name):
            attacker.lac.send(message)
        for message in intruder.control_messages(tunnel, session):
            attacker.lac.send(message)
    time.sleep(3)
    return {what for what, source in listener.heard() if source == victim.address}


def attack(lab, victim, attackers):
    """The victim's tunnel stands all this, and goes on working."""
    listener = intruder.Listener(lab.world["inside"])
    try:
        for client in (victim, *attackers):
            intruder.own_packets_arrive(listener, client, client.lac.peer_tunnel, client.lac.peer_session)
        came = break_in(listener, victim, attackers)
        if came:
            raise Failure(f"packets injected into {victim.name}'s session came out inside: {sorted(came)}")
        lab.prove(victim, *attackers, size=10_000)
    finally:
        listener.close()


@scenario(only="sameroof")
def injection_by_ids(lab):
    """A client that knows the ids of its neighbour's tunnel and session gets no packet into it, whatever form of header it
    uses, and ends neither: the latch drops and counts them."""
    victim, attacker = windows(lab, "a1", "a2")
    with lab.gateway() as gateway:
        lab.dial(victim, attacker)
        lab.prove(victim, attacker)
        attack(lab, victim, [attacker])
        wrong, counters = gateway.drops(), gateway.status("l2tpd")["counters"]
        if wrong.get("wrong_tunnel", 0) < len(intruder.FORMS) or counters["dropped_wrong_mark"] < 100:
            raise Failure(f"every data and control message was to be counted: {wrong}, {counters}")
        goodbye(lab, victim, attacker)
        return f"dropped: {wrong['wrong_tunnel']} data, {counters['dropped_wrong_mark']} control"


@scenario(only="sameroof", places=("none", "one-to-one"))
def clear_text_beside_two_secure(lab):
    """cleartext = "beside": two IPsec clients and one in clear text behind one NAT at once, all with equal ids. The one in clear
    text, and a stranger who forges every address there is, get nothing into the others' tunnels."""
    one, two = windows(lab, "a1", "a2")
    clear, = windows(lab, "a3", ipsec=False)
    with lab.gateway(cleartext="beside") as gateway:
        lab.dial(one, two, clear)
        lab.prove(one, two, clear)
        attack(lab, one, [clear])
        listener = intruder.Listener(lab.world["inside"])
        tunnel, session = one.lac.peer_tunnel, one.lac.peer_session
        alias = next(peer["alias"] for peer in gateway.peers() if peer["user"] == one.user)
        messages = (intruder.data_messages(tunnel, session, one.address, "stranger")
                    + intruder.control_messages(tunnel, session)[::7])
        try:
            # Where the victim's ESP comes from, where the clear-text client is, the victim's alias, the gateway itself.
            for source, port in ((NAT_A, 4500), (NAT_A, 1701), (alias, 1701), (GATEWAY, 1701), ("192.0.2.10", 1701)):
                intruder.forged(lab.world["pub"], source, port, clear.remote, messages)
            time.sleep(3)
            if listener.heard():
                raise Failure("what a stranger sent came out inside")
        finally:
            listener.close()
        drops = gateway.drops()
        if lab.world.place == "none" and not (drops.get("from_alias") and drops.get("wrong_tunnel")):
            raise Failure(f"the forged packets were to arrive and to be dropped: {drops}")
        lab.prove(one, two, clear)
        lab.hang_up(one, two, clear)
        return f"dropped: {drops}"


@scenario(only="sameroof", places=("none", "one-to-one"), kernels="one")
def clear_text_only(lab):
    """cleartext = "only": without ikd, two clients of one NAT and one without any; nobody else is answered on 500 and 4500."""
    clients = windows(lab, "a1", ipsec=False) + [lab.client(name, ipsec=False) for name in ("a2", "pub")]
    with lab.gateway(cleartext="only") as gateway:
        lab.dial(*clients)
        lab.prove(*clients)
        if checks.open_ports(lab.world["gw"]) != [1701]:
            raise Failure(f"only L2TP was to be served: {checks.open_ports(lab.world['gw'])}")
        if gateway.status("l2tpd")["gauges"]["sessions"] != 3:
            raise Failure(f"three sessions were to be there: {gateway.status('l2tpd')}")
        lab.hang_up(*clients)


@scenario(only="sameroof", kernels="one")
def peer_that_ends_takes_its_tunnel_along(lab):
    """A client's IKE says goodbye while its L2TP says nothing: the tunnel and the session are gone at once, the neighbour's are
    not, and nothing of it goes in clear text."""
    leaves, stays = clients = [lab.client(name) for name in ("a1", "a2")]
    with lab.gateway() as gateway:
        lab.dial(*clients)
        lab.prove(*clients)
        stop(leaves.starter)  # charon deletes its SAs; xl2tpd and pppd go on as if nothing had happened
        started = time.monotonic()
        checks.wait_until_equal(lambda: gateway.status("l2tpd")["gauges"]["tunnels"], 1, 10, "tunnels left")
        took = time.monotonic() - started
        if gateway.status("l2tpd")["gauges"]["sessions"] != 1:
            raise Failure("the session was to end with its tunnel")
        lab.prove(stays)
        if lab.world.wire()["clear_out"]:
            raise Failure("the gateway sent something in clear text")
        lab.hang_up(*clients)
        return f"gone after {took:.1f} s"


# Before routing: the internet has no way to an alias, and what is sent there would not be counted as forwarded.
LEAKED = """
table inet leaked {
  counter leaked { }
  chain pre {
    type filter hook prerouting priority raw;
    iifname "gw" udp sport 1701 counter name leaked
  }
}
"""


def lose_everything(lab):
    lab.world["gw"].run("sh", "-c", "ip xfrm policy flush; ip xfrm state flush")


def lose_the_sa(lab, client, lose=lose_everything):
    """The SAs of a client's peer vanish from the gateway, and as a rule its policies; what is then sent to it."""
    internet = lab.world["internet"]
    lab.dial(client)
    lab.prove(client)
    internet.nft(LEAKED)
    try:
        lose(lab)
        lab.world["inside"].run("ping", "-n", "-c", 5, "-i", "0.2", "-W", 1, client.address, check=False)
        if lab.world.wire()["leaked"]:
            raise Failure(f"a tunnel without an SA was spoken in clear text: {lab.world.wire()}")
    finally:
        internet.nft("delete table inet leaked")


@scenario(only="sameroof", places=("none",))
def lost_sa_sends_nothing_in_clear(lab):
    """The SA of a tunnel that stands is taken away underneath it: what the gateway then sends to that client is dropped and counted."""
    client = lab.client("a1")
    with lab.gateway() as gateway:
        lose_the_sa(lab, client)
        if gateway.drops().get("leak", 0) < 5:
            raise Failure(f"what had no SA was to be dropped: {gateway.drops()}")
        client.vanish()


def lose_the_states(lab):
    """Those of a1 alone, both ways."""
    host = lab.world["gw"]
    marks = [peer["mark"] for peer in lab.running.peers() if peer["user"] == "a1"]
    before = host.run("ip", "xfrm", "state").count("proto esp")
    for mark in marks:
        host.run("ip", "xfrm", "state", "deleteall", "reqid", mark)
    if len(marks) != 1 or before - host.run("ip", "xfrm", "state").count("proto esp") != 2:
        raise Failure(f"a pair of SAs was to be deleted: {marks}, {host.run('ip', 'xfrm', 'state')}")


def without_states(host):
    """Packets for which there was a policy and no SA."""
    return int(re.search(r"XfrmOutNoStates\s+(\d+)", host.proc_net("xfrm_stat"))[1])


@scenario(only="sameroof", places=("none",), seconds=300)
def lost_states_send_nothing_in_clear(lab):
    """The kernel's SAs of one client are deleted, and their policies stay; later the operator ends it: each time nothing goes to it
    in clear text, it can come back at once, and its neighbour loses not one ping."""
    gw, stays = lab.world["gw"], lab.client("a2")
    with lab.gateway() as gateway:
        lab.dial(stays)
        lab.prove(stays)
        ping = stays.host.spawn("ping", *checks.ping_command(stays))
        before = without_states(gw)
        client = lab.client("a1")
        lose_the_sa(lab, client, lose_the_states)
        if without_states(gw) - before < 5:
            raise Failure(f"five pings at least were to meet a policy that has no SA: {before}, {without_states(gw)}")
        client.vanish()
        client = lab.client("a1")
        lose_the_sa(lab, client, lambda _: gateway.xfrmctl("disconnect", "a1"))
        checks.wait_until_equal(gateway.users, ["a2"], 20, "who is left")
        client.hang_up()
        lab.dial(client)
        ping.send_signal(signal.SIGINT)
        ping.wait(20)
        every_ping(stays, "its neighbour lost its SAs")
        lab.prove(client, stays)
        if lab.world.wire()["clear_out"] or gateway.drops().get("leak"):
            raise Failure(f"something was spoken in clear text, or was about to be: {lab.world.wire()}, {gateway.drops()}")
        lab.hang_up(client, stays)


@scenario(only="sameroof", kernels="one")
def tunnel_secret(lab):
    """With a tunnel secret: xl2tpd that authenticates itself, asks the same of the gateway and hides its AVPs comes up; one with
    another secret, and a Windows that knows none, are refused in words."""
    good = lab.client("a1", l2tp_secret="swordfish", l2tp_options="challenge = yes\nhidden bit = yes")
    wrong = lab.client("a2", l2tp_secret="herring", l2tp_options="challenge = yes")
    without_any, = windows(lab, "b1")
    with lab.gateway(l2tp_secret="swordfish"):
        lab.dial(good)
        lab.prove(good)
        checks.must_fail("another secret", lambda: lab.dial(wrong, patience=20))
        complaint = checks.must_fail("no secret", lambda: lab.dial(without_any))
        if "secret is asked for" not in str(complaint):
            raise Failure(f"a client without a secret was to be told so: {complaint}")
        log = lab.world["gw"].log("l2tpd").read_text()
        if "asked for" not in log:
            raise Failure("the log was to say why")
        lab.prove(good)
        lab.hang_up(good, wrong)
        without_any.vanish()
