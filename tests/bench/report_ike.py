"""The report's chapter about IKE alone, on this host."""

import plots
from tables import not_measured, of, table

GROUPS = {"MODP2048": 0.60e-3, "ECP256": 0.20e-3, "X25519": None}  # the aims: seconds of CPU a setup with a PSK
REST_AIM = 100e-6
ROUND_TRIPS = 3


def us(seconds):
    return f"{seconds * 1e6:,.0f}"


def rest(row):
    """Of a setup's CPU, what is no public-key arithmetic."""
    return row["cpu"] - row["exchange"] - row["proof_arithmetic"]


def aims(results):
    out = []
    for group, aim in GROUPS.items():
        for row in of(results, "ike setup", group=group, proof="PSK", processes="two", cpus="one"):
            if aim:
                out.append((f"CPU of a setup, {group} and PSK, all on one CPU", f"at most {us(aim)} µs", f"{us(row['cpu'])} µs; the arithmetic alone {us(row['exchange'])}", row["cpu"] <= aim))
            out.append((f"… of that no public-key arithmetic, {group}", f"at most {us(REST_AIM)} µs", f"{us(rest(row))} µs", rest(row) <= REST_AIM))
    trips = [row["round_trips"] for row in of(results, "ike setup", processes="two")]
    if trips:
        out.append(("questions to the broker, of a setup", f"at most {ROUND_TRIPS}", f"{max(trips):.2f}", max(trips) <= ROUND_TRIPS))
    out += [(f"memory of one of {row['peers']:,.0f} peers in ikd's core", "at most 4,096 bytes", f"{row['resident']:,.0f} bytes", row["resident"] <= 4096)
            for row in of(results, "ike memory")]
    return out or not_measured({"IKE alone": out})


def setups(results):
    rows = [[r["group"], r["proof"], r["processes"], f"{r['workers']:.0f}", r["cpus"], f"{r['per_second']:,.0f}", us(r["cpu"]),
             us(r["exchange"]), us(r["proof_arithmetic"]), us(rest(r)), f"{r['round_trips']:.1f}"] for r in of(results, "ike setup")]
    return table(["group", "proof", "processes", "workers", "CPUs", "setups a second", "µs of CPU each", "key exchange", "signatures", "rest",
                  "questions to the broker"], rows)


def arithmetic(results):
    rows = [[r["group"], "a key pair and the shared secret", f"{us(r['cpu'])}; {us(r['after'])} after all setups"] for r in of(results, "ike exchange")]
    for r in of(results, "ike signature"):
        rows += [[r["kind"], "a signature made", us(r["sign"])], [r["kind"], "a signature verified", us(r["verify"])],
                 [r["kind"], "a peer's certificate and proof, two signatures among them", us(r["check"])]]
    for r in of(results, "ike round trip"):
        rows += [["SOCK_SEQPACKET", "100 bytes to another process and back, both on one CPU", us(r["one_cpu"])],
                 ["SOCK_SEQPACKET", "… each on a CPU of its own", us(r["a_cpu_each"])]]
    return table(["", "what", "µs of CPU"], rows)


def candidates(results):
    rows = [[f"{r['psks']:,.0f}", r["processes"], r["cpus"], us(r["cpu"]), f"{r['cpu'] * 1e6 / r['psks']:.2f}", f"{r['round_trips']:.1f}"]
            for r in of(results, "ike candidates")]
    return table(["keys tried", "processes", "CPUs", "µs of CPU a setup", "… a key", "questions to the broker"], rows)


def memory(results):
    rows = [[f"{r['peers']:,.0f}", f"{r['resident']:,.0f}", f"{r['heap']:,.0f}"] for r in of(results, "ike memory")]
    return table(["peers", "bytes resident each", "of the heap"], rows)


def plot(results, folder):
    rows = [(f"{r['group']}, {r['proof']}, {r['processes']} process{'es' if r['processes'] == 'two' else ''}",
             [1e6 * part for part in (r["exchange"], r["proof_arithmetic"], max(0, rest(r)))])
            for r in of(results, "ike setup", cpus="one")]
    (folder / "ike.svg").write_text(plots.bars("A setup on one CPU", "µs of CPU", ["key exchange", "signatures", "the rest"], rows))


def chapter(results, folder):
    if not results:
        return ""
    plot(results, folder)
    sizes, = of(results, "ike sizes")
    return f"""## IKE alone, on this host

A *setup* is Main Mode and Quick Mode as responder, from the first message to the pair of SAs: ikd's own core with its worker threads,
natively, without sockets, and with a kernel that agrees at once. {sizes['setups']:,.0f} setups, {sizes['at_once']:.0f} clients at once.
*Two processes* is how ikd runs: keys are in a broker of its own, which signs or derives, and judges whether both SAs may be installed.
Here it installs nothing; what that costs is in each kernel's chapter. CPU is that of both.
*One CPU*: everything is pinned to one, which shows what the work is; where each process runs on a CPU of its own, every
question also wakes another CPU. *Rest* is what is no public-key arithmetic: CPU less the arithmetic as it is measured below.

{setups(results)}
![a setup](ike.svg)

What no program of this shape can save, in the same run. With certificates a setup needs one signature made and two verified: the peer's,
and its authority's. That OpenSSL reads the certificate and follows its chain is not counted as arithmetic, and explains most of their *rest*.

{arithmetic(results)}
Without Diffie-Hellman, by the number of pre-shared keys that have to be tried until one fits:

{candidates(results)}
Memory of established peers:

{memory(results)}
"""
