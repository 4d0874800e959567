"""Why clients do not connect, as `xfrmctl explain` says it."""

import re

from authority import openssl
from catalogue import scenario
from certificates import gateway_options, office, with_certificate
from netns import Failure, wait_for
from scenarios import goodbye
from scenarios_xfrmctl import listed_object

BLOCKED_4500 = """
table inet blocked {
  chain input {
    type filter hook input priority -300;
    ip saddr 192.0.2.0/24 udp dport 4500 drop
    ip saddr 198.51.100.129 udp dport 4500 drop
  }
}
"""


def expire(authority, name):
    """Its certificate ended yesterday."""
    openssl("x509", "-req", "-in", authority.path(f"{name}.csr"), "-CA", authority.path("ca.pem"), "-CAkey", authority.path("ca.key"),
            "-CAcreateserial", "-days", -1, "-sha256", "-extfile", authority.path(f"{name}.ext"), "-out", authority.path(f"{name}.pem"))


def fails(what, act):
    try:
        act()
    except Failure:
        return
    raise Failure(f"{what} was let in")


def explained(gateway, subject, refusal, *words, patience=60):
    """The newest attempt of this one ends with this entry of the catalogue; the text says these words."""
    def as_wanted():
        story = listed_object(gateway, "explain", subject)
        return story["refusal"] and story["refusal"]["id"] == refusal

    try:
        wait_for(as_wanted, patience, f"{subject} explained by {refusal}")
    except Failure as failure:
        raise Failure(f"{failure}: {gateway.xfrmctl('explain', subject, check=False)}") from None
    text = gateway.xfrmctl("explain", subject)
    for word in words:
        if not re.search(word, text):
            raise Failure(f"the explanation of {refusal} was to say '{word}': {text}")


@scenario(only="sameroof", seconds=300, kernels="one")
def explain_failures(lab):
    """Wrong pre-shared key, refused proposal, expired certificate, blocked port 4500, wrong password, exhausted pool: each is
    explained, and so is a client that works; the metrics of all this please promtool's rules."""
    authority = office(a5="prime256v1", b1="prime256v1")
    expire(authority, "b1")
    options = gateway_options(lab, authority, bind_user=False)
    options["settings"]["ppp"] = {"pool": "10.99.1.0/30"}
    good = [lab.client("a1"), lab.client("a2")]
    with lab.gateway(**options) as gateway:
        monitor = lab.world["gw"].spawn("monitor", gateway.build / "xfrmctl/xfrmctl", "--run-dir", "/run/sameroof", "monitor")
        lab.dial(*good)
        lab.prove(*good)
        if "It is connected: user 'a1' is up" not in gateway.xfrmctl("explain", "a1"):
            raise Failure(gateway.xfrmctl("explain", "a1"))
        late = lab.client("a3")
        fails("a third user of two addresses", lambda: late.up(40))
        explained(gateway, "a3", "pool_exhausted", "Widen ppp.pool", "Windows error 691", r"IKE .*begins",
                  r"nft +mark 0x\w+ is 240\.0\.0\.\d+, and that is at 198\.51\.100\.1\n", r"SA .* is up", r"L2TP .*tunnel")
        careless = lab.client("a4", password="guess")
        fails("a wrong password", lambda: careless.up(40))
        explained(gateway, "a4", "wrong_password", "user 'a4' is refused: wrong password", "Windows error 691")
        stranger = lab.client("b1")
        stranger.host.write("ipsec.secrets", '%any %any : PSK "another"\n')
        fails("a wrong pre-shared key", lambda: stranger.start_ipsec(12))
        explained(gateway, "198.51.100.129", "wrong_psk", "Type the pre-shared key", "Windows error 789")
        stranger.hang_up()
        weak = lab.client("pub", ike="3des-sha1-modp1024")
        fails("a weak proposal", lambda: weak.start_ipsec(12))
        explained(gateway, "192.0.2.10", "no_common_ike_proposal", "3des-sha1-modp1024", "ike.proposals", "Windows error 788")
        weak.hang_up()
        old = with_certificate(lab, "b1", authority)
        fails("an expired certificate", lambda: old.start_ipsec(12))
        explained(gateway, "198.51.100.129", "certificate_expired", r"\(O=Lab, CN=b1\) has expired")
        old.hang_up()
        lab.world["gw"].nft(BLOCKED_4500)
        behind = lab.client("b1")
        fails("who cannot reach port 4500", lambda: behind.start_ipsec(40))
        explained(gateway, "198.51.100.129", "port_4500_blocked", "Open UDP 4500", "Windows error 809")
        lab.world["gw"].nft("delete table inet blocked")
        behind.hang_up()
        metrics = gateway.xfrmctl("metrics")
        for reason in ("wrong_psk", "certificate_expired", "pool_exhausted", "port_4500_blocked"):
            if not re.search(rf'_failures_total{{reason="{reason}"}} [1-9]', metrics):
                raise Failure(f"no failure for the reason {reason} is counted: {metrics}")
        told = lab.world["gw"].log("monitor").read_text()
        for words in ("is up: ppp", "wrong password", "is none of ours"):
            if words not in told:
                raise Failure(f"xfrmctl monitor was to tell of '{words}': {told}")
        monitor.terminate()
        monitor.wait()
        goodbye(lab, *good, late, careless)
