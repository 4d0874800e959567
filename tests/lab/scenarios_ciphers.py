"""Algorithms: a client for each, on the three sites without neighbours, so any gateway can pass."""

from catalogue import scenario

SITES = ("a1", "b1", "pub")


def try_each(lab, proposals):
    """Dials with each (IKE, ESP) proposal, three at a time."""
    with lab.gateway(ike=sorted({ike for ike, _ in proposals}), esp=sorted({esp for _, esp in proposals})):
        while proposals:
            batch, proposals = proposals[:len(SITES)], proposals[len(SITES):]
            clients = [lab.client(site, ike=ike, esp=esp) for site, (ike, esp) in zip(SITES, batch)]
            lab.dial(*clients)
            lab.prove(*clients)
            lab.hang_up(*clients)


@scenario("all", "ciphers", kernels="one")
def esp_ciphers(lab):
    """ESP with AES-GCM, and AES-CBC with SHA-256, SHA-1."""
    ike = "aes256-sha256-modp2048"
    try_each(lab, [(ike, "aes256gcm16"), (ike, "aes256-sha256"), (ike, "aes128gcm16")])


@scenario("all", "ciphers", kernels="one")
def ike_groups(lab):
    """IKE with MODP 2048 and 3072, the NIST curves that Windows asks for first, and Curve25519."""
    esp = "aes128-sha1"
    try_each(lab, [("aes256-sha256-modp3072", esp), ("aes256-sha1-ecp384", esp), ("aes128-sha1-ecp256", esp),
                   ("aes256-sha256-modp2048", esp), ("aes256-sha256-curve25519", esp)])
