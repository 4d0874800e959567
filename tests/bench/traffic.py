"""What whole clients see, in a guest whose clock counts instructions: transfers, small packets and new keys with real clients
(strongSwan, xl2tpd, pppd) beside strongSwan and xl2tpd as gateway, and what a tunnel with a session costs the L2TP daemons."""

import json
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
from topology import GATEWAY, INSIDE, World  # noqa: E402

TRANSFER = 1_000_000  # bytes, there and back
FAR_APART = ("pub", "a1", "b1")  # no two behind one NAT: the stock gateway can serve these at once
BEHIND_ONE = ("a1", "a2", "a3", "a4", "a5")


def tell(what, gateway, **values):
    print("=", json.dumps({"what": what, "gateway": gateway, **values}), flush=True)


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


def small_packets(client, count=300):
    """Seconds a round trip of a ping, one after the other."""
    output = client.host.run("ping", "-n", "-q", "-f", "-c", count, "-s", 16, "-I", client.device, INSIDE, timeout=600)
    if f"{count} received" not in output:
        print(f"warning: {output}", flush=True)
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


def whole_clients(world, name, make, several):
    gateway = make()
    gateway.start()
    clients = [Client(world[host]) for host in several]
    each(lambda client: client.up(300), clients)
    first = clients[0]
    checks.check_client(first, patience=60)
    tell("transfer", name, clients=1, seconds=transfers([first]))
    tell("small packets", name, seconds=small_packets(first))
    tell("transfer", name, clients=len(clients), seconds=transfers(clients))
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


def l2tp(world, name, daemon, start, end_daemon, count):
    """Scripted clients in clear text, one after the other, up to ICCN; each session gets its pppd."""
    gw, host = world["gw"], world["pub"]
    start()
    pid, = processes(gw, daemon)
    lacs = []

    def dial(count):
        for _ in range(count):
            number = len(lacs)
            lacs.append(WindowsLac(host, GATEWAY, tunnel=number + 1, port=20000 + number))
            lacs[-1].dial(60)

    dial(5)  # what is loaded once does not count
    before, held = ran(pid), resident(pid)
    started = time.monotonic()
    dial(count)
    took = time.monotonic() - started
    pppds = processes(gw, "pppd")
    tell("l2tp", name, sessions=count, cpu=(ran(pid) - before) / count, seconds=took / count, resident=(resident(pid) - held) / count,
         pppds=len(pppds), pppd_private=sum(map(private, pppds)) / max(1, len(pppds)))
    for lac in lacs:
        lac.close()
    end_daemon()
    world.sweep()


def main():
    orders = json.loads(sys.argv[1])
    world = World()
    checks.serve(world["inside"], checks.TRANSFER_PORT, checks.mirror)
    gw, build = world["gw"], pathlib.Path(orders["build"])

    def sameroof(**options):
        return gateway_sameroof.Gateway(gw, build, **options)

    def strongswan():
        return gateway_strongswan.Gateway(gw)

    for name, make in (("Sameroof", sameroof), ("strongSwan", strongswan)):
        whole_clients(world, name, make, FAR_APART)
        new_keys(world, name, make)
    whole_clients(world, "Sameroof, all behind one NAT", sameroof, BEHIND_ONE)

    ours = sameroof(cleartext="only")
    l2tp(world, "Sameroof", "l2tpd", ours.start, ours.stop, orders["sessions"])
    gateway_strongswan.write_xl2tpd(gw)
    started = []
    l2tp(world, "xl2tpd", "xl2tpd", lambda: started.append(gateway_strongswan.start_xl2tpd(gw)), lambda: stop(started[0]), orders["sessions"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
