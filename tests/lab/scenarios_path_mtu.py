"""The way to clients becomes narrower while they are connected."""

import contextlib

import checks
from catalogue import scenario
from netns import Failure
from scenarios import goodbye
from scenarios_outer_ipv6 import gateway_over_both, ipv6, windows, wire_6
from scenarios_ppp import fragments_made

# The router between all sites sends no more at once from now on, to clients and to the gateway.
NARROW = """
route add 203.0.113.1 dev gw mtu 1300
route add 198.51.100.1 dev nata mtu 1300
route add 192.0.2.10 dev pub mtu 1300
route add 2001:db8:1::1 dev gw mtu 1300
route add 2001:db8:a::1 dev nata mtu 1300
route add 2001:db8:bb::2 via 2001:db8:b::1 dev natb mtu 1300
"""

# What comes from the gateway and may not be made fragments of.
FORBIDDEN = """
table ip forbidden {
  counter df { }
  chain forward {
    type filter hook forward priority filter;
    iifname "gw" ip frag-off & 0x4000 != 0 counter name df
  }
}
"""


@contextlib.contextmanager
def narrower(internet):
    internet.nft(FORBIDDEN)
    internet.ip(NARROW)
    try:
        yield
    finally:
        internet.ip(NARROW.replace("add", "del"))
        internet.nft("delete table ip forbidden")


@scenario(only="sameroof", places=("none",))
def narrower_way(lab):
    """The way to four clients becomes narrower than their ESP: over IPv4, where a router makes fragments of it, and over IPv6, where
    it says so and the ends do; with ESP in UDP and with plain ESP. Transfers go on both ways, and so do pings as large as a link."""
    internet, inside = lab.world["internet"], lab.world["inside"]
    with ipv6(lab):
        clients = [lab.client("a1"), lab.client("pub"), windows(lab, "a2"), windows(lab, "b1")]
        with gateway_over_both(lab) as gateway:
            lab.dial(*clients)
            lab.prove(*clients)
            mtus = {peer["user"]: checks.mtu_of(gateway.host, peer["ifname"]) for peer in gateway.peers()}
            with narrower(internet):
                lab.prove(*clients)
                for client in clients:
                    answer = inside.run("ping", "-n", "-c", 3, "-W", 10, "-M", "do", "-s", mtus[client.user] - 28, client.address, check=False)
                    if " 3 received" not in answer:
                        raise Failure(f"{client.name}: pings as large as its MTU, {mtus}, were lost: {answer}")
                if "packets 0 " not in internet.run("nft", "list", "counter", "ip", "forbidden", "df"):
                    raise Failure("ESP over IPv4 was not to forbid fragments")
                if not (fragments_made(internet) and wire_6(lab)["fragments"]):
                    raise Failure("the way was to be too narrow for whole packets: the lab cannot tell")
            goodbye(lab, *clients)
