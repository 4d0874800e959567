"""What whole clients see: transfers, small packets and new keys with real clients (strongSwan, xl2tpd, pppd) beside strongSwan and
xl2tpd as gateway; and what a tunnel with a session costs the L2TP daemons."""

import pathlib
import re
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lab"))
import checks  # noqa: E402
import gateway_sameroof  # noqa: E402
import gateway_strongswan  # noqa: E402
from client import Client  # noqa: E402
from lac import WindowsLac  # noqa: E402
from netns import each, stop  # noqa: E402
from topology import GATEWAY, INSIDE, MORE_HOMES, MORE_SITES, World  # noqa: E402

from results import tell, warn  # noqa: E402

TRANSFER, TRANSFERS = 1_000_000, 40  # bytes, there and back, so many times in all
PUBLIC = ("pub", *(name for name, *_ in MORE_SITES))  # the stock gateway can serve these at once
BEHIND_ONE_NAT = tuple(f"a{n}" for n in range(1, 9))
STOCK = "strongSwan and xl2tpd"
OF_AN_ADDRESS, AT_ONCE = 40, 5  # tunnels


def processes(host, name):
    return [pid for pid, comm in host.processes().items() if comm == name]


def ran(pid):
    """Nanoseconds on the processor, of all its threads."""
    return sum(int((task / "schedstat").read_text().split()[0]) for task in pathlib.Path(f"/proc/{pid}/task").iterdir())


def private(pid):
    """Bytes that are in memory for this process alone."""
    rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return 1024 * sum(int(kib) for kib in re.findall(r"Private_(?:Clean|Dirty): +(\d+)", rollup))


def resident(pid):
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


def transfers(clients):
    """Seconds until all have sent and got back their bytes."""
    started = time.monotonic()
    each(lambda client: checks.transfer(client, TRANSFER, patience=600), clients)
    return time.monotonic() - started


def small_packets(client, count=3000):
    """Seconds a round trip of a ping, one after the other."""
    output = client.host.run("ping", "-n", "-q", "-f", "-c", count, "-s", 16, "-I", client.device, INSIDE, timeout=600)
    if f"{count} received" not in output:
        warn(output)
    return int(re.search(r"time (\d+)ms", output)[1]) / 1000 / count


def through_new_keys(client, seconds=60):
    """Pings through two renewals of both ESP SAs: (median ms, slowest ms, lost)."""
    output = client.host.run("ping", "-n", "-i", "0.1", "-w", seconds, "-I", client.device, INSIDE, timeout=seconds * 20, check=False)
    trips = [float(ms) for ms in re.findall(r"time=([\d.]+) ms", output)]
    sent = int(re.search(r"(\d+) packets transmitted", output)[1])
    return statistics.median(trips), max(trips), sent - len(trips)


def end(world, gateway, clients):
    each(lambda client: client.hang_up(), clients)
    gateway.stop()
    world.sweep()


def whole_clients(world, name, make, hosts, behind):
    """The first of them alone, then all at once."""
    gateway = make()
    gateway.start()
    clients = [Client(world[host], user="pub") for host in hosts]
    each(lambda client: client.up(300), clients)
    for count in sorted({1, len(clients)}):
        each(lambda client: checks.check_client(client, patience=60), clients[:count])
        seconds = statistics.median(transfers(clients[:count]) for _ in range(TRANSFERS // count))
        tell("transfer", name, behind=behind, clients=count, bytes=2 * TRANSFER * count, seconds=seconds)
    tell("small packets", name, behind=behind, seconds=small_packets(clients[0]))
    end(world, gateway, clients)


def new_keys(world, name, make):
    gateway = make()
    gateway.start()
    client = Client(world["pub"], lifetime="30s", margin="8s")
    client.up(300)
    checks.check_client(client, patience=60)
    median, slowest, lost = through_new_keys(client)
    tell("new keys", name, renewed=client.established("CHILD_SA") - 1, median_ms=median, slowest_ms=slowest, lost=lost)
    end(world, gateway, [client])


def tunnels(world, name, daemon, start, end_daemon, count, program):
    """Scripted clients in clear text, five at a time, up to ICCN; each session gets this program for a pppd, which ends after half a
    minute without an answer: before that all have to be there. (They look for answers ten times a second.) They have more addresses
    than one: of one l2tpd takes 50 that have not logged in."""
    gw, host = world["gw"], world["pub"]
    start()
    pids = processes(gw, daemon)  # Sameroof's is two
    lacs = []

    def new_lac():
        number = len(lacs)
        source = f"192.0.2.{100 + number // OF_AN_ADDRESS}"
        host.ip(f"addr replace {source}/24 dev eth0\n")
        lacs.append(WindowsLac(host, GATEWAY, tunnel=number + 1, port=20000 + number, source=source))
        return lacs[-1]

    def dial(count):
        for _ in range(count // AT_ONCE):
            each(lambda lac: lac.dial(60), [new_lac() for _ in range(AT_ONCE)])

    dial(AT_ONCE)  # what is loaded once does not count
    before, held = sum(map(ran, pids)), sum(map(resident, pids))
    dial(count)
    pppds = processes(gw, program)
    if len(pppds) != len(lacs):
        warn(f"{len(lacs)} sessions of {name} have {len(pppds)} {program}s")
    tell("l2tp", name, program=program, sessions=count, cpu=(sum(map(ran, pids)) - before) / count,
         resident=(sum(map(resident, pids)) - held) / count,
         pppd_private=sum(map(private, pppds)) / max(1, len(pppds)))
    for lac in lacs:
        lac.close()
    end_daemon()
    world.sweep()


def makers(world, orders):
    gw, build = world["gw"], pathlib.Path(orders["build"])
    return (("Sameroof", lambda: gateway_sameroof.Gateway(gw, build)), (STOCK, lambda: gateway_strongswan.Gateway(gw)))


def world_to_reach(**more):
    world = World(**more)
    checks.serve(world["inside"], checks.TRANSFER_PORT, checks.mirror)
    return world


def clients(orders):
    world = world_to_reach(more_homes=MORE_HOMES, more_sites=MORE_SITES)
    for name, make in makers(world, orders):
        whole_clients(world, name, make, PUBLIC, "no NAT")
        whole_clients(world, name, make, BEHIND_ONE_NAT if name == "Sameroof" else BEHIND_ONE_NAT[:1], "one NAT")


def keys(orders):
    world = world_to_reach()
    for name, make in makers(world, orders):
        new_keys(world, name, make)


def l2tp(orders):
    """With pppd, and with a program in its place that does nothing: what is left is the daemon's own."""
    world = World()
    gw, sessions = world["gw"], orders["sessions"]
    ours = gateway_sameroof.Gateway(gw, pathlib.Path(orders["build"]), cleartext="only")
    gateway_strongswan.write_xl2tpd(gw)
    started = []
    for program in ("pppd", "sleep"):
        if program == "sleep":
            idle = gw.etc / "idle"
            idle.write_text("#!/bin/sh\nexec sleep 100000\n")
            idle.chmod(0o755)
            gw.run("mount", "--bind", idle, "/usr/sbin/pppd")
        tunnels(world, "Sameroof", "l2tpd", ours.start, ours.stop, sessions, program)
        tunnels(world, "xl2tpd", "xl2tpd", lambda: started.append(gateway_strongswan.start_xl2tpd(gw)), lambda: stop(started[-1]), sessions, program)


CHAPTERS = {"clients": clients, "keys": keys, "l2tp": l2tp}
