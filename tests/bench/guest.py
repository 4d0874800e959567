"""The measurements in a stock kernel, in a guest whose clock counts instructions; its arguments come from `run` as JSON.

Each line that begins with `=` is a result: a JSON object with "what" was measured of whom, by the number of peers."""

import json
import pathlib
import subprocess
import sys
import time

import place as at

PACKETS, BYTES = 200, 100


def tell(what, gateway, peers, **values):
    print("=", json.dumps({"what": what, "gateway": gateway, "peers": peers, **values}), flush=True)


def sender(place, crowd, client=0):
    """Instructions that a packet costs which is dropped at the gateway's door: the sender's own."""
    place.shut()
    cost = crowd.flow(PACKETS, BYTES, client)
    place.open()
    return cost


def receive(place, crowd):
    """Instructions that the gateway spends on a packet of the first client."""
    own = sender(place, crowd)
    place.listen()
    crowd.flow(20, BYTES)
    taken = crowd.flow(PACKETS, BYTES)
    place.hush()
    return taken - own


def receive_among_changes(place, crowd, own_nats):
    """The same while another peer comes before every ten packets."""
    own, taken, rounds = sender(place, crowd), 0, 10
    place.listen()
    for _ in range(rounds):
        crowd.connect(1, own_nats=own_nats)
        taken += crowd.flow(10, BYTES)
    place.hush()
    return taken / rounds - own


def send(place, source, address, mark=0, port=1701):
    done = json.loads(place.gw.run(place.build / "tests/bench/crowd/crowd", "send", f"{source}:{port}", f"{address}:{port}", mark, PACKETS, BYTES))
    if done["refused"]:
        print(f"warning: {done['refused']} datagrams to {address} were refused: {done['why']}", flush=True)
    return done["ns"] / PACKETS


def listing(place, gateway, size):
    """What `xfrmctl peers` takes of the processor, and ikd for it; then what ikd has resident while ten follow what happens and
    ten list."""
    command = place.gw.enter + [place.build / "xfrmctl/xfrmctl", "peers", "--json"]
    ran, resident = place.cpu_of("ikd")
    before = at.processor_of_children()
    peers = len(json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)["peers"])
    own = at.processor_of_children() - before
    listed, _ = place.cpu_of("ikd")
    followers = [subprocess.Popen(command[:-2] + ["monitor"], stdout=subprocess.DEVNULL) for _ in range(10)]
    readers, most = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(10)], resident
    while any(reader.poll() is None for reader in readers):
        most = max(most, place.cpu_of("ikd")[1])
        time.sleep(0.05)
    for follower in followers:
        follower.terminate()
        follower.wait()
    tell("list", gateway.name, size, listed=peers, xfrmctl=own, ikd=listed - ran, resident=resident, most_resident=most)


def per_packet(place, kind, sizes, own_nats=False):
    """Of one flow among so many peers, each way, and of what goes to the same NAT without IPsec."""
    gateway = kind(place.gw, place.build)
    gateway.start()
    crowd = at.Crowd(place.crowd, place.build)
    behind = "their own NATs" if own_nats else "one NAT"
    for size in sizes:
        before, _ = place.cpu_of(kind.daemon)
        new = size - crowd.size
        crowd.grow(size, own_nats=own_nats)
        ran, resident = place.cpu_of(kind.daemon)
        tell("setup", kind.name, size, behind=behind, cpu=(ran - before) / new, resident=resident)
        inward = receive(place, crowd)
        outward = send(place, *gateway.way_to_first_peer())
        other = send(place, at.GATEWAY, at.ONE_NAT, port=9)
        tell("packet", kind.name, size, behind=behind, receive=inward, send=outward, other=other)
        if kind is at.Sameroof and not own_nats:
            listing(place, gateway, size)
        if size == sizes[-1]:
            tell("changing", kind.name, size, behind=behind, receive=receive_among_changes(place, crowd, own_nats))
    place.clear(crowd, gateway)


def tunnels(place, kind, sizes):
    """A packet of one session, from the wire to PPP, among so many L2TP tunnels, each of a peer behind its own NAT."""
    gateway = kind(place.gw, place.build)
    gateway.start()
    crowd = at.Crowd(place.crowd, place.build)
    for size in sizes:
        first = crowd.size
        crowd.grow(size, own_nats=True)
        crowd.call(first, size - 1 - first, "tunnel")
        # Its pppd hears no answer, and ends after half a minute.
        crowd.call(size - 1, 1, "session")
        own = sender(place, crowd, size - 1)
        crowd.flow(20, BYTES, size - 1)
        tell("tunnel packet", kind.name, size, receive=crowd.flow(PACKETS, BYTES, size - 1) - own)
    place.clear(crowd, gateway)


def peers(place, sizes):
    gateway = at.Sameroof(place.gw, place.build)
    gateway.load_ruleset()
    for places in ("one", "own"):
        out = place.gw.run(place.build / "tests/bench/peers/peers_bench", places, *sizes, timeout=3600)
        for line in out.splitlines():
            values = json.loads(line)
            tell("peer", gateway.name, values["peers"], behind="one NAT" if places == "one" else "their own NATs",
                 taken_in=values["in_us"] * 1000, let_go=values["out_us"] * 1000)
    place.forget()


def storm(place, kind, count, own_nats):
    """Everybody at once, as after a gateway's restart."""
    gateway = kind(place.gw, place.build)
    gateway.start()
    crowd = at.Crowd(place.crowd, place.build)
    before, _ = place.cpu_of(kind.daemon)
    done = crowd.connect(count, own_nats=own_nats, at_once=count)
    ran, _ = place.cpu_of(kind.daemon)
    tell("storm", kind.name, count, behind="their own NATs" if own_nats else "one NAT", cpu=(ran - before) / count, **done)
    place.clear(crowd, gateway)


def main():
    orders = json.loads(sys.argv[1])
    place = at.Site(pathlib.Path(orders["build"]))
    sizes = orders["sizes"]
    per_packet(place, at.Sameroof, sizes)
    per_packet(place, at.Sameroof, sizes[:1] + sizes[-1:], own_nats=True)
    peers(place, [10, orders["many"]])
    for kind in (at.Connmark, at.StrongSwan):
        per_packet(place, kind, [size for size in sizes if size <= orders["rivals_up_to"]])
    tunnels(place, at.SameroofServing, [1, *sizes[1:]])
    tunnels(place, at.StrongSwanServing, [1, *(size for size in sizes[1:] if size <= orders["rivals_up_to"])])
    for kind in (at.Sameroof, at.StrongSwan):
        for own_nats in (False, True):
            storm(place, kind, orders["storm"], own_nats)
    return 0


if __name__ == "__main__":
    sys.exit(main())
