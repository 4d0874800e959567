"""The gateway under test: ikd and l2tpd from a build folder, with the ruleset ikd prints."""

import json
import pathlib
import re

from client import PSK, password_of
from netns import Failure, stop, wait_for
from topology import CLIENT_HOSTS, INSIDE

RUN_DIR = "/run/sameroof"
RADIUS_SECRET = "shared-with-the-server"
BINARIES = ("ikd/ikd", "l2tpd/l2tpd", "l2tpd/sameroof-pppd.so", "xfrmctl/xfrmctl", "tests/saref/udp_echo", "tests/saref/tcp_echo")


def missing_binaries(build):
    return [name for name in BINARIES if not (pathlib.Path(build) / name).exists()]


def toml_table(name, values):
    """A table of text, numbers, booleans and lists of these, which TOML writes as JSON does."""
    return f"{name}\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())


def configuration(ike, esp, cleartext, plugin, settings, services, users):
    """The file for both daemons; `settings` are further keys by table: {"ike": {"dpd_seconds": 4}}, `users` by user; `services`:
    (protocol, port) of each [[service]]."""
    tables = {
        "marks": {"mask": "0x0fffff00", "alias": "240.0.0.0/8"},
        "ike": {"listen": ["0.0.0.0"], **({"proposals": ike} if ike else {}), **({"esp_proposals": esp} if esp else {})},
        "l2tp": {"cleartext": cleartext},
        "ppp": {"local_address": "10.99.0.1", "pool": "10.99.1.0/24", "dns": ["10.99.0.53"], "auth": ["mschap-v2"],
                "plugin": str(plugin)},
    }
    for name, values in (settings or {}).items():
        tables.setdefault(name, {}).update(values)
    arrays = [("[[ike.psk]]", {"name": "lab"})] + [("[[user]]", {"name": user, **(users or {}).get(user, {})}) for user in CLIENT_HOSTS]
    arrays += [("[[service]]", {"protocol": protocol, "port": port}) for protocol, port in services]
    return "".join(toml_table(f"[{name}]", values) for name, values in tables.items()) + \
        "".join(toml_table(name, values) for name, values in arrays)


def secrets(l2tp_secret, psks):
    users = "".join(f'{user} = "{password_of(user)}"\n' for user in CLIENT_HOSTS)
    keys = "".join(f'{json.dumps(name)} = {json.dumps(secret)}\n' for name, secret in {"lab": PSK, **(psks or {})}.items())
    l2tp = f'[l2tp]\nsecret = "{l2tp_secret}"\n' if l2tp_secret else ""
    return f'[psk]\n{keys}[radius]\n"{INSIDE}" = "{RADIUS_SECRET}"\n{l2tp}[user]\n{users}'


class Gateway:
    kind = "sameroof"

    def __init__(self, host, build, ike=None, esp=None, cleartext="off", edit_ruleset=None, settings=None,
                 services=(), l2tp_secret=None, users=None, more="", psks=None, ikd="ikd/ikd", l2tpd="l2tpd/l2tpd"):
        """settings, users: further keys of the configuration, by table and by user; more: further tables as text;
        psks: further secrets by name; edit_ruleset: a function from ruleset text to ruleset text, to break it on
        purpose; ikd, l2tpd: other programs in their places."""
        self.host, self.build, self.edit_ruleset = host, pathlib.Path(build).resolve(), edit_ruleset
        self.programs = {"ikd": self.build / ikd, "l2tpd": self.build / l2tpd}
        self.ikd = self.l2tpd = None
        self.with_ikd = cleartext != "only"
        host.write("sameroof.toml", configuration(ike, esp, cleartext, self.build / "l2tpd/sameroof-pppd.so", settings,
                                                 services, users) + more)
        host.write("secrets.toml", secrets(l2tp_secret, psks))
        host.write("ppp/options", "")
        self.files = ("--config", host.etc / "sameroof.toml", "--secrets", host.etc / "secrets.toml")

    def xfrmctl(self, *argv, check=True):
        return self.host.run(self.build / "xfrmctl/xfrmctl", "--run-dir", RUN_DIR, *argv, check=check)

    def load_ruleset(self, edit=None):
        """`edit` breaks it on purpose."""
        ruleset = self.host.run(self.build / "ikd/ikd", *self.files, "--ruleset")
        if edit:
            edited = edit(ruleset)
            if edited == ruleset:
                raise Failure("the ruleset was to be broken on purpose and is unchanged")
            ruleset = edited
        self.host.nft(ruleset)

    def start(self):
        self.load_ruleset(self.edit_ruleset)
        self.host.path(RUN_DIR).mkdir(mode=0o755, exist_ok=True)
        if self.with_ikd:
            self.ikd = self.host.spawn("ikd", self.programs["ikd"], *self.files, "--run-dir", RUN_DIR)
        self.start_l2tp()
        wait_for(self.ready, 30, "the daemons ready")

    def start_l2tp(self):
        self.l2tpd = self.host.spawn("l2tpd", self.programs["l2tpd"], *self.files, "--run-dir", RUN_DIR)

    def rewrite(self, configuration):
        """Replaces the configuration and asks l2tpd to read it; what xfrmctl says to that."""
        self.host.write("sameroof.toml", configuration)
        return self.xfrmctl("reload", check=False)

    def ready(self):
        if self.casualties():
            raise Failure(self.casualties())
        status = self.xfrmctl("status", check=False)
        return "l2tpd answers" in status and ("ikd answers" in status) == self.with_ikd

    def casualties(self):
        """Which daemons have ended without being asked to, in words."""
        ended = [f"{name} ended by itself with status {process.returncode}"
                 for name, process in (("ikd", self.ikd), ("l2tpd", self.l2tpd)) if process and process.poll() is not None]
        return ", ".join(ended)

    def kill(self):
        """Ends both daemons as a crash would."""
        for process in (self.l2tpd, self.ikd):
            process.kill()
            process.wait()
        self.l2tpd = self.ikd = None

    def stop(self):
        if self.casualties():
            raise Failure(self.casualties())
        for name, process in (("l2tpd", self.l2tpd), ("ikd", self.ikd)):
            if not stop(process):
                raise Failure(f"{name} did not end within 20 s of SIGTERM")
            if process and process.returncode:
                raise Failure(f"{name} ended with status {process.returncode} when asked to end")

    def peers(self):
        """xfrmctl's list of peers."""
        return json.loads(self.xfrmctl("peers", "--json"))["peers"]

    def listed(self, what):
        """xfrmctl's list of tunnels or sessions."""
        return json.loads(self.xfrmctl(what, "--json"))[what]

    def counters(self, daemon="ikd"):
        """What a daemon has counted."""
        return self.status(daemon)["counters"]

    def status(self, daemon):
        """What a daemon says of itself: gauges and counters."""
        return json.loads(self.xfrmctl("status", "--json", check=False))[daemon]

    def users(self):
        """Who is logged in, by xfrmctl's list."""
        return [peer["user"] for peer in self.peers() if peer["user"]]

    def table(self, *kinds):
        """The objects of these kinds in our nftables table."""
        listing = json.loads(self.host.run("nft", "-j", "list", "ruleset"))["nftables"]
        return [body for entry in listing for kind, body in entry.items()
                if kind in kinds and body.get("table") == "sameroof"]

    def map_elements(self):
        """How many elements the maps and sets of our table hold."""
        return sum(len(body.get("elem", [])) for body in self.table("map", "set"))

    def drops(self):
        """The counters of our table's drops that are not zero; a mark that was cleared is no drop."""
        return {body["name"]: body["packets"] for body in self.table("counter")
                if body["packets"] and body["name"] != "cleared_mark"}

    def traces(self, elements=0):
        """What clients have left on the host, by kind; `elements`: what the maps hold without any client."""
        links = self.host.run("ip", "-o", "link")
        return {"pppd": list(self.host.processes().values()).count("pppd"), "peers": len(self.peers()),
                "SAs": self.host.run("ip", "xfrm", "state").count("proto esp"),
                "policies": self.host.run("ip", "xfrm", "policy").count("proto esp"),
                "map elements": self.map_elements() - elements,
                "tunnels": self.host.run("ip", "l2tp", "show", "tunnel").count("Tunnel"),
                "interfaces": len(re.findall(r" ppp\d+:", links))}
