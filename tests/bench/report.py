"""Makes the report of what `run` measured: Markdown, JSON and a plot for each question."""

import collections
import json
import pathlib
import sys

COLOURS = ("#1b6ca8", "#d1495b", "#6b8f2a", "#8d5fb0", "#c98a1b")


def plot(title, unit, curves):
    """An SVG of name → [(x, y)], x on a logarithmic scale, y from 1 on, logarithmic too."""
    import math
    width, height, left, bottom, top = 640, 360, 60, 50, 40
    xs = [x for points in curves.values() for x, _ in points]
    ys = [y for points in curves.values() for _, y in points]
    low, high = math.log10(min(xs)), math.log10(max(xs) * 1.0001)
    lowest, highest = math.log10(min([0.8, *ys])), math.log10(max([2.0, *ys]) * 1.1)

    def at(x, y):
        return (left + (math.log10(x) - low) / (high - low or 1) * (width - left - 20),
                height - bottom - (math.log10(y) - lowest) / (highest - lowest) * (height - bottom - top))

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" font-size="12">',
           '<rect width="100%" height="100%" fill="white"/>', f'<text x="{left}" y="20" font-size="14">{title}</text>',
           f'<text x="{width / 2:.0f}" y="{height - 10}">peers</text>', f'<text x="5" y="{top - 5}">{unit}</text>']
    for y in (1, 2, 5, 10, 20, 50, 100, 200):
        if lowest <= math.log10(y) <= highest:
            _, line = at(min(xs), y)
            out += [f'<line x1="{left}" y1="{line:.1f}" x2="{width - 20}" y2="{line:.1f}" stroke="#ddd"/>', f'<text x="{left - 30}" y="{line + 4:.1f}">{y}</text>']
    for x in sorted(set(xs)):
        column, _ = at(x, 1)
        out.append(f'<text x="{column:.1f}" y="{height - bottom + 18}" text-anchor="middle">{x}</text>')
    for (name, points), colour, row in zip(curves.items(), COLOURS, range(len(curves))):
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (at(*point) for point in points))
        out += [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>',
                f'<text x="{left + 10}" y="{top + 15 + 16 * row}" fill="{colour}">{name}</text>']
    return "\n".join([*out, "</svg>"]) + "\n"


def table(heads, rows):
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]) + "\n"


def of(results, what, **fixed):
    return [r for r in results if r["what"] == what and all(r[key] == value for key, value in fixed.items())]


def packets(results, folder, kernel):
    """What a packet costs, as a ratio to the same gateway's own with the fewest peers."""
    rows, plots = [], collections.defaultdict(dict)
    groups = dict.fromkeys((r["gateway"], r["behind"]) for r in of(results, "packet"))
    for gateway, behind in groups:
        points = of(results, "packet", gateway=gateway, behind=behind)
        first = points[0]
        for point in points:
            ratios = {way: point[way] / first[way] for way in ("receive", "send", "other")}
            rows.append([gateway, behind, point["peers"], *(f"{point[way]:,.0f} (×{ratio:.2f})" for way, ratio in ratios.items())])
            for way, ratio in ratios.items():
                plots[way].setdefault(f"{gateway}, {behind}", []).append((point["peers"], ratio))
        for point in of(results, "changing", gateway=gateway, behind=behind):
            rows.append([gateway, behind, f"{point['peers']}, one more before every ten packets",
                         f"{point['receive']:,.0f} (×{point['receive'] / first['receive']:.2f})", "", ""])
    words = {"receive": "receiving from a peer", "send": "sending to a peer", "other": "sending to a NAT's address without IPsec"}
    for way, curves in plots.items():
        (folder / f"{way}-{kernel}.svg").write_text(plot(f"One packet: {words[way]} (Linux {kernel})", "× of its own with the fewest", curves))
    return table(["gateway", "behind", "peers", *words.values()], rows)


def in_tunnels(results):
    rows = []
    for gateway in dict.fromkeys(r["gateway"] for r in of(results, "tunnel packet")):
        points = of(results, "tunnel packet", gateway=gateway)
        rows += [[gateway, point["peers"], f"{point['receive']:,.0f} (×{point['receive'] / points[0]['receive']:.2f})"] for point in points]
    return table(["gateway", "tunnels", "a packet of one session, from the wire to PPP"], rows)


def setups(results):
    rows = []
    for r in of(results, "setup"):
        rows.append([r["gateway"], r["behind"], r["peers"], f"{r['cpu'] / 1e6:.2f}", f"{r['resident'] / 2**20:.1f}"])
    return table(["gateway", "behind", "peers", "million instructions a setup", "MiB resident in the end"], rows)


def peers(results):
    rows = []
    for behind in dict.fromkeys(r["behind"] for r in of(results, "peer")):
        points = of(results, "peer", behind=behind)
        for point in points:
            rows.append([behind, point["peers"], *(f"{point[way]:,.0f} (×{point[way] / points[0][way]:.2f})" for way in ("taken_in", "let_go"))])
    return table(["behind", "peers that are there", "taking another in", "letting it go"], rows)


def lists(results):
    rows = [[r["peers"], f"{r['xfrmctl'] / 1e6:,.0f}", f"{r['ikd'] / 1e6:,.0f}", f"{r['resident'] / 2**20:.1f}", f"{r['most_resident'] / 2**20:.1f}"]
            for r in of(results, "list")]
    return table(["peers", "million instructions of xfrmctl peers --json", "of ikd for it", "ikd's MiB resident before", "at most, while ten follow and ten list"], rows)


def storms(results):
    rows = []
    for r in of(results, "storm"):
        rivals = of(results, "storm", gateway="strongSwan", behind=r["behind"])
        against = f"×{r['seconds'] / rivals[0]['seconds']:.2f}" if rivals else ""
        rows.append([r["gateway"], r["behind"], r["peers"], r["up"], f"{r['seconds']:.1f}", against, f"{r.get('slowest', 0):.1f}",
                     f"{r['sent'] / r['peers']:.2f}"])
    return table(["gateway", "behind", "clients", "up", "seconds to the last", "of strongSwan's", "slowest client's", "datagrams a client"], rows)


def against(results, row, what, key):
    """This figure as a multiple of the stock gateway's in the same measurement."""
    rivals = [r for r in of(results, what) if r["gateway"] in ("strongSwan", "xl2tpd") and r.get("clients") == row.get("clients")]
    return f"×{row[key] / rivals[0][key]:.2f}" if rivals else ""


def clients(results):
    rows = [[r["gateway"], f"{r['clients']} at once, 1 MB there and back each", f"{r['seconds']:.2f} s", against(results, r, "transfer", "seconds")]
            for r in of(results, "transfer")]
    rows += [[r["gateway"], "a small packet there and back", f"{r['seconds'] * 1e6:.0f} µs", against(results, r, "small packets", "seconds")]
             for r in of(results, "small packets")]
    rows += [[r["gateway"], f"pings through {r['renewed']} renewals of the keys: median, slowest, lost",
              f"{r['median_ms']:.2f} ms, {r['slowest_ms']:.2f} ms, {r['lost']}", against(results, r, "new keys", "slowest_ms")] for r in of(results, "new keys")]
    return table(["gateway", "what", "took", "of the stock gateway's"], rows)


def tunnels(results):
    rows = [[r["gateway"], r["sessions"], f"{r['cpu'] / 1e6:.2f}", against(results, r, "l2tp", "cpu"), f"{r['seconds'] * 1e3:.0f}",
             f"{r['resident'] / 1024:.1f}", f"{r['pppd_private'] / 1024:.0f}"] for r in of(results, "l2tp")]
    return table(["daemon", "tunnels, each with a session", "million instructions each", "of xl2tpd's", "ms each, up to ICCN", "KiB resident each",
                  "KiB of its pppd alone"], rows)


def chapter(kernel, results, folder):
    return f"""## Linux {kernel}

Every number counts instructions of a guest with one processor, the kernel's among them, and a second is 10⁹ of them.

### What a packet costs

{packets(results, folder, kernel)}
![receiving](receive-{kernel}.svg) ![sending](send-{kernel}.svg) ![other](other-{kernel}.svg)

### What a packet costs among tunnels

{in_tunnels(results)}
### What a peer costs in the kernel

{peers(results)}
### What a setup costs the daemon

{setups(results)}
### What looking at them costs

{lists(results)}
### Everybody at once

{storms(results)}
### Whole clients: strongSwan, xl2tpd and pppd, through their NATs to a host behind the gateway

{clients(results)}
### L2TP alone

{tunnels(results)}"""


def main():
    folder = pathlib.Path(sys.argv[1])
    kernels = {}
    for console in sorted(folder.glob("*.console"), key=lambda path: [int(part) for part in path.stem.split(".")]):
        kernels[console.stem] = [json.loads(line[2:]) for line in console.read_text().splitlines() if line.startswith("= ")]
    (folder / "report.json").write_text(json.dumps({"version": 1, "kernels": kernels}, indent=1) + "\n")
    native = (folder / "ike.txt").read_text()
    text = f"# Measured\n\n## IKE alone, on this host\n\n```\n{native}```\n\n" + "\n".join(chapter(k, r, folder) for k, r in kernels.items())
    (folder / "report.md").write_text(text)
    print(text)


main()
