"""What a packet, a peer and a setup cost the gateway, by the number of peers: a crowd of scripted clients."""

import json
import math
import pathlib
import re
import statistics
import subprocess
import sys
import time

import place as at
from results import tell, warn

WARMING, PACKETS, BYTES = 20, 200, 100
PARTS = 20  # of a flow: what a daemon does beside it now and then is in the fewest
CHANGES, BETWEEN = 10, PACKETS // PARTS  # peers that come and go, and the packets each way between them
SETTLED = 0.5  # seconds after which a daemon is done with a peer that came or went
STANDING, ANSWERED = 10, 5  # clients that are there when everybody comes; and seconds that a last answer may take
FEWEST_TO_WEIGH = 500  # tunnels in all: of fewer the pages of the heap say nothing
BREATH, BREATHS = 0.01, 100  # seconds in which what was sent comes; and how often it may have them
PATIENCE, SILENCE = 15, 75  # seconds, of a client that may not be served; and until each has been asked whether it is there


def behind_what(own_nats):
    return "their own NATs" if own_nats else "one NAT"


def steady(flow):
    """Instructions that a packet of a flow costs as a rule."""
    return statistics.median(flow(PACKETS // PARTS) for _ in range(PARTS))


def all_the_way(crowd, packets, client, came):
    """Instructions of a packet until it has come: the sender's, and those of the kernel's threads, which take on what is decrypted
    once the scheduler comes to them. `came` tells how many have."""
    wanted, before = came() + packets, at.kernel_threads()
    own = crowd.flow(packets, BYTES, client)
    for _ in range(BREATHS):
        time.sleep(BREATH)
        after = at.kernel_threads()
        if came() >= wanted:
            break
    else:
        warn(f"of {packets} packets {wanted - came()} did not come")
    return own + sum(ran - before.get(pid, 0) for pid, ran in after.items()) / packets


def sender(place, crowd, client=0):
    """Instructions that a packet costs which is dropped at the gateway's door: the sender's own."""
    place.shut()
    cost = steady(lambda packets: all_the_way(crowd, packets, client, lambda: math.inf))
    place.open()
    return cost


def into_the_socket(place, crowd, packets):
    """Of the first client."""
    return all_the_way(crowd, packets, 0, place.drain)


def receive(place, crowd):
    """Instructions that the gateway spends on a packet of the first client, and how many of a hundred get through."""
    own = sender(place, crowd)
    place.listen()
    into_the_socket(place, crowd, WARMING)
    taken = steady(lambda packets: into_the_socket(place, crowd, packets))
    return taken - own, 100 * place.hush() / (WARMING + PACKETS)


def send(place, server, address, port):
    """Instructions of a packet that the gateway sends there, from the socket to the uplink, and how many of a hundred get so far."""
    place.cut(address, port)
    server.flow(WARMING)
    cost = steady(server.flow)
    return cost, 100 * place.mend() / (WARMING + PACKETS)


def among_changes(place, crowd, server, own_nats):
    """Both while a peer comes and another goes before every few packets."""
    own, inward, outward = sender(place, crowd), [], []
    place.listen()
    place.cut(*crowd.place(0, own_nats))
    for _ in range(CHANGES):
        crowd.connect(1, own_nats=own_nats)
        crowd.leave(crowd.made - 2)
        time.sleep(SETTLED)
        inward.append(into_the_socket(place, crowd, BETWEEN))
        outward.append(server.flow(BETWEEN))
    share = 100 / (CHANGES * BETWEEN)
    return {"receive": statistics.median(inward) - own, "arrived": share * place.hush(),
            "send": statistics.median(outward), "left": share * place.mend()}


def listing(place, gateway, size):
    """What `xfrmctl peers` takes of the processor, and ikd for it; then what ikd has resident while ten follow what happens and
    ten list. (It complains that l2tpd is not there.)"""
    command = place.gw.enter + [place.build / "xfrmctl/xfrmctl", "peers", "--json"]
    ran, resident = place.cpu_of("ikd")
    before = at.processor_of_children()
    peers = len(json.loads(subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout)["peers"])
    own = at.processor_of_children() - before
    listed, _ = place.cpu_of("ikd")
    followers = [subprocess.Popen(command[:-2] + ["monitor"], stdout=subprocess.DEVNULL) for _ in range(10)]
    readers, most = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(10)], resident
    while any(reader.poll() is None for reader in readers):
        most = max(most, place.cpu_of("ikd")[1])
        time.sleep(0.05)
    for follower in followers:
        follower.terminate()
        follower.wait()
    tell("list", gateway.name, peers=size, listed=peers, xfrmctl=own, ikd=listed - ran, resident=resident, most_resident=most)


def per_packet(place, kind, sizes, own_nats=False):
    """Of one flow among so many peers, each way, and of what goes to the same NAT without IPsec."""
    gateway = kind(place.gw, place.build)
    gateway.start()
    crowd = at.Crowd(place.crowd, place.build)
    source, alias, mark = gateway.way_to_first_peer()
    behind = behind_what(own_nats)
    for size in sizes:
        before, _ = place.cpu_of(kind.daemon)
        done = crowd.connect(size - crowd.size, own_nats=own_nats)
        ran, resident = place.cpu_of(kind.daemon)
        tell("setup", kind.name, peers=size, behind=behind, failed=done["failed"], cpu=each(ran - before, done), resident=resident)
        server = at.Server(place.gw, place.build, BYTES, f"{source}:1701", f"{alias}:1701", mark)
        stranger = at.Server(place.gw, place.build, BYTES, f"{at.GATEWAY}:9", f"{at.ONE_NAT}:9")
        inward, arrived = receive(place, crowd)
        outward, left = send(place, server, *crowd.place(0, own_nats))
        other, other_left = send(place, stranger, at.ONE_NAT, 9)
        tell("packet", kind.name, peers=size, up=crowd.size, behind=behind, receive=inward, arrived=arrived, send=outward, left=left, other=other,
             other_left=other_left)
        if kind is at.Sameroof and not own_nats:
            listing(place, gateway, size)
        if size in (sizes[0], sizes[-1]):
            tell("changing", kind.name, peers=size, up=crowd.size, behind=behind, **among_changes(place, crowd, server, own_nats))
        server.close()
        stranger.close()
    place.clear(crowd, gateway)


def each(ran, done):
    """Of what a daemon ran: for each client that is up."""
    return ran / done["up"] if done["up"] else None


def silent(wanted, up):
    """How many clients that call are not through."""
    if up != wanted:
        warn(f"of {wanted} clients that call {up} are through")
    return wanted - up


def taken_by_sessions(place):
    """Packets that the kernel has handed to PPP, by session."""
    sessions = pathlib.Path(f"/proc/{place.gw.holder.pid}/net/pppol2tp").read_text()
    taken = re.findall(r"(\w{4}/\w{4}) -> .*\n.*\n.*/\d+ (\d+)/\d+/\d+\n +interface ppp", sessions)
    return {session: int(packets) for session, packets in taken}


def newest(place, program):
    """The process that began last."""
    begun = {pid: pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
             for pid, name in place.gw.processes().items() if name == program}
    return max(begun, key=lambda pid: int(begun[pid]))


def resident(place, kind):
    """Of the L2TP daemon."""
    return place.cpu_of(kind.lns)[1]


def tunnels(place, kind, sizes):
    """A packet of one session, from the wire to PPP and back, among so many L2TP tunnels, each of a peer behind its own NAT."""
    gateway = kind(place.gw, place.build)
    gateway.start()
    crowd = at.Crowd(place.crowd, place.build)
    weighed = of_peers = of_tunnels = 0
    for size in sizes:
        first, count = crowd.made, size - 1 - crowd.made
        held = resident(place, kind)
        failed = crowd.connect(size - crowd.made, own_nats=True)["failed"]
        known = resident(place, kind)  # of the peers
        failed += silent(count, crowd.call(first, count, "tunnel"))
        if count and not failed:
            weighed, of_peers, of_tunnels = weighed + count, of_peers + known - held, of_tunnels + resident(place, kind) - known
        # Its pppd hears no answer, and l2tpd's ends after half a minute: the one of fewer tunnels may end meanwhile.
        others = taken_by_sessions(place)

        def taken():
            return sum(packets for session, packets in taken_by_sessions(place).items() if session not in others)

        if silent(1, crowd.call(size - 1, 1, "session")):
            sys.exit("there is no session to measure")
        while not taken():  # its pppd is only just beginning
            crowd.flow(WARMING, BYTES, size - 1)
            time.sleep(BREATH)
        own = sender(place, crowd, size - 1)
        before = taken()
        cost = steady(lambda packets: all_the_way(crowd, packets, size - 1, taken))
        arrived = 100 * (taken() - before) / PACKETS
        session = at.Session(place.gw, place.build, BYTES, newest(place, "pppd"))
        outward, left = send(place, session, *crowd.place(size - 1, own_nats=True))
        session.close()
        tell("tunnel packet", kind.name, peers=size, failed=failed, receive=cost - own, arrived=arrived, send=outward, left=left)
    if weighed >= FEWEST_TO_WEIGH:
        tell("tunnel memory", kind.name, tunnels=weighed, peer=of_peers / weighed, tunnel=of_tunnels / weighed)
    place.clear(crowd, gateway)


def served(place, kind, count, own_nats):
    """Of so many clients that come one after the other, how many get their SAs, how many of these an L2TP tunnel, and how many of
    these what the gateway says without being asked: the HELLO after a minute's silence."""
    gateway = kind(place.gw, place.build)
    gateway.start()
    crowd = at.Crowd(place.crowd, place.build)
    up = sum(crowd.connect(1, own_nats=own_nats, seconds=PATIENCE)["up"] for _ in range(count))
    tunnels = crowd.call(0, count, "tunnel", PATIENCE)
    tell("served", kind.name, peers=count, behind=behind_what(own_nats), up=up, tunnels=tunnels, greeted=crowd.greeted(SILENCE))
    place.clear(crowd, gateway)


def peers(place, sizes):
    gateway = at.Sameroof(place.gw, place.build)
    gateway.load_ruleset()
    for places in ("one", "own"):
        out = place.gw.run(place.build / "tests/bench/peers/peers_bench", places, *sizes, timeout=3600)
        for line in out.splitlines():
            values = json.loads(line)
            tell("peer", gateway.name, peers=values["peers"], behind=behind_what(places == "own"),
                 taken_in=values["in_us"] * 1000, let_go=values["newest_us"] * 1000, oldest=values["oldest_us"] * 1000)
    place.forget()


def storm(place, kind, count, own_nats):
    """Everybody at once, all new to a gateway that has just started, beside some that are there and keep asking."""
    gateway = kind(place.gw, place.build)
    gateway.start()
    crowd = at.Crowd(place.crowd, place.build)
    standing = crowd.connect(STANDING, own_nats=own_nats)["up"]
    place.listen()
    crowd.keep_asking()
    before, _ = place.cpu_of(kind.daemon)
    done = crowd.connect(count, own_nats=own_nats, at_once=count)
    ran, _ = place.cpu_of(kind.daemon)
    asked = crowd.stop_asking(ANSWERED)
    tell("storm", kind.name, peers=count, behind=behind_what(own_nats), cpu=each(ran - before, done), standing=standing, arrived=place.hush(),
         **asked, **done)
    place.clear(crowd, gateway)


def site(orders):
    return at.Site(pathlib.Path(orders["build"]))


def packets(orders):
    sizes, place = orders["sizes"], site(orders)
    per_packet(place, at.Sameroof, sizes)
    per_packet(place, at.Sameroof, sizes[:1] + sizes[-1:], own_nats=True)


def rival(kind):
    return lambda orders: per_packet(site(orders), kind, up_to(orders["rivals_up_to"], orders["sizes"]))


def libreswan(orders):
    """Each behind its own NAT: it holds no two behind one."""
    at.client_libreswan.install(orders["libreswan"])
    place = site(orders)
    per_packet(place, at.Libreswan, up_to(orders["rivals_up_to"], orders["sizes"]), own_nats=True)
    storm(place, at.Libreswan, min(orders["storm"], orders["rivals_up_to"]), own_nats=True)


def up_to(most, sizes):
    return [size for size in sizes if size <= most]


def both_tunnels(orders):
    sizes, place = [1, *orders["sizes"][1:]], site(orders)
    tunnels(place, at.SameroofServing, sizes)
    tunnels(place, at.StrongSwanServing, up_to(orders["rivals_up_to"], sizes))


def all_served(orders):
    at.client_libreswan.install(orders["libreswan"])
    place = site(orders)
    for kind in (at.SameroofServing, at.StrongSwanServing, at.ConnmarkServing, at.LibreswanServing):
        for own_nats in (False, True):
            served(place, kind, orders["sizes"][0], own_nats)


def storms(orders):
    place = site(orders)
    for kind in (at.Sameroof, at.StrongSwan):
        for own_nats in (False, True):
            storm(place, kind, orders["storm"], own_nats)


CHAPTERS = {
    "served": all_served,
    "packets": packets,
    "peers": lambda orders: peers(site(orders), [10, orders["many"]]),
    "connmark": rival(at.Connmark),
    "strongswan": rival(at.StrongSwan),
    "libreswan": libreswan,
    "tunnels": both_tunnels,
    "storm": storms,
}
