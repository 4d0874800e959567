"""Clients of many kinds: Libreswan, and strongSwan configured as others are, as far as its configuration goes.

The proposals, lifetimes and ports are those of the clients named, in their order of preference.
"""

import itertools

from catalogue import scenario
from client_libreswan import LibreswanClient
from netns import Failure, wait_for
from scenarios import goodbye


def product(*parts):
    """("aes256", "aes128"), ("sha1",) → aes256-sha1,aes128-sha1: every combination, the first part varying slowest."""
    return ",".join("-".join(words) for words in itertools.product(*parts))


# Windows 7 to 11: life 1 h and 250,000 kB, source port 1701, MRU 1400, understands no dead peer detection.
WINDOWS = {"ike": "aes256-sha1-ecp384,aes128-sha1-ecp256,aes256-sha1-modp2048,3des-sha1-modp2048,3des-sha1-modp1024",
           "esp": "aes256-sha1,aes128-sha1,3des-sha1", "ikelifetime": "8h", "lifetime": "1h",
           "ipsec_options": "lifebytes = 250000000\nmarginbytes = 20000000\nfragmentation = yes"}
# macOS and iOS: an ephemeral source port, named in the first Quick Mode; one hour for both phases.
APPLE = {"ike": ",".join((product(["aes256"], ["sha256", "sha1", "md5", "sha512"], ["modp2048"]),
                          product(["aes256"], ["sha256", "sha1", "md5"], ["modp1536"]),
                          product(["aes256"], ["sha256", "sha1", "md5"], ["modp1024"]),
                          product(["aes128", "3des"], ["sha1", "md5"], ["modp1024"]))),
         "esp": product(["aes256", "aes128", "3des"], ["sha256", "sha1", "md5"]), "ikelifetime": "1h", "lifetime": "1h",
         "id_port": "52701", "l2tp_port": 52701, "ppp_options": "mtu 1280\nmru 1280"}
# Android up to 11: MODP 1024 only, any source port (17/0), eight hours for both phases.
ANDROID = {"ike": product(["aes256", "aes128", "3des"], ["sha256", "sha1", "md5"], ["modp1024"]),
           "esp": product(["aes256", "aes128", "3des"], ["sha1", "sha256", "md5"]), "ikelifetime": "8h", "lifetime": "8h",
           "id_port": "%any", "l2tp_port": 46001, "ppp_options": "mtu 1270\nmru 1270"}
# ChromeOS: the only one with AEAD.
CHROMEOS = {"ike": "aes128-sha256-modp3072,aes128-sha1-modp2048,3des-sha1-modp1536,3des-sha1-modp1024",
            "esp": "aes128gcm16,aes128-sha256,aes128-sha1,3des-sha1,3des-md5"}
# Libreswan as NetworkManager-l2tp configures it.
LIBRESWAN = {"kind": LibreswanClient, "esp": "aes256-sha1,aes128-sha1,3des-sha1",
             "ike": "aes256-sha2_256;modp2048,aes256-sha2_256;modp1536,aes256-sha1;modp2048,aes256-sha1;modp1536,aes256-sha1;ecp384,"
                    "aes128-sha1;ecp256,3des-sha1;modp2048"}

KINDS = {"a1": WINDOWS, "a2": APPLE, "a3": CHROMEOS, "a4": LIBRESWAN, "a5": ANDROID}
# What we choose of each offer: our own order of preference. (Android's depends on how much it looks like one.)
CHOSEN = {"a1": "aes256-sha1", "a2": "aes256-sha256", "a3": "aes128gcm16", "a4": "aes256-sha1"}
# The defaults, and what Android needs.
PROPOSALS = [*(f"{cipher}-{group}" for group in ("ecp256", "curve25519", "modp2048", "ecp384", "modp3072")
               for cipher in ("aes256-sha256", "aes256-sha1", "aes128-sha256", "aes128-sha1")), "aes256-sha1-modp1024"]


@scenario(only="sameroof", kernels="one")
def every_kind_behind_one_nat(lab):
    """As Windows, macOS, ChromeOS and Android are configured, and Libreswan: one of each behind one NAT, all at once."""
    clients = [lab.client(name, **kind) for name, kind in KINDS.items()]
    with lab.gateway(ike=PROPOSALS) as gateway:
        lab.dial(*clients)
        lab.prove(*clients)
        lab.check_listing(*clients)
        transforms = {peer["user"]: peer["transform"] for peer in gateway.peers() if peer["user"] in CHOSEN}
        if transforms != CHOSEN:
            raise Failure(f"of what they offer these were chosen: {transforms}, and not {CHOSEN}")
        goodbye(lab, *clients)


@scenario(only="sameroof", kernels="one")
def libreswan_rekeys(lab):
    """Two Libreswan clients of one NAT and one of another site rekey both phases and work all the time."""
    clients = [lab.client(name, kind=LibreswanClient, ikelifetime="60s", lifetime="60s", margin="45s")
               for name in ("a1", "a2", "b1")]
    with lab.gateway():
        lab.dial(*clients)
        lab.prove(*clients)
        for c in clients:
            wait_for(lambda: c.established("IKE_SA") >= 2 and c.established("CHILD_SA") >= 2, 90, f"{c.name}: a rekey of both phases")
        lab.prove(*clients)
        goodbye(lab, *clients)
