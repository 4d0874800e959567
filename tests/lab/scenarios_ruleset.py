"""Somebody else at the gateway's nftables."""

import ipaddress
import socket

import checks
from catalogue import scenario
from netns import Failure, wait_for
from scenarios_controls import must_fail

# L2TP in clear text as it leaves the gateway, wherever it is addressed to; the gateway's own table may be gone.
CLEAR_TEXT = """
table ip watch {
  counter clear { }
  chain pre {
    type filter hook prerouting priority raw;
    iifname "gw" udp sport 1701 counter name clear
  }
}
"""


def send_from_1701(host, address, mark):
    """What a tunnel whose peer has just gone may still send, from its near end."""
    near = ipaddress.ip_address(int(ipaddress.ip_address(address)) | 0x00800000)
    with host.socket(kind=socket.SOCK_DGRAM) as out:
        out.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        out.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
        out.setsockopt(socket.IPPROTO_IP, socket.IP_TRANSPARENT, 1)
        out.bind((str(near), 1701))
        try:
            out.sendto(b"\xc8\x02 in clear", (address, 1701))
        except OSError:
            pass  # as it should be


@scenario(only="sameroof", kernels="one")
def flushed_ruleset(lab):
    """`nft flush ruleset` under three clients: they are deaf and nothing leaves in clear text, not even what is sent to one that
    goes meanwhile; once the ruleset is loaded again the others go on in the tunnels they had. Elements deleted by hand come back."""
    clients = [lab.client(name) for name in ("a1", "a2")]
    goes = lab.client("a3")
    gw, internet = lab.world["gw"], lab.world["internet"]

    def said(text):
        return text in gw.log("ikd").read_text()

    def clear_text():
        return "packets 0" not in internet.run("nft", "list", "counter", "ip", "watch", "clear")

    internet.nft(CLEAR_TEXT)
    try:
        with lab.gateway() as gateway:
            lab.dial(*clients)
            lab.prove(*clients)
            elements = gateway.map_elements()
            lab.dial(goes)
            lab.prove(goes)
            last = next(peer for peer in gateway.peers() if peer["user"] == goes.user)
            ids = {peer["user"]: (peer["mark"], peer["tunnel"]) for peer in gateway.peers()}
            if any("Somebody" in gw.log(daemon).read_text() for daemon in ("ikd", "l2tpd")):
                raise Failure("what a daemon puts into the table itself was taken for somebody else's doing")
            gw.run("nft", "flush", "ruleset")
            wait_for(lambda: said("Table inet sameroof is gone"), 20, "ikd says that the table is gone")
            for client in clients:
                must_fail("the ruleset was flushed", lambda: checks.check_ping(client, patience=3))
            lab.hang_up(goes)
            wait_for(lambda: len(gateway.peers()) == len(clients), 40, "the client that went is gone")
            send_from_1701(gw, last["alias"], last["mark"])
            if clear_text():
                raise Failure("something for a client left in clear text while there was no ruleset")

            gateway.load_ruleset()
            wait_for(lambda: said("its maps have all 2 peers"), 20, "ikd fills the maps")
            lab.prove(*clients, patience=20)
            lab.check_listing(*clients)
            if any(ids[peer["user"]] != (peer["mark"], peer["tunnel"]) for peer in gateway.peers()):
                raise Failure(f"clients were to keep their tunnels: {ids} became {gateway.peers()}")
            send_from_1701(gw, last["alias"], last["mark"])
            policies = gw.run("ip", "xfrm", "policy").count("proto esp")
            if clear_text() or policies != len(clients):
                raise Failure(f"of the client that went there is clear text or a policy: {policies} policies")

            full = gateway.map_elements()
            if full < elements:
                raise Failure(f"of {elements} elements for two clients {full} are back")
            for kind, name in (("map", "alias"), ("map", "dialled"), ("map", "mss"), ("set", "links"), ("set", "far_ends"), ("set", "tids"), ("set", "latched")):
                gw.run("nft", "flush", kind, "inet", "sameroof", name)
                checks.wait_until_equal(gateway.map_elements, full, 20, f"{name} is filled again")
            lab.prove(*clients)
            lab.hang_up(*clients)
            if clear_text():
                raise Failure("L2TP left the gateway in clear text")
    finally:
        internet.nft("delete table ip watch")


@scenario(only="sameroof", kernels="one")
def flushed_ruleset_of_another_daemon(lab):
    """xl2tpd serves clear text beside IPsec, and goes on doing so when the ruleset was flushed and loaded again, or somebody
    empties the set that allows it."""
    gw, a4 = lab.world["gw"], lab.world["a4"]
    remote = lab.client("a4").remote

    def answered():
        return checks.is_answered_in_clear(a4, remote)

    with lab.gateway(lns="external", cleartext="beside") as gateway:
        if not answered():
            raise Failure("clear text was to be served")
        gw.run("nft", "flush", "ruleset")
        gateway.load_ruleset()
        wait_for(answered, 20, "clear text served again after the ruleset was loaded again")
        gw.run("nft", "flush", "set", "inet", "sameroof", "cleartext")
        wait_for(answered, 20, "clear text served again after its set was emptied")
