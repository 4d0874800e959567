"""A soak: clients come and go for minutes, and the daemons look afterwards as they did before."""

import os
import random
import threading
import time

import checks
from catalogue import scenario
from netns import Failure, children, each, status_of, wait_for

SITES = ("a1", "a2", "b1", "pub")
LONGEST = 1200             # seconds; a slow machine may need them for the numbers below
ROUNDS = 4                 # after each everybody leaves and the host is looked at
CALLS_A_ROUND = 3          # of each client
REKEYS = {"IKE_SA": 20, "CHILD_SA": 40}  # at least, or nothing was soaked
GROWTH_KB = 512            # what a daemon may have grown by since the end of the first round: its heap, not a leak per call
DPD = {"dpd_seconds": 4, "dpd_timeout_seconds": 12}
# A client that hung up may still have a packet on its way when its SAs are deleted. Everything else would be a loss.
LATE_PACKETS_A_CALL = 4


def open_files(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def private_kb(pid):
    """A daemon's own memory: what it shares with others (its program, libraries) is not counted."""
    return int(status_of(pid)["RssAnon"].split()[0])


class Caller:
    """One client's life: it calls, works, rekeys and leaves, politely or not."""

    def __init__(self, lab, name, dice, failed):
        self.lab, self.name, self.dice, self.failed = lab, name, dice, failed
        self.calls = self.cuts = 0
        self.rekeys = dict.fromkeys(REKEYS, 0)

    def round(self):
        for _ in range(CALLS_A_ROUND):
            if not self.failed.is_set():  # of another's failure the state is wanted, not of what came later
                self.attempt()

    def attempt(self):
        try:
            self.call()
        except Failure as failure:
            self.failed.set()
            raise Failure(f"at {time.strftime('%H:%M:%S')}, call {self.calls} of {self.name}: {failure}") from None

    def call(self):
        client = self.lab.client(self.name, ikelifetime="26s", lifetime="18s", margin="8s")
        self.lab.dial(client)
        self.calls += 1
        until = time.monotonic() + self.dice.uniform(4, 34)
        while True:
            checks.check_client(client, size=self.dice.choice((1_000, 100_000, 300_000)), patience=30)
            if time.monotonic() > until or self.failed.is_set():
                break
            time.sleep(1)
        for kind in self.rekeys:
            self.rekeys[kind] += client.established(kind) - 1
        if self.dice.random() < 0.4:
            self.cuts += 1
            client.vanish()
        elif not client.hang_up():
            raise Failure(f"{self.name}: a daemon of its own did not end when asked to")


@scenario("soak", only="sameroof", seconds=LONGEST + 300)
def soak(lab):
    """Four clients call and leave, many times, some of them by vanishing, and rekey both phases often: no transfer
    fails, and of all that nothing stays: no SA, policy, map element, tunnel, pppd, socket, and no memory."""
    dice = random.Random(20)
    gw = lab.world["gw"]
    failed = threading.Event()
    callers = [Caller(lab, name, random.Random(dice.random()), failed) for name in SITES]
    started, errors_before = time.monotonic(), checks.xfrm_errors(gw)
    with lab.gateway(settings={"ike": DPD, "marks": {"quarantine_seconds": 20}}) as gateway:
        daemons = {}
        for name, daemon in (("ikd", gateway.ikd.pid), ("l2tpd", gateway.l2tpd.pid)):
            (packets,) = children(daemon)
            daemons |= {name: daemon, f"{name}'s process that reads packets": packets}
        elements = gateway.map_elements()
        nothing = gateway.traces(elements)  # all zero
        time.sleep(3)  # l2tpd follows ikd from now on: a connection that stays
        files_at_first = {name: open_files(daemon) for name, daemon in daemons.items()}
        memory = {name: [] for name in daemons}
        rounds = 0
        while rounds < ROUNDS or any(sum(c.rekeys[kind] for c in callers) < least for kind, least in REKEYS.items()):
            if time.monotonic() - started > LONGEST:
                raise Failure(f"after {LONGEST} s only {rounds} rounds with {[c.rekeys for c in callers]} rekeys")
            each(Caller.round, callers)
            rounds += 1
            checks.wait_until_equal(lambda: gateway.traces(elements), nothing, 60, f"what is left after round {rounds}")
            for name, daemon in daemons.items():
                checks.wait_until_equal(lambda: open_files(daemon), files_at_first[name], 10, f"{name}'s open files after round {rounds}")
                memory[name].append(private_kb(daemon))
        calls = sum(c.calls for c in callers)
        errors = {name: n - errors_before.get(name, 0) for name, n in checks.xfrm_errors(gw).items() if n != errors_before.get(name, 0)}
        late = errors.pop("XfrmInNoStates", 0)
        if errors or late > LATE_PACKETS_A_CALL * calls:
            raise Failure(f"the gateway's IPsec error counters after {calls} calls: {errors}, and {late} packets without an SA")
        if gateway.drops():
            raise Failure(f"the ruleset dropped packets of well-behaved clients: {gateway.drops()}")
        for name, sizes in memory.items():
            if sizes[-1] > sizes[0] + GROWTH_KB:
                raise Failure(f"{name} grew by more than {GROWTH_KB} kB: after each round it had {sizes}")
    checks.wait_until_equal(lambda: checks.left_of_gateway(gw), {}, 30, "what the daemons left behind")
    rekeys = {kind: sum(c.rekeys[kind] for c in callers) for kind in REKEYS}
    return (f"{calls} calls, {sum(c.cuts for c in callers)} of them cut off, {rekeys['IKE_SA']} IKE and "
            f"{rekeys['CHILD_SA']} ESP rekeys, {late} late packets; memory in kB {memory}")
