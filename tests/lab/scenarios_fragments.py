"""Large IKE messages over paths that lose IP fragments: IKE's own fragmentation."""

import contextlib

from authority import Authority
from catalogue import scenario
from certificates import gateway_options, with_certificate
from netns import Failure, wait_for
from scenarios import goodbye
from scenarios_controls import must_fail
from scenarios_rekey import MAIN_MODE_FROM_GATEWAY, asked

# What many routers and carriers do to fragments. The internet's host has no conntrack that would put them together.
NO_FRAGMENTS = """
table ip narrow {
  counter lost { }
  chain forward {
    type filter hook forward priority filter - 5;
    ip frag-off & 0x3fff != 0 counter name lost drop
  }
}
"""

# Message 5 carries it: larger than any packet, like a certificate's chain.
LONG_ID = "@" + "long" * 500


@contextlib.contextmanager
def narrow_path(lab):
    internet = lab.world["internet"]
    internet.nft(NO_FRAGMENTS)
    try:
        yield
    finally:
        internet.nft("delete table ip narrow")


def lost_fragments(lab):
    return int(lab.world["internet"].run("nft", "list", "counter", "ip", "narrow", "lost").split("packets")[1].split()[0])


def only_pieces_arrive(lab, whole, pieces):
    """A client that leaves it to IP fails, and because of that; the others work, and send no IP fragment."""
    must_fail("a client that sends its message 5 whole", lambda: whole.start_ipsec(patience=12))
    if not lost_fragments(lab):
        raise Failure("no IP fragment was lost: the failure had another cause")
    whole.hang_up()
    before = lost_fragments(lab)
    lab.dial(*pieces)
    lab.prove(*pieces)
    if lost_fragments(lab) != before:
        raise Failure("IP fragments were sent although IKE's own were to be used")


@scenario("all", "fragments", kernels="one")
def ike_fragments(lab):
    """Two clients behind one NAT with messages of 2 kB and a path without IP fragments; without IKE's own fragmentation
    the same client fails."""
    whole = lab.client("b1", ipsec_options=f"leftid = {LONG_ID}\nfragmentation = no")
    pieces = [lab.client(name, ipsec_options=f"leftid = {LONG_ID}\nfragmentation = yes") for name in ("a1", "a2")]
    with narrow_path(lab), lab.gateway() as gateway:
        only_pieces_arrive(lab, whole, pieces)
        clients = {peer["client"] for peer in gateway.peers() if peer["user"]}
        if clients != {"strongswan"}:
            raise Failure(f"xfrmctl takes the clients for {clients}")
        lab.hang_up(*pieces)


def long_chains(*names):
    """An authority that issues these clients' certificates through one branch and the gateway's through another: no end has
    what is between, and both send it."""
    authority = Authority()
    authority.branch("clients", "/O=Lab/CN=Clients")
    authority.branch("servers", "/O=Lab/CN=Servers")
    authority.issue_own(["rsa"], by="servers")
    for name in names:
        authority.issue(name, f"/O=Lab/CN={name}", "rsa", by="clients")
    return authority


def with_long_chain(lab, name, authority, fragmentation="yes", **options):
    return with_certificate(lab, name, authority, branches=["clients"],
                            ipsec_options=f"fragmentation = {fragmentation}", **options)


@scenario("all", "fragments", only="sameroof", seconds=240, kernels="one")
def certificates_in_fragments(lab):
    """Two clients behind one NAT whose certificates come from an authority that only they know, as does the gateway's: both
    ends send chains of two, over a path without IP fragments."""
    authority = long_chains("a1", "a2", "b1")
    pieces = [with_long_chain(lab, name, authority) for name in ("a1", "a2")]
    whole = with_long_chain(lab, "b1", authority, fragmentation="no")
    with narrow_path(lab), lab.gateway(**gateway_options(lab, authority, chain=["servers"])):
        only_pieces_arrive(lab, whole, pieces)
        goodbye(lab, *pieces)


@scenario("long", "fragments", only="sameroof", seconds=240, kernels="one")
def certificates_in_fragments_by_gateway(lab):
    """The same clients leave it to the gateway to renew their keys: its Main Modes come through the narrow path, too, and no
    IP fragment is lost there."""
    authority = long_chains("a1", "a2")
    clients = [with_long_chain(lab, name, authority, ikelifetime="60s", lifetime="40s", margin="1s") for name in ("a1", "a2")]
    with narrow_path(lab), lab.gateway(**gateway_options(lab, authority, chain=["servers"])):
        lab.dial(*clients)
        lab.prove(*clients)
        for c in clients:
            wait_for(lambda: asked(c, MAIN_MODE_FROM_GATEWAY) >= 1 and c.established("IKE_SA") >= 2, 150,
                     f"{c.name}: a Main Mode of the gateway's")
        lab.prove(*clients)
        if lost_fragments(lab):
            raise Failure("IP fragments were sent although IKE's own were to be used")
        if "gets no new keys" in lab.world["gw"].log("ikd").read_text():
            raise Failure("the gateway's log says that a client gets no new keys")
        goodbye(lab, *clients)
