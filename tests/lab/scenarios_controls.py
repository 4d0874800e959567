"""Negative controls: where the feature is missing or broken on purpose, the same proof must fail."""

import functools
import os
import re

import checks
import scenarios
import scenarios_l2tp
from catalogue import scenario
from checks import must_fail
from netns import Failure
from scenarios import FIREWALL, goodbye
from topology import GATEWAY, GATEWAY_SECOND, NAT_A


@scenario("control", only="strongswan")
def control_one(lab):
    """A stock gateway serves one client: the lab's clients and checks are sound."""
    scenarios.one(lab)


@scenario("control", only="strongswan")
def control_two_fail(lab):
    """A stock gateway does not serve two clients behind one NAT."""
    clients = [lab.client(name) for name in ("a1", "a2")]

    def proof():
        lab.dial(*clients, patience=15)
        lab.prove(*clients, patience=4)

    with lab.gateway():
        must_fail("two clients behind one NAT of a stock gateway", proof)


FIRST_ADDRESS_ONLY = f"""
table ip detour {{
  chain post {{
    type filter hook postrouting priority 300;
    oifname "uplink" ip saddr {GATEWAY_SECOND} ip saddr set {GATEWAY}
  }}
}}
"""

# The way of other gateways: a policy that names the NAT's own address.
POLICY_OF_THE_NAT = f"src {GATEWAY}/32 dst {NAT_A}/32 dir out".split()


def breaks(what, proofs, breaking, repairing):
    """Each proof fails when something is broken, and succeeds again once it is repaired."""
    breaking()
    for proof in proofs:
        must_fail(what, proof)
    repairing()
    for proof in proofs:
        proof()


@scenario("all", "control", only="sameroof", places=("none",), kernels="one")
def broken_one_by_one(lab):
    """Two clients of a gateway that masquerades work. Without the rules that turn marks into aliases, or our address into near
    ends or back, or when all answers leave from the first address, neither works; where a policy names the NAT, its web page
    cannot be had."""
    clients = [lab.client(name, remote=GATEWAY_SECOND) for name in ("a1", "a2")]
    gw, nat = lab.world["gw"], lab.world["nata"]
    tunnels = [functools.partial(lab.prove, client, size=10_000, patience=3) for client in clients]
    web = functools.partial(checks.fetch, gw, NAT_A, patience=3)
    server = checks.web_server(nat)
    gw.nft(FIREWALL)
    try:
        with lab.gateway() as gateway:
            lab.dial(*clients)
            for proof in (*tunnels, web):
                proof()
            for rule in ("map @alias", "map @dialled", "| $near_bit"):
                breaks(f"the ruleset has no {rule}", tunnels,
                       lambda: gateway.load_ruleset(lambda rules: without(rules, rule)), gateway.load_ruleset)
            breaks("all answers leave from the first address", tunnels,
                   lambda: gw.nft(FIRST_ADDRESS_ONLY), lambda: gw.nft("delete table ip detour"))
            breaks("a policy names the NAT", [web],
                   lambda: gw.run("ip", "xfrm", "policy", "add", *POLICY_OF_THE_NAT, "tmpl", "proto", "esp", "reqid", 99),
                   lambda: gw.run("ip", "xfrm", "policy", "delete", *POLICY_OF_THE_NAT))
            lab.hang_up(*clients)
    finally:
        checks.close_server(server)


@scenario("all", "control", only="sameroof", kernels="one")
def killed_daemons(lab):
    """Daemons that are killed leave things behind, which the lab sees, and the next ones clean that up."""
    clients = [lab.client(name) for name in ("a1", "a2")]
    gw = lab.world["gw"]
    with lab.gateway() as gateway:
        empty = gateway.map_elements()
        lab.dial(*clients)
        lab.prove(*clients)
        gateway.kill()
        for client in clients:
            client.vanish()
        left = checks.left_of_gateway(gw)
        if not {"SAs", "policies"} <= set(left) or gateway.map_elements() == empty:
            raise Failure(f"daemons were killed and the lab sees only this of it: {left}")
    with lab.gateway() as gateway:
        nothing = dict.fromkeys(gateway.traces(empty), 0)
        checks.wait_until_equal(lambda: gateway.traces(empty), nothing, 30, "what the next daemons leave of the killed ones")
        lab.dial(*clients)
        lab.prove(*clients)
        goodbye(lab, *clients)
    checks.wait_until_equal(lambda: checks.left_of_gateway(gw), {}, 30, "what the daemons left behind")


def without(ruleset, *needles):
    """A ruleset without the lines that hold one of these texts."""
    return "\n".join(line for line in ruleset.splitlines() if not any(needle in line for needle in needles))


@scenario("all", "control", only="sameroof")
def broken_marks(lab):
    """Without the rule that gives each mark its alias address, two clients behind one NAT do not come up."""
    clients = [lab.client(name) for name in ("a1", "a2")]

    def proof():
        lab.dial(*clients, patience=15)
        lab.prove(*clients, patience=3)

    with lab.gateway(edit_ruleset=lambda ruleset: without(ruleset, "map @alias")):
        must_fail("the rule that turns marks into aliases was left out", proof)


@scenario("long", "control", only="sameroof")
def broken_firewall(lab):
    """A firewall that does not let decrypted L2TP in keeps a client out: the one of `stateful_firewall` does drop."""
    client = lab.client("a1")
    lab.world["gw"].nft(without(FIREWALL, "dport 1701 accept"))
    with lab.gateway():
        must_fail("the firewall lets no L2TP in", lambda: lab.dial(client, patience=12))


def without_near_ids(ruleset):
    """A ruleset that leads all data of a peer to the socket of its tunnel, whatever tunnel the packet names."""
    changed, lines = re.subn(r"& 0x40 == (0x[04]0) meta mark & \$mark_mask \. \S+ @tidsl?", r"& 0xc0 == \1", ruleset)
    if lines != 2:
        raise Failure(f"two rules of the ruleset lead to near ends by tunnel ids, and {lines} were found")
    return changed


@scenario("all", "control", only="sameroof")
def broken_latch(lab):
    """Two rules stand between a peer and its neighbour's session: the latch, and the one that leads to a tunnel's socket only what
    names this tunnel. Without the latch the attack of `injection_by_ids` still fails; without both it succeeds where the kernel
    looks for sessions by their ids alone (6.11 and later)."""
    if tuple(map(int, re.findall(r"\d+", os.uname().release)[:2])) < (6, 11):
        return "this kernel looks in the tunnel of the socket only"
    victim, attacker = scenarios_l2tp.windows(lab, "a1", "a2")

    def no_latch(ruleset):
        return without(ruleset, "wrong_tunnel drop")

    with lab.gateway(edit_ruleset=no_latch) as gateway:
        lab.dial(victim, attacker)
        lab.prove(victim, attacker)
        scenarios_l2tp.attack(lab, victim, [attacker])
        gateway.load_ruleset(lambda ruleset: without_near_ids(no_latch(ruleset)))
        complaint = must_fail("the latch was left out", lambda: scenarios_l2tp.attack(lab, victim, [attacker]))
        if "came out inside" not in str(complaint):
            raise Failure(f"the attack was to succeed, and this happened instead: {complaint}")
    return str(complaint)


@scenario("all", "control", only="sameroof", places=("none",), kernels="one")
def broken_leak_guard(lab):
    """Without the rules that guard against it, the same goes out in clear text, and the lab sees it."""
    client = lab.client("a1")
    with lab.gateway(edit_ruleset=lambda ruleset: without(ruleset, "cleartext_out drop", "name leak drop")):
        must_fail("the guard against leaks was left out", lambda: scenarios_l2tp.lose_the_sa(lab, client))
        client.vanish()
