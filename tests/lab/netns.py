"""A host of the lab: a network namespace with a mount namespace of its own."""

import ctypes
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import threading
import time
import types
from concurrent.futures import ThreadPoolExecutor

RAM = pathlib.Path("/tmp/lab")  # inside the guest everything below / is in memory
CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)

# What the daemons read from fixed places; each host gets its own copy of these.
PRIVATE_FOLDERS = ("ppp", "xl2tpd", "ipsec.d")
PRIVATE_FILES = ("ipsec.conf", "ipsec.secrets", "strongswan.conf")


class Failure(Exception):
    """What a scenario wanted to see and did not: a sentence for the reader."""


def each(work, items):
    """Runs work(item) for all items at once; the results in order, or the first failure after all have ended."""
    with ThreadPoolExecutor(max_workers=max(1, len(items))) as pool:
        futures = [pool.submit(work, item) for item in items]
    return [f.result() for f in futures]


def wait_for(condition, seconds, what, every=0.1):
    """Polls until condition() is truthy and returns that; says `what` was awaited otherwise. `every` so many seconds, or
    less often: a guest is slow, and asking takes its time from those that are asked about, so it takes a quarter at most."""
    deadline = time.monotonic() + seconds
    while True:
        asked = time.monotonic()
        value = condition()
        if value:
            return value
        answered = time.monotonic()
        if answered > deadline:
            raise Failure(f"{what}: not within {seconds} s")
        time.sleep(max(every, 3 * (answered - asked)))


class Host:
    def __init__(self, name):
        self.name = name
        self.etc = RAM / name
        fstab = ["run /run tmpfs"]
        for entry in PRIVATE_FOLDERS:
            (self.etc / entry).mkdir(parents=True)
            pathlib.Path("/etc", entry).mkdir(exist_ok=True)
        for entry in PRIVATE_FILES:
            (self.etc / entry).touch()
            pathlib.Path("/etc", entry).touch()
        fstab += [f"{self.etc}/{entry} /etc/{entry} none bind" for entry in PRIVATE_FOLDERS + PRIVATE_FILES]
        (self.etc / "fstab").write_text("\n".join(fstab) + "\n")
        prepare = f"mount -a -T {self.etc}/fstab; for which in all default; do echo 1 > /proc/sys/net/ipv6/conf/$which/disable_ipv6; done"
        subprocess.run(["ip", "netns", "add", name], check=True)
        # `ip netns exec` makes the mount namespace; the holder keeps both alive.
        self.holder = subprocess.Popen(
            ["ip", "netns", "exec", name, "sh", "-ec", prepare + "; echo ready; exec cat"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self.holder.stdout.readline() != b"ready\n":
            raise Failure(f"{name}: its private mounts could not be made")
        self.enter = ["nsenter", "-t", str(self.holder.pid), "-m", "-n", "--"]
        self.used = False  # whether anything ran here that may have left something behind
        self.net_inode = os.stat(f"/proc/{self.holder.pid}/ns/net").st_ino

    @property
    def logs(self):
        folder = RAM / "logs"
        folder.mkdir(exist_ok=True)
        return folder

    def log(self, what):
        return self.logs / f"{self.name}.{what}.log"

    def write(self, path, text):
        """Writes a file of the host's private /etc."""
        file = self.etc / path
        file.write_text(text)
        file.chmod(0o600)

    def proc_net(self, file):
        return pathlib.Path(f"/proc/{self.holder.pid}/net/{file}").read_text()

    def path(self, path):
        """A file of this host (say, under its own /run), as the orchestrator sees it."""
        return pathlib.Path(f"/proc/{self.holder.pid}/root{path}")

    def run(self, *argv, stdin=None, check=True, timeout=60):
        """Runs a command on the host; its output as text."""
        done = subprocess.run(self.enter + [str(a) for a in argv], input=stdin, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout)
        if check and done.returncode:
            raise Failure(f"{self.name}: {' '.join(map(str, argv))}: {done.stdout.strip()}")
        return done.stdout

    def spawn(self, what, *argv, env=None, pass_fds=()):
        """Starts a daemon on the host; whatever it prints goes to its log."""
        self.used = True
        with open(self.log(what), "ab") as log:
            return subprocess.Popen(self.enter + [str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=log,
                                    stderr=log, env={**os.environ, **(env or {})}, pass_fds=pass_fds)

    def socket(self, family=socket.AF_INET, kind=socket.SOCK_STREAM, protocol=0):
        """A socket of this host. The namespace is the calling thread's, so it is put back at once."""
        with open("/proc/self/ns/net") as home, open(f"/proc/{self.holder.pid}/ns/net") as there:
            if libc.setns(there.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
            try:
                return socket.socket(family, kind, protocol)
            finally:
                libc.setns(home.fileno(), CLONE_NEWNET)

    def ip(self, batch):
        self.run("ip", "-batch", "-", stdin=batch)

    def nft(self, ruleset):
        self.run("nft", "-f", "-", stdin=ruleset)

    def processes(self):
        """Names of everything that runs on this host, by process id."""
        found = processes_by_network().get(self.net_inode, {})
        return {pid: name for pid, name in found.items() if pid != self.holder.pid}

    def forget(self):
        """Drops the kernel state and files that a scenario may have left behind."""
        for entry in list(self.path("/run").iterdir()):
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        self.run("sh", "-c", "ip xfrm state flush; ip xfrm policy flush; conntrack -F 2>/dev/null; true")


class Machine(Host):
    """The guest itself in the place of a host: nothing of it is private."""

    def __init__(self, name):
        self.name, self.etc, self.used = name, pathlib.Path("/etc"), False
        self.holder = types.SimpleNamespace(pid=1)
        self.enter = []
        subprocess.run(["ip", "netns", "attach", name, "1"], check=True)
        self.net_inode = os.stat("/proc/1/ns/net").st_ino


def processes_by_network():
    """Inode of a network namespace → its processes, id → name."""
    found = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            inode = os.stat(f"/proc/{entry}/ns/net").st_ino
            found.setdefault(inode, {})[int(entry)] = pathlib.Path(f"/proc/{entry}/comm").read_text().strip()
        except OSError:
            pass  # it has ended
    return found


def status_of(pid):
    """What the kernel says of a process, by name."""
    return dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())


def children(pid):
    return [int(child) for task in pathlib.Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]


def keep_syslog():
    """Takes what daemons send to syslog; without a listener they write on the console."""
    pathlib.Path("/dev/log").unlink(missing_ok=True)
    log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    log.bind("/dev/log")

    def collect():
        while True:
            line = log.recv(8192)
            RAM.joinpath("logs").mkdir(exist_ok=True)
            with open(RAM / "logs/syslog", "ab") as file:
                file.write(line.rstrip(b"\0\n") + b"\n")

    threading.Thread(target=collect, daemon=True).start()


def stop(process, seconds=20):
    """Asks a daemon to end; True if it did so by itself."""
    if process is None:
        return True
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(seconds)
        return True
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return False
