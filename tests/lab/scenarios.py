"""The scenarios. Each says in its docstring what it shows; each is judged by what real clients can do."""

import re

import checks
from catalogue import scenario
from netns import Failure
from topology import GATEWAY, GATEWAY_SECOND, NAT_A


def goodbye(lab, *clients):
    """Makes sure that nothing has gone in clear text, hangs up, and that nothing of ours does at the end either."""

    def clear_text(*directions):
        wire = lab.world.wire()
        if any(wire[direction] for direction in directions):
            raise Failure(f"L2TP went over the internet in clear text: {wire}")

    # A stock gateway answers in clear text until its policy is there and when its SA is gone: seen, not ours.
    ours = ["clear_out"] if lab.kind == "sameroof" else []
    clear_text("clear_in", *ours)
    lab.hang_up(*clients)
    # A client's pppd may outlive its charon by a packet; that one is the client's own affair.
    clear_text(*ours)


def work(lab, *names, **options):
    """A gateway and these clients, all at once; nothing of it in clear text."""
    clients = [lab.client(name, **options) for name in names]
    with lab.gateway():
        lab.dial(*clients)
        lab.prove(*clients)
        goodbye(lab, *clients)


@scenario("long", "basic")
def one(lab):
    """One client behind one NAT."""
    work(lab, "a1")


@scenario("all", "basic")
def two_behind_one_nat(lab):
    """Two clients behind one NAT, both with source port 1701: what stock gateways cannot do."""
    work(lab, "a1", "a2")


@scenario("long", "basic")
def three_behind_one_nat(lab):
    """Three clients behind one NAT."""
    work(lab, "a1", "a2", "a3")


@scenario("long", "basic")
def same_inner_address_behind_two_nats(lab):
    """Two clients with the same private address behind two NATs."""
    work(lab, "a1", "b1")


@scenario("all", "basic")
def all_four(lab):
    """Three behind one NAT and one behind another with the first one's private address, xfrmctl tells them apart, the
    ruleset has dropped nothing, and the kernel finds each tunnel's socket at an address of its own."""
    clients = [lab.client(name) for name in ("a1", "a2", "a3", "b1")]
    with lab.gateway() as gateway:
        lab.dial(*clients)
        lab.prove(*clients)
        lab.check_listing(*clients)
        if gateway.drops():
            raise Failure(f"the ruleset dropped packets of well-behaved clients: {gateway.drops()}")
        near_ends = re.findall(r"(\S+):1701 +\S+:\d+", lab.world["gw"].run("ss", "-unH"))
        if lab.kind == "sameroof" and len(set(near_ends)) != len(clients):
            raise Failure(f"the tunnels' sockets are at {near_ends}")
        goodbye(lab, *clients)


@scenario("all", "basic")
def host_without_nat(lab):
    """A client with a public address: plain ESP, IP protocol 50, in both directions, unless the gateway is behind a NAT."""
    pub = lab.client("pub")
    with lab.gateway():
        lab.dial(pub)
        lab.prove(pub)
        goodbye(lab, pub)
    wire = lab.world.wire()
    used, unused = ("esp", "natt") if lab.world.place == "none" else ("natt", "esp")
    if wire[f"{used}_in"] < 50 or wire[f"{used}_out"] < 50 or wire[f"{unused}_in"] or wire[f"{unused}_out"]:
        raise Failure(f"expected {used} in both directions and no {unused}: {wire}")


@scenario("all", "basic", kernels="one")
def second_address(lab):
    """Two clients of one NAT dial the gateway's second address, and all answers come from there."""
    clients = [lab.client(name, remote=GATEWAY_SECOND) for name in ("a1", "a2")]
    with lab.gateway():
        lab.dial(*clients)
        lab.prove(*clients)
        goodbye(lab, *clients)
    wire = lab.world.wire()
    if wire["from_first"] or not wire["from_second"]:
        raise Failure(f"answers came from the wrong address: {wire}")


@scenario("all", "basic", kernels="one")
def both_addresses(lab):
    """Two clients of one NAT, each dialling another address of the gateway."""
    clients = [lab.client("a1"), lab.client("a2", remote=GATEWAY_SECOND)]
    with lab.gateway():
        lab.dial(*clients)
        lab.prove(*clients)
        lab.hang_up(*clients)


@scenario("all", "basic")
def equal_spis(lab):
    """Two clients of one NAT whose kernels chose the same SPI for what they receive."""
    clients = [lab.client(name, spi="0xc1234567") for name in ("a1", "a2")]
    with lab.gateway():
        lab.dial(*clients)
        spis = [c.inbound_spis() for c in clients]
        if spis != [["0xc1234567"]] * 2:
            raise Failure(f"the clients' SPIs were to be equal: {spis}")
        lab.prove(*clients)
        lab.hang_up(*clients)


@scenario("all", "basic", places=("none", "one-to-one"))
def cleartext_beside_ipsec(lab):
    """With cleartext = "beside": L2TP without IPsec beside an IPsec client, behind the same NAT."""
    secure, clear = clients = [lab.client("a1"), lab.client("a2", ipsec=False)]
    with lab.gateway(cleartext="beside"):
        if not checks.is_answered_in_clear(lab.world["a3"], GATEWAY):
            raise Failure("an SCCRQ in clear text got no answer")
        lab.dial(*clients)
        lab.prove(*clients)
        lab.hang_up(*clients)
    wire = lab.world.wire()
    if wire["clear_in"] < 100 or wire["natt_in"] < 100:
        raise Failure(f"each client was to use its own way: {wire}")


@scenario("all", "basic", kernels="one")
def cleartext_refused(lab):
    """By default an SCCRQ in clear text gets no answer at all, and the IPsec client beside it works."""
    client = lab.client("a1")
    with lab.gateway():
        lab.dial(client)
        if checks.is_answered_in_clear(lab.world["a2"], GATEWAY) or checks.is_answered_in_clear(lab.world["pub"], GATEWAY):
            raise Failure("an SCCRQ in clear text was answered")
        lab.prove(client)
        lab.hang_up(client)
    wire = lab.world.wire()
    if wire["clear_out"] or wire["clear_in"] < 8:
        raise Failure(f"clear text was to be sent by us and answered by nobody: {wire}")


FIREWALL = """
table inet firewall {
  chain input {
    type filter hook input priority filter; policy drop;
    ct state established,related accept
    iifname "lo" accept
    udp dport { 500, 4500 } accept
    meta l4proto esp accept
    meta ipsec exists udp dport 1701 accept
  }
  chain post {
    type nat hook postrouting priority srcnat;
    oifname "uplink" masquerade
  }
}
"""


@scenario("all", "basic", kernels="one")
def stateful_firewall(lab):
    """The gateway has a dropping, stateful firewall and masquerades on its uplink; two clients behind one NAT."""
    lab.world["gw"].nft(FIREWALL)
    work(lab, "a1", "a2")


@scenario("all", "basic", places=("none", "one-to-one"), kernels="one")
def web_both_ways(lab):
    """While four clients are up, the gateway and a client's NAT router can fetch web pages from one another."""
    clients = [lab.client(name) for name in lab.crowd("a1", "a2", "a3", "b1")]
    gw, nat = lab.world["gw"], lab.world["nata"]
    servers = [checks.web_server(gw), checks.web_server(nat)]
    try:
        with lab.gateway():
            lab.dial(*clients)
            checks.fetch(gw, NAT_A)
            checks.fetch(nat, GATEWAY)
            checks.fetch(lab.world["a1"], GATEWAY)
            lab.prove(*clients)
            lab.hang_up(*clients)
    finally:
        for server in servers:
            checks.close_server(server)


@scenario("all", "basic")
def leave_nothing(lab):
    """When all have hung up no SA, tunnel, map element or pppd is left, and no socket or policy when the daemons stop."""
    clients = [lab.client(name) for name in lab.crowd("a1", "a2", "b1", "pub")]
    gw = lab.world["gw"]

    with lab.gateway() as gateway:
        elements = gateway.map_elements()
        lab.dial(*clients)
        lab.prove(*clients)
        lab.check_listing(*clients)
        lab.hang_up(*clients)
        if lab.kind == "sameroof":
            nothing = {kind: 0 for kind in gateway.traces(elements)}
            checks.wait_until_equal(lambda: gateway.traces(elements), nothing, 30, "what clients left behind")
    checks.wait_until_equal(lambda: checks.left_of_gateway(gw), {}, 30, "what the daemons left behind")
