"""Where the measurements take place: a gateway, and a host that is a whole crowd of clients and their NATs."""

import contextlib
import ctypes
import json
import os
import pathlib
import resource
import socket
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lab"))
import client_libreswan  # noqa: E402
import gateway_sameroof  # noqa: E402
import gateway_strongswan  # noqa: E402
import topology  # noqa: E402
from client import PSK, STRONGSWAN_CONF  # noqa: E402
from netns import RAM, Host, keep_syslog, stop, wait_for  # noqa: E402

from results import warn  # noqa: E402

GATEWAY, INTERNET = "203.0.113.1", "203.0.113.254"
ONE_NAT = "198.18.0.1"  # every address of 198.18.0.0/15 is the crowd's
IKE = "aes256-sha256-ecp256"
SYS_pidfd_getfd, AF_PPPOX = 438, 24

# Drops what comes in from the gateway's uplink before anything is done with it.
SHUT = """
table netdev shut {
  chain in {
    type filter hook ingress device uplink priority -500;
    udp dport 4500 drop
  }
}
"""

# Counts what leaves for one port of an address, and drops it when all is done with it but the uplink's own work; and ESP that goes to
# another port there, but no IKE (RFC 3948 §2.2).
CUT = """
table netdev cut {{
  counter reached {{}}
  chain out {{
    type filter hook egress device uplink priority 500;
    ip daddr {address} udp dport {port} counter name reached drop
    ip daddr {address} udp sport 4500 @th,64,32 != 0 drop
  }}
}}
"""

PLUTO_CONF = f"""
config setup
  nssdir = {client_libreswan.NSS}
  ikev1-policy = accept
  uniqueids = no
  virtual-private = %v4:10.0.0.0/8,%v4:172.16.0.0/12,%v4:192.168.0.0/16
conn lab
  ikev2 = no
  type = transport
  authby = secret
  left = {GATEWAY}
  leftprotoport = udp/1701
  leftupdown = %disabled
  right = %any
  rightprotoport = udp/%any
  ike = aes256-sha2_256;dh19
  esp = aes128-sha1
  pfs = no
  rekey = no
  auto = add
"""

MODULES = "iptable_mangle xt_mark xt_connmark xt_policy xt_esp xt_conntrack nf_conntrack".split()


class Sameroof(gateway_sameroof.Gateway):
    """ikd and the ruleset, in our own way: what goes to a peer is found by its mark and its alias."""
    name, daemon = "Sameroof", "ikd"

    def __init__(self, host, build):
        super().__init__(host, build)

    def start_l2tp(self):
        pass

    def ready(self):
        return "ikd answers" in self.xfrmctl("status", check=False)

    def way_to_first_peer(self):
        """What an L2TP server answers the first peer with: its own address and the peer's, and the mark."""
        return "240.128.0.1", "240.0.0.1", 0x100


class SameroofServing(Sameroof):
    """With l2tpd."""
    lns = "l2tpd"

    def start_l2tp(self):
        gateway_sameroof.Gateway.start_l2tp(self)


class StrongSwan(gateway_strongswan.Gateway):
    name, daemon, connection = "strongSwan", "charon", ""

    def __init__(self, host, _build):
        super().__init__(host, ike=[IKE], esp=["aes128-sha1"])
        # Its limits for half-open SAs are for the field; here everybody comes from one address.
        host.write("strongswan.conf", STRONGSWAN_CONF.format(log="/dev/null", extra="dos_protection = no\n  init_limit_half_open = 0").replace(
            "stroke\n", f"stroke {self.plugins}\n").replace("ike = 2", "ike = -1").replace("knl = 2", "knl = -1").replace("default = 1", "default = -1"))
        configuration = host.etc / "ipsec.conf"
        configuration.write_text(configuration.read_text() + self.connection)

    plugins = ""

    def start(self):
        self.starter = self.host.spawn("starter", "/usr/lib/ipsec/starter", "--nofork", "--daemon", "charon")
        wait_for(lambda: "lab:" in self.host.run("/usr/lib/ipsec/stroke", "statusall", check=False), 60, "charon ready")

    def stop(self):
        stop(self.starter)

    def way_to_first_peer(self):
        return GATEWAY, ONE_NAT, 0


class Connmark(StrongSwan):
    name, connection, plugins = "strongSwan with connmark", "  mark = %unique\n", "connmark"


class Libreswan:
    """Its pluto, configured as its users' guides for L2TP have it, and as quiet as charon here. Behind one address it holds one
    peer: at the next one's Quick Mode it logs "cannot install eroute -- it is in use for" the first."""
    name, daemon = "Libreswan", "pluto"

    def __init__(self, host, _build):
        self.host = host
        host.write("ipsec.conf", PLUTO_CONF)
        host.write("ipsec.secrets", f'%any %any : PSK "{PSK}"\n')

    def start(self):
        nss = client_libreswan.NSS
        self.host.run("sh", "-ec", f"mkdir -p {nss} /run/pluto; certutil -N -d sql:{nss} --empty-password")
        self.pluto = self.host.spawn("pluto", client_libreswan.PROGRAMS / "pluto", "--nofork", "--config", "/etc/ipsec.conf",
                                     "--secretsfile", "/etc/ipsec.secrets", "--logfile", "/dev/null")
        wait_for(lambda: '"lab"' in self.host.run(client_libreswan.PROGRAMS / "whack", "--status", check=False), 60, "pluto ready")

    def stop(self):
        stop(self.pluto)

    def way_to_first_peer(self):
        return GATEWAY, ONE_NAT, 0


class WithXl2tpd:
    """Before one of those: it serves L2TP as well."""
    lns = "xl2tpd"

    def start(self):
        super().start()
        gateway_strongswan.write_xl2tpd(self.host)
        self.xl2tpd = gateway_strongswan.start_xl2tpd(self.host)

    def stop(self):
        stop(self.xl2tpd)
        super().stop()


class StrongSwanServing(WithXl2tpd, StrongSwan):
    name = "strongSwan and xl2tpd"


class ConnmarkServing(WithXl2tpd, Connmark):
    name = "strongSwan with connmark, and xl2tpd"


class LibreswanServing(WithXl2tpd, Libreswan):
    name = "Libreswan and xl2tpd"


def processor_of_children():
    """Nanoseconds that processes of ours have run that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (used.ru_utime + used.ru_stime) * 1e9


def kernel_threads():
    """Nanoseconds that each has run."""
    out = {}
    for pid in pathlib.Path("/proc/2/task/2/children").read_text().split():
        with contextlib.suppress(OSError):  # it has ended
            out[pid] = int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[0])
    return out


class Obedient:
    """tests/bench/crowd on a host."""

    def __init__(self, host, build, *arguments, inherits=()):
        command = [build / "tests/bench/crowd/crowd", *map(str, arguments)]
        self.process = subprocess.Popen(host.enter + command, text=True, bufsize=1, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        pass_fds=inherits)

    def obey(self, *words):
        print(*words, file=self.process.stdin)
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"the crowd ended at: {' '.join(map(str, words))}")
        return json.loads(answer)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Server(Obedient):
    """What sends to one place from the gateway, as an L2TP server would."""

    def __init__(self, host, build, size, source, to, mark=0):
        super().__init__(host, build, "send", source, to, mark, size)

    def flow(self, packets):
        """Nanoseconds a packet."""
        done = self.obey(packets)
        if done["refused"]:
            warn(f"{done['refused']} datagrams were refused: {done['why']}")
        return done["ns"] / packets


class Session(Server):
    """What sends out of a PPP session of the gateway's, beside its pppd."""

    def __init__(self, host, build, size, pppd):
        with socket_of_session(pppd) as session:
            Obedient.__init__(self, host, build, "frames", session.fileno(), size, inherits=[session.fileno()])


def socket_of_session(pppd):
    syscall = ctypes.CDLL(None, use_errno=True).syscall
    pidfd = os.pidfd_open(pppd)
    try:
        for entry in os.listdir(f"/proc/{pppd}/fd"):
            fd = syscall(SYS_pidfd_getfd, pidfd, int(entry), 0)
            if fd < 0:
                continue
            if os.readlink(f"/proc/self/fd/{fd}").startswith("socket:"):
                taken = socket.socket(fileno=fd)
                if taken.getsockopt(socket.SOL_SOCKET, socket.SO_DOMAIN) == AF_PPPOX:
                    return taken
                taken.close()
            else:
                os.close(fd)
    finally:
        os.close(pidfd)
    sys.exit(f"process {pppd} has no session")


class Crowd(Obedient):
    def __init__(self, host, build):
        super().__init__(host, build, GATEWAY, PSK, IKE)
        self.made = self.size = 0  # all that have ever come, and those that are up

    def place(self, client, own_nats):
        """Where the gateway sees it."""
        if not own_nats:
            return ONE_NAT, 20000 + client
        number = client + int(ONE_NAT.rsplit(".", 1)[1])
        return f"198.18.{number // 256}.{number % 256}", 4500

    def connect(self, count, own_nats=False, at_once=16, seconds=3600):
        """So many more."""
        address, port = self.place(self.made, own_nats)
        self.made += count
        done = self.obey("connect", count, f"{address}:{port}", "own" if own_nats else "one", at_once, seconds)
        if done["failed"]:
            warn(f"{done['failed']} clients did not come up: {done.get('complaint', 'no answer')}")
        self.size += done["up"]
        return done

    def leave(self, client):
        self.size -= self.obey("leave", client)["left"]

    def flow(self, packets, size, client=0):
        return self.obey("flow", client, packets, size)["ns"] / packets

    def call(self, first, count, what, patience=300):
        """L2TP of these, one after the other: "tunnel", or "session" as well. How many are through."""
        return self.obey("call", first, count, what, patience)["up"] if count else 0

    def keep_asking(self):
        """Those that are up ask whether the gateway is there, and send."""
        self.obey("ask")

    def stop_asking(self, seconds):
        """What they asked, and what came of it until so long after."""
        return self.obey("enough", seconds)

    def greeted(self, seconds):
        """How many tunnels the gateway has asked by then whether they are there."""
        return self.obey("wait", seconds)["greeted"]


class Site:
    def __init__(self, build):
        topology.prepare_kernel()
        subprocess.run(["modprobe", "-aq", *MODULES])
        RAM.mkdir(parents=True)
        keep_syslog()
        self.build = build
        self.gw, self.crowd = Host("gw"), Host("crowd")
        link = "link add name uplink netns gw type veth peer name eth0 netns crowd\n"
        subprocess.run(["ip", "-batch", "-"], input=link, text=True, check=True)
        self.gw.ip(f"link set lo up\naddr add {GATEWAY}/24 dev uplink\nlink set uplink up\nroute add default via {INTERNET}\n")
        self.crowd.ip(f"link set lo up\naddr add {INTERNET}/24 dev eth0\nlink set eth0 up\nroute add local 198.18.0.0/15 dev lo\n")
        self.sink, self.came = None, 0

    def listen(self):
        """What the inner datagrams find."""
        self.came = 0
        self.sink = self.gw.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sink.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sink.setsockopt(socket.SOL_SOCKET, 33, 256 << 20)  # SO_RCVBUFFORCE
        self.sink.bind((GATEWAY, 1701))
        self.sink.setblocking(False)

    def drain(self):
        """Takes what has come, and tells how many in all: where datagrams stay, each that follows costs the memory for it."""
        with contextlib.suppress(BlockingIOError):
            while self.sink.recv(65536):
                self.came += 1
        return self.came

    def hush(self):
        """The same, and no more come."""
        came = self.drain()
        self.sink.close()
        self.sink = None
        return came

    def cpu_of(self, daemon):
        """Nanoseconds that the threads of this daemon's processes have run, and the bytes that are resident of it."""
        ran = resident = 0
        for pid, name in self.gw.processes().items():
            if not name.startswith(daemon):
                continue
            for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                ran += int((task / "schedstat").read_text().split()[0])
            resident += int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096
        return ran, resident

    def clear(self, crowd, gateway):
        """Both end, and nothing stays."""
        crowd.close()
        gateway.stop()
        self.forget()

    def forget(self):
        self.gw.forget()
        self.gw.nft("table inet sameroof\ndelete table inet sameroof\n")

    def shut(self):
        self.gw.nft(SHUT)

    def open(self):
        self.gw.nft("delete table netdev shut\n")

    def cut(self, address, port):
        self.gw.nft(CUT.format(address=address, port=port))

    def mend(self):
        """How many packets had come there."""
        counters = json.loads(self.gw.run("nft", "-j", "list", "counters", "table", "netdev", "cut"))["nftables"]
        self.gw.nft("delete table netdev cut\n")
        return next(entry["counter"]["packets"] for entry in counters if "counter" in entry)
