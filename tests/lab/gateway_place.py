"""Where the gateway stands: on the internet itself, or behind a router of its own that gives it a private address."""

INSIDE_ADDRESSES = {"203.0.113.1": "10.0.0.2", "203.0.113.2": "10.0.0.3"}
PREFIX, INTERNET = 24, "203.0.113.254"
ROUTER, ROUTER_INSIDE = "front", "10.0.0.1"


def nft_map(pairs):
    return "{ " + ", ".join(f"{key} : {value}" for key, value in pairs) + " }"


INWARD = nft_map(INSIDE_ADDRESSES.items())
OUTWARD = nft_map((inside, public) for public, inside in INSIDE_ADDRESSES.items())

# A cloud's elastic address: everything passes, and only the address changes.
ONE_TO_ONE = f"""
table ip nat {{
  chain pre {{
    type nat hook prerouting priority dstnat;
    iifname "wan" dnat to ip daddr map {INWARD}
  }}
  chain post {{
    type nat hook postrouting priority srcnat;
    oifname "wan" snat to ip saddr map {OUTWARD}
  }}
}}
"""

# A home router with two ports forwarded.
PORT_FORWARD = f"""
table ip nat {{
  chain pre {{
    type nat hook prerouting priority dstnat;
    iifname "wan" udp dport {{ 500, 4500 }} dnat to ip daddr map {INWARD}
  }}
  chain post {{
    type nat hook postrouting priority srcnat;
    oifname "wan" masquerade
  }}
}}
"""

ROUTERS = {"one-to-one": ONE_TO_ONE, "port-forward": PORT_FORWARD}
PLACES = ("none", *ROUTERS)


def addresses(device, addresses):
    return f"link set {device} up\n" + "".join(f"addr add {address}/{PREFIX} dev {device}\n" for address in addresses)


def put_behind(world, place):
    """From the bare topology to the gateway behind that router."""
    gw, internet, front = world["gw"], world["internet"], world[ROUTER]
    internet.ip(f"link set gw netns {front.holder.pid} name lan")  # the other end of the gateway's uplink
    front.ip(f"link add name wan type veth peer name gw netns {internet.holder.pid}\n"
             + addresses("lan", [ROUTER_INSIDE]) + addresses("wan", INSIDE_ADDRESSES)
             + f"route add default via {INTERNET}\n")
    internet.ip(addresses("gw", [INTERNET]))
    gw.ip("addr flush dev uplink\n" + addresses("uplink", INSIDE_ADDRESSES.values()) + f"route add default via {ROUTER_INSIDE}\n")
    front.nft(ROUTERS[place])


def put_back(world):
    """To the bare topology again."""
    gw, internet, front = world["gw"], world["internet"], world[ROUTER]
    front.nft("delete table ip nat")
    front.run("conntrack", "-F")
    front.ip(f"link del wan\nlink set lan netns {internet.holder.pid} name gw\n")
    internet.ip(addresses("gw", [INTERNET]))
    gw.ip("addr flush dev uplink\n" + addresses("uplink", INSIDE_ADDRESSES) + f"route add default via {INTERNET}\n")
