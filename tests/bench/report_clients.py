"""The report's sections about whole clients and about L2TP alone."""

import plots
from tables import not_measured, of, ratio, table

STOCK = ("strongSwan and xl2tpd", "xl2tpd")


def rival(results, row, what, *like):
    """The stock gateway's row of the same measurement: with the same values of `like`."""
    rows = [r for r in of(results, what, **{key: row[key] for key in like}) if r["gateway"] in STOCK]
    return rows[0] if rows else None


def against(results, row, what, key, *like):
    stock = rival(results, row, what, *like)
    return ratio(row[key], stock[key], 3) if stock else ""


def speed(row):
    """Megabytes a second."""
    return row["bytes"] / row["seconds"] / 1e6


def against_speed(results, row):
    stock = rival(results, row, "transfer", "behind", "clients")
    return speed(row) / speed(stock) if stock else None


def clients(results, folder, kernel):
    transfers = [[r["gateway"], r["behind"], r["clients"], f"{r['bytes'] / 1e6:.0f}", f"{r['seconds']:.3f}", f"{speed(r):.3f}",
                  f"×{share:.3f}" if (share := against_speed(results, r)) else ""] for r in of(results, "transfer")]
    small = [[r["gateway"], r["behind"], f"{r['seconds'] * 1e6:.1f}", f"{1 / r['seconds']:,.0f}", against(results, r, "small packets", "seconds", "behind")]
             for r in of(results, "small packets")]
    if not transfers:
        return ""
    (folder / f"transfers-{kernel}.svg").write_text(plots.bars(f"Transfers of whole clients (Linux {kernel})", "MB in 10⁹ instructions", [""], [
        (f"{r['gateway']}, {r['clients']}, {r['behind']}", [speed(r)]) for r in of(results, "transfer")]))
    return f"""Real clients (strongSwan, xl2tpd, pppd) send a megabyte each to a host behind the gateway and get it back, all at once; the median of
forty transfers by one client, of five by eight. How often TCP acknowledges differs between transfers, and with it the seconds by some
percent. The processor executes everything, the clients' and that host's work among it, which is the same with either gateway: the
gateways' own work differs by more than this shows. The throughput is that of all clients together. *No NAT*: clients at addresses of
their own. Behind one NAT the stock gateway serves one client only.

{table(["gateway", "clients behind", "clients", "MB there and back", "seconds", "MB a second", "of the stock gateway's"], transfers)}
![transfers](transfers-{kernel}.svg)

A ping of 16 bytes through one tunnel and back, the next when it is there:

{table(["gateway", "client behind", "µs there and back", "a second", "of the stock gateway's"], small)}"""


def keys(results, _folder, _kernel):
    rows = [[r["gateway"], r["renewed"], f"{r['median_ms']:.2f}", f"{r['slowest_ms']:.2f}", r["lost"], against(results, r, "new keys", "slowest_ms")]
            for r in of(results, "new keys")]
    return rows and f"""One client pings ten times a second for a minute, and renews its ESP keys every 22 seconds.

{table(["gateway", "renewals", "median, ms", "slowest, ms", "lost", "slowest, of the stock gateway's"], rows)}"""


def l2tp(results, _folder, _kernel):
    rows = [[r["gateway"], {"sleep": "none"}.get(r["program"], r["program"]), r["sessions"], f"{r['cpu'] / 1e6:.2f}", against(results, r, "l2tp", "cpu", "program"),
             f"{1e9 / r['cpu']:,.0f}", f"{r['resident'] / 1024:.1f}", f"{r['pppd_private'] / 1024:.0f}"] for r in of(results, "l2tp")]
    return rows and f"""Scripted clients without IPsec, five at a time, up to ICCN; each session gets its pppd, or a program in its place that only sleeps.
So many a second there could be at most, of 10⁹ instructions, if the processor did nothing but the daemon's own work.

{table(["daemon", "PPP", "tunnels, each with a session", "million instructions each", "of xl2tpd's", "a second at most",
        "KiB resident each", "KiB of its PPP alone"], rows)}"""


SECTIONS = {"Whole clients": clients, "Whole clients and new keys": keys, "L2TP alone": l2tp}


def sections(results, folder, kernel):
    """(title, text) of all that was measured."""
    return [(title, text) for title, section in SECTIONS.items() if (text := section(results, folder, kernel))]


def aims(results):
    out = []
    for r in of(results, "transfer", gateway="Sameroof"):
        if share := against_speed(results, r):
            out.append((f"throughput, {r['clients']} at once, {r['behind']}", "at least the stock gateway's", f"×{share:.3f}", share >= 1))
    renewals = of(results, "new keys", gateway="Sameroof")
    out += [("pings lost through new keys, two renewals at least", "none", f"{r['lost']} in {r['renewed']} renewals", r["lost"] == 0 and r["renewed"] >= 2)
            for r in renewals]
    return out + not_measured({"throughput": of(results, "transfer"), "pings lost through new keys": renewals})
