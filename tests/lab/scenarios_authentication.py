"""How clients prove who they are: certificates, several pre-shared keys, Aggressive Mode; and whom that lets log in."""

import re

from catalogue import scenario
from certificates import gateway_options, office, with_certificate
from client_libreswan import LibreswanClient
from netns import Failure, wait_for
from scenarios import goodbye
from scenarios_rekey import MAIN_MODE_FROM_GATEWAY, QUICK_MODE_FROM_GATEWAY, asked, no_ping_lost

OTHER_PSK = "a secret of the other office"
BRANCH_PSK = "a secret of branch seven"


def with_psk(client, psk):
    client.host.write("ipsec.secrets", f'%any %any : PSK "{psk}"\n')
    return client


def in_aggressive_mode(client):
    """strongSwan wants to be told that this is known to be weak."""
    conf = (client.host.etc / "strongswan.conf").read_text()
    client.host.write("strongswan.conf", conf.replace(
        "  install_routes", "  i_dont_care_about_security_and_use_aggressive_mode_psk = yes\n  install_routes", 1))
    return client


def authentications(gateway):
    """Of each user who is logged in, as xfrmctl shows it."""
    return {peer["user"]: peer["authentication"] for peer in gateway.peers() if peer["user"]}


def expect_authentications(gateway, **expected):
    if authentications(gateway) != expected:
        raise Failure(f"xfrmctl lists {authentications(gateway)} and not {expected}")


def refused(what, act, log, sentence):
    """The act fails, and the log of the gateway has this sentence."""
    try:
        act()
    except Failure:
        wait_for(lambda: re.search(sentence, log.read_text()), 20, f"{what}: the gateway's log says {sentence}")
        return
    raise Failure(f"{what} was let in")


@scenario(only="sameroof", seconds=240, kernels="one")
def certificates_and_two_psks(lab):
    """Behind one NAT an RSA certificate, one of P-384 and a pre-shared key, behind another NAT a second pre-shared key, all on one
    listener; a revoked certificate is refused, and another authority's, and the user of another's certificate."""
    authority = office(a1="rsa", a3="secp384r1", a4="prime256v1", pub="prime256v1")
    authority.revoke("pub")
    options = gateway_options(lab, authority, revoked=True)
    options["more"] += '[[ike.psk]]\nname = "other"\n'
    clients = [with_certificate(lab, "a1", authority), lab.client("a2"), with_certificate(lab, "a3", authority),
               with_psk(lab.client("b1"), OTHER_PSK)]
    logs = lab.world["gw"]
    with lab.gateway(psks={"other": OTHER_PSK}, **options) as gateway:
        lab.dial(*clients)
        lab.prove(*clients)
        lab.check_listing(*clients)
        expect_authentications(gateway, a1="certificate O=Lab, CN=a1", a2="PSK lab", a3="certificate O=Lab, CN=a3", b1="PSK other")
        revoked = with_certificate(lab, "pub", authority)
        refused("a revoked certificate", lambda: revoked.start_ipsec(12), logs.log("ikd"), r"\(O=Lab, CN=pub\) is revoked")
        stranger = with_certificate(lab, "a4", authority, issuer=office(a4="prime256v1"))
        refused("the same name by another authority", lambda: stranger.start_ipsec(12), logs.log("ikd"),
                r"\(O=Lab, CN=a4\) leads to no authority that is trusted here")
        borrower = with_certificate(lab, "a5", authority, holder="a4")
        refused("the user of another's certificate", borrower.up, logs.log("l2tpd"),
                r"User 'a5' .* refused: its IPsec connection is for 'a4' only")
        goodbye(lab, *clients, revoked, stranger, borrower)


@scenario(only="sameroof", seconds=240, kernels="one")
def certificates_rekey(lab):
    """A strongSwan client with an ECDSA and a Libreswan client with an RSA certificate behind one NAT: their Main Modes
    and Quick Modes are renewed, and the gateway asks them for new keys in its turn."""
    authority = office(a1="rsa", a2="prime256v1")
    # strongSwan forgets a CHILD_SA whose time comes while it moves it to a new IKE_SA: 5 s lie between the two.
    short = {"ikelifetime": "60s", "lifetime": "65s", "margin": "45s"}
    clients = [lab.client("a1", kind=LibreswanClient, certificate=authority, **short),
               with_certificate(lab, "a2", authority, **short)]
    with lab.gateway(**gateway_options(lab, authority)) as gateway:
        lab.dial(*clients)
        lab.prove(*clients)
        expect_authentications(gateway, a1="certificate O=Lab, CN=a1", a2="certificate O=Lab, CN=a2")
        for c in clients:
            wait_for(lambda: c.established("IKE_SA") >= 2 and c.established("CHILD_SA") >= 2, 90, f"{c.name}: a rekey of both phases")
        lab.prove(*clients)
        if len(gateway.peers()) != 2:
            raise Failure(f"a rekey made another peer: {gateway.peers()}")
        goodbye(lab, *clients)


@scenario("long", only="sameroof", seconds=240)
def rekey_by_gateway_with_certificates(lab):
    """Two clients with certificates behind one NAT leave it to the gateway to renew both phases: it signs for them, they
    for it, and no ping is lost."""
    authority = office(a1="rsa", a2="secp521r1")
    clients = [with_certificate(lab, name, authority, ikelifetime="60s", lifetime="40s", margin="1s") for name in ("a1", "a2")]
    with lab.gateway(**gateway_options(lab, authority)) as gateway:
        lab.dial(*clients)
        lab.prove(*clients)
        with no_ping_lost(lab, *clients):
            for c in clients:
                wait_for(lambda: asked(c, QUICK_MODE_FROM_GATEWAY) >= 1 and asked(c, MAIN_MODE_FROM_GATEWAY) >= 1, 150,
                         f"{c.name}: a Quick Mode and a Main Mode of the gateway's")
        lab.prove(*clients)
        expect_authentications(gateway, a1="certificate O=Lab, CN=a1", a2="certificate O=Lab, CN=a2")
        if "gets no new keys" in lab.world["gw"].log("ikd").read_text():
            raise Failure("the gateway's log says that a client gets no new keys")
        goodbye(lab, *clients)


@scenario(only="sameroof", seconds=240, kernels="one")
def aggressive_mode_and_bound_users(lab):
    """A client in Aggressive Mode beside one in Main Mode whose key belongs to one user: that one logs in through it,
    another is refused in plain words. In Aggressive Mode the other keys get no answer."""
    branch = lab.client("a1", ipsec_options='aggressive = yes\nleftid = "branch.example"')
    branch = in_aggressive_mode(with_psk(branch, BRANCH_PSK))
    owner, borrower = (with_psk(lab.client(name), OTHER_PSK) for name in ("a2", "a3"))
    unasked = in_aggressive_mode(lab.client("b1", ipsec_options='aggressive = yes\nleftid = "lab"'))
    more = ('[[ike.psk]]\nname = "a2"\nbind_user = true\n'
            '[[ike.psk]]\nname = "branch 7"\naggressive = true\nidentity = "branch.example"\n')
    with lab.gateway(more=more, psks={"a2": OTHER_PSK, "branch 7": BRANCH_PSK}) as gateway:
        lab.dial(branch, owner)
        lab.prove(branch, owner)
        refused("another user of a bound key", borrower.up, lab.world["gw"].log("l2tpd"),
                r"User 'a3' .* refused: its IPsec connection is for 'a2' only")
        expect_authentications(gateway, a1="PSK branch 7", a2="PSK a2")
        no_answer(gateway, unasked, "dropped_unknown_identity")
        goodbye(lab, branch, owner, borrower, unasked)


def no_answer(gateway, client, counter):
    """Its first message is dropped for this reason, and nothing comes back."""
    try:
        client.start_ipsec(12)
    except Failure:
        if not gateway.counters()[counter]:
            raise Failure(f"{client.name} did not come up, but {counter} is zero") from None
        if "received packet" in client.charon_log():
            raise Failure(f"{client.name} got an answer") from None
        return
    raise Failure(f"{client.name} was let in")


@scenario(only="sameroof", kernels="one")
def aggressive_mode_where_it_is_not_configured(lab):
    """The right key in Aggressive Mode, and no answer; the same client in Main Mode comes up."""
    hasty = in_aggressive_mode(lab.client("a1", ipsec_options="aggressive = yes"))
    with lab.gateway() as gateway:
        no_answer(gateway, hasty, "dropped_unsupported_exchange")
        hasty.hang_up()
        patient = lab.client("a1")
        lab.dial(patient)
        lab.prove(patient)
        goodbye(lab, patient)


@scenario(only="sameroof", seconds=240, kernels="one")
def keys_change_under_peers(lab):
    """Keys and lists that ikd reads again hold for whoever comes from then on: a second pre-shared key lets its client in, a list
    keeps out whom it names, a key that is gone lets nobody in any more; and nobody who is up loses a ping. What is wrong
    changes nothing."""
    authority = office(a1="rsa", a4="prime256v1")
    authority.revoke()
    gw = lab.world["gw"]
    stays, second = with_certificate(lab, "a1", authority), with_psk(lab.client("b1"), OTHER_PSK)
    revoked, first = with_certificate(lab, "a4", authority), lab.client("a2")

    def reload(configuration, secrets, *words):
        gw.write("secrets.toml", secrets)
        told = gateway.rewrite(configuration)
        if not all(word in told for word in words):
            raise Failure(f"xfrmctl reload was to say {words}: {told}")

    with lab.gateway(**gateway_options(lab, authority, revoked=True)) as gateway:
        lab.dial(stays)
        lab.prove(stays)
        with no_ping_lost(lab, stays):
            text, secrets = (gw.etc / "sameroof.toml").read_text(), (gw.etc / "secrets.toml").read_text()
            wrong = text + '[[ike.certificate]]\nname = "staff"\nsubject = "O=Lab, CN"\n'
            reload(wrong, secrets, "ike.certificate")
            reload(text, secrets.replace("[psk]", "[psk"), "secrets.toml: line")
            with_both = text + '[[ike.psk]]\nname = "other"\n'
            reload(with_both, secrets.replace("[psk]\n", f'[psk]\nother = "{OTHER_PSK}"\n'), "+ PSK other")
            lab.dial(first, second)
            lab.prove(first, second)
            expect_authentications(gateway, a1="certificate O=Lab, CN=a1", a2="PSK lab", b1="PSK other")
            authority.revoke("a4")
            gw.write("crl.pem", authority.text("crl.pem"))
            reload(text, secrets, "- PSK other", "~ ike.revocation")
            refused("a revoked certificate", lambda: revoked.start_ipsec(12), gw.log("ikd"), r"\(O=Lab, CN=a4\) is revoked")
            lab.prove(stays, first, second)
        second.hang_up()
        refused("a key that is gone", lambda: second.start_ipsec(12), gw.log("ikd"), r"198\.51\.100\.129:\d+ is refused: its pre-shared key is none of ours")
        goodbye(lab, stays, first, second, revoked)
