"""How clients prove who they are: certificates, several pre-shared keys, Aggressive Mode; and whom that lets log in."""

import re

from authority import Authority
from catalogue import scenario
from netns import Failure, wait_for
from scenarios import goodbye

OTHER_PSK = "a secret of the other office"
BRANCH_PSK = "a secret of branch seven"


def with_psk(client, psk):
    client.host.write("ipsec.secrets", f'%any %any : PSK "{psk}"\n')
    return client


def with_certificate(lab, name, authority):
    """A client with the certificate that the authority has issued under this name; an RSA or an ECDSA one."""
    client = lab.client(name, ipsec_options="authby = pubkey\nleftcert = own.pem\nleftsendcert = always\n"
                                            "rightid = \"O=Lab, CN=gateway\"")
    host, key = client.host, authority.text(f"{name}.key")
    for folder in ("cacerts", "certs", "private"):
        (host.etc / "ipsec.d" / folder).mkdir(parents=True, exist_ok=True)
    host.write("ipsec.d/cacerts/ca.pem", authority.text("ca.pem"))
    host.write("ipsec.d/certs/own.pem", authority.text(f"{name}.pem"))
    host.write("ipsec.d/private/own.key", key)
    ec = "prime256v1" in authority.kinds[name] or "secp384r1" in authority.kinds[name]
    host.write("ipsec.secrets", f": {'ECDSA' if ec else 'RSA'} own.key\n")
    conf = (host.etc / "strongswan.conf").read_text()
    host.write("strongswan.conf", conf.replace("load = ", "load = pem pkcs1 pkcs8 x509 revocation constraints pubkey "))
    return client


def office():
    """An authority with a gateway's two certificates, and three clients' of which one is revoked."""
    authority = Authority()
    authority.kinds = {"rsa": "rsa", "ecdsa": "prime256v1", "a1": "rsa", "a3": "prime256v1", "pub": "prime256v1"}
    for name, kind in authority.kinds.items():
        gateway = name in ("rsa", "ecdsa")
        authority.issue(name, f"/O=Lab/CN={'gateway' if gateway else name}", kind, "serverAuth" if gateway else "clientAuth")
    authority.revoke("pub")
    return authority


def pki_settings(gw, authority):
    """Keys for [ike], and the tables that name certificates; the files are the gateway's own."""
    for name in ("ca.pem", "crl.pem", "rsa.pem", "rsa.key", "ecdsa.pem", "ecdsa.key"):
        gw.write(name, authority.text(name))
    own = "".join(f'[[ike.own_certificate]]\nfile = "{gw.etc}/{kind}.pem"\nkey = "{gw.etc}/{kind}.key"\n' for kind in ("rsa", "ecdsa"))
    return ({"ike": {"trust": [f"{gw.etc}/ca.pem"], "revocation": [f"{gw.etc}/crl.pem"]}},
            own + '[[ike.certificate]]\nname = "staff"\nsubject = "O=Lab, CN=*"\nbind_user = true\n')


def refused(what, act, log, sentence):
    """The act fails, and the log of the gateway has this sentence."""
    try:
        act()
    except Failure:
        if not wait_for(lambda: re.search(sentence, log.read_text()), 10, f"{what}: the gateway's log says {sentence}"):
            raise
        return
    raise Failure(f"{what} was let in")


@scenario(only="sameroof")
def certificates_and_two_psks(lab):
    """Behind one NAT an RSA certificate, an ECDSA certificate and a pre-shared key, behind another NAT a second
    pre-shared key, all on one listener; a revoked certificate is refused, and the certificates' users are their own."""
    authority, gw = office(), lab.world["gw"]
    settings, more = pki_settings(gw, authority)
    by_rsa, by_ecdsa = (with_certificate(lab, name, authority) for name in ("a1", "a3"))
    clients = [by_rsa, lab.client("a2"), by_ecdsa, with_psk(lab.client("b1"), OTHER_PSK)]
    with lab.gateway(settings=settings, more=more + '[[ike.psk]]\nname = "other"\n', psks={"other": OTHER_PSK}) as gateway:
        lab.dial(*clients)
        lab.prove(*clients)
        lab.check_listing(*clients)
        listed = {peer["user"]: peer["authentication"] for peer in gateway.peers()}
        expected = {"a1": "certificate O=Lab, CN=a1", "a2": "PSK lab", "a3": "certificate O=Lab, CN=a3", "b1": "PSK other"}
        if listed != expected:
            raise Failure(f"xfrmctl lists {listed}")
        revoked = with_certificate(lab, "pub", authority)
        refused("a revoked certificate", lambda: revoked.start_ipsec(12), gw.log("ikd"), r"\(O=Lab, CN=pub\) is revoked")
        goodbye(lab, *clients, revoked)


@scenario(only="sameroof")
def aggressive_mode_and_bound_users(lab):
    """A client in Aggressive Mode beside two in Main Mode whose key belongs to one user: that one logs in through it,
    another is refused in plain words."""
    branch = with_psk(lab.client("a1", ipsec_options='aggressive = yes\nleftid = "branch.example"'), BRANCH_PSK)
    owner, borrower = (with_psk(lab.client(name), OTHER_PSK) for name in ("a2", "a3"))
    conf = (branch.host.etc / "strongswan.conf").read_text()
    branch.host.write("strongswan.conf", conf.replace(
        "  install_routes", "  i_dont_care_about_security_and_use_aggressive_mode_psk = yes\n  install_routes", 1))
    more = ('[[ike.psk]]\nname = "a2"\nbind_user = true\ndevice = true\n'
            '[[ike.psk]]\nname = "branch 7"\naggressive = true\nidentity = "branch.example"\n')
    with lab.gateway(more=more, psks={"a2": OTHER_PSK, "branch 7": BRANCH_PSK}) as gateway:
        lab.dial(branch, owner)
        lab.prove(branch, owner)
        refused("another user of a bound key", borrower.up, lab.world["gw"].log("l2tpd"),
                r"User 'a3' .* refused: its IPsec connection is for 'a2' only")
        listed = {peer["user"]: peer["authentication"] for peer in gateway.peers() if peer["user"]}
        if listed != {"a1": "PSK branch 7", "a2": "PSK a2"}:
            raise Failure(f"xfrmctl lists {listed}")
        goodbye(lab, branch, owner, borrower)
