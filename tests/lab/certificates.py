"""Certificates for the gateway and its clients: an authority, and what each daemon needs to use what it issued."""

import shutil

from authority import Authority

# What charon needs beside the plugins of a client with a pre-shared key.
PLUGINS = "load = pem pkcs1 pkcs8 x509 revocation constraints pubkey "
GATEWAY_SUBJECT = "O=Lab, CN=gateway"
CURVES = ("prime256v1", "secp384r1", "secp521r1")


def office(**kinds):
    """An authority with a certificate for each of these clients, by name and kind of key, and with the gateway's of those kinds:
    each signs with the curve that the other uses."""
    authority = Authority()
    authority.issue_own(sorted({"rsa", "prime256v1", *kinds.values()}))
    for name, key in kinds.items():
        authority.issue(name, f"/O=Lab/CN={name}", key)
    return authority


def with_certificate(lab, name, authority, holder=None, issuer=None, branches=(), **options):
    """A strongSwan client with the certificate that was issued to `holder`, itself as a rule, by `issuer`, the authority that
    it trusts as a rule."""
    holder, issuer = holder or name, issuer or authority
    extra = options.pop("ipsec_options", "")
    client = lab.client(name, ipsec_options="authby = pubkey\nleftcert = own.pem\nleftsendcert = always\n"
                                            f"rightid = \"{GATEWAY_SUBJECT}\"\n{extra}", **options)
    host = client.host
    for folder in ("cacerts", "certs", "private"):  # ipsec.d itself is mounted on the host
        shutil.rmtree(host.etc / "ipsec.d" / folder, ignore_errors=True)
        (host.etc / "ipsec.d" / folder).mkdir()
    for authority_name in ("ca", *branches):
        host.write(f"ipsec.d/cacerts/{authority_name}.pem", authority.text(f"{authority_name}.pem"))
    host.write("ipsec.d/certs/own.pem", issuer.text(f"{holder}.pem"))
    host.write("ipsec.d/private/own.key", issuer.text(f"{holder}.key"))
    host.write("ipsec.secrets", f": {'ECDSA' if issuer.kinds[holder] in CURVES else 'RSA'} own.key\n")
    conf = (host.etc / "strongswan.conf").read_text()
    host.write("strongswan.conf", conf.replace("load = ", PLUGINS, 1))
    return client


def gateway_options(lab, authority, chain=(), revoked=False, bind_user=True):
    """What Lab.gateway() takes: trust, its own certificates with those of `chain` above them, and a class for everybody."""
    gw = lab.world["gw"]
    own = ""
    above = "".join(authority.text(f"{name}.pem") for name in chain)
    gw.write("ca.pem", authority.text("ca.pem"))
    for name in authority.own:
        gw.write(f"{name}.pem", authority.text(f"{name}.pem") + above)
        gw.write(f"{name}.key", authority.text(f"{name}.key"))
        own += f'[[ike.own_certificate]]\nfile = "{gw.etc}/{name}.pem"\nkey = "{gw.etc}/{name}.key"\n'
    ike = {"trust": [f"{gw.etc}/ca.pem"]}
    if revoked:
        gw.write("crl.pem", authority.text("crl.pem"))
        ike["revocation"] = [f"{gw.etc}/crl.pem"]
    everybody = f'[[ike.certificate]]\nname = "staff"\nsubject = "O=Lab, CN=*"\nbind_user = {str(bind_user).lower()}\n'
    return {"settings": {"ike": ike}, "more": own + everybody}
