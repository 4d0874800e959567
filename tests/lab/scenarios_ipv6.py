"""IPv6 inside the tunnels: every session has a /64 of its own, and the client makes its addresses by itself."""

import contextlib
import json
import os
import re
import signal
import threading
import time

import checks
import intruder
from catalogue import scenario
from client import IP_UP, password_of
from lac import WindowsLac
from netns import Failure, stop, wait_for
from ppp import ADDRESS, IPCP, IPV6, Ppp
from scenarios import goodbye
from scenarios_controls import must_fail, without
from scenarios_ppp import SILENT_ROUTER, l2tpd_log
from topology import GATEWAY

PREFIX = "2001:db8:7:100::/56"
DNS = "2001:db8:50::53"
GATEWAY_INSIDE, INSIDE = "2001:db8:50::1", "2001:db8:50::2"
PPP_OPTIONS = "+ipv6"


def switch(host, what, value):
    for which in ("all", "default"):
        host.run("sh", "-c", f"echo {value} > /proc/sys/net/ipv6/conf/{which}/{what}")


@contextlib.contextmanager
def ipv6_behind_the_gateway(lab, *clients):
    """Elsewhere the lab speaks IPv4 alone."""
    gw, inside = lab.world["gw"], lab.world["inside"]
    hosts = [gw, inside, *(client.host for client in clients)]
    for host in hosts:
        switch(host, "disable_ipv6", 0)
    switch(gw, "forwarding", 1)
    gw.ip(f"addr add {GATEWAY_INSIDE}/64 dev lan nodad\n")
    inside.ip(f"addr add {INSIDE}/64 dev eth0 nodad\nroute add {PREFIX} via {GATEWAY_INSIDE}\n")
    try:
        yield
    finally:
        switch(gw, "forwarding", 0)
        for host in hosts:
            switch(host, "disable_ipv6", 1)


def own_address(client):
    """The global IPv6 address that the client has made for itself on its PPP interface."""
    found = json.loads(client.host.run("ip", "-6", "-j", "addr", "show", "dev", client.device, "scope", "global"))
    return next((address["local"] for link in found for address in link.get("addr_info", [])), None)


def await_address(client, seconds=20):
    return wait_for(lambda: own_address(client), seconds, f"{client.name}: an IPv6 address of its own")


def reach_inside(client, size=200_000):
    """A ping and a transfer checked by content over IPv6; the source that the host inside saw."""
    answer = client.host.run("ping", "-6", "-n", "-c", 3, "-i", "0.2", "-W", 10, INSIDE, check=False)
    if " 3 received" not in answer:
        raise Failure(f"{client.name}: IPv6 pings were lost: {answer}")
    return checks.transfer(client, size, inside=INSIDE)[0]


def speak_for(client, prefix):
    """Three pings from an address of this prefix."""
    source = prefix.removesuffix("/64") + "bad"
    client.host.ip(f"addr add {source}/128 dev {client.device} nodad\n")
    client.host.run("ping", "-6", "-n", "-c", 3, "-i", "0.2", "-W", 1, "-I", source, INSIDE, check=False)
    client.host.ip(f"addr del {source}/128 dev {client.device}\n")


def office(gw):
    """What a set of the administrator's holds."""
    return re.findall(r"[0-9a-f:]+::/64", gw.run("nft", "list", "set", "ip6", "firewall", "office"))


def routes(host):
    return re.findall(r"2001:db8:7:1\S+", host.run("ip", "-6", "route"))


@scenario(only="sameroof")
def ipv6_inside(lab):
    """Two clients behind one NAT each make an IPv6 address in a /64 of their own, learn the DNS server and reach a host behind
    the gateway with it, but not with an address of the other's; a third, which speaks no IPv6, is served as ever. An nftables set of the
    administrator's holds the first one's prefix. Afterwards no route and no prefix is left."""
    clients = [lab.client(name, ppp_options=PPP_OPTIONS) for name in ("a1", "a2")]
    without_any = lab.client("b1", ppp_options="noipv6")
    gw, inside = lab.world["gw"], lab.world["inside"]
    with ipv6_behind_the_gateway(lab, *clients):
        server = checks.serve(inside, checks.TRANSFER_PORT, checks.mirror, address=INSIDE)
        try:
            gw.nft("table ip6 firewall { set office { type ipv6_addr; flags interval; }; }")
            users = {clients[0].user: {"nft_sets": ["ip6 firewall office"]}}
            with lab.gateway(settings={"ppp": {"ipv6_prefix": PREFIX, "ipv6_dns": [DNS]}}, users=users) as gateway:
                lab.dial(*clients, without_any)
                lab.prove(*clients, without_any)
                addresses = {client.user: await_address(client) for client in clients}
                sessions = {s["user"]: s for s in gateway.listed("sessions")}
                for client in clients:
                    seen = reach_inside(client)
                    prefix = sessions[client.user]["ipv6_prefix"]
                    if seen != addresses[client.user] or not seen.startswith(prefix.removesuffix("::/64") + ":"):
                        raise Failure(f"{client.name}: has {addresses} in {prefix}, and was seen as {seen}")
                if len({s["ipv6_prefix"] for s in sessions.values()}) != 3 or len(routes(gw)) != 2:
                    raise Failure(f"each session was to have a /64, and those with IPv6 a route: {sessions}, {routes(gw)}")
                in_set = [sessions[clients[0].user]["ipv6_prefix"]]
                checks.wait_until_equal(lambda: office(gw), in_set, 1, "the set of the administrator's")
                dns = clients[0].host.run("rdisc6", "-1", "-w", 5000, clients[0].device, check=False)
                if DNS not in dns or not re.search(r"MTU *: *1400\b", dns):
                    raise Failure(f"the router was to name a DNS server and the MTU: {dns}")
                counters = gateway.counters("l2tpd")
                if counters["router_advertisements"] < 2 or counters["router_advertisement_failures"]:
                    raise Failure(f"advertisements were to be counted: {counters}")
                if gateway.drops():
                    raise Failure(f"the ruleset dropped packets of well-behaved clients: {gateway.drops()}")
                speak_for(clients[0], sessions[clients[1].user]["ipv6_prefix"])
                if gateway.drops() != {"foreign_source": 3}:
                    raise Failure(f"what came from the neighbour's prefix was to be dropped: {gateway.drops()}")
                goodbye(lab, *clients, without_any)
                checks.wait_until_equal(lambda: routes(gw), [], 20, "routes of sessions that have gone")
                checks.wait_until_equal(lambda: office(gw), [], 20, "the set of the administrator's")
                checks.wait_until_equal(lambda: gateway.status("l2tpd")["gauges"]["ipv6_prefixes_in_use"], 0, 20,
                                        "prefixes of sessions that have gone")
                gw.nft("delete table ip6 firewall")
        finally:
            checks.close_server(server)


@contextlib.contextmanager
def noticed_by_ipv6(client):
    """The client's pppd runs one script when IPCP is up and another when IPV6CP is."""
    script = client.host.etc / "ppp/ipv6-up"
    client.host.write("ppp/ipv6-up", IP_UP.format(inside=INSIDE).replace("ip route", "ip -6 route").replace("/32", "/128"))
    script.chmod(0o755)
    try:
        yield
    finally:
        script.unlink()


def recorded(gw):
    """[hooks] that write down what they are told, and what that is."""
    record = gw.etc / "heard"
    record.unlink(missing_ok=True)
    gw.write("hook", f"#!/bin/sh\ncat >> {record}\n")
    (gw.etc / "hook").chmod(0o700)
    hook = str(gw.etc / "hook")

    def heard():
        return [json.loads(line) for line in record.read_text().splitlines()] if record.exists() else []

    return {"session_up": hook, "session_down": hook}, heard


@scenario(only="sameroof", kernels="one")
def ipv6_alone(lab):
    """A client that refuses IPCP is served with IPv6 alone: it reaches the host inside, it is in its nftables set, and may
    not speak for another prefix. Its pppd on the gateway is killed, and another session takes the interface's name: the
    set holds the new prefix alone, and nothing of either is left at the end. Hooks are told of both sessions, and what
    they have carried is counted. The gateway's own way out does not lead to it, whatever /etc/ppp/options says."""
    client = lab.client("a1", ppp_options=f"{PPP_OPTIONS}\nnoip")
    gw, inside = lab.world["gw"], lab.world["inside"]
    with ipv6_behind_the_gateway(lab, client), noticed_by_ipv6(client):
        server = checks.serve(inside, checks.TRANSFER_PORT, checks.mirror, address=INSIDE)
        try:
            gw.nft("table ip6 firewall { set office { type ipv6_addr; flags interval; }; }")
            users = {client.user: {"nft_sets": ["ip6 firewall office"]}}
            hooks, heard = recorded(gw)
            with lab.gateway(settings={"ppp": {"ipv6_prefix": PREFIX}, "hooks": hooks}, users=users) as gateway:
                gw.write("ppp/options", "defaultroute6\n")
                client.up(90)
                prefixes = []
                for turn in range(2):
                    await_address(client)
                    (session,) = gateway.listed("sessions")
                    prefix = session["ipv6_prefix"]
                    prefixes.append(prefix)
                    seen = reach_inside(client)
                    taken = gw.run("ip", "-6", "route", "show", "default")
                    if "ppp" in taken:
                        raise Failure(f"the gateway was to take no way out through its client: {taken}")
                    if not seen.startswith(prefix.removesuffix("::/64") + ":"):
                        raise Failure(f"{client.name}: has {prefix}, and was seen as {seen}")
                    wait_for(lambda: len(heard()) == 2 * turn + 1, 30, "the hook for its beginning")
                    checks.wait_until_equal(lambda: office(gw), [prefix], 5, "the set of the administrator's")
                    before = gateway.drops().get("foreign_source", 0)
                    speak_for(client, PREFIX.replace("00::/56", "ff::/64"))
                    if gateway.drops() != {"foreign_source": before + 3}:
                        raise Failure(f"what came from a foreign prefix was to be dropped: {gateway.drops()}")
                    if turn == 0:
                        (pppd,) = (pid for pid, name in gw.processes().items() if name == "pppd")
                        os.kill(pppd, signal.SIGKILL)
                        wait_for(lambda: "pppd" not in client.host.processes().values(), 30, f"{client.name}: told of it")
                        stop(client.l2tp)
                        client.start_l2tp(90)
                story = gateway.xfrmctl("explain", client.user)
                if "It is connected" not in story or prefix not in story:
                    raise Failure(f"a client with IPv6 alone is connected, too: {story}")
                carried = int(re.search(r'sameroof_ppp_bytes_total{direction="in"} (\d+)', gateway.xfrmctl("metrics")).group(1))
                if carried < 200_000:
                    raise Failure(f"the transfers were to be counted: {carried}")
                goodbye(lab, client)
                checks.wait_until_equal(lambda: (routes(gw), office(gw)), ([], []), 20, "routes and prefixes of those gone")
                wait_for(lambda: len(heard()) == 4, 30, "both hooks for both sessions")
                told = [(entry["event"], entry["user"], entry["ppp_address"], entry["ipv6_prefix"]) for entry in heard()]
                expected = [(event, client.user, None, prefix) for prefix in prefixes for event in ("session-up", "session-down")]
                if told != expected or heard()[3]["bytes_in"] < 200_000:
                    raise Failure(f"hooks were to hear of {expected} and what came in: {heard()}")
                gw.nft("delete table ip6 firewall")
        finally:
            checks.close_server(server)


@scenario(only="sameroof", kernels="one")
def idle_over_ipv6(lab):
    """A link is idle when its client says nothing, however often the gateway advertises itself."""
    client = lab.client("a1", ppp_options=PPP_OPTIONS)
    with ipv6_behind_the_gateway(lab, client), lab.gateway(settings={"ppp": {"ipv6_prefix": PREFIX, "idle_seconds": 20}}) as gateway:
        lab.dial(client)
        await_address(client)
        ended = wait_for(lambda: re.search(r"is down after (\d+) s: the link was idle", l2tpd_log(lab)), 90, "the end of an idle link")
        advertised = gateway.counters("l2tpd")["router_advertisements"]
        # The first three are 16 s apart (RFC 4861 §10), beside what the client's kernel asks for at once.
        if advertised < 2 or int(ended[1]) > 48:
            raise Failure(f"it was to end before the third advertisement made it younger: {ended[0]}, {advertised} were sent")
        lab.hang_up(client)


def advertise(ppp, until):
    while not until.is_set():
        ppp.send(IPV6, intruder.router_advertisement(GATEWAY_INSIDE))
        time.sleep(0.0005)


@scenario(only="sameroof", kernels="one")
def advertised_by_a_client(lab):
    """A client that advertises itself as a router, before its link is up and afterwards, gets no packet of the gateway's own, whose
    kernel believes Router Advertisements (its default where it does not forward IPv6)."""
    gw, pub = lab.world["gw"], lab.world["pub"]
    with ipv6_behind_the_gateway(lab):
        switch(gw, "forwarding", 0)
        with lab.gateway(cleartext="only", settings={"ppp": {"auth": ["pap"]}}), contextlib.closing(WindowsLac(pub, GATEWAY)) as lac:
            lac.dial()
            ppp = Ppp(lac, lac.session)
            ppp.log_in(pub.name, password_of(pub.name))
            enough = threading.Event()
            advertiser = threading.Thread(target=advertise, args=(ppp, enough))
            advertiser.start()
            ppp.negotiate(IPCP, {ADDRESS: bytes(4)})
            wait_for(lambda: "is up" in l2tpd_log(lab), 20, "the link up")
            time.sleep(2)
            enough.set()
            advertiser.join()
            taken = gw.run("ip", "-6", "route", "show", "default")
            if taken:
                raise Failure(f"the gateway was to take no route from its client: {taken}")
            lac.hang_up()


@scenario("long", "control", only="sameroof")
def broken_ipv6(lab):
    """A gateway that does not forward IPv6 says so, and gives its sessions none. In one that does, TCP over IPv6 fits a link
    without path MTU discovery, and without the clamp it would not."""
    client = lab.client("a1", ppp_options=PPP_OPTIONS)
    with ipv6_behind_the_gateway(lab, client):
        switch(lab.world["gw"], "forwarding", 0)
        with lab.gateway(settings={"ppp": {"ipv6_prefix": PREFIX}}):
            lab.dial(client)
            lab.prove(client)
            must_fail("the gateway forwards no IPv6", lambda: await_address(client, 15))
            if "this host forwards none" not in lab.world["gw"].log("l2tpd").read_text():
                raise Failure("the log was to say why")
            lab.hang_up(client)
        switch(lab.world["gw"], "forwarding", 1)
        server = checks.serve(lab.world["inside"], checks.TRANSFER_PORT, checks.mirror, address=INSIDE)
        try:
            with lab.gateway(settings={"ppp": {"ipv6_prefix": PREFIX}}) as gateway:
                lab.dial(client)
                await_address(client)
                lab.world["gw"].nft(SILENT_ROUTER)
                # Its TCP now promises to take 1440, whatever the router says.
                client.host.run("sh", "-c", f"echo 0 > /proc/sys/net/ipv6/conf/{client.device}/accept_ra_mtu")
                client.host.run("ip", "link", "set", "dev", client.device, "mtu", 1500)
                reach_inside(client)
                gateway.load_ruleset(lambda rules: without(rules, "ifname map @mss6"))
                must_fail("the map mss6 is not used", lambda: checks.transfer(client, 200_000, patience=8, inside=INSIDE))
                gateway.load_ruleset()
                reach_inside(client)
                lab.hang_up(client)
        finally:
            checks.close_server(server)
