"""Inside the guest: the packages on a clean Debian with systemd, from their installation to their purge, with two real
clients behind one NAT. Prints a line for each step; the last one says how many passed."""

import gzip
import json
import os
import pathlib
import plistlib
import re
import signal
import socket
import subprocess
import sys
import time

OUT = pathlib.Path(os.environ["OUT"])
sys.path.insert(0, str(OUT / "lab"))
sys.dont_write_bytecode = True

import checks  # noqa: E402
from client import PSK, Client, password_of  # noqa: E402
from netns import Failure, Machine, each, processes_by_network, wait_for  # noqa: E402
from topology import World  # noqa: E402

ETC = pathlib.Path("/etc/sameroof")
UNITS = ("sameroof-nft", "ikd", "l2tpd")
NAMES = ("sameroof", "libsaref0", "libsaref-dev")
PACKAGES = [next(OUT.glob(f"{name}_*.deb")) for name in NAMES]

# Broken or half-written files: which one, what becomes of a good one, and what is said of it.
BROKEN = {
    "a quote is missing": ("sameroof.toml", lambda good: good.replace('name = "family"', 'name = "family'), "line"),
    "half of it was written": ("sameroof.toml", lambda good: good[:good.rindex('"')], "line"),
    "a key is there twice": ("sameroof.toml", lambda good: good + '\nname = "again"\n', "line"),
    "a NUL": ("sameroof.toml", lambda good: good + "\0", "line"),
    "UTF-16": ("sameroof.toml", lambda good: good.encode("utf-16"), "sameroof.toml: line 1: is not UTF-8"),
    "nothing": ("sameroof.toml", lambda good: "", "line 1: ppp: the section [ppp] is missing"),
    "too many addresses": ("sameroof.toml", lambda good: good.replace("[ike]\n", f"[ike]\nlisten = {[f'10.0.0.{n}' for n in range(1, 70)]}\n"),
                           "ike.listen: must have at most 64 addresses"),
    "a deep key": ("sameroof.toml", lambda good: good + "\n" + "a." * 1_000_000 + "a = 1\n", "is longer than"),
    "100 MB": ("sameroof.toml", lambda good: b"\n" * 100_000_000, "is larger than 16 MiB"),
    "no secret for a user": ("secrets.toml", lambda good: good[:good.index("[user]")], "has no secret"),
    "a secret is cut off": ("secrets.toml", lambda good: good[:good.rindex('"')], "secrets.toml: line"),
}

# Somebody else's, which nothing of ours may change; what nftables.service loads.
FOREIGN_TABLE = "table inet foreign {\n\tchain input {\n\t\ttype filter hook input priority filter; policy accept;\n\t\tudp dport 9 counter packets 0 bytes 0 drop\n\t}\n}\n"
FOREIGN_SA = ("src", "10.9.9.1", "dst", "10.9.9.2", "proto", "esp", "spi", "0x12345678", "reqid", "77", "mode", "tunnel",
              "enc", "cbc(aes)", "0x" + "11" * 16, "auth", "hmac(sha1)", "0x" + "22" * 20)
FOREIGN_POLICY = ("src", "10.9.9.1", "dst", "10.9.9.2", "dir", "out",
                  "tmpl", "src", "10.9.9.1", "dst", "10.9.9.2", "proto", "esp", "reqid", "77", "mode", "tunnel")
# An administrator's word on what our sysctl.d file says otherwise.
LOCAL_SYSCTL = pathlib.Path("/etc/sysctl.d/99-local.conf"), "net.ipv4.conf.all.send_redirects"
USERS = ("a1", "a2")

# What `systemd-analyze security` may say at most, in tenths. l2tpd's pppds run programs of the administrator's.
EXPOSURE = {"ikd.service": 19, "l2tpd.service": 36}
PACKET_UNITS = ("ikd-packets@*", "l2tpd-packets@*")
PROFILES = {"ikd": "ikd", "l2tpd": "l2tpd", "pppd": "l2tpd//pppd"}


def run(*argv, check=True):
    done = subprocess.run([str(a) for a in argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)
    if check and done.returncode:
        raise Failure(f"{' '.join(map(str, argv))}: {done.stdout.strip()}")
    return done.stdout


def expect(truth, otherwise):
    if not truth:
        raise Failure(otherwise)


def active():
    return [unit for unit in UNITS if run("systemctl", "is-active", unit, check=False).strip() == "active"]


def complaints():
    return run("journalctl", "-q", "-b", "-p", "warning", "-o", "cat", *(f"-u{unit}" for unit in (*UNITS, *PACKET_UNITS)), check=False)


def main_pid(unit):
    return run("systemctl", "show", "-P", "MainPID", unit).strip()


def packet_units(*patterns):
    listed = run("systemctl", "list-units", "--plain", "--no-legend", "--state=active", *patterns).splitlines()
    return [line.split()[0] for line in listed]


def processes_of(daemon):
    """The one with the privileges, and those that read packets."""
    return [main_pid(unit) for unit in (f"{daemon}.service", *packet_units(f"{daemon}-packets@*"))]


def foreign():
    return (run("nft", "list", "table", "inet", "foreign"), run("ip", "xfrm", "state", "list", "reqid", "77"),
            run("ip", "xfrm", "policy", "list", "src", "10.9.9.1"))


def failed_units():
    listed = run("systemctl", "--failed", "--plain", "--no-legend").splitlines()
    return [line.split()[0] for line in listed if line.startswith((*UNITS, "ikd-packets", "l2tpd-packets"))]


def files():
    """Every file and folder that a package may leave, by name; what changes by itself is left out."""
    found = set()
    for top in ("/etc", "/usr", "/lib", "/var/lib", "/run/sameroof"):
        for folder, _, names in os.walk(top):
            found.update((folder, *(os.path.join(folder, name) for name in names)))
    own = ("/var/lib/dpkg/", "/var/lib/apt/", "/lib/modules/", "/usr/lib/modules/",
           *(f"/var/lib/systemd/{what}" for what in ("random-seed", "timers", "catalog", "coredump", "pstore", "rfkill")))
    kept = ("/etc/group", "/etc/gshadow", "/etc/group-", "/etc/gshadow-", "/etc/passwd", "/etc/passwd-", "/etc/shadow", "/etc/shadow-",
            "/etc/.pwd.lock")  # user and group stay, as Debian has it
    return {name for name in found if not name.startswith(own) and name not in kept and "__pycache__" not in name}


class Test:
    def __init__(self):
        self.world = World(gateway=Machine)
        self.gw = self.world["gw"]
        self.server = checks.serve(self.world["inside"], checks.TRANSFER_PORT, checks.mirror)
        self.clients = [Client(self.world[name]) for name in USERS]
        run("sysctl", "-qw", "net.ipv4.ip_forward=0")
        pathlib.Path("/etc/nftables.conf").write_text("flush ruleset\n" + FOREIGN_TABLE)
        run("systemctl", "restart", "nftables")
        run("ip", "xfrm", "state", "add", *FOREIGN_SA)
        run("ip", "xfrm", "policy", "add", *FOREIGN_POLICY)
        LOCAL_SYSCTL[0].write_text(f"{LOCAL_SYSCTL[1]} = 1\n")
        self.foreign, self.files = foreign(), files()

    def dial(self):
        each(lambda c: c.up(150), self.clients)
        self.prove()

    def prove(self):
        each(lambda c: checks.check_client(c, patience=30), self.clients)
        addresses = [c.address for c in self.clients]
        expect(len(set(addresses)) == len(addresses), f"PPP addresses given out twice: {addresses}")

    def tunnels(self):
        """The processes of the daemons, and whom they serve."""
        peers = json.loads(run("xfrmctl", "peers", "--json"))["peers"]
        return (run("systemctl", "show", "-P", "MainPID", "ikd", "l2tpd").split(),
                sorted((peer["user"], peer["mark"], peer["tunnel"]) for peer in peers))

    def hang_up(self):
        each(lambda c: c.hang_up(), self.clients)

    def secrets(self, psk=PSK):
        users = "".join(f'{user} = "{password_of(user)}"\n' for user in (*USERS, "alice", "bob"))
        (ETC / "secrets.toml").write_text(f'[psk]\nfamily = "{psk}"\n[user]\n{users}')
        (ETC / "secrets.toml").chmod(0o600)

    # The steps, in this order.

    def install(self):
        """The packages install; without secrets nothing is started, nothing fails, and forwarding is on, while the sysctls that the
        administrator has set stay."""
        run("dpkg", "-i", *PACKAGES)
        expect(not active(), f"started without secrets: {active()}")
        expect(not failed_units(), f"failed: {failed_units()}")
        expect(run("sysctl", "-n", "net.ipv4.ip_forward").strip() == "1", "net.ipv4.ip_forward is not 1")
        expect(run("sysctl", "-n", LOCAL_SYSCTL[1]).strip() == "1", f"{LOCAL_SYSCTL[1]} is not what {LOCAL_SYSCTL[0]} says")
        expect(foreign() == self.foreign, "a foreign table or SA has changed")
        completed = run("bash", "-c", ". /usr/share/bash-completion/completions/xfrmctl; COMP_WORDS=(xfrmctl --run-dir /run/sameroof pe); "
                        "COMP_CWORD=3; _xfrmctl; echo ${COMPREPLY[@]}")
        expect(completed.strip() == "peers", f"'xfrmctl --run-dir /run/sameroof pe' was to be completed: {completed}")

    def library(self):
        """The program of saref(3) compiles against the installed library, and tells a stranger that it is one."""
        with gzip.open("/usr/share/man/man3/saref.3.gz", "rt") as page:
            source = re.search(r"\.Bd -literal.*?\n(.*?)\.Ed", page.read(), re.DOTALL)[1]
        folder = pathlib.Path("/tmp/whose")
        folder.mkdir()
        (folder / "whose.c").write_text(source)
        run("tcc", "-o", folder / "whose", folder / "whose.c", *run("pkg-config", "--cflags", "--libs", "saref").split())
        with subprocess.Popen([folder / "whose"]) as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
            asker.settimeout(1)
            heard = []

            def answered():
                asker.sendto(b"who am I?", ("127.0.0.1", 7777))
                try:
                    heard.append(asker.recv(1024).decode())
                except (TimeoutError, ConnectionRefusedError):
                    pass
                return heard

            try:
                wait_for(answered, 20, "an answer of the program")
            finally:
                server.kill()
        expect(heard[0] == "a stranger", f"it was to say that nobody is known: {heard}")

    def setup(self):
        """sameroof-setup makes up what is secret, starts the gateway, and prints what devices need; its profile says the same."""
        said = run("sameroof-setup", "--address", "vpn.example.org")
        expect(active() == list(UNITS), f"of the units only {active()} run: {complaints()}")
        told = {key: value for key, value in re.findall(r"^  (server|pre-shared key|user|password) +(\S+)$", said, re.MULTILINE)}
        secrets = (ETC / "secrets.toml").read_text()
        expect(told["server"] == "vpn.example.org" and told["user"] == "alice" and len(told["pre-shared key"]) >= 20 and
               f'"family" = "{told["pre-shared key"]}"' in secrets and f'"alice" = "{told["password"]}"' in secrets,
               f"what it prints is not what it has written: {said}")
        expect((ETC / "secrets.toml").stat().st_mode & 0o777 == 0o600, "others may read the secrets")
        profile = plistlib.loads(run("sameroof-setup", "--address", "vpn.example.org", "--mobileconfig", "alice").encode())
        (vpn,) = profile["PayloadContent"]
        expect((vpn["PPP"]["CommRemoteAddress"], vpn["PPP"]["AuthName"], vpn["PPP"]["AuthPassword"], vpn["IPSec"]["SharedSecret"].decode()) ==
               (told["server"], told["user"], told["password"], told["pre-shared key"]), f"the profile has something else: {vpn}")
        (ETC / "secrets.toml").write_text("[psk] # in another hand\n family=[\n  'the new one', \"the old one\" ]\n[user]\n'alice'='pass word'\nbob=\"b\"\n")
        (vpn,) = plistlib.loads(run("sameroof-setup", "--mobileconfig", "alice").encode())["PayloadContent"]
        expect((vpn["PPP"]["AuthPassword"], vpn["IPSec"]["SharedSecret"]) == ("pass word", b"the new one"), f"the profile has something else: {vpn}")
        (ETC / "secrets.toml").write_text('[psk]\nfamily = "a\\"b"\n[user]\nalice = "a"\nbob = "b"\n')
        said = run("sameroof-setup", "--mobileconfig", "alice", check=False)
        expect("write it in single quotes" in said and "plist" not in said, f"what it cannot read it was to say: {said}")
        (ETC / "secrets.toml").write_text(secrets)
        expect(told["pre-shared key"] in run("sameroof-setup") and secrets == (ETC / "secrets.toml").read_text(),
               "a second run changes the secrets")
        run("systemctl", "stop", *UNITS)

    def one_daemon(self):
        """Where the configuration has nothing for one of the daemons to do, the other runs, and nothing has failed."""
        good = (ETC / "sameroof.toml").read_text()
        for line, wanted in (('lns = "external"', ["sameroof-nft", "ikd"]), ('cleartext = "only"', ["sameroof-nft", "l2tpd"])):
            (ETC / "sameroof.toml").write_text(good.replace("\n[l2tp]\n", f"\n[l2tp]\n{line}\n"))
            said = run("sameroof-setup")
            expect(active() == wanted and not failed_units(), f"with {line} there run {active()}, and failed have {failed_units()}: {said}")
            run("xfrmctl", "status")
        run("systemctl", "stop", *UNITS)
        (ETC / "sameroof.toml").write_text(good)

    def late_address(self):
        """An address that the gateway is to listen on comes late: it is tried until then, and the gateway serves. A guest is too slow
        for systemd's limit of starts to count, so that there is none is looked up."""
        for unit in ("ikd", "l2tpd"):
            limit = run("systemctl", "show", "-P", "StartLimitIntervalUSec", unit).strip()
            expect(limit == "0", f"{unit} is given up after a few starts in {limit}")
        good = (ETC / "sameroof.toml").read_text()
        (ETC / "sameroof.toml").write_text(good.replace("\n[ike]\n", '\n[ike]\nlisten = ["203.0.113.77"]\n'))
        run("systemctl", "start", "--no-block", "ikd")
        wait_for(lambda: int(run("systemctl", "show", "-P", "NRestarts", "ikd")) >= 6, 120, "six trials", every=1)
        self.gw.ip("addr add 203.0.113.77/24 dev uplink\n")
        wait_for(lambda: active() == list(UNITS), 60, "the gateway with its address", every=1)
        run("systemctl", "stop", *UNITS)
        self.gw.ip("addr del 203.0.113.77/24 dev uplink\n")
        (ETC / "sameroof.toml").write_text(good)

    def refuse_broken(self):
        """A broken configuration is refused with its line, and nothing of it is left running."""
        self.secrets()
        good = (ETC / "sameroof.toml").read_text()
        users = "".join(f'\n[[user]]\nname = "{user}"\n' for user in USERS)
        (ETC / "sameroof.toml").write_text(good + users + "colour = 1\n")
        line = len((good + users).splitlines()) + 1
        run("systemctl", "start", "ikd", check=False)
        wanted = f"sameroof.toml: line {line}: user.colour: unknown key"
        expect(wanted in complaints(), f"the journal was to say {wanted!r}: {complaints()}")
        expect(not active(), f"running with a broken configuration: {active()}")
        run("systemctl", "stop", *UNITS)
        run("systemctl", "reset-failed")
        (ETC / "sameroof.toml").write_text(good + users)
        # The process that reads packets gets what it needs from the other.
        (ETC / "sameroof.toml").chmod(0o600)
        run("ikd", "--check")

    def refuse_without_ruleset(self):
        """Where the ruleset cannot be loaded, neither daemon runs, and both say why."""
        drop_in = pathlib.Path("/run/systemd/system/sameroof-nft.service.d/broken.conf")
        drop_in.parent.mkdir()
        drop_in.write_text("[Service]\nExecStart=\nExecStart=/bin/false\n")
        run("systemctl", "daemon-reload")
        for unit in ("ikd", "l2tpd"):
            run("systemctl", "start", unit, check=False)
            said = run("journalctl", "-q", "-b", "-p", "warning", "-o", "cat", "-u", unit)
            expect("table inet sameroof is not loaded" in said, f"{unit} does not complain of the ruleset: {said}")
        expect(not active(), f"running without a ruleset: {active()}")
        drop_in.unlink()
        drop_in.parent.rmdir()
        run("systemctl", "daemon-reload")
        run("systemctl", "stop", *UNITS)
        run("systemctl", "reset-failed")

    def start(self):
        """With secrets the units start, and two clients behind one NAT connect and work, whatever the host's other pppds are told:
        those of l2tpd have options of their own."""
        with open("/etc/ppp/options", "a") as others:
            others.write("\nno-such-option\n")
        with open(ETC / "pppd-options", "a") as ours:
            ours.write("debug\n")
        run("systemctl", "start", "ikd", "l2tpd")
        expect(active() == list(UNITS), f"of the units only {active()} run: {complaints()}")
        self.dial()
        marks = [peer["mark"] for peer in json.loads(run("xfrmctl", "peers", "--json"))["peers"]]
        for mark in marks:
            who = set(run("journalctl", "-q", "-b", "-o", "cat", "--output-fields=_COMM", f"MARK={mark:#x}").split())
            expect(who == {"ikd", "l2tpd"}, f"of mark {mark:#x} the journal has lines of {who}")
        expect(re.search(r"^rcvd \[IPCP", run("journalctl", "-q", "-b", "-o", "cat", "-t", "pppd"), re.M), "no pppd tells of its packets")
        rows = run("xfrmctl", "peers")
        expect(all(re.search(rf"\b{user}\b", rows) for user in USERS), f"xfrmctl peers does not list both: {rows}")

    def refuse_while_serving(self):
        """Broken and half-written files are refused by name while the gateway serves, which notices nothing."""
        tunnels = self.tunnels()
        for what, (name, broken, wanted) in BROKEN.items():
            good = (ETC / name).read_text()
            bad = broken(good)
            expect(bad != good, f"{what}: the file is as good as before")
            (ETC / name).write_bytes(bad if isinstance(bad, bytes) else bad.encode())
            for command in (("ikd", "--check"), ("xfrmctl", "reload")):
                done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
                expect(done.returncode in (1, 2) and wanted in done.stdout and "\n" not in done.stdout.strip(),
                       f"{what}: {command} was to say {wanted!r}, and ended with {done.returncode}: {done.stdout}")
            (ETC / name).write_text(good)
        expect(self.tunnels() == tunnels, f"the daemons had {tunnels}, and now {self.tunnels()}")
        self.prove()

    def sandbox(self):
        """Units and AppArmor leave the daemons and their pppds no more than they need."""
        for unit, threshold in EXPOSURE.items():
            run("systemd-analyze", "security", "--no-pager", f"--threshold={threshold}", unit)
        processes = processes_by_network()[self.gw.net_inode]
        for program, profile in PROFILES.items():
            labels = [pathlib.Path(f"/proc/{pid}/attr/current").read_text().strip("\0\n")
                      for pid, name in processes.items() if name == program]
            expect(labels and set(labels) == {f"{profile} (enforce)"}, f"{program} is confined as {labels}")
        for daemon in ("ikd", "l2tpd"):
            self.packets(daemon)

    def packets(self, daemon):
        """The process that reads packets is nobody that matters, in a network of its own."""
        (unit,) = packet_units(f"{daemon}-packets@*")
        run("systemd-analyze", "security", "--no-pager", "--threshold=10", unit)
        proc = pathlib.Path("/proc", main_pid(unit))
        label = (proc / "attr/current").read_text().strip("\0\n")
        expect(label == f"{daemon}-packets (enforce)", f"it is confined as {label}")
        status = dict(line.split(":\t", 1) for line in (proc / "status").read_text().splitlines())
        uid = run("id", "-u", f"sameroof-{daemon}").strip()
        expect(set(status["Uid"].split()) == {uid}, f"it is user {status['Uid']}")
        expect(int(status["CapBnd"], 16) == 0 and int(status["CapEff"], 16) == 0, "it has capabilities")
        expect(status["Seccomp"] == "2" and status["NoNewPrivs"] == "1", "it is not confined")
        expect((proc / "ns/net").stat().st_ino != self.gw.net_inode, "it has the host's network")

    def self_test(self):
        """Beside the gateway that serves them, the installed daemons serve two clients of the self-test's, who leave nothing."""
        before = run("ip", "xfrm", "state", "count"), len(processes_by_network())
        said = run("xfrmctl", "doctor", "--self-test")
        expect("/usr/sbin/ikd and /usr/sbin/l2tpd run there and answer" in said, f"it was to try the installed daemons: {said}")
        expect(said.splitlines()[-1].startswith("ok ") and "error" not in said, f"the self-test was to pass: {said}")
        after = run("ip", "xfrm", "state", "count"), len(processes_by_network())
        expect(before == after, f"SAs and networks were {before}, and after the self-test {after}")
        self.prove()

    def reload(self):
        """Reloading the ruleset and the daemons disturbs nobody; what is refused fails, and leaves everything as it was."""
        run("systemctl", "reload", "sameroof-nft", "ikd", "l2tpd")
        secrets = ETC / "secrets.toml"
        good = secrets.read_text()
        secrets.write_text(good.replace("[psk]", "[psk"))
        for unit in ("ikd", "l2tpd"):
            done = subprocess.run(["systemctl", "reload", unit], timeout=60)
            expect(done.returncode != 0, f"{unit} was to refuse broken secrets")
        secrets.write_text(good)
        # Another key for those who come next.
        secrets.write_text(re.sub(r'(?m)^family = (".*")$', r'family = ["another one", \1]', good))
        run("systemctl", "reload", "ikd")
        self.prove()
        secrets.write_text(good)
        run("systemctl", "reload", "ikd")
        expect(all(c.established("IKE_SA") == 1 for c in self.clients), "a client had to connect again")

    def firewall(self):
        """nftables is reloaded and restarted, which flushes all tables and puts the firewall of operations.md in their place, which
        drops by default: ours is back, both tunnels go on, and from here on clients dial through it."""
        tunnels = self.tunnels()
        guide = pathlib.Path("/usr/share/doc/sameroof/operations.md").read_text()
        tables = re.findall(r"^    table .*?^    }\n", guide, re.MULTILINE | re.DOTALL)
        expect(len(tables) == 2, f"operations.md was to have two tables of nftables: {tables}")
        pathlib.Path("/etc/nftables.conf").write_text("flush ruleset\n" + FOREIGN_TABLE + "".join(tables))
        for verb in ("reload", "restart"):
            run("systemctl", verb, "nftables")
            self.prove()
            expect(self.tunnels() == tunnels, f"{verb}: the daemons had {tunnels}, and now {self.tunnels()}")
        expect(active() == list(UNITS), f"of the units only {active()} run: {complaints()}")
        expect(all(c.established("IKE_SA") == 1 for c in self.clients), "a client had to connect again")
        expect(foreign() == self.foreign, "a foreign table or SA has changed")

    def restart(self):
        """A restart ends the sessions cleanly: the clients are told in IKE and in L2TP, and come back."""
        run("systemctl", "restart", "l2tpd", "ikd")
        for client in self.clients:
            wait_for(lambda: "received DELETE for IKE_SA" in client.charon_log(), 20, f"{client.name}: told in IKE")
            wait_for(lambda: "Connection closed" in client.host.log("xl2tpd").read_text(), 20, f"{client.name}: told in L2TP")
        self.hang_up()
        expect(active() == list(UNITS), f"of the units only {active()} run: {complaints()}")
        self.dial()

    def casualty(self):
        """Whichever process of a daemon is killed, the other ends too, and likewise where the one that reads packets hangs; systemd
        starts both again, and the clients come back."""
        for daemon, victim, how in (("ikd", 0, signal.SIGKILL), ("ikd", 1, signal.SIGKILL), ("ikd", 1, signal.SIGSTOP),
                                    ("l2tpd", 0, signal.SIGKILL), ("l2tpd", 1, signal.SIGKILL), ("l2tpd", 1, signal.SIGSTOP)):
            before = processes_of(daemon)
            expect(len(before) == 2, f"{daemon} was to be two processes: {before}")
            os.kill(int(before[victim]), how)
            wait_for(lambda: len({*before, *processes_of(daemon)}) == 4 and active() == list(UNITS), 180, f"two new processes of {daemon}", every=1)
            expect(not any(pathlib.Path("/proc", pid).exists() for pid in before), "a process outlived the other")
        self.hang_up()
        self.dial()

    def next_version(self):
        """The package as its next version, with another sameroof.toml to start from."""
        folder, package = pathlib.Path("/tmp/next"), pathlib.Path("/tmp/next.deb")
        run("dpkg-deb", "-R", PACKAGES[0], folder)
        for name, word in (("DEBIAN/control", r"^(Version: .*)$"), ("etc/sameroof/sameroof.toml", r"^(# .*)$")):
            file = folder / name
            file.write_text(re.sub(word, r"\1.1", file.read_text(), count=1, flags=re.MULTILINE))
        run("dpkg-deb", "-Zgzip", "-b", folder, package)
        return package

    def upgrade(self):
        """The next version with another configuration to start from: the edited files stay, the units run, and clients connect. Where
        they could not start again, the daemons of before serve on."""
        before = (ETC / "sameroof.toml").read_text(), (ETC / "secrets.toml").read_text()
        tunnels = self.tunnels()
        (ETC / "sameroof.toml").write_text(before[0] + "colour = 1\n")
        said = run("dpkg", "-i", "--force-confold", PACKAGES[0])
        expect("user.colour: unknown key" in said and "run on" in said, f"it was to say why nothing is restarted: {said}")
        expect(self.tunnels() == tunnels, f"the daemons had {tunnels}, and now {self.tunnels()}")
        self.prove()
        (ETC / "sameroof.toml").write_text(before[0])
        run("dpkg", "-i", "--force-confdef", self.next_version())
        expect((ETC / "sameroof.toml.dpkg-dist").exists(), "the next version's own configuration was to lie beside the edited one")
        expect(not set(self.tunnels()[0]) & set(tunnels[0]), "a daemon of before the upgrade runs on")
        self.hang_up()
        expect(((ETC / "sameroof.toml").read_text(), (ETC / "secrets.toml").read_text()) == before, "an edited file has changed")
        expect(active() == list(UNITS), f"of the units only {active()} run: {complaints()}")
        self.dial()
        self.hang_up()

    def confined(self):
        """In all this AppArmor had nothing to refuse."""
        refused = [line for line in run("journalctl", "-q", "-b", "-o", "cat").splitlines()
                   if 'apparmor="DENIED"' in line and re.search(r'profile="(ikd|ikd-packets|l2tpd|l2tpd-packets)["/]', line)]
        expect(not refused, "\n".join(refused))

    def remove(self):
        """Removed: no unit, table, SA or process of ours is left; the configuration is."""
        run("dpkg", "-r", *NAMES)
        expect(not active(), f"still active: {active()}")
        left = run("nft", "list", "tables") + run("ip", "xfrm", "state") + run("ip", "xfrm", "policy")
        expect("sameroof" not in left and "240.0.0" not in left, f"left in the kernel: {left}")
        ours = [name for name in processes_by_network()[self.gw.net_inode].values() if name in PROFILES]
        expect(not ours and not packet_units(*PACKET_UNITS) and not failed_units(),
               f"left behind: {ours}, {packet_units(*PACKET_UNITS)}, {failed_units()}")
        expect(foreign() == self.foreign, "a foreign table or SA has changed")
        expect((ETC / "sameroof.toml").exists() and (ETC / "secrets.toml").exists(), "the configuration went with the package")

    def purge(self):
        """Purged: no file of ours is left, and run-time settings stay as they are."""
        run("dpkg", "-P", *NAMES)
        left = sorted(files() - self.files)
        expect(not left, f"left behind: {left}")
        expect(not sorted(self.files - files()), f"gone with the package: {sorted(self.files - files())}")
        expect(run("sysctl", "-n", "net.ipv4.ip_forward").strip() == "1", "a run-time setting was changed by purging")
        expect(foreign() == self.foreign, "a foreign table or SA has changed")

    STEPS = (install, library, setup, one_daemon, late_address, refuse_broken, refuse_without_ruleset, start, refuse_while_serving,
             sandbox, self_test, reload, firewall, restart, casualty, upgrade, confined, remove, purge)


def main():
    passed = failed = 0
    test = Test()
    for step in Test.STEPS:
        started = time.monotonic()
        complaint = None
        try:
            step(test)
        except (Failure, OSError, subprocess.SubprocessError) as error:
            complaint = str(error)
        took = f"({round(time.monotonic() - started)} s)"
        passed, failed = (passed, failed + 1) if complaint else (passed + 1, failed)
        print(f"FAIL {step.__name__} {took}: {complaint}" if complaint else f"ok   {step.__name__} {took}: {step.__doc__}", flush=True)
        if complaint:  # what follows builds on it
            failed += len(Test.STEPS) - passed - failed
            break
    (OUT / "journal").write_text(run("journalctl", "-b", "-o", "short-monotonic", check=False))
    subprocess.run(f"cp -r /tmp/lab/logs {OUT}/", shell=True, check=False)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
