"""Users whom a RADIUS server knows: FreeRADIUS behind the gateway."""

import os
import pathlib
import re
import signal
import time

from catalogue import scenario
from checks import must_fail
from gateway_sameroof import RADIUS_SECRET
from netns import Failure, children, stop, wait_for
from radius_server import RadiusServer
from scenarios import goodbye
from scenarios_explain import fails
from scenarios_ppp import l2tpd_log
from scenarios_settings import must_have
from topology import GATEWAY, INSIDE, NAT_A

BY_RADIUS = {"ppp": {"users": "radius", "auth": ["mschap-v2", "pap"]}, "radius": {"servers": [INSIDE], "nas_identifier": "the lab"}}
USERS = {"a1": ["Framed-IP-Address = 10.99.8.1", "Class = 0x736c617465", "Acct-Interim-Interval = 60"],
         "a2": ["Session-Timeout = 45"], "a3": [], "a4": [], "b1": [], "pub": []}
BY_CHAP = {"ppp_options": "refuse-mschap-v2\nrefuse-mschap\nrefuse-pap"}
PROOFS = ("MS-CHAP2-Response", "CHAP-Password", "User-Password")  # of who one is, in an Access-Request


def log_says(lab, *sentences):
    """The client hears of it before it is written."""
    for sentence in sentences:
        wait_for(lambda: re.search(sentence, l2tpd_log(lab)), 20, f"l2tpd's log: {sentence}")


def bytes_of(record):
    return int(record["Acct-Input-Octets"]), int(record["Acct-Output-Octets"])


@scenario(only="sameroof", seconds=240, kernels="one")
def l2tpd_ends_under_sessions(lab):
    """l2tpd is asked to end while clients are connected: each hears StopCCN, RADIUS hears of the end of each session with its bytes,
    and within a few seconds nothing of any is left."""
    clients = [lab.client("a1"), lab.client("a2")]
    with RadiusServer(lab.world["inside"], {"a1": [], "a2": []}) as radius, lab.gateway(settings=BY_RADIUS) as gateway:
        lab.dial(*clients)
        lab.prove(*clients)
        l2tpd, gateway.l2tpd = gateway.l2tpd, None
        begin = time.monotonic()
        if not stop(l2tpd, 30) or l2tpd.returncode:
            raise Failure(f"l2tpd was to end by itself, with status 0: {l2tpd.returncode}")
        if time.monotonic() - begin > 15:
            raise Failure(f"l2tpd took {time.monotonic() - begin:.0f} s to end")
        left = lab.world["gw"].run("ip", "l2tp", "show", "tunnel") + " ".join(lab.world["gw"].processes().values())
        if "Tunnel" in left or "pppd" in left:
            raise Failure(f"something of the sessions has outlived l2tpd: {left}")
        for client in clients:
            wait_for(lambda: "the server is shutting down" in client.host.log("xl2tpd").read_text(errors="replace"), 20, f"{client.name} told why")
            ends = radius.accounting(client.user, "Stop")
            if len(ends) != 1 or min(bytes_of(ends[0])) < 200_000:
                raise Failure(f"the accounting was to hear of the end of {client.name}'s session: {ends}")
        goodbye(lab, *clients)


@scenario(only="sameroof", seconds=240, kernels="one")
def l2tpd_ends_beside_a_process_that_hangs(lab):
    """The process that reads packets hangs while l2tpd is asked to end: that says so, and RADIUS hears of the session's end."""
    client = lab.client("a1")
    with RadiusServer(lab.world["inside"], {"a1": []}) as radius, lab.gateway(settings=BY_RADIUS) as gateway:
        lab.dial(client)
        lab.prove(client)
        l2tpd, gateway.l2tpd = gateway.l2tpd, None
        hangs = [pid for pid in children(l2tpd.pid) if "--packets" in pathlib.Path(f"/proc/{pid}/cmdline").read_text()]
        os.kill(hangs[0], signal.SIGSTOP)
        if not stop(l2tpd, 40) or l2tpd.returncode != 1:
            raise Failure(f"l2tpd was to end by itself, with status 1: {l2tpd.returncode}")
        log_says(lab, "The process that reads packets does not end")
        wait_for(lambda: radius.accounting("a1", "Stop"), 10, "accounting stopped")
        lab.hang_up(client)


@scenario(only="sameroof", seconds=240, kernels="one")
def radius_knows_the_users(lab):
    """Four clients of one NAT, of whom [[user]] need not know, log in by MS-CHAPv2, by CHAP with MD5 and by PAP through FreeRADIUS:
    with an address, a class, a session time from there; accounting starts, goes on, and stops with the bytes of each, and the class
    is in every record."""
    fixed, timed, by_pap, by_chap = clients = [
        lab.client("a1", ppp_options="refuse-chap"), lab.client("a2"),
        lab.client("a3", ppp_options="refuse-mschap-v2\nrefuse-chap"), lab.client("a4", **BY_CHAP)]
    wrong = [lab.client("b1", password="wrong"), lab.client("pub", password="wrong", **BY_CHAP)]
    settings = {**BY_RADIUS, "ppp": {**BY_RADIUS["ppp"], "auth": ["mschap-v2", "chap", "pap"]}}
    with RadiusServer(lab.world["inside"], USERS) as radius, lab.gateway(settings=settings) as gateway:
        lab.dial(*clients)
        lab.prove(*clients)
        lab.check_listing(*clients)
        if fixed.address != "10.99.8.1":
            raise Failure(f"RADIUS gives a1 10.99.8.1 and it has {fixed.address}")
        command_lines = [pathlib.Path(f"/proc/{pid}/cmdline").read_text() for pid in lab.world["gw"].processes()]
        if not any("radius-config-file" in line for line in command_lines) or any(RADIUS_SECRET in line for line in command_lines):
            raise Failure(f"no command line may hold the secret, one was to name the file: {command_lines}")
        for client in wrong:
            must_have(f"{client.name}'s failure", str(must_fail("a wrong password", lambda client=client: client.up(45))), "PPP was refused")
            log_says(lab, rf"User '{client.user}' of .* refused: RADIUS says no, or nothing")

        peers = {peer["user"]: peer for peer in gateway.peers()}
        stations = {user: f"{peer['address']}:{peer['port']}/{peer['mark']:#x}" for user, peer in peers.items() if user in USERS}
        asked = {record["User-Name"]: record for record in radius.records("asked")}
        started = {user: radius.accounting(user, "Start")[0] for user in stations}
        for user, station in stations.items():
            for what, record in (("Access-Request", asked[user]), ("Start", started[user])):
                if record.get("Calling-Station-Id") != station or record.get("NAS-Identifier") != "the lab":
                    raise Failure(f"{what} of {user} was to come from {station}: {record}")
                if record.get("Called-Station-Id") != GATEWAY or f"ppp{record.get('NAS-Port')}" != peers[user]["ifname"]:
                    raise Failure(f"{what} of {user} was to name the gateway and the number of its link: {record}")
        if len(set(stations.values())) != len(clients) or lab.gateway_nat == "none" and not all(s.startswith(NAT_A) for s in stations.values()):
            raise Failure(f"Calling-Station-Ids do not tell clients of one NAT apart: {stations}")
        for user, proof in {"a1": "MS-CHAP2-Response", "a3": "User-Password", "a4": "CHAP-Password", "pub": "CHAP-Password"}.items():
            if [name for name in PROOFS if name in asked[user]] != [proof]:
                raise Failure(f"{user} was to log in by {proof}: {asked[user]}")
        if started["a1"].get("Framed-IP-Address") != "10.99.8.1":
            raise Failure(f"a1's address was to be told: {started['a1']}")

        end = wait_for(lambda: radius.accounting("a2", "Stop"), 90, "a2's session ended by Session-Timeout")[0]
        if end["Acct-Terminate-Cause"] != "Session-Timeout" or not 40 <= int(end["Acct-Session-Time"]) <= 75:
            raise Failure(f"a2's session was to end after 45 s: {end}")
        interim = wait_for(lambda: radius.accounting("a1", "Interim-Update"), 90, "an interim record of a1")[0]
        lab.prove(fixed)
        goodbye(lab, *clients, *wrong)
        end = wait_for(lambda: radius.accounting("a1", "Stop"), 30, "a1's session ended")[0]
        if min(bytes_of(interim)) < 200_000 or any(later < first + 200_000 for first, later in zip(bytes_of(interim), bytes_of(end))):
            raise Failure(f"two transfers of 200 kB each way were to be counted: {interim}, {end}")
        for record in (started["a1"], interim, end):
            if record.get("Class") != "0x736c617465" or record["Acct-Session-Id"] != end["Acct-Session-Id"]:
                raise Failure(f"every record of a1 was to bear its class and the same session: {record}")


@scenario(only="sameroof", seconds=240, kernels="one")
def limits_of_users_of_radius(lab):
    """Users whom RADIUS lets in have limits, too: a second session replaces the first, which has the address that RADIUS gives to
    both, or is refused; so is who is given the address of another; and one that is idle ends when RADIUS says so."""
    first, second, other, third, idle, rival = [
        lab.client("a1"), lab.client("a2", user="a1"), lab.client("b1"), lab.client("a3", user="b1"), lab.client("pub"), lab.client("a4")]
    users = {"a1": ["Framed-IP-Address = 10.99.8.1"], "b1": [], "pub": ["Idle-Timeout = 40"], "a4": ["Framed-IP-Address = 10.99.8.1"]}
    settings = {**BY_RADIUS, "ppp": {**BY_RADIUS["ppp"], "sessions": 1}}
    with RadiusServer(lab.world["inside"], users) as radius, \
            lab.gateway(settings=settings, users={"b1": {"sessions": 1, "when_full": "refuse"}}) as gateway:
        lab.dial(first, other, idle)
        lab.prove(first, other, idle)
        lab.dial(second)
        lab.prove(second, other)
        if second.address != "10.99.8.1" or gateway.users().count("a1") != 1:
            raise Failure(f"the second session of a1 was to have the first's place: {second.address}, {gateway.users()}")
        for client in (third, rival):
            fails(client.name, lambda client=client: client.up(45))
        wait_for(lambda: re.search(r"User 'pub' of .* is down after \d+ s: the link was idle\.", l2tpd_log(lab)), 90, "an idle session's end")
        log_says(lab, r"User 'a1' of .* is down after \d+ s: the user logged in anew",
                 r"User 'b1' of .* refused: 1 of 1 sessions are in use", r"User 'a4' of .* refused: 10\.99\.8\.1 is in use by another user")
        lab.prove(second, other)
        goodbye(lab, first, second, other, third, idle, rival)
        wait_for(lambda: len(radius.accounting("a1", "Stop")) == 2, 30, "accounting stopped for both sessions of a1")
        ends = [record["Acct-Terminate-Cause"] for record in radius.accounting("pub", "Stop")]
        if ends != ["Idle-Timeout"]:
            raise Failure(f"the accounting was to say how the idle session ended: {ends}")


@scenario(only="sameroof", seconds=240, kernels="one")
def radius_and_windows_domains(lab):
    """Who logs in as DOMAIN\\name, as Windows does, is known to RADIUS by both, though MS-CHAPv2's hash leaves the domain away
    (RFC 2759 section 8.2): the accounting has the whole name, and so have limits, an address, and who ends a user's sessions; the
    same name of another domain, or of none, is somebody else."""
    first, second, plain, guest, third = clients = [
        lab.client("a1", user="OFFICE\\alice"), lab.client("a3", user="OFFICE\\alice"), lab.client("a2", user="alice"),
        lab.client("b1", user="GUEST\\alice"), lab.client("pub", user="GUEST\\alice")]
    wrong = lab.client("a4", user="OFFICE\\alice", password="password of alice")
    settings = {**BY_RADIUS, "ppp": {**BY_RADIUS["ppp"], "sessions": 1}}
    more = ("[[user]]\nname = 'GUEST\\alice'\naddress = '10.99.7.7'\nwhen_full = 'refuse'\nsessions = 1\n"
            "[[user]]\nname = 'alice'\naddress = '10.99.7.8'\n")
    with RadiusServer(lab.world["inside"], dict.fromkeys((c.user for c in clients), [])) as radius, \
            lab.gateway(settings=settings, more=more) as gateway:
        lab.dial(first, plain, guest)
        lab.prove(first, plain, guest)
        lab.check_listing(first, plain, guest)
        if (guest.address, plain.address) != ("10.99.7.7", "10.99.7.8"):
            raise Failure(f"the addresses of GUEST\\alice and of alice were to be theirs: {guest.address}, {plain.address}")
        for client in (third, wrong):
            fails(client.name, lambda client=client: client.up(45))
        must_have("what the guest's second client was told", third.ppp_log(), r'"E=691 R=0 .* M=1 of 1 sessions are in use"')
        lab.dial(second)
        lab.prove(second, plain, guest)
        log_says(lab, r"User 'OFFICE\\alice' of .* is down after \d+ s: the user logged in anew",
                 r"User 'GUEST\\alice' of .* refused: 1 of 1 sessions are in use", r"User 'OFFICE\\alice' of .* refused: RADIUS says no")
        goodbye(lab)
        gateway.xfrmctl("disconnect", plain.user)  # after which its own last words go out in clear
        wait_for(lambda: sorted(gateway.users()) == [guest.user, second.user], 20, "alice of no domain gone, and nobody else")
        lab.prove(second, guest)
        lab.hang_up(*clients, wrong)
        ends = wait_for(lambda: len(stops := [r for r in radius.records("told") if r["Acct-Status-Type"] == "Stop"]) == 4 and stops, 30,
                        "accounting stopped for four sessions")
        if sorted(record["User-Name"] for record in ends) != sorted(c.user for c in (first, second, plain, guest)):
            raise Failure(f"the accounting was to have whole names: {ends}")
