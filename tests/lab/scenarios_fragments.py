"""Large IKE messages over paths that lose IP fragments: IKE's own fragmentation."""

import contextlib

from authority import Authority
from catalogue import scenario
from certificates import gateway_options, with_certificate
from netns import Failure
from scenarios import goodbye
from scenarios_controls import must_fail

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


@scenario("all", "fragments", only="sameroof", seconds=240, kernels="one")
def certificates_in_fragments(lab):
    """Two clients behind one NAT whose certificates come from an authority that only they know, as does the gateway's: both
    ends send chains of two, over a path without IP fragments."""
    authority = Authority()
    authority.branch("clients", "/O=Lab/CN=Clients")
    authority.branch("servers", "/O=Lab/CN=Servers")
    authority.issue_own(["rsa"], by="servers")
    for name in ("a1", "a2", "b1"):
        authority.issue(name, f"/O=Lab/CN={name}", "rsa", by="clients")
    pieces = [with_certificate(lab, name, authority, branches=["clients"], ipsec_options="fragmentation = yes") for name in ("a1", "a2")]
    whole = with_certificate(lab, "b1", authority, branches=["clients"], ipsec_options="fragmentation = no")
    with narrow_path(lab), lab.gateway(**gateway_options(lab, authority, chain=["servers"])):
        only_pieces_arrive(lab, whole, pieces)
        goodbye(lab, *pieces)
