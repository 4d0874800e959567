"""The report's sections about crowds of scripted clients."""

import plots
from tables import not_measured, of, ratio, table

WAYS = {"receive": "receiving from a peer", "send": "sending to a peer", "other": "sending to a NAT's address without IPsec"}

SHARES = {"receive": "arrived", "send": "left", "other": "other_left"}  # what of it gets through, in percent
A_PEER = {"taken_in": "taking another in", "let_go": "letting the newest go", "oldest": "letting the oldest go"}


def millions(instructions):
    return f"{instructions / 1e6:.2f}" if instructions is not None else ""


def mib(size):
    return f"{size / 2**20:.1f}"


def curves_of(results, what):
    """(gateway, behind) → its points; in the order in which they were measured."""
    out = {}
    for r in of(results, what):
        out.setdefault((r["gateway"], r.get("behind", "")), []).append(r)
    return out


def served(results, _folder, _kernel):
    rows = [[r["gateway"], r["behind"], r["peers"], r["up"], r["tunnels"], r["greeted"]] for r in of(results, "served")]
    return rows and f"""Clients come one after the other, each waits 15 seconds for its SAs; then each that has them asks, from port 1701 as Windows
does, for an L2TP tunnel, and waits as long for that. After a minute's silence the gateway asks each tunnel whether it is there: the first
thing that it says without having been asked, and has to send to the right one of those behind a NAT. With connmark it finds the peer in
connection tracking, where all behind one address share one entry, and an entry goes after half a minute's silence.

{table(["gateway", "behind", "clients", "with SAs", "with a tunnel", "that hear the gateway's HELLO"], rows)}"""


def cost_and_share(point, first):
    """A cell for each way."""
    return [f"{point[way]:,.0f} ({ratio(point[way], first[way])}; {point[share]:.0f} %)" if way in point else "" for way, share in SHARES.items()]


def packets(results, folder, kernel):
    rows, lines = [], {way: {} for way in WAYS}
    for (gateway, behind), points in curves_of(results, "packet").items():
        first = points[0]
        for point in points:
            rows.append([gateway, behind, f"{point['up']:,}", *cost_and_share(point, first)])
            for way in WAYS:
                lines[way].setdefault(f"{gateway}, {behind}", []).append((point["peers"], point[way] / first[way]))
        changing = of(results, "changing", gateway=gateway, behind=behind)
        rows += [[gateway, behind, f"{point['up']:,}, changing", *cost_and_share(point, changing[0])] for point in changing]
    if not rows:
        return ""
    for way, words in WAYS.items():
        (folder / f"{way}-{kernel}.svg").write_text(plots.curves(f"One packet: {words} (Linux {kernel})", "× of its own with the fewest peers",
                                                                 lines[way]))
    return f"""Instructions of the gateway for a packet of one client while so many others are connected; in brackets, as a multiple of the
same gateway's with the fewest, and how many of the packets got through: when receiving, to a socket, and when sending, through the
uplink to the port of this client. This is the kernel's work alone, from the uplink to a socket of port 1701 and from such a socket to
the uplink. No L2TP daemon runs, and what is in the packets is no L2TP: a packet in a tunnel is in the next section. The clients' own work
is not in it: what they spend on sending is taken off, and what is sent to them goes no further than the uplink. What the
kernel leaves to a worker is in it. *Changing*: half a second before every ten packets each way another peer has come, and one gone: what
that leaves behind, not what it takes; a multiple of the same with the fewest. Libreswan holds no two peers behind one NAT, so that it
has rows with their own NATs alone.

{table(["gateway", "behind", "peers that are up", *WAYS.values()], rows)}
{"".join(f"![{words}]({way}-{kernel}.svg) " for way, words in WAYS.items())}
"""


def tunnels(results, folder, kernel):
    rows, lines = [], {}
    for (gateway, _), points in curves_of(results, "tunnel packet").items():
        for point in points:
            rows.append([gateway, f"{point['peers']:,}", point["failed"], *cost_and_share(point, points[0])[:2], *(
                f"{1e6 / point[way]:,.1f}" for way in ("receive", "send"))])
            lines.setdefault(gateway, []).append((point["peers"], point["receive"] / points[0]["receive"]))
    if not rows:
        return ""
    (folder / f"tunnels-{kernel}.svg").write_text(plots.curves(f"One packet of a session among tunnels (Linux {kernel})", "× of its own alone", lines))
    return f"""Instructions of the gateway for a packet of one session while so many clients, each behind its own NAT, have an L2TP tunnel: received, from
the wire to PPP, and sent, from the session's socket, where a program puts it in pppd's place, to the uplink; in brackets as a multiple
of the same gateway's alone, and how many got through; and how many there could be of 10⁹ instructions. *Failed*: of those that came
since the row before.

{table(["gateway", "tunnels", "failed", "a packet received", "sent", "thousand received", "thousand sent"], rows)}
![among tunnels](tunnels-{kernel}.svg)

What the L2TP daemon has resident for each tunnel, over all that were made from row to row, and what it came to know of their peers
before. What it takes for the first tunnel is not in it, nor are rows in which clients failed:

{table(["gateway", "tunnels", "bytes for a tunnel", "for its peer"],
       [[r["gateway"], f"{r['tunnels']:,}", f"{r['tunnel']:,.0f}", f"{r['peer']:,.0f}"] for r in of(results, "tunnel memory")])}
"""


def peers(results, folder, kernel):
    rows, lines = [], {}
    for (_, behind), points in curves_of(results, "peer").items():
        for point in points:
            rows.append([behind, f"{point['peers']:,}", *(f"{point[way]:,.0f} ({ratio(point[way], points[0][way])})" for way in A_PEER)])
            for way, words in A_PEER.items():
                lines.setdefault(f"{words}, {behind}", []).append((point["peers"], point[way] / points[0][way]))
    if not rows:
        return ""
    (folder / f"peers-{kernel}.svg").write_text(plots.curves(f"A peer in the kernel (Linux {kernel})", "× of the cost with the fewest", lines))
    return f"""Instructions for a peer's two SAs, its policy and its map elements, by Sameroof's broker and the kernel.

{table(["behind", "peers that are there", *A_PEER.values()], rows)}
![a peer](peers-{kernel}.svg)
"""


def memory_of_a_peer(results, row):
    """Bytes by which the whole IKE daemon has grown for each, from the fewest on; of few its pages say nothing."""
    first = of(results, "setup", gateway=row["gateway"], behind=row["behind"])[0]
    more = row["peers"] - first["peers"]
    return (row["resident"] - first["resident"]) / more if more >= 500 else None


def setups(results, folder, kernel):
    rows, bars = [], []
    for r in of(results, "setup"):
        held = memory_of_a_peer(results, r)
        rows.append([r["gateway"], r["behind"], f"{r['peers']:,}", r["failed"], millions(r["cpu"]), mib(r["resident"]), f"{held:,.0f}" if held else ""])
        bars.append((f"{r['gateway']}, {r['peers']:,} behind {r['behind']}", [(r["cpu"] or 0) / 1e6]))
    if not rows:
        return ""
    (folder / f"setups-{kernel}.svg").write_text(plots.bars(f"A setup (Linux {kernel})", "million instructions of the daemon", [""], bars))
    return f"""Up to so many peers, 16 at a time, with ECP 256 and a pre-shared key: instructions of the IKE daemon, its kernel calls among them, for each
that came up, and what it has resident in the end, also for each since the row with the fewest. *Failed*: of those that came since the
row before; what the daemon did for them is in the others' figure. The first ten also pay for what a daemon does once.

{table(["gateway", "behind", "peers", "failed", "million instructions a setup", "MiB resident", "bytes a peer"], rows)}
![setups](setups-{kernel}.svg)
"""


def lists(results, _folder, _kernel):
    rows = [[f"{r['peers']:,}", f"{r['xfrmctl'] / 1e6:,.0f}", f"{r['ikd'] / 1e6:,.0f}", mib(r["resident"]), mib(r["most_resident"])]
            for r in of(results, "list")]
    return rows and f"""`xfrmctl peers --json` lists all peers of Sameroof.

{table(["peers", "million instructions of xfrmctl", "of ikd for it", "ikd's MiB resident before", "at most, while ten follow and ten list"], rows)}"""


def losses(r):
    """What those had of a storm that were there before."""
    return r["standing"], r["questions"], r["questions"] - r["answers"], r["questions"] - r["arrived"], r["deleted"]


def storms(results, folder, kernel):
    rows, bars = [], []
    for r in of(results, "storm"):
        rivals = [s for s in of(results, "storm", gateway="strongSwan", behind=r["behind"]) if s["peers"] == r["peers"]]
        rows.append([r["gateway"], r["behind"], f"{r['peers']:,}", f"{r['up']:,}", f"{r['seconds']:.2f}",
                     ratio(r["seconds"], rivals[0]["seconds"]) if rivals else "", f"{r.get('slowest', 0):.2f}", f"{r['sent'] / r['peers']:.2f}",
                     millions(r["cpu"]), *losses(r)])
        bars.append((f"{r['gateway']}, {r['peers']:,} behind {r['behind']}", [r["seconds"]]))
    if not rows:
        return ""
    (folder / f"storm-{kernel}.svg").write_text(plots.bars(f"Everybody at once (Linux {kernel})", "seconds to the last", [""], bars))
    return f"""The gateway has just started, all send it their first message at the same moment, and repeat what is not answered after 1, 2, 4 and 8
seconds; whoever has no answer 16 seconds after that gives up, and is not up. The clients run on the same processor. A client that
needs no repetition sends 5 or 6 datagrams. Instructions are those of the daemon for each that came up. Beside them, behind the same NAT or their
own, are clients that came before. Every second each asks whether the gateway is there (R-U-THERE) and sends a packet, neither
more than once: *unanswered* are questions, *lost* are packets that came to no socket, *deleted* are clients of which the gateway has
let an SA go.

{table(["gateway", "behind", "clients", "up", "seconds to the last", "of strongSwan's", "the slowest client's own", "datagrams a client",
        "million instructions", "who was there", "asked and sent", "unanswered", "lost", "deleted"], rows)}
![storm](storm-{kernel}.svg)
"""


SECTIONS = {
    "Who is served": served, "What a packet costs": packets, "What a packet costs among tunnels": tunnels,
    "What a peer costs in the kernel": peers, "What a setup costs the daemon": setups, "What looking at them costs": lists,
    "Everybody at once": storms,
}


def sections(results, folder, kernel):
    """(title, text) of all that was measured."""
    return [(title, text) for title, section in SECTIONS.items() if (text := section(results, folder, kernel))]


def flat(results, what, keys, most):
    """Which multiples of the cost with the fewest `keys` have anywhere; one that costs less among more was not measured well."""
    curves = [points for (gateway, _), points in curves_of(results, what).items() if gateway == "Sameroof"]
    ratios = [point[key] / points[0][key] for points in curves for point in points for key in keys if key in point]
    sizes = [point["peers"] for points in curves for point in points]
    return (f"×{min(ratios):.2f} to ×{max(ratios):.2f} from {min(sizes):,} to {max(sizes):,}",
            1 / most <= min(ratios) and max(ratios) <= most) if ratios else None


def ours(results, *whats):
    return [r for what in whats for r in of(results, what, gateway="Sameroof")]


def aims(results):
    out = []
    for words, what, keys, most in (("a packet among more peers", "packet", WAYS, 1.1), ("a packet after a peer has come and one gone, among more", "changing", WAYS, 1.1),
                                    ("a packet among more tunnels", "tunnel packet", ("receive", "send"), 1.1),
                                    ("taking in and letting go a peer", "peer", A_PEER, 1.3)):
        if found := flat(results, what, keys, most):
            out.append((words, f"within ×{most} of the cost with the fewest", *found))
    if shares := [r[share] for r in ours(results, "packet", "changing", "tunnel packet") for share in SHARES.values() if share in r]:
        out.append(("packets that get through", "all", f"{min(shares):.1f} % at least", min(shares) == 100))
    if failed := [r["failed"] for r in ours(results, "setup", "tunnel packet")]:
        out.append(("clients that fail, of those that come a few at a time", "none", f"{sum(failed):,}", not any(failed)))
    for behind, last in {r["behind"]: r for r in ours(results, "setup")}.items():
        if held := memory_of_a_peer(results, last):
            out.append((f"memory of one of {last['peers']:,} peers behind {behind} in ikd", "at most 4,096 bytes", f"{held:,.0f} bytes", held <= 4096))
    for r in ours(results, "served"):
        got = [r[key] for key in ("up", "tunnels", "greeted")]
        out.append((f"{r['peers']:,} clients behind {r['behind']}", "all with SAs, a tunnel and the gateway's HELLO", "; ".join(map(str, got)),
                    min(got) == r["peers"]))
    for r in ours(results, "tunnel memory"):
        out.append((f"memory of one of {r['tunnels']:,} tunnels in l2tpd", "at most 2,048 bytes", f"{r['tunnel']:,.0f} bytes", r["tunnel"] <= 2048))
    for r in ours(results, "storm"):
        out.append((f"{r['peers']:,} at once behind {r['behind']}", "all up, none gives up after its last repetition", f"{r['up']:,}", r["up"] == r["peers"]))
        _, asked, *lost = losses(r)
        out.append((f"… to those that were there: of {asked:,} questions and packets", "none lost, no SA let go", "; ".join(map(str, lost)),
                    r["standing"] > 0 and asked > 0 and not any(lost)))
    return out + not_measured({"a packet": ours(results, "packet"), "a packet among tunnels": ours(results, "tunnel packet"),
                               "memory of a tunnel": ours(results, "tunnel memory"), "taking in and letting go a peer": ours(results, "peer"),
                               "who is served": ours(results, "served"), "everybody at once": ours(results, "storm")})
