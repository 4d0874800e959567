"""Large IKE messages over paths that lose IP fragments: IKE's own fragmentation."""

from catalogue import scenario
from netns import Failure
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


def lost_fragments(lab):
    return int(lab.world["internet"].run("nft", "list", "counter", "ip", "narrow", "lost").split("packets")[1].split()[0])


@scenario("all", "fragments")
def ike_fragments(lab):
    """Two clients behind one NAT with messages of 2 kB and a path without IP fragments; without IKE's own fragmentation
    the same client fails."""
    whole = lab.client("b1", ipsec_options=f"leftid = {LONG_ID}\nfragmentation = no")
    pieces = [lab.client(name, ipsec_options=f"leftid = {LONG_ID}\nfragmentation = yes") for name in ("a1", "a2")]
    internet = lab.world["internet"]
    internet.nft(NO_FRAGMENTS)
    try:
        with lab.gateway() as gateway:
            must_fail("a client that sends its message 5 whole", lambda: whole.start_ipsec(patience=12))
            if not lost_fragments(lab):
                raise Failure("no IP fragment was lost: the failure had another cause")
            whole.hang_up()
            before = lost_fragments(lab)
            lab.dial(*pieces)
            lab.prove(*pieces)
            if lost_fragments(lab) != before:
                raise Failure("IP fragments were sent although IKE's own were to be used")
            clients = {peer["client"] for peer in gateway.peers() if peer["user"]}
            if clients != {"strongswan"}:
                raise Failure(f"xfrmctl takes the clients for {clients}")
            lab.hang_up(*pieces)
    finally:
        internet.nft("delete table ip narrow")
