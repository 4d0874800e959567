"""What is full or late costs a newcomer its connection, with a reason, and those who are connected nothing."""

import contextlib
import os
import pathlib
import re
import signal
import socket
import time

from catalogue import scenario
from client import password_of
from lac import WindowsLac
from netns import Failure, children, wait_for
from ppp import Ppp
from radius_server import RadiusServer
from scenarios import goodbye
from scenarios_explain import explained, fails
from scenarios_ppp import l2tpd_log
from scenarios_radius import BY_RADIUS, log_says
from scenarios_rekey import no_ping_lost
from topology import GATEWAY, NAT_A


def room_for_two(kind, name):
    """A ruleset whose map or set of that name has it."""
    return lambda ruleset: re.sub(rf"(\t{kind} {name} \{{[^}}]*\tsize )\d+", r"\g<1>2", ruleset)


def third_is_refused(lab, refusal, words, **options):
    """Two clients are connected and a third is refused with these words of the catalogue; nothing of it stays."""
    settled = [lab.client("a1"), lab.client("b1")]
    with lab.gateway(**options) as gateway:
        lab.dial(*settled)
        lab.prove(*settled)
        before = gateway.traces()
        with no_ping_lost(lab, *settled):
            third = lab.client("a2")
            fails("a third client", lambda: third.start_ipsec(20))
            explained(gateway, NAT_A, refusal, words)
            third.hang_up()
        lab.check_listing(*settled)
        wait_for(lambda: gateway.traces() == before, 30, f"what the third left is gone; before there was {before}")
        goodbye(lab, *settled)


@scenario(only="sameroof", kernels="one", seconds=240)
def no_mark_is_left(lab):
    """Two addresses for peers, and both are taken."""
    third_is_refused(lab, "no_mark_left", "marks.alias", settings={"marks": {"alias": "240.0.0.0/29"}})


@scenario(only="sameroof", kernels="one", seconds=240)
def map_is_full(lab):
    """nftables takes no third element into the map."""
    third_is_refused(lab, "nft_refused", "the set is full", edit_ruleset=room_for_two("map", "alias"))


@scenario(only="sameroof", kernels="one", seconds=240)
def links_are_full(lab):
    """nftables takes no third PPP link: what comes out of it would be believed, and so the third client is hung up on."""
    settled, third = [lab.client("a1"), lab.client("b1")], lab.client("a2")
    with lab.gateway(edit_ruleset=room_for_two("set", "links")) as gateway:
        lab.dial(*settled)
        lab.prove(*settled)
        with no_ping_lost(lab, *settled):
            with contextlib.suppress(Failure):  # its own IPCP may be up for a moment
                third.up(60)
            explained(gateway, "a2", "link_not_watched", "the set is full")
            wait_for(lambda: "pppd" not in third.host.processes().values(), 30, "the third client is hung up on")
            third.hang_up()
        lab.check_listing(*settled)
        goodbye(lab, *settled)


@scenario(only="sameroof", kernels="one", seconds=240)
def pool_is_empty(lab):
    """Two addresses for clients, and both are taken: a third is refused in words, and gets in once one is given back."""
    first, second, third = [lab.client(name) for name in ("a1", "b1", "a2")]
    with lab.gateway(settings={"ppp": {"pool": "10.99.1.0/30"}}) as gateway:
        lab.dial(first, second)
        lab.prove(first, second)
        with no_ping_lost(lab, first, second):
            fails("a third client", lambda: third.up(60))
            explained(gateway, "a2", "pool_exhausted", "ppp.pool")
            third.hang_up()
        lab.hang_up(first)
        third.up(90)
        lab.prove(second, third)
        goodbye(lab, second, third)


@scenario(only="sameroof", kernels="one", seconds=360)
def radius_is_slow(lab):
    """FreeRADIUS answers nobody for a while: who logs in meanwhile waits and is refused in the end, with a reason; who is logged
    in notices nothing; and once it answers again the one who was refused gets in. Then it lets people in and takes no accounting:
    a session begins, works and ends all the same, and nobody else notices."""
    settled, waits, untold = lab.client("a1"), lab.client("a2"), lab.client("b1")
    users = {client.user: [] for client in (settled, waits, untold)}
    with RadiusServer(lab.world["inside"], users) as radius, lab.gateway(settings=BY_RADIUS) as gateway:
        lab.dial(settled)
        lab.prove(settled)
        with no_ping_lost(lab, settled):
            radius.process.send_signal(signal.SIGSTOP)
            try:
                fails("who RADIUS knows nothing of yet", lambda: waits.up(90))
                explained(gateway, "a2", "radius_refused", "RADIUS")
            finally:
                radius.process.send_signal(signal.SIGCONT)
            waits.hang_up()
            waits.up(90)
        lab.prove(settled, waits)
        radius.host.nft("table inet silence { chain in { type filter hook input priority 0; udp dport 1813 drop; }; }")
        with no_ping_lost(lab, settled, waits):
            untold.up(30)
            lab.prove(untold)
            lab.check_listing(settled, waits, untold)
            ends = time.monotonic()
            untold.hang_up()
            wait_for(lambda: untold.user not in gateway.users(), 10, "the end of a session whose accounting is not taken")
            wait_for(lambda: gateway.status("l2tpd")["gauges"]["pppd"] == 2, 60, "the end of its pppd, which was still to tell")
            ended_after = time.monotonic() - ends
        if radius.accounting(untold.user, "Start") or radius.accounting(untold.user, "Stop"):
            raise Failure("the accounting was not to be heard: the lab cannot tell")
        radius.host.nft("delete table inet silence")
        lab.prove(settled, waits)
        goodbye(lab, settled, waits)
        return f"its pppd ended after {ended_after:.0f} s"


@contextlib.contextmanager
def covered(host, folder, *commands):
    """In the folder is nothing but what these commands put there."""
    host.run("sh", "-ec", "\n".join([f"mount -t tmpfs none {folder}", f"cd {folder}", *commands]))
    try:
        yield
    finally:
        host.run("umount", folder)


def no_ppp_device(host):
    """As in a container that was given none."""
    return covered(host, "/dev", "mknod null c 1 3; mknod random c 1 8; mknod urandom c 1 9; mknod tty c 5 0", "chmod 666 *")


@scenario(only="sameroof", kernels="one", seconds=240)
def ppp_is_missing(lab):
    """Without /dev/ppp l2tpd says at its start what is missing, and refuses calls in words; once the device is there the same client gets
    in, and nothing had to be started again."""
    client = lab.client("a1")
    with contextlib.ExitStack() as missing:
        missing.enter_context(no_ppp_device(lab.world["gw"]))
        with lab.gateway() as gateway:
            if "No session can come up: there is no /dev/ppp" not in l2tpd_log(lab):
                raise Failure("the log was to say at once what is missing")
            fails("a client", lambda: client.up(45))
            explained(gateway, NAT_A, "ppp_not_startable", "there is no /dev/ppp")
            client.hang_up()
            missing.close()
            client.up(90)
            lab.prove(client)
            goodbye(lab, client)


def pppd_with_plugins(host, *plugins):
    """As far as files go: none of these can be loaded."""
    version, = os.listdir("/usr/lib/pppd")
    return covered(host, "/usr/lib/pppd", f"mkdir {version}", *(f"touch {version}/{plugin}" for plugin in plugins))


@scenario(only="sameroof", kernels="one", seconds=240)
def plugin_is_missing(lab):
    """A plugin of pppd's, or ours, is not where it is to be: l2tpd says at its start and at each call which, the caller is told no
    more than it needs, and once all are there a call in the same tunnel is served."""
    gw = lab.world["gw"]
    ours = gw.path("/run/sameroof-pppd.so")
    settings = {**BY_RADIUS, "ppp": {**BY_RADIUS["ppp"], "auth": ["pap"], "plugin": "/run/sameroof-pppd.so"}}
    named = {"ours": "cannot read pppd's plugin /run/sameroof-pppd.so", "pppol2tp.so": "pppd has no plugin pppol2tp.so",
             "radius.so": "pppd has no plugin radius.so"}
    with RadiusServer(lab.world["inside"], {"pub": []}), lab.gateway(cleartext="only", settings=settings), \
            contextlib.closing(WindowsLac(lab.world["pub"], GATEWAY)) as lac:

        def refuses(session, missing):
            lac.call(session) if lac.peer_tunnel else lac.dial()
            told = wait_for(lambda: lac.ended.get(session), 20, f"a call ended as {missing} is missing")
            if told[:2] != bytes([0, 4]) or not told.endswith(b"PPP cannot be started here"):
                raise Failure(f"the caller was to be told that PPP cannot be started now, and no more: {told}")
            log_says(lab, rf"did not come up: {re.escape(named[missing])}")
            del lac.calls[session]

        log_says(lab, re.escape(f"No session can come up: {named['ours']}"))
        refuses(lac.session, "ours")
        ours.write_bytes(pathlib.Path(lab.build, "l2tpd/sameroof-pppd.so").read_bytes())
        with pppd_with_plugins(gw):
            refuses(2, "pppol2tp.so")
        with pppd_with_plugins(gw, "pppol2tp.so"):
            refuses(3, "radius.so")
        lac.call(4)
        Ppp(lac, 4).log_in(lac.name, password_of(lac.name))
        lac.hang_up()


MANY = 6000
OF_ANOTHER = ("src 10.9.0.1 dst 10.9.0.2 proto esp mode transport enc cipher_null '' auth 'hmac(sha1)' 0x" + "11" * 20 +
              " limit time-soft 1 limit time-hard 2")


def xfrm_events_dropped(host):
    """What the kernel had to say of SAs, and no room for in the sockets of those who listen."""
    rows = [line.split() for line in host.proc_net("netlink").splitlines()[1:]]
    return sum(int(row[8]) for row in rows if row[1] == str(socket.NETLINK_XFRM))


@contextlib.contextmanager
def deaf(host, process):
    """It does not run meanwhile, and by the end its socket has dropped events of the kernel: so many SAs of somebody else's expire."""
    os.kill(process, signal.SIGSTOP)
    try:
        host.run("ip", "-batch", "-", timeout=240,
                 stdin="".join(f"xfrm state add spi {spi:#x} {OF_ANOTHER}\n" for spi in range(0x10000, 0x10000 + MANY)))
        wait_for(lambda: xfrm_events_dropped(host), 60, "events were dropped")
        yield
    finally:
        os.kill(process, signal.SIGCONT)


@scenario(only="sameroof", kernels="one", seconds=420)
def kernels_events_are_lost(lab):
    """The kernel takes an SA away, as at a hard limit, and what it says of that is lost (ENOBUFS): ikd looks for itself, tells the
    client, who can dial again at once; its neighbour behind the same NAT loses not one ping."""
    stays, loses = clients = [lab.client(name) for name in ("a1", "a2")]
    with lab.gateway() as gateway:
        lab.dial(stays)
        lab.prove(stays)
        loses.start_ipsec(30)  # and no more: without its SA its L2TP would go in clear text
        host = lab.world["gw"]
        (packets,) = children(gateway.ikd.pid)
        peer = next(p for p in gateway.peers() if not p["user"])
        with no_ping_lost(lab, stays):
            with deaf(host, packets):
                host.run("ip", "xfrm", "state", "delete", "dst", GATEWAY, "proto", "esp", "spi", peer["spi_in"])
            wait_for(lambda: "received DELETE for ESP CHILD_SA" in loses.charon_log(), 60, "the client is told that its pair is gone")
            loses.hang_up()
            loses.up(90)
        lab.prove(*clients)
        goodbye(lab, *clients)
