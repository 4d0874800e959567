"""Negative controls: where the feature is missing or broken on purpose, the same proof must fail."""

import scenarios
from catalogue import scenario
from netns import Failure


def must_fail(what, proof):
    """Runs a proof that has to fail; its complaint is the wanted result."""
    try:
        proof()
    except Failure as complaint:
        return complaint
    raise Failure(f"{what}, and everything works: this test would not notice a broken gateway")


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


def break_after_success(lab, what, command):
    """Two clients work; after the command neither may."""
    clients = [lab.client(name) for name in ("a1", "a2")]
    with lab.gateway():
        lab.dial(*clients)
        lab.prove(*clients)
        lab.world["gw"].run(*command)
        for c in clients:
            must_fail(f"{what} ({c.name})", lambda: lab.prove(c, patience=3))


@scenario("all", "control", only="sameroof")
def broken_alias_map(lab):
    """Without the elements that turn marks into aliases, two working clients stop working."""
    break_after_success(lab, "the alias map was emptied", ("nft", "flush", "map", "inet", "sameroof", "alias"))


@scenario("all", "control", only="sameroof")
def broken_home_map(lab):
    """Without the elements that turn aliases into NAT addresses, two working clients stop working."""
    break_after_success(lab, "the home map was emptied", ("nft", "flush", "map", "inet", "sameroof", "home"))


@scenario("all", "control", only="sameroof")
def broken_marks(lab):
    """Without the rule that gives each mark its alias address, two clients behind one NAT do not come up."""
    clients = [lab.client(name) for name in ("a1", "a2")]

    def without_the_rule(ruleset):
        return "\n".join(line for line in ruleset.splitlines() if "map @alias" not in line)

    def proof():
        lab.dial(*clients, patience=15)
        lab.prove(*clients, patience=3)

    with lab.gateway(edit_ruleset=without_the_rule):
        must_fail("the rule that turns marks into aliases was left out", proof)
