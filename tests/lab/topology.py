"""The lab's small internet: a gateway, two homes behind NATs, one host without a NAT.

                                        internet
    gw  203.0.113.1, .2 ──────────────┐    │    ┌── nata 198.51.100.1   ── a1 … a5  192.168.1.2 … .6
     └─ inside 10.50.0.2              ├────┴────┼── natb 198.51.100.129 ── b1        192.168.1.2 (again)
                                                └── pub  192.0.2.10

The gateway may stand behind a router of its own instead (gateway_place.py).
"""

import contextlib
import json
import os
import signal
import subprocess

import gateway_place
from netns import RAM, Host, each, keep_syslog, processes_by_network

GATEWAY = "203.0.113.1"
GATEWAY_SECOND = "203.0.113.2"
INSIDE = "10.50.0.2"
NAT_A = "198.51.100.1"
POOL = "10.99.0.0/16"

MODULES = """veth bridge esp4 esp6 xfrm_user udp_tunnel nf_tables nft_xfrm nft_ct nft_nat nft_masq nft_chain_nat nft_limit
    nft_reject_inet nft_fib_ipv4 nft_fib_inet nf_conntrack nf_conntrack_netlink l2tp_core l2tp_ppp l2tp_netlink pppox ppp_generic
    authenc echainiv seqiv gcm ghash_generic cbc ctr aes_generic hmac sha1_generic sha256_generic sha512_generic""".split()

# name, address, router; the routers' inner sides are all 192.168.1.254
HOMES = (("a1", "192.168.1.2", "nata"), ("a2", "192.168.1.3", "nata"), ("a3", "192.168.1.4", "nata"),
         ("a4", "192.168.1.5", "nata"), ("a5", "192.168.1.6", "nata"), ("b1", "192.168.1.2", "natb"))
# name, its interface towards the internet, its address, the internet's address there
SITES = (("gw", "uplink", "203.0.113.1/24", "203.0.113.254"), ("nata", "wan", "198.51.100.1/25", "198.51.100.126"),
         ("natb", "wan", "198.51.100.129/25", "198.51.100.254"), ("pub", "eth0", "192.0.2.10/24", "192.0.2.254"))
CLIENT_HOSTS = ("a1", "a2", "a3", "a4", "a5", "b1", "pub")
# For eight at once, without a NAT and behind one, where a world is asked to have these, too.
MORE_HOMES = tuple((f"a{n}", f"192.168.1.{n + 1}", "nata") for n in range(6, 9))
MORE_SITES = tuple((f"pub{n}", "eth0", f"198.18.{n}.10/24", f"198.18.{n}.254") for n in range(2, 9))

MASQUERADE = """
table ip nat {
  chain post {
    type nat hook postrouting priority srcnat;
    oifname "wan" masquerade
  }
}
"""

# What passes between the sites, counted where everything passes.
WIRE = """
table ip wire {
  counter esp_in { }
  counter esp_out { }
  counter natt_in { }
  counter natt_out { }
  counter clear_in { }
  counter clear_out { }
  counter from_first { }
  counter from_second { }
  chain forward {
    type filter hook forward priority filter;
    oifname "gw" ip protocol esp counter name esp_in
    iifname "gw" ip protocol esp counter name esp_out
    oifname "gw" udp dport 4500 counter name natt_in
    iifname "gw" udp sport 4500 counter name natt_out
    oifname "gw" udp dport 1701 counter name clear_in
    iifname "gw" udp sport 1701 counter name clear_out
    iifname "gw" ip saddr 203.0.113.1 counter name from_first
    iifname "gw" ip saddr 203.0.113.2 counter name from_second
  }
}
"""


def prepare_kernel():
    # Modules are not loaded on demand from within a network namespace.
    subprocess.run(["modprobe", "-aq", *MODULES])
    if not os.path.exists("/dev/ppp"):
        os.mknod("/dev/ppp", 0o20600, os.makedev(108, 0))


class World:
    def __init__(self, gateway=Host, more_homes=(), more_sites=()):
        """gateway: what kind of host the gateway is, Host or Machine."""
        self.homes, self.sites = HOMES + more_homes, SITES + more_sites
        prepare_kernel()
        RAM.mkdir(parents=True)
        if gateway is Host:
            keep_syslog()
        more = [name for name, *_ in more_homes + more_sites]
        names = ("internet", gateway_place.ROUTER, "gw", "inside", "nata", "natb", *CLIENT_HOSTS, *more)
        self.hosts = dict(zip(names, each(lambda name: (gateway if name == "gw" else Host)(name), names)))
        self.links()
        self.addresses()
        for router in ("nata", "natb"):
            self[router].nft(MASQUERADE)
        self["internet"].nft(WIRE)
        self.place = "none"

    def __getitem__(self, name):
        return self.hosts[name]

    def links(self):
        pairs = [("gw", "lan", "inside", "eth0")]
        pairs += [(name, device, "internet", name) for name, device, _, _ in self.sites]
        pairs += [(name, "eth0", router, name) for name, _, router in self.homes]
        batch = "".join(f"link add name {dev} netns {host} type veth peer name {far_dev} netns {far}\n"
                        for host, dev, far, far_dev in pairs)
        subprocess.run(["ip", "-batch", "-"], input=batch, text=True, check=True)

    def addresses(self):
        batches = {name: "link set lo up\n" for name in self.hosts}
        for name, device, address, router in self.sites:
            prefix = address.split("/")[1]
            batches[name] += f"addr add {address} dev {device}\nlink set {device} up\nroute add default via {router}\n"
            batches["internet"] += f"addr add {router}/{prefix} dev {name}\nlink set {name} up\n"
        batches["gw"] += f"addr add {GATEWAY_SECOND}/24 dev uplink\naddr add 10.50.0.1/24 dev lan\nlink set lan up\n"
        batches["inside"] += f"addr add {INSIDE}/24 dev eth0\nlink set eth0 up\nroute add {POOL} via 10.50.0.1\nroute add default via 10.50.0.1\n"
        for router in ("nata", "natb"):
            batches[router] += "link add name lan type bridge\naddr add 192.168.1.254/24 dev lan\nlink set lan up\n"
        for name, address, router in self.homes:
            batches[name] += f"addr add {address}/24 dev eth0\nlink set eth0 up\nroute add default via 192.168.1.254\n"
            batches[router] += f"link set {name} master lan up\n"
        each(lambda name: self[name].ip(batches[name]), list(batches))
        each(lambda name: self[name].run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"), ["internet", gateway_place.ROUTER, "gw", "nata", "natb"])

    def place_gateway(self, place):
        """Behind which router the gateway stands (gateway_place.PLACES), before it starts."""
        if place == self.place:
            return
        if self.place != "none":
            gateway_place.put_back(self)
        if place != "none":
            gateway_place.put_behind(self, place)
        self.place = place

    def reset_wire(self):
        self["internet"].run("nft", "reset", "counters")

    def wire(self):
        """Packets seen on the internet since reset_wire(), by counter name."""
        listing = json.loads(self["internet"].run("nft", "-j", "list", "counters"))
        return {entry["counter"]["name"]: entry["counter"]["packets"] for entry in listing["nftables"] if "counter" in entry}

    def sweep(self):
        """Ends what still runs on any host, and back to the bare topology."""
        running = processes_by_network()
        for host in self.hosts.values():
            for pid in running.get(host.net_inode, {}):
                if pid != host.holder.pid:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
        if self["gw"].used:
            tables = ("sameroof", "firewall")
            self["gw"].nft("".join(f"table inet {table}\ndelete table inet {table}\n" for table in tables))
            self["nata"].used = self["natb"].used = True  # their conntrack has seen the last clients
        used = [host for host in self.hosts.values() if host.used]
        each(Host.forget, used)
        for host in used:
            host.used = False
