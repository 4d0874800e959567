"""Clients that reach the gateway over IPv6."""

import contextlib
import json
import re

import checks
import intruder
from catalogue import scenario
from client_windows import WindowsClient
from netns import Failure
from scenarios import goodbye
from scenarios_l2tp import attack, lose_the_sa

GATEWAY_6, GATEWAY_6_SECOND = "2001:db8:1::1", "2001:db8:1::2"

# host, its interface, its addresses, its router: one without any NAT, one behind a router that only forwards, two behind one
# that translates.
ADDRESSES = (
    ("internet", "gw", ("2001:db8:1::ff/64",), None), ("internet", "pub", ("2001:db8:2::ff/64",), None),
    ("internet", "nata", ("2001:db8:a::ff/64",), None), ("internet", "natb", ("2001:db8:b::ff/64",), None),
    ("gw", "uplink", (GATEWAY_6 + "/64", GATEWAY_6_SECOND + "/64"), "2001:db8:1::ff"),
    ("pub", "eth0", ("2001:db8:2::10/64",), "2001:db8:2::ff"),
    ("nata", "wan", ("2001:db8:a::1/64",), "2001:db8:a::ff"), ("nata", "lan", ("fd00:a::ff/64",), None),
    ("a1", "eth0", ("fd00:a::2/64",), "fd00:a::ff"), ("a2", "eth0", ("fd00:a::3/64",), "fd00:a::ff"),
    ("natb", "wan", ("2001:db8:b::1/64",), "2001:db8:b::ff"), ("natb", "lan", ("2001:db8:bb::ff/64",), None),
    ("b1", "eth0", ("2001:db8:bb::2/64",), "2001:db8:bb::ff"),
)

MASQUERADE_6 = """
table ip6 nat {
  chain post {
    type nat hook postrouting priority srcnat;
    oifname "wan" masquerade
  }
}
"""

# What passes between the sites over IPv6, in either direction.
WIRE_6 = """
table ip6 wire {
  counter plain { }
  counter natt { }
  counter clear { }
  counter fragments { }
  chain forward {
    type filter hook forward priority filter;
    meta l4proto esp counter name plain
    udp dport 4500 counter name natt
    udp sport 4500 counter name natt
    udp dport 1701 counter name clear
    udp sport 1701 counter name clear
    exthdr frag exists counter name fragments
  }
}
"""


@contextlib.contextmanager
def ipv6(lab):
    """The lab's internet speaks IPv6, too, which no other scenario knows."""
    hosts = sorted({host for host, *_ in ADDRESSES})

    def switch(device, off):
        return f"echo {off} > /proc/sys/net/ipv6/conf/{device}/disable_ipv6\n"

    def each_device(off):
        for name in hosts:
            devices = ["lo"] + [device for host, device, *_ in ADDRESSES if host == name]
            lab.world[name].run("sh", "-ec", "".join(switch(device, off) for device in devices))

    def forward(on):
        for name in ("internet", "nata", "natb"):
            lab.world[name].run("sh", "-ec", f"echo {on} > /proc/sys/net/ipv6/conf/all/forwarding")

    each_device(0)
    try:
        forward(1)
        for name, device, addresses, router in ADDRESSES:
            batch = "".join(f"addr add {address} dev {device} nodad\n" for address in addresses)
            lab.world[name].ip(batch + (f"route add default via {router} dev {device}\n" if router else ""))
        lab.world["internet"].ip("route add 2001:db8:bb::/64 via 2001:db8:b::1 dev natb\n")
        lab.world["nata"].nft(MASQUERADE_6)
        lab.world["internet"].nft(WIRE_6)
        yield
    finally:
        lab.world["internet"].run("nft", "delete", "table", "ip6", "wire", check=False)
        lab.world["nata"].run("nft", "delete", "table", "ip6", "nat", check=False)
        forward(0)
        each_device(1)


def wire_6(lab):
    listing = json.loads(lab.world["internet"].run("nft", "-j", "list", "counters", "table", "ip6", "wire"))
    return {entry["counter"]["name"]: entry["counter"]["packets"] for entry in listing["nftables"] if "counter" in entry}


def gateway_over_both(lab, **options):
    everywhere = {"listen": ["0.0.0.0", "::"]}
    return lab.gateway(settings={"ike": everywhere, "l2tp": everywhere}, **options)


def windows(lab, name, remote=GATEWAY_6, **options):
    return lab.client(name, kind=WindowsClient, remote=remote, **options)


@scenario(only="sameroof", places=("none",), kernels="one")
def ipv6_outside(lab):
    """Over IPv6 a client with plain ESP to one address of the gateway and one with ESP in UDP to another, beside two over IPv4
    behind one NAT. What fits into their links goes in one packet. In clear text nothing is answered, and nothing is left."""
    four = [lab.client("a1"), lab.client("a2")]
    gw, inside = lab.world["gw"], lab.world["inside"]
    with ipv6(lab):
        plain = windows(lab, "pub")
        in_udp = windows(lab, "b1", GATEWAY_6_SECOND, ipsec_options="forceencaps = yes")
        clients = [*four, plain, in_udp]
        with gateway_over_both(lab) as gateway:
            elements = gateway.map_elements()
            if checks.is_answered_in_clear(lab.world["pub"], GATEWAY_6):
                raise Failure("an SCCRQ in clear text was answered over IPv6")
            clear = wire_6(lab)["clear"]
            lab.dial(*clients)
            lab.prove(*clients)
            lab.check_listing(*clients)
            seen = wire_6(lab)
            if seen["clear"] != clear or not (seen["plain"] and seen["natt"]):
                raise Failure(f"ESP was to pass, and ESP in UDP, and nothing else: {seen}")
            if set(gateway.drops()) - {"cleartext_in"}:
                raise Failure(f"the ruleset dropped packets of well-behaved clients: {gateway.drops()}")
            links = {peer["user"]: peer["ifname"] for peer in gateway.peers()}
            for client in (plain, in_udp):
                mtu = checks.mtu_of(gw, links[client.user])
                answer = inside.run("ping", "-n", "-c", 2, "-W", 10, "-M", "do", "-s", mtu - 28, client.address, check=False)
                if " 2 received" not in answer or wire_6(lab)["fragments"]:
                    raise Failure(f"{client.name}: pings as large as its MTU, {mtu}, were lost or made fragments: {answer}")
            goodbye(lab, *clients)
            nothing = dict.fromkeys(gateway.traces(elements), 0)
            checks.wait_until_equal(lambda: gateway.traces(elements), nothing, 40, "what clients left behind")


@scenario(only="sameroof", places=("none",))
def ipv6_two_behind_one_nat(lab):
    """Two clients behind one NAT66, with L2TP source ports of their own: one address, and two marks. Neither gets anything into the
    other's tunnel."""
    with ipv6(lab):
        clients = [windows(lab, name, id_port=str(port), l2tp_port=port) for name, port in (("a1", 1711), ("a2", 1712))]
        with gateway_over_both(lab) as gateway:
            lab.dial(*clients)
            lab.prove(*clients)
            peers = gateway.peers()
            if len({peer["mark"] for peer in peers}) != 2 or {peer["alias"] for peer in peers} != {"2001:db8:a::1"}:
                raise Failure(f"two peers were to be seen at the address of their NAT, each with a mark of its own: {peers}")
            owners = json.loads(gateway.xfrmctl("sas", "--json"))["sas"]
            if sorted(sa["peer"] for sa in owners) != sorted(2 * [peer["peer"] for peer in peers]):
                raise Failure(f"each was to have an SA in either direction: {owners}")
            if gateway.drops():
                raise Failure(f"the ruleset dropped packets of well-behaved clients: {gateway.drops()}")
            attack(lab, clients[0], clients[1:])
            control = gateway.counters("l2tpd")["dropped_wrong_mark"]
            if gateway.drops().get("wrong_tunnel", 0) < len(intruder.FORMS) or control < 100:
                raise Failure(f"every data and control message was to be counted: {gateway.drops()}, {control}")
            goodbye(lab, *clients)
            checks.wait_until_equal(gateway.peers, [], 40, "the peers that are left")
            carried = dict(re.findall(r'sameroof_ipsec_bytes_total{direction="(\w+)"} (\d+)', gateway.xfrmctl("metrics")))
            if min(int(carried["in"]), int(carried["out"])) < 400_000:
                raise Failure(f"both clients sent and received 200,000 bytes, and the metrics remember {carried}")


@scenario(only="sameroof", places=("none",), kernels="one")
def lost_sa_over_ipv6(lab):
    """The SA of a tunnel over IPv6 is taken away underneath it: what the gateway then sends to that client is dropped and counted."""
    with ipv6(lab):
        client = windows(lab, "pub")
        with gateway_over_both(lab) as gateway:
            lose_the_sa(lab, client)
            if gateway.drops().get("cleartext_out", 0) < 5:
                raise Failure(f"what had no SA was to be dropped: {gateway.drops()}")
            client.vanish()
