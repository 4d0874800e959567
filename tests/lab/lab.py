"""What the scenarios are written in: a gateway, clients, and the proof that they work."""

import contextlib
import json
import shutil

import checks
import client_libreswan
import gateway_external
import gateway_sameroof
import gateway_strongswan
from client import Client
from netns import RAM, Failure, each
from topology import World


class Lab:
    def __init__(self, kind, build, libreswan, gateway_nat="none"):
        self.kind, self.build, self.gateway_nat = kind, build, gateway_nat
        client_libreswan.install(libreswan)
        self.world = World()
        self.inside_server = checks.serve(self.world["inside"], checks.TRANSFER_PORT, checks.mirror)
        self.running = None  # the gateway, while there is one
        self.clients = []

    def fresh(self):
        """Forgets everything earlier scenarios did."""
        self.running = None
        for client in self.clients:
            client.let_go()
        self.clients = []
        self.world.sweep()
        self.world.place_gateway(self.gateway_nat)
        shutil.rmtree(RAM / "logs", ignore_errors=True)
        self.world.reset_wire()

    @contextlib.contextmanager
    def gateway(self, lns="l2tpd", **options):
        """lns: "l2tpd", or "external" for ikd with Debian's xl2tpd; only Sameroof has the choice."""
        host = self.world["gw"]
        if self.kind == "sameroof":
            kind = {"l2tpd": gateway_sameroof.Gateway, "external": gateway_external.Gateway}[lns]
            self.running = kind(host, self.build, **options)
        else:
            self.running = gateway_strongswan.Gateway(host, **options)
        self.running.start()
        yield self.running
        self.running.stop()

    def client(self, name, kind=Client, **options):
        self.clients.append(kind(self.world[name], **options))
        return self.clients[-1]

    def crowd(self, *names):
        """These names; for a stock gateway only those it can serve at once, so that a scenario can be tried with it."""
        return names if self.kind == "sameroof" else [n for n in names if n not in ("a2", "a3")]

    def dial(self, *clients, patience=None):
        """All at once; the first complaint, if any. What a stock gateway cannot do is not worth a long wait."""
        patience = patience or (90 if self.kind == "sameroof" else 20)
        each(lambda c: c.up(patience), clients)

    def prove(self, *clients, size=200_000, patience=10):
        """The lab's idea of success: all at once, every client through its own tunnel, each with its own address."""
        addresses = [c.address for c in clients]
        if len(set(addresses)) != len(addresses):
            raise Failure(f"PPP addresses given out twice: {addresses}")
        return each(lambda c: checks.check_client(c, size, patience), clients)

    def check_listing(self, *clients):
        """xfrmctl knows each of these by user, with its own mark, alias and PPP address."""
        if self.kind != "sameroof":
            return
        peers = {peer["user"]: peer for peer in self.running.peers()}
        listed = {name: peer["ppp_address"] for name, peer in peers.items()}
        if listed != {c.user: c.address for c in clients}:
            raise Failure(f"xfrmctl lists {listed}")
        for key in ("peer", "mark", "alias", "ppp_address", "ifname", "spi_in"):
            if len({peer[key] for peer in peers.values()}) != len(clients):
                raise Failure(f"xfrmctl lists peers that share their {key}: {list(peers.values())}")
        if not all(peer["bytes_in"] and peer["bytes_out"] for peer in peers.values()):
            raise Failure(f"xfrmctl counts no traffic for a peer: {list(peers.values())}")

    def hang_up(self, *clients):
        each(lambda c: c.hang_up(), clients)

    def capture(self):
        """Records what the gateway sees from now on, for --capture."""
        self.world["gw"].spawn("tcpdump", "tcpdump", "-U", "-n", "-s", 200, "-i", "any", "-w", RAM / "logs/gw.pcap")

    def diagnose(self, folder):
        """Copies the logs and writes down the kernel's state of every host."""
        folder.mkdir(parents=True, exist_ok=True)
        if (RAM / "logs").exists():
            shutil.copytree(RAM / "logs", folder, dirs_exist_ok=True)
        if self.running and self.running.kind == "sameroof":
            with contextlib.suppress(Exception):
                (folder / "gw.peers.json").write_text(json.dumps(self.running.peers(), indent=1))
        for host in self.world.hosts.values():
            with contextlib.suppress(Exception):
                (folder / f"{host.name}.state").write_text(host.run("sh", "-c", """
                    for c in "ip addr" "ip route" "ip -s xfrm state" "ip -s xfrm policy" "cat /proc/net/xfrm_stat" \
                      "ss -uanp" "ip l2tp show tunnel" "nft list ruleset" "conntrack -L"; do echo "== $c"; $c 2>&1; done""", check=False))
        with contextlib.suppress(Exception):
            (folder / "wire.json").write_text(json.dumps(self.world.wire()))
