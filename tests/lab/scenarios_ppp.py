"""PPP: how large packets may be, who may log in how often, and when a session ends."""

import contextlib
import os
import re
import signal
import socket
import struct
import time

import checks
import intruder
from catalogue import scenario
from client import password_of
from lac import HELLO, WindowsLac
from netns import Failure, each, wait_for
from ppp import ADDRESS, CALLBACK, CCP, DNS, IPCP, IPV4, LCP, MPPC, MRU, NBNS, PROTOCOL_REJECT, SECOND_DNS, SECOND_NBNS, Ppp
from scenarios import goodbye
from scenarios_controls import must_fail, without
from scenarios_settings import must_have
from topology import GATEWAY, INSIDE, NAT_A

# No word of a packet that was too large reaches its sender: TCP has to know beforehand.
SILENT_ROUTER = """
table inet firewall {
  chain out {
    type filter hook output priority filter;
    icmp type destination-unreachable drop
    icmpv6 type packet-too-big drop
  }
}
"""


def l2tpd_log(lab):
    return lab.world["gw"].log("l2tpd").read_text()


def fragments_made(host):
    rows = [line.split() for line in host.proc_net("snmp").splitlines() if line.startswith("Ip:")]
    return int(rows[1][rows[0].index("FragCreates")])


@contextlib.contextmanager
def narrow_route(gw):
    """To where the client without a NAT is."""
    gw.ip("route add 192.0.2.0/24 via 203.0.113.254 mtu 1400\n")
    try:
        yield
    finally:
        gw.ip("route del 192.0.2.0/24\n")


@scenario(only="sameroof", kernels="one")
def mtu_fits_esp(lab):
    """The PPP MTU follows from the ESP transform and the route: packets of that size go through whole, and ESP is never in
    fragments; TCP fits without path MTU discovery, and without the clamp it would not."""
    gw, inside = lab.world["gw"], lab.world["inside"]
    wide = {"ppp_options": "mtu 1450\nmru 1450"}
    cbc, gcm, plain = clients = [lab.client("a1", **wide), lab.client("b1", esp="aes128gcm16", **wide), lab.client("pub", **wide)]
    expected = {"a1": 1402, "b1": 1410, "pub": 1322}
    with lab.gateway() as gateway, narrow_route(gw):
        lab.dial(*clients)
        lab.prove(*clients)
        links = {peer["user"]: peer["ifname"] for peer in gateway.peers()}
        mtus = {user: checks.mtu_of(gw, ifname) for user, ifname in links.items()}
        if mtus != expected:
            raise Failure(f"the MTUs of the links were to be {expected} and are {mtus}")
        before = fragments_made(gw)
        for client in clients:
            answer = inside.run("ping", "-n", "-c", 2, "-w", 10, "-M", "do", "-s", expected[client.user] - 28, client.address, check=False)
            if " 2 received" not in answer:
                raise Failure(f"{client.name}: pings as large as its MTU were lost: {answer}")
        if fragments_made(gw) != before:
            raise Failure("packets as large as the MTU made fragments of ESP")
        gw.nft(SILENT_ROUTER)
        cbc.host.run("ip", "link", "set", "dev", cbc.device, "mtu", 1500)  # its TCP now promises to take 1460
        lab.prove(cbc)
        gateway.load_ruleset(lambda rules: without(rules, "ifname map @mss"))
        must_fail("the map mss is not used", lambda: checks.transfer(cbc, 200_000, patience=8))
        gateway.load_ruleset()
        lab.prove(*clients)
        goodbye(lab, *clients)
        wait_for(lambda: not gateway.users(), 20, "every session gone")
        left = gw.run("nft", "list", "map", "inet", "sameroof", "mss")
        if "ppp" in left:
            raise Failure(f"links that are gone are still clamped: {left}")


@scenario(only="sameroof", kernels="one")
def ppp_on_the_wire(lab):
    """What clients ask for as Windows does, inside IPsec: Callback is rejected, the compression protocol is answered with LCP's
    Protocol-Reject, and both go on; the MRU that each is asked for is what fits its ESP transform, and so is its link's MTU."""
    transforms = {"a1": ("aes256-sha1", 1402), "a2": ("aes128gcm16", 1410), "pub": ("aes256-sha512", 1386)}
    clients = [lab.client(name, esp=esp) for name, (esp, _) in transforms.items()]
    with lab.gateway(settings={"ppp": {"auth": ["pap"]}}) as gateway, contextlib.ExitStack() as lacs:
        each(lambda client: client.start_ipsec(90), clients)
        for client in clients:
            lac = lacs.enter_context(contextlib.closing(WindowsLac(client.host, GATEWAY)))
            lac.dial()
            ppp = Ppp(lac, lac.session)
            _, rejected = ppp.log_in(client.name, password_of(client.name), {MRU: struct.pack(">H", 1500), CALLBACK: b"\6"})
            if rejected != {CALLBACK}:
                raise Failure(f"{client.name}: of LCP's options Callback was to be rejected, and nothing else: {rejected}")
            asked = ppp.ask(CCP, {MPPC: bytes.fromhex("01000001")})
            while (heard := ppp.hear(LCP))[0] != PROTOCOL_REJECT:
                pass
            if heard[2] != struct.pack(">HBBH", CCP, 1, asked, 10) + bytes.fromhex("120601000001"):
                raise Failure(f"{client.name}: its Configure-Request of CCP was to come back: {heard}")
            ppp.negotiate(IPCP, {ADDRESS: bytes(4)})
            link = wait_for(lambda: [peer["ifname"] for peer in gateway.peers() if peer["user"] == client.name], 20, "its link")[0]
            granted, mtu = int.from_bytes(ppp.granted[LCP][MRU], "big"), checks.mtu_of(lab.world["gw"], link)
            if (granted, mtu) != (transforms[client.name][1],) * 2:
                raise Failure(f"{client.name}: the MRU and the MTU were to be {transforms[client.name][1]}: {granted}, {mtu}")
            wait_for(lambda: re.search(rf"User '{client.name}' of .* MTU {mtu}\.", l2tpd_log(lab)), 20, f"l2tpd's log: MTU {mtu}")
            lac.hang_up()
        goodbye(lab, *clients)


# What reaches the network behind the gateway, and stops there: `{source}` is whom it claims to be from.
IN_ANOTHERS_NAME = """
table inet watch {{
  counter heard {{ }}
  chain pre {{
    type filter hook prerouting priority raw;
    ip saddr {source} udp dport 9 counter name heard drop
  }}
}}
"""


def counted_since(before, after):
    return {what: count - before.get(what, 0) for what, count in after.items() if count != before.get(what, 0)}


@scenario(only="sameroof", kernels="one")
def in_anothers_name(lab):
    """A client that sends from its neighbour's PPP address, or from one of the network behind the gateway, is not heard; without
    the rule it is. A network behind it for which the gateway has a route is heard. A host behind the gateway that sends to an
    alias, or from one and through a masquerade, is not heard either."""
    forger, victim = clients = [lab.client(name) for name in ("a1", "a2")]
    gw, inside = lab.world["gw"], lab.world["inside"]

    def heard_from(source):
        inside.nft(IN_ANOTHERS_NAME.format(source=source))
        forger.host.run("ip", "addr", "add", f"{source}/32", "dev", forger.device)
        with forger.host.socket(kind=socket.SOCK_DGRAM) as out:
            out.bind((source, 0))
            for _ in range(5):
                out.sendto(b"it was him", (INSIDE, 9))
        lab.prove(forger)  # by then they have arrived
        forger.host.run("ip", "addr", "del", f"{source}/32", "dev", forger.device)
        heard = "packets 0" not in inside.run("nft", "list", "counter", "inet", "watch", "heard")
        inside.nft("delete table inet watch")
        return heard

    with lab.gateway() as gateway:
        lab.dial(*clients)
        lab.prove(*clients)
        links = {peer["user"]: peer["ifname"] for peer in gateway.peers()}
        for source in (victim.address, "10.50.0.77"):
            if heard_from(source):
                raise Failure(f"the client is heard as {source}")
        if gateway.drops() != {"foreign_source": 10}:
            raise Failure(f"what it sent was to be dropped as from a foreign source: {gateway.drops()}")
        gateway.load_ruleset(lambda rules: without(rules, "foreign_source drop"))
        if not heard_from(victim.address):
            raise Failure("without the rule the client was to be heard: the lab cannot tell")
        gateway.load_ruleset()
        gw.run("ip", "route", "add", "10.77.0.0/24", "dev", links[forger.user])
        if not heard_from("10.77.0.5"):
            raise Failure("the client was to be heard from the network that is routed to it")
        gw.nft("table ip hide { chain post { type nat hook postrouting priority srcnat; policy accept; masquerade; }; }")
        before = gateway.drops()
        alias = gateway.peers()[0]["alias"]
        intruder.forged(inside, INSIDE, 1701, alias, [b"to an alias"] * 3)
        intruder.forged(inside, alias, 1701, NAT_A, [b"from an alias"] * 4)
        try:
            checks.wait_until_equal(lambda: counted_since(before, gateway.drops()), {"to_alias": 3, "from_alias": 4}, 10, "what was dropped")
        finally:
            gw.nft("delete table ip hide")
        goodbye(lab, *clients)


@scenario(only="sameroof", kernels="one")
def silent_link(lab):
    """A client whose L2TP answers each HELLO, and whose PPP answers no LCP Echo-Request: it is hung up on after
    hello_timeout_seconds, in words, and may call again through the same tunnel."""
    settings = {"ppp": {"auth": ["pap"]}, "l2tp": {"hello_seconds": 7, "hello_timeout_seconds": 35}}
    with lab.gateway(cleartext="only", settings=settings) as gateway, contextlib.closing(WindowsLac(lab.world["pub"], GATEWAY)) as lac:
        lac.dial()
        ppp = Ppp(lac, lac.session)
        ppp.log_in(lac.name, password_of(lac.name))
        ppp.negotiate(IPCP, {ADDRESS: bytes(4)})
        start = time.monotonic()
        told = wait_for(lambda: lac.ended.get(lac.session), 120, "the silent link ended")
        if time.monotonic() - start < 30 or b"the peer no longer answers" not in told:
            raise Failure(f"the link was to have 35 s for an answer: after {time.monotonic() - start:.0f} s {told}")
        if gateway.counters("l2tpd").get("ended_peer_dead") != 1 or HELLO not in lac.heard:
            raise Failure(f"one link was to end as dead, and HELLOs to be answered: {gateway.counters('l2tpd')}")
        lac.calls.clear()
        lac.call(2)
        Ppp(lac, 2).log_in(lac.name, password_of(lac.name))
        lac.hang_up()


@scenario(only="sameroof", kernels="one")
def in_anothers_name_from_the_first_packet(lab):
    """While l2tpd is busy and has not yet heard that a link is up, the client sends in another's name already: what it sends in its
    own comes out inside, and nothing else."""
    gw, pub = lab.world["gw"], lab.world["pub"]
    with lab.gateway(cleartext="only", settings={"ppp": {"auth": ["pap"]}}), \
            contextlib.closing(intruder.Listener(lab.world["inside"])) as inside, \
            contextlib.closing(WindowsLac(pub, GATEWAY)) as lac:
        lac.dial()
        ppp = Ppp(lac, lac.session)
        ppp.log_in(pub.name, password_of(pub.name))
        ppp.hear(IPCP)  # l2tpd has let pppd go on
        daemons = [pid for pid, name in gw.processes().items() if name == "l2tpd"]
        for pid in daemons:
            os.kill(pid, signal.SIGSTOP)
        try:
            own = socket.inet_ntoa(ppp.negotiate(IPCP, {ADDRESS: bytes(4)})[0][ADDRESS])
            heard = set()

            def own_is_heard():
                for source in ("10.99.0.77", own):
                    ppp.send(IPV4, intruder.ip_packet(source, INSIDE, intruder.udp_datagram(1, intruder.PORT, b"it was him")))
                heard.update(source for _, source in inside.heard())
                return own in heard

            wait_for(own_is_heard, 20, "what the client sends in its own name")
        finally:
            for pid in daemons:
                os.kill(pid, signal.SIGCONT)
        if heard != {own}:
            raise Failure(f"the client is {own}, and was heard as {heard - {own}}, too")
        wait_for(lambda: "is up" in l2tpd_log(lab), 20, "the link up")
        lac.hang_up()


@scenario(only="sameroof", kernels="one")
def mtu_follows_a_rekey(lab):
    """A client's new keys come with another transform, which takes more room: its link's MTU and segment size fall, its
    neighbour's do not, and packets of the new size go through whole."""
    changes, stays = clients = [lab.client(name, esp="aes128gcm16") for name in ("a1", "a2")]
    gw, inside = lab.world["gw"], lab.world["inside"]
    with lab.gateway() as gateway:
        lab.dial(*clients)
        lab.prove(*clients)
        links = {peer["user"]: peer["ifname"] for peer in gateway.peers()}
        changes.renew_with("aes256-sha512")
        wait_for(lambda: checks.mtu_of(gw, links["a1"]) == 1386, 20, "the MTU that fits the new transform")
        if checks.mtu_of(gw, links["a2"]) != 1400:
            raise Failure(f"the neighbour's MTU was to stay: {checks.mtu_of(gw, links['a2'])}")
        segments = gw.run("nft", "list", "map", "inet", "sameroof", "mss")
        must_have("the map mss", segments, rf'"{links["a1"]}" : 1346', rf'"{links["a2"]}" : 1360')
        before = fragments_made(gw)
        answer = inside.run("ping", "-n", "-c", 2, "-W", 10, "-M", "do", "-s", 1386 - 28, changes.address, check=False)
        if " 2 received" not in answer or fragments_made(gw) != before:
            raise Failure(f"pings as large as the new MTU were to go through whole: {answer}")
        lab.prove(*clients)
        goodbye(lab, *clients)


@scenario(only="sameroof", kernels="one")
def limits_of_users(lab):
    """A user's second session replaces the first or is refused, and sessions end after their time or when idle: the
    log says which, and the clients are told."""
    first, second, third, timed, idle = [
        lab.client("a1"), lab.client("a2", user="a1"), lab.client("a3", user="b1"), lab.client("b1"), lab.client("pub")]
    users = {"a1": {"sessions": 1}, "b1": {"sessions": 1, "when_full": "refuse", "session_seconds": 40},
             "pub": {"idle_seconds": 15, "address": "10.99.7.7"}}
    with lab.gateway(users=users) as gateway:
        lab.dial(first, timed, idle)
        lab.prove(first, timed, idle)
        if idle.address != "10.99.7.7":
            raise Failure(f"pub has an address of its own and was given {idle.address}")
        lab.dial(second)
        lab.prove(second)
        wait_for(lambda: gateway.users().count("a1") == 1, 20, "only one session of a1")
        try:
            third.up(45)
        except Failure as failure:
            if "PPP was refused" not in str(failure):
                raise
        else:
            raise Failure("a second session of b1 was to be refused")
        for client, words in ((timed, "the connect time is over"), (idle, "the link was idle")):
            wait_for(lambda: re.search(rf"User '{client.user}' of .* is down after \d+ s: {words}\.", l2tpd_log(lab)), 90,
                     f"the log about {client.name}: {words}")
            wait_for(lambda: words in client.host.log("xl2tpd").read_text(errors="replace"), 20, f"{client.name} told: {words}")
        must_have("l2tpd's log", l2tpd_log(lab), r"User 'a1' of .* is down after \d+ s: the user logged in anew",
                  r"User 'b1' of .* refused: 1 of 1 sessions are in use")
        must_have("what the third was told", third.ppp_log(),
                  r'CHAP Failure id=\S+ "E=691 R=0 C=[0-9A-F]{32} V=3 M=1 of 1 sessions are in use"')
        counters = gateway.counters("l2tpd")
        if (counters.get("ended_idle"), counters.get("ended_session_time"), counters.get("ended_by_us")) != (1, 1, 1):
            raise Failure(f"the counters of endings: { {k: v for k, v in counters.items() if k.startswith('ended')} }")
        lab.prove(second)
        lab.hang_up(first, second, third, timed, idle)


def told_of_servers(lac, session):
    """What a login in this call is given of what Windows' asks for, by type of option, and what is rejected."""
    ppp = Ppp(lac, session)
    ppp.log_in(lac.name, password_of(lac.name))
    given, rejected = ppp.negotiate(IPCP, dict.fromkeys((ADDRESS, DNS, NBNS, SECOND_DNS, SECOND_NBNS), bytes(4)),
                                    imposed={ADDRESS: socket.inet_aton("192.0.2.1")})
    gateways = ppp.granted[IPCP]
    if gateways[ADDRESS] != socket.inet_aton("10.99.0.1") or gateways.keys() & {DNS, SECOND_DNS}:
        raise Failure(f"the gateway was to keep its own address, and to ask for no servers: {gateways}")
    return {kind: socket.inet_ntoa(value) for kind, value in given.items() if kind != ADDRESS}, rejected


@scenario(only="sameroof", kernels="one")
def name_servers(lab):
    """A client that asks for servers of DNS and NBNS (WINS) as Windows does is given those of the configuration, one as the first
    and the second; where there are none any longer, these options are rejected. What /etc/ppp/options says of servers, of idle
    links, of how to log in, of whom to believe and of who speaks first is for others: no client tells the gateway which address it
    has itself, or where to ask for names, and one that says nothing is not waited for."""
    dns, nbns = ["10.99.0.53"], ["10.99.0.54", "10.99.0.64"]
    configured = {DNS: dns[0], SECOND_DNS: dns[0], NBNS: nbns[0], SECOND_NBNS: nbns[1]}
    with lab.gateway(cleartext="only", settings={"ppp": {"auth": ["pap"], "dns": dns, "nbns": nbns}}) as gateway, \
            contextlib.closing(WindowsLac(lab.world["pub"], GATEWAY)) as lac:
        gateway.host.write("ppp/options", "ms-dns 192.0.2.53\nms-wins 192.0.2.54\nidle 2\nipcp-accept-local\n"
                           "usepeerdns\nrequire-chap\npassive\nsilent\n")
        lac.dial()
        told = told_of_servers(lac, lac.session)
        gateway.rewrite(re.sub(r"(?m)^(dns|nbns) = .*\n", "", (gateway.host.etc / "sameroof.toml").read_text()))
        lac.call(2)
        told_then = told_of_servers(lac, 2)
        if (told, told_then) != ((configured, set()), ({}, set(configured))):
            raise Failure(f"the client was to be told of {configured}, and then of none: {told}, {told_then}")
        time.sleep(4)
        if len(gateway.listed("sessions")) != 2:
            raise Failure("both sessions were to go on, as nothing in the configuration ends idle ones")
        lac.call(3)
        wait_for(lambda: len(gateway.listed("sessions")) == 3, 10, "the call of which nothing more is heard")
        wait_for(lambda: len(gateway.listed("sessions")) == 2, 50, "its end")
        lac.hang_up()
