"""What a configuration changes, seen by real clients through IPsec."""

import os
import re
import signal
import time

import checks
from catalogue import scenario
from netns import Failure, each, wait_for
from scenarios import goodbye


def must_have(what, text, *patterns):
    missing = [pattern for pattern in patterns if not re.search(pattern, text)]
    if missing:
        raise Failure(f"{what}: nothing about {missing}")


@scenario(only="sameroof", kernels="one")
def chap_and_pap(lab):
    """auth = ["chap", "pap"]: two clients of one NAT log in, one by CHAP with MD5, the other by PAP; a wrong password
    is refused in both."""
    by_chap = lab.client("a1", ppp_options="refuse-pap\nrefuse-mschap\nrefuse-mschap-v2")
    by_pap = lab.client("a2", ppp_options="refuse-chap\nrefuse-mschap\nrefuse-mschap-v2")
    wrong = [lab.client("a3", password="wrong", ppp_options="refuse-chap"), lab.client("b1", password="wrong")]

    def refused(client):
        try:
            client.up(45)
        except Failure as failure:
            if "PPP was refused" in str(failure):
                return
            raise
        raise Failure(f"{client.name} was let in with a wrong password")

    with lab.gateway(settings={"ppp": {"auth": ["chap", "pap"]}}) as gateway:
        lab.dial(by_chap, by_pap)
        lab.prove(by_chap, by_pap)
        lab.check_listing(by_chap, by_pap)
        each(refused, wrong)
        if "a3" in gateway.users() or "b1" in gateway.users():
            raise Failure(f"who gave a wrong password is listed: {gateway.users()}")
        must_have("a1's pppd", by_chap.ppp_log(), r"rcvd \[IPCP ConfNak .*<ms-dns1 10\.99\.0\.53>", r"rcvd \[CHAP Challenge", r"rcvd \[CHAP Success")
        must_have("a2's pppd", by_pap.ppp_log(), r"sent \[PAP AuthReq", r"rcvd \[PAP AuthAck")
        if "PAP Auth" in by_chap.ppp_log() or "CHAP Response" in by_pap.ppp_log():
            raise Failure("a client was to use its own way of logging in only")
        goodbye(lab, by_chap, by_pap, *wrong)


@scenario(only="sameroof", kernels="one")
def weak_when_configured(lab):
    """A client that knows only 3DES, MD5 and MODP 1024 is refused by default, and served where these are configured."""
    def weak(name):
        return lab.client(name, ike="3des-md5-modp1024", esp="3des-md5")

    client = weak("a1")
    with lab.gateway():
        try:
            client.start_ipsec()
        except Failure as failure:
            if "NO_PROPOSAL_CHOSEN" not in str(failure):
                raise
        else:
            raise Failure("3DES, MD5 and MODP 1024 were accepted and nobody had configured them")
        lab.hang_up(client)
    clients = [weak(name) for name in ("a1", "a2")]
    with lab.gateway(ike=["3des-md5-modp1024"], esp=["3des-md5"]):
        lab.dial(*clients)
        lab.prove(*clients)
        states = lab.world["gw"].run("ip", "xfrm", "state")
        must_have("the gateway's SAs", states, r"enc \S*des3_ede", r"auth-trunc hmac\(md5\)")
        goodbye(lab, *clients)


@scenario(only="sameroof", kernels="one")
def silent_client_is_given_up(lab):
    """A client vanishes without a word: within the configured time all of it is gone, and its neighbour behind the
    same NAT, who only answers when asked, stays."""
    lost, stays = clients = [lab.client("a1"), lab.client("a2")]
    with lab.gateway(settings={"ike": {"dpd_seconds": 4, "dpd_timeout_seconds": 12}}) as gateway:
        elements = gateway.map_elements()
        lab.dial(stays)
        lab.prove(stays)
        alone = gateway.traces(elements)
        lab.dial(lost)
        lab.prove(*clients)
        if gateway.traces(elements) == alone:
            raise Failure(f"a second client was to leave traces: {alone}")
        lost.vanish()
        checks.wait_until_equal(lambda: gateway.traces(elements), alone, 40, "what is left of a client that vanished")
        must_have("ikd's log", lab.world["gw"].log("ikd").read_text(), r"is given up: nothing was heard of it for 1[2-9] s")
        lab.prove(stays)
        goodbye(lab, stays)


@scenario(only="sameroof", kernels="one")
def sleeping_phone(lab):
    """A client sleeps through many of the gateway's questions, in IKE and in L2TP: neither sends nor answers anything. When it
    wakes it has the same SAs, tunnel and session as before."""
    client = lab.client("a1")
    with lab.gateway(settings={"ike": {"dpd_seconds": 5}, "l2tp": {"hello_seconds": 5}}) as gateway:
        lab.dial(client)
        lab.prove(client)

        def standing():
            return [[row[key] for row in gateway.listed(what)] for what, key in (("peers", "mark"), ("tunnels", "tunnel"), ("sessions", "session"))]

        before = standing()
        client.host.nft("table inet asleep { chain in { type filter hook input priority -400; policy drop; }\n"
                        "chain out { type filter hook output priority -400; policy drop; }; }")
        daemons = [pid for pid, name in client.host.processes().items() if name in ("charon", "xl2tpd", "pppd")]
        for pid in daemons:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(45)
        if standing() != before:
            raise Failure("the client was not to be missed")
        client.host.nft("delete table inet asleep")
        for pid in daemons:
            os.kill(pid, signal.SIGCONT)
        lab.prove(client)
        if standing() != before or client.established("IKE_SA") != 1 or client.established("CHILD_SA") != 1:
            raise Failure(f"the client was to find what it had left, {before}, and has {standing()}")
        goodbye(lab, client)


@scenario(only="sameroof", kernels="one")
def shorter_lifetime_than_asked(lab):
    """The gateway grants less than the client asks for, says so in both phases (RESPONDER-LIFETIME, RFC 2407
    §4.6.3.1), and the client goes on through a rekey of both."""
    # Renewed after 10 s and after 15 s: strongSwan forgets a CHILD_SA whose time comes while it moves it to a new IKE_SA.
    client = lab.client("a1", ikelifetime="3600s", lifetime="3605s", margin="3590s")
    with lab.gateway(settings={"ike": {"lifetime_seconds": 600, "esp_lifetime_seconds": 300}}):
        lab.dial(client)
        lab.prove(client)
        wait_for(lambda: client.established("IKE_SA") >= 2 and client.established("CHILD_SA") >= 2, 60, "a rekey of both phases")
        lab.prove(client)
        goodbye(lab, client)
    for exchange in ("ID_PROT", "QUICK_MODE"):
        answers = re.findall(rf"parsed {exchange} response .* HASH .*", client.charon_log())
        if len(answers) < 2 or not all("N((24576))" in answer for answer in answers):
            raise Failure(f"RESPONDER-LIFETIME was to be in every last answer of {exchange}: {answers}")
