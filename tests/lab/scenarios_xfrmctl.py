"""What xfrmctl lists, against what ip(8) says of the same kernel."""

import json
import pathlib
import re
import signal
import socket
import time

from catalogue import scenario
from checks import check_ping, ping_command
from netns import Failure, wait_for
from scenarios import goodbye
from topology import GATEWAY

VALIDATE = pathlib.Path(__file__).resolve().parent.parent / "validate"
SECRET = "0x" + "5ec7e7" * 10 + "5e07"
FOREIGN = ("src 192.0.2.77 dst 203.0.113.1 proto esp spi 0x777 reqid 7 mode tunnel replay-window 32 "
           f"enc cbc(aes) {SECRET} auth-trunc hmac(sha256) {SECRET} 128").split()
FOREIGN_POLICY = "src 10.77.0.0/16 dst 10.50.0.0/24 dir in priority 77 tmpl src 192.0.2.77 dst 203.0.113.1 proto esp reqid 7 mode tunnel".split()


def listed(gateway, what):
    """A list of xfrmctl's, which fits its schema."""
    text = gateway.xfrmctl(what, "--json")
    complaints = gateway.host.run("python3", "-B", VALIDATE, what, stdin=text, check=False).strip()
    if complaints:
        raise Failure(f"xfrmctl {what} --json does not fit its schema: {complaints}: {text}")
    return json.loads(text)[what] if what != "status" else json.loads(text)


def diagnosis(gateway):
    """What the doctor finds, by check; it fits its schema."""
    text = gateway.xfrmctl("doctor", "--json", "--config", gateway.host.etc / "sameroof.toml", check=False)
    if complaints := gateway.host.run("python3", "-B", VALIDATE, "doctor", stdin=text, check=False).strip():
        raise Failure(f"xfrmctl doctor --json does not fit its schema: {complaints}: {text}")
    return {finding["check"]: finding["sentence"] for finding in json.loads(text)["findings"]}


def listed_object(gateway, *what):
    """What xfrmctl says as one JSON object, which fits its schema."""
    text = gateway.xfrmctl(*what, "--json")
    complaints = gateway.host.run("python3", "-B", VALIDATE, what[0], stdin=text, check=False).strip()
    if complaints:
        raise Failure(f"xfrmctl {what[0]} --json does not fit its schema: {complaints}: {text}")
    return json.loads(text)


def number(found):
    return int(found[1], 0) if found else None


def states_of_ip(host):
    """What `ip xfrm state` says of each SA, as far as it is compared."""
    found = set()
    for block in re.split(r"^(?=src )", host.run("ip", "xfrm", "state"), flags=re.M)[1:]:
        mark, output, encap = (re.search(pattern, block, re.M) for pattern in
                               (r"^\s+mark (\w+)", r"output-mark (\w+)", r"encap type \S+ sport (\d+) dport (\d+)"))
        ends = re.match(r"src (\S+) dst (\S+)", block)
        rest = re.search(r"proto (\S+) spi (\w+) reqid (\w+)(?:\(\w+\))? mode (\w+)", block)
        found.add((ends[1], ends[2], rest[1], int(rest[2], 16), int(rest[3], 0), rest[4], number(mark), number(output),
                   (int(encap[1]), int(encap[2])) if encap else None))
    return found


def states_of_xfrmctl(rows):
    return {(row["source"], row["destination"], row["protocol"], int(row["spi"], 16), row["reqid"], row["mode"],
             row["mark"] and row["mark"]["value"], row["output_mark"] and row["output_mark"]["value"],
             (row["encap_source_port"], row["encap_destination_port"]) if row["encap_source_port"] is not None else None) for row in rows}


def policies_of_ip(host):
    """Selector, direction, priority and mark of each policy that is not a socket's, and how many are."""
    found, sockets = set(), 0
    for block in re.split(r"^(?=src )", host.run("ip", "xfrm", "policy"), flags=re.M)[1:]:
        if re.search(r"^\s+socket (in|out)", block, re.M):
            sockets += 1
            continue
        ends = re.match(r"src (\S+) dst (\S+)", block)
        where = re.search(r"dir (\w+)(?: action \w+)?(?: index \d+)? priority (\d+)", block)
        found.add((ends[1], ends[2], where[1], int(where[2]), number(re.search(r"^\s+mark (\w+)", block, re.M))))
    return found, sockets


def check_events(gw, monitor, wanted):
    """xfrmctl monitor --json has told of all these kinds of events; each line fits its schema."""
    def told():
        return gw.log(monitor).read_text()

    wait_for(lambda: all(f'"event":"{kind}"' in told() for kind in wanted), 30, f"xfrmctl monitor telling of {wanted}")
    if complaints := gw.run("python3", "-B", VALIDATE, "monitor", "--lines", stdin=told(), check=False).strip():
        raise Failure(f"xfrmctl monitor --json does not fit its schema: {complaints}: {told()}")


def disconnected(lab, gateway, client, subject):
    """xfrmctl ends this client: it hears so from L2TP and from IKE, and nothing of it is left but who else is there."""
    others = [peer["user"] for peer in gateway.peers() if peer["user"] != client.user]
    gateway.xfrmctl("disconnect", subject)
    if [peer["user"] for peer in gateway.peers()] != others:
        raise Failure(f"only {others} were to be left: {gateway.peers()}")
    for log, words in (("xl2tpd", "the operator ended it"), ("charon", "received DELETE for IKE_SA")):
        wait_for(lambda: words in client.host.log(log).read_text(errors="replace"), 20, f"{client.name}: '{words}' in the log of {log}")


LOSSY = """table inet lossy {{ chain input {{ type filter hook input priority -300;
    ip saddr {address} udp sport {port} udp dport 4500 meta length 900-1100 drop; }}; }}"""
LOST, CAME = 5, 10


def screen_of_top(gateway, *options):
    """The first one, without its two lines of sums: the peers' numbers in its order, and all of it."""
    command = f"{gateway.build}/xfrmctl/xfrmctl --run-dir /run/sameroof top {' '.join(options)} | head -n 7"
    screen = gateway.host.run("sh", "-c", command)
    return [int(line.split()[0]) for line in screen.splitlines()[3:]], screen


def loss_is_seen(gateway, client):
    """What is lost on its way from this client is counted, of it and of nobody else, and `top` shows it first."""
    gw = gateway.host
    row = next(peer for peer in gateway.peers() if peer["user"] == client.user)
    gw.nft(LOSSY.format(**row))
    client.host.run(*ping_command(client, "-c", LOST, "-W", 1, "-s", 900), check=False)
    gw.nft("delete table inet lossy")
    check_ping(client, count=CAME)
    lost = {peer["peer"]: peer["packets_lost"] for peer in listed(gateway, "peers")}
    wanted = {number: LOST if number == row["peer"] else 0 for number in lost}
    by_kernel = {sa["peer"]: sa["lost"] for sa in listed(gateway, "sas") if sa["direction"] == "in"}
    if lost != wanted or by_kernel != wanted:
        raise Failure(f"{wanted} packets were lost, and xfrmctl peers says {lost}, sas {by_kernel}")
    order, screen = screen_of_top(gateway, "--sort", "loss")
    if order[0] != row["peer"] or set(order) != set(lost) or not re.search(rf"^ *{order[0]} .* (?!0%)[\d.]+% ", screen, re.M):
        raise Failure(f"top was to show peer {row['peer']} first, and what it loses: {screen}")
    if "\x1b" in screen:
        raise Failure(f"top was to command no terminal where there is none: {screen!r}")
    oldest = max(gateway.peers(), key=lambda peer: peer["established_seconds"])
    by_age, screen = screen_of_top(gateway, "--sort", "age")
    if by_age[0] != oldest["peer"]:
        raise Failure(f"top was to show peer {oldest['peer']} first, which is the oldest: {screen}")


@scenario(only="sameroof", kernels="one", seconds=300)
def xfrmctl_lists(lab):
    """Four clients and another IPsec user: xfrmctl lists the SAs and policies that ip(8) lists, says whose they are and prints
    no key; all lists fit their schemas; packets that a client loses are counted. Then it disconnects two, one by its user and
    one by its number."""
    clients = [lab.client(name) for name in ("a1", "a2", "b1", "pub")]
    gw = lab.world["gw"]
    with lab.gateway() as gateway:
        monitor = gw.spawn("monitor", gateway.build / "xfrmctl/xfrmctl", "--run-dir", "/run/sameroof", "monitor", "--json")
        gw.run("ip", "xfrm", "state", "add", *FOREIGN)
        gw.run("ip", "xfrm", "policy", "add", *FOREIGN_POLICY)
        lab.dial(*clients)
        lab.prove(*clients)
        sas = listed(gateway, "sas")
        if states_of_xfrmctl(sas) != states_of_ip(gw) or len(sas) != 1 + 2 * len(clients):
            raise Failure(f"xfrmctl lists {states_of_xfrmctl(sas)} and ip(8) {states_of_ip(gw)}")
        peers = {peer["peer"]: peer for peer in listed(gateway, "peers")}
        owners = sorted((row["owner"], row["peer"] or 0, row["direction"] or "") for row in sas)
        wanted = [("foreign", 0, "")] + [("peer", peer, way) for peer in sorted(peers) for way in ("in", "out")]
        if owners != wanted:
            raise Failure(f"whose the SAs are: {owners} and not {wanted}")
        for row in sas:
            if row["peer"] and row["spi"] != peers[row["peer"]][f"spi_{row['direction']}"]:
                raise Failure(f"the SA {row['spi']} is not one that ikd has for peer {row['peer']}")
        policies = listed(gateway, "policies")
        shared, sockets = policies_of_ip(gw)
        ours = {(row["selector"]["source"], row["selector"]["destination"], {"forward": "fwd"}.get(row["direction"], row["direction"]),
                 row["priority"], row["mark"] and row["mark"]["value"]) for row in policies if not row["socket"]}
        if ours != shared or sum(row["socket"] for row in policies) != sockets:
            raise Failure(f"xfrmctl lists the policies {ours}, ip(8) {shared} and {sockets} of sockets")
        if sorted(row["peer"] or 0 for row in policies if row["owner"] != "unknown") != [0, *sorted(peers)]:
            raise Failure(f"whose the policies are: {policies}")
        tunnels, sessions = listed(gateway, "tunnels"), listed(gateway, "sessions")
        if {row["user"] for row in sessions} != {c.user for c in clients} or {row["peer"] for row in tunnels} != set(peers):
            raise Failure(f"xfrmctl was to list a tunnel and a session of each client: {tunnels} {sessions}")
        listed(gateway, "status")
        keys = re.findall(r"0x([0-9a-f]{32,})", gw.run("ip", "xfrm", "state"))
        said = "".join(gateway.xfrmctl(what, *options) for what in ("sas", "policies", "peers") for options in ((), ("--json",)))
        if len(keys) < 4 * len(clients) or any(key in said for key in keys):
            raise Failure("xfrmctl was to print none of the kernel's keys")
        if any(story["outcome"] != "up" for story in (listed_object(gateway, "explain", client.user) for client in clients)):
            raise Failure("xfrmctl explain was to say that all are up")
        loss_is_seen(gateway, clients[2])
        goodbye(lab)  # from here on a client may still speak when its IPsec is gone
        disconnected(lab, gateway, clients[0], clients[0].user)
        lab.prove(*clients[1:])
        disconnected(lab, gateway, clients[1], next(str(peer["peer"]) for peer in gateway.peers() if peer["user"] == clients[1].user))
        if "there is no peer 99" not in gateway.xfrmctl("disconnect", "99", check=False):
            raise Failure("xfrmctl was to say that there is no such peer")
        lab.hang_up(*clients)
        check_events(gw, "monitor", ("setup_begun", "peer_authenticated", "map_added", "peer_up", "tunnel_up", "session_begun", "user_up",
                                     "user_down", "tunnel_down", "map_removed", "peer_gone"))
        monitor.terminate()
        monitor.wait()
        if lab.world.wire()["clear_out"]:
            raise Failure(f"the gateway spoke in clear text: {lab.world.wire()}")


# A member of the group who means harm, for so many seconds: it never reads, and keeps what it can.
HOSTILE = """
import json, random, socket, sys, time
METHODS = {"ikd": "Status ListPeers Monitor Events Attempts Metrics PeerByMark".split(),
           "l2tpd": "Status ListTunnels ListSessions Events Attempts Metrics CheckReload".split()}
NAMES = {"ikd": "sameroof.Ike", "l2tpd": "sameroof.L2tp"}
def call(daemon, **more):
    return json.dumps({"method": f"{NAMES[daemon]}.{random.choice(METHODS[daemon])}", **more}).encode() + b"\\0"
def deeds(daemon):
    yield b""
    yield call(daemon)[:-5]
    yield call(daemon, more=True) * 500
    yield call(daemon) * 500
    yield call(daemon, oneway=True) * 500
    yield b"x" * 70000
    yield bytes(random.randrange(256) for _ in range(2000))
    yield b'{"method":"a.b","parameters":{"a":' + b"[" * 30000 + b"]" * 30000 + b"}}\\0"
kept, made, end = [], 0, time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    for daemon in METHODS:
        for deed in deeds(daemon):
            s = socket.socket(socket.AF_UNIX)
            s.settimeout(0.05)
            try:
                s.connect("/run/sameroof/" + daemon)
                made += 1
                s.send(deed)
            except OSError:
                pass
            kept.append(s)
    while len(kept) > 300:
        kept.pop(random.randrange(len(kept))).close()
print(made, flush=True)
"""
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


def resident(*processes):
    """In KiB, all in all."""
    return sum(int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{process.pid}/status").read_text())[1]) for process in processes)


@scenario(only="sameroof", kernels="one")
def hostile_readers(lab):
    """While a member of the group floods both control sockets, never reads and asks nonsense, clients connect and work, root is
    answered, and neither daemon keeps memory for it."""
    first, second = lab.client("a1"), lab.client("b1")
    with lab.gateway() as gateway:
        gw = gateway.host
        gw.run("chgrp", "nogroup", "/run/sameroof/ikd", "/run/sameroof/l2tpd")
        lab.dial(first)
        lab.prove(first)
        before = resident(gateway.ikd, gateway.l2tpd)
        member = gw.spawn("member", *NOBODY, "python3", "-c", HOSTILE, 40)
        time.sleep(3)
        lab.dial(second)
        lab.prove(first, second)
        if {peer["user"] for peer in listed(gateway, "peers")} != {first.user, second.user}:
            raise Failure(f"root was to be told of both clients: {gateway.peers()}")
        member.wait(120)
        if (made := int(gw.log("member").read_text() or 0)) < 100:
            raise Failure(f"the member was to connect often, and did {made} times: {gw.log('member').read_text()}")
        wait_for(lambda: resident(gateway.ikd, gateway.l2tpd) < before + 16384, 30,
                 f"what {made} connections took ({resident(gateway.ikd, gateway.l2tpd) - before} KiB) given back", every=1)
        listed(gateway, "sessions")
        goodbye(lab, first, second)


IN_ORDER = "for which in all default; do echo 0 > /proc/sys/net/ipv4/conf/$which/send_redirects; done"
FIREWALL = """table inet firewall { chain input { type filter hook input priority 0; policy drop;
    udp dport { 500, 1701 } accept; }; chain marks { type filter hook prerouting priority -150; meta mark set 1; }; }"""


@scenario(only="sameroof", kernels="one")
def doctor_finds(lab):
    """xfrmctl doctor has nothing to say of a gateway in order, and finds what is then broken: another daemon on a port, a firewall
    that drops a port and one that writes our marks, a rule of ours that is gone, no forwarding."""
    gw = lab.world["gw"]
    gw.run("sh", "-c", IN_ORDER)
    with lab.gateway() as gateway:
        if found := diagnosis(gateway):
            raise Failure(f"the gateway is in order, and the doctor finds {found}")
        intruder = gw.socket(kind=socket.SOCK_DGRAM)
        intruder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        intruder.bind((GATEWAY, 1701))
        gw.nft(FIREWALL)
        gw.run("nft", "flush", "chain", "inet", "sameroof", "leak")
        gw.run("sh", "-c", "echo 0 > /proc/sys/net/ipv4/ip_forward")
        try:
            wanted = {"ports": "UDP 1701 is taken by python3", "firewall": "table inet firewall, chain input drops", "marks": "chain marks writes bits 0x0fffff00",
                      "table": "chain leak is different", "sysctls": "net.ipv4.ip_forward is 0"}
            found = diagnosis(gateway)
            if set(found) != set(wanted) or any(words not in found[check] for check, words in wanted.items()):
                raise Failure(f"the doctor was to find {wanted}, and finds {found}")
        finally:
            intruder.close()
            gw.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
            gw.run("nft", "delete", "table", "inet", "firewall")


# What `ikd --ruleset` prints, without the rule that turns a peer's mark into its alias.
IKD_WITHOUT_ALIASES = """#!/bin/sh
case "$*" in *--ruleset*) {ikd} "$@" > {rules} && exec grep -v 'map @alias' {rules} ;; esac
exec {ikd} "$@"
"""


def self_test(gateway, *folders, check=True):
    """The checks of xfrmctl doctor --self-test, with programs of these folders first; its JSON fits its schema."""
    path = ":".join(map(str, [*folders, gateway.build / "ikd", gateway.build / "l2tpd", "/usr/sbin:/usr/bin:/sbin:/bin"]))
    text = gateway.host.run("env", f"PATH={path}", gateway.build / "xfrmctl/xfrmctl", "doctor", "--self-test", "--json", "--config",
                            gateway.host.etc / "sameroof.toml", check=check, timeout=240)
    if complaints := gateway.host.run("python3", "-B", VALIDATE, "self-test", stdin=text, check=False).strip():
        raise Failure(f"the self-test's JSON does not fit its schema: {complaints}: {text}")
    return json.loads(text)["checks"]


def networks_and_processes(gw):
    """How many network namespaces there are, and how many processes of ours."""
    count = "lsns -n -t net | wc -l; pgrep -c -x 'ikd|l2tpd|xfrmctl'"
    return gw.run("sh", "-c", count, check=False).split()


def interrupted(gateway, number):
    """The self-test, killed in the middle: nothing of it is left."""
    gw = gateway.host
    before = networks_and_processes(gw)
    path = f"{gateway.build}/ikd:{gateway.build}/l2tpd:/usr/sbin:/usr/bin"
    test = gw.spawn("self-test", gateway.build / "xfrmctl/xfrmctl", "doctor", "--self-test", env={"PATH": path})
    wait_for(lambda: "run there and answer" in gw.log("self-test").read_text(), 120, "the self-test's daemons")
    if networks_and_processes(gw) == before:
        raise Failure("the self-test was to have networks and processes of its own")
    test.send_signal(number)
    test.wait(20)
    wait_for(lambda: networks_and_processes(gw) == before, 30, f"what the self-test left after signal {number} gone ({before})", every=1)
    gw.log("self-test").write_text("")


@scenario(only="sameroof", places=("none",), seconds=300, kernels="one")
def doctor_self_test(lab):
    """Beside a gateway that serves a client, xfrmctl doctor --self-test serves two behind one NAT; without the rule that gives them
    aliases it says who got no answer and why. Interrupted, it leaves nothing behind; and the gateway's own client notices nothing."""
    client = lab.client("a1")
    with lab.gateway() as gateway:
        lab.dial(client)
        checks = self_test(gateway)
        if [c["check"] for c in checks] != ["kernel", "network", "daemons", "ike", "ike", "marks", "answers", "tunnels", "end"]:
            raise Failure(f"the self-test was to pass: {checks}")
        broken = gateway.host.etc / "broken"
        broken.mkdir()
        (broken / "ikd").write_text(IKD_WITHOUT_ALIASES.format(ikd=gateway.build / "ikd/ikd", rules=broken / "rules"))
        (broken / "ikd").chmod(0o755)
        failed = [c for c in self_test(gateway, broken, check=False) if not c["holds"]]
        if [c["check"] for c in failed] != ["answers"] or "no_alias" not in failed[0]["sentence"]:
            raise Failure(f"the self-test was to miss answers, and only those: {failed}")
        for number in (signal.SIGINT, signal.SIGKILL):
            interrupted(gateway, number)
        lab.prove(client)
        goodbye(lab, client)
