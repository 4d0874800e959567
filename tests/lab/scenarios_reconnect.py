"""Clients that crash and come back, as they do in life: without a word before, and at once."""

import re
import time

import checks
from catalogue import scenario
from netns import Failure
from scenarios import goodbye

# Of the guest's own time. The emulated client alone needs 4 to 8 s for its daemons, Main Mode, Quick Mode, L2TP and PPP;
# the rest is room for a host that does other things, and still far less than any detection of dead peers takes.
BACK_WITHIN = 30


def port_of(gateway, client):
    """The port of its NAT behind which the gateway sees a client."""
    ports = [peer["port"] for peer in gateway.peers() if peer["user"] == client.user]
    if len(ports) != 1:
        raise Failure(f"{client.name} was to be listed once: {gateway.peers()}")
    return ports[0]


def every_ping(client, what):
    """Stops the client's running ping; all of its numbers must have come back."""
    output = client.host.log("ping").read_text()
    got = [int(n) for n in re.findall(r"icmp_seq=(\d+)", output)]
    sent = re.search(r"(\d+) packets transmitted", output)
    # One may be on its way when ping is told to stop.
    if not sent or len(got) < 20 or got != list(range(1, len(got) + 1)) or int(sent[1]) - len(got) > 1:
        missing = sorted(set(range(1, max(got, default=0) + 1)) - set(got))
        raise Failure(f"{client.name}: {len(got)} pings were answered while {what}, of {sent and sent[1]}; missing between: {missing}")


def comes_back(lab, name):
    """A new life of a host's client, timed from its start to its first pings."""
    started = time.monotonic()
    client = lab.client(name)
    lab.dial(client)
    checks.check_ping(client)
    seconds = time.monotonic() - started
    if seconds > BACK_WITHIN:
        raise Failure(f"{name}: came back after {seconds:.0f} s only")
    return client


@scenario(only="sameroof", kernels="one")
def crash_and_reconnect(lab):
    """A client's daemons are killed with -9 and started again, once behind the port its NAT knows it by and once behind
    a new one: each time it is back within 30 s, and its neighbour behind the same NAT loses not one ping."""
    stays = lab.client("a2")
    with lab.gateway() as gateway:
        lab.dial(stays)  # first, so that the NAT gives the other one ports of its own choice
        crashes = lab.client("a1")
        lab.dial(crashes)
        lab.prove(crashes, stays)
        ping = stays.host.spawn("ping", *checks.ping_command(stays))
        try:
            port = port_of(gateway, crashes)
            crashes.vanish()
            crashes = comes_back(lab, "a1")
            if port_of(gateway, crashes) != port:
                raise Failure("the NAT was to keep the port of a client that comes back at once")
            crashes.vanish()
            lab.world["nata"].run("conntrack", "-D", "-s", "192.168.1.2")
            crashes = comes_back(lab, "a1")
            # Its old self may still be listed, too: nobody has said that it is gone.
            if all(peer["port"] == port for peer in gateway.peers() if peer["user"] == crashes.user):
                raise Failure("the NAT was to give a new port")
        finally:
            ping.send_signal(2)
            ping.wait(20)
        every_ping(stays, "its neighbour crashed and came back")
        lab.prove(crashes, stays)
        goodbye(lab, crashes, stays)
