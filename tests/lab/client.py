"""A real client: strongSwan's charon, xl2tpd in kernel mode and pppd, on a host of its own."""

import contextlib
import os
import re
import signal
import textwrap

from netns import Failure, stop, wait_for
from topology import GATEWAY, INSIDE

PSK = "correct horse battery staple"
IKE = "aes256-sha256-modp2048"
ESP = "aes256-sha1"

# The plugins a PSK client needs, rather than all that are installed: charon starts faster.
STRONGSWAN_CONF = """
charon {{
  load = random nonce aes sha1 sha2 md5 hmac gcm gmp openssl kernel-netlink socket-default stroke
  install_routes = no
  port = 500
  {extra}
  filelog {{
    log {{
      path = {log}
      time_format = %H:%M:%S
      flush_line = yes
      default = 1
      ike = 2
      knl = 2
    }}
  }}
}}
"""

IPSEC_CONF = """
config setup
  uniqueids = no
conn lab
  keyexchange = ikev1
  type = transport
  authby = secret
  left = %defaultroute
  leftprotoport = 17/{port}
  right = {remote}
  rightid = %any
  rightprotoport = 17/1701
  ike = {ike}!
  esp = {esp}!
  ikelifetime = {ikelifetime}
  lifetime = {lifetime}
  rekeymargin = {margin}
  rekeyfuzz = 0%
  keyingtries = 1
  auto = start
{extra}
"""

# What else is spoken to the gateway inside IPsec: each has SAs of its own.
SERVICE_CONF = """
conn {name}
  also = lab
  leftprotoport = {protocol}
  rightprotoport = {protocol}/{port}
"""

XL2TPD_CONF = """
[global]
port = {port}
access control = no
debug tunnel = yes
[lac lab]
lns = {remote}:1701
autodial = yes
redial = no
require authentication = no
ppp debug = yes
pppoptfile = /etc/ppp/options.lab
length bit = yes
{extra}
"""

PPP_OPTIONS = """
name {user}
password {password}
noauth
noccp
nodefaultroute
usepeerdns
ipcp-accept-local
ipcp-accept-remote
mtu 1400
mru 1400
lcp-echo-interval 0
lcp-echo-failure 0
debug
logfile {log}
{extra}
"""

# pppd runs this when IPCP is up: the one route the checks use, and a note that it is there.
IP_UP = """#!/bin/sh
ip route replace {inside}/32 dev "$1"
echo "$1 $4 $5" > /run/ppp.up
"""


def size_of(log):
    return log.stat().st_size if log.exists() else 0


def text_from(log, start):
    """What was written to a log after its first `start` bytes."""
    return log.read_bytes()[start:].decode(errors="replace") if log.exists() else ""


def password_of(user):
    return f"password of {user}"


def quoted(text):
    """As a value in the files of pppd and of FreeRADIUS."""
    return '"' + text.replace("\\", "\\\\") + '"'


class Client:
    def __init__(self, host, remote=GATEWAY, ike=IKE, esp=ESP, ikelifetime="3h", lifetime="1h", margin="9m", spi=None,
                 ipsec=True, password=None, ppp_options="", l2tp_options="", l2tp_secret=None, id_port="1701", l2tp_port=1701,
                 ipsec_options="", services=(), user=None):
        """user: its PPP login, its own name as a rule; id_port: which local port IPsec is asked to protect; l2tp_port: from
        where L2TP is really spoken; services: (protocol, port) of what else the gateway serves inside IPsec."""
        self.host, self.remote, self.ipsec = host, remote, ipsec
        self.name, self.user = host.name, user or host.name
        self.conns = ["lab", *(f"{protocol}-{port}" for protocol, port in services)]
        self.starter = self.l2tp = None
        self.device = self.address = None
        self.charon_log_start = self.ppp_log_start = 0
        self.description = f"{self.name} ({ike}, {esp})" if ipsec else f"{self.name} (clear text)"
        host.write("strongswan.conf", STRONGSWAN_CONF.format(
            log=host.log("charon"), extra=f"spi_min = {spi}\n  spi_max = {spi}" if spi else ""))
        host.write("ipsec.conf", IPSEC_CONF.format(remote=remote, ike=ike, esp=esp, ikelifetime=ikelifetime,
                                                   lifetime=lifetime, margin=margin, port=id_port,
                                                   extra=textwrap.indent(ipsec_options, "  "))
                   + "".join(SERVICE_CONF.format(name=f"{protocol}-{port}", protocol=protocol, port=port)
                             for protocol, port in services))
        host.write("ipsec.secrets", f'%any %any : PSK "{PSK}"\n')
        host.write("xl2tpd/xl2tpd.conf", XL2TPD_CONF.format(remote=remote, port=l2tp_port, extra=l2tp_options))
        host.write("xl2tpd/l2tp-secrets", f"* * {l2tp_secret}\n" if l2tp_secret else "")
        host.write("ppp/options", "")
        host.write("ppp/options.lab", PPP_OPTIONS.format(user=quoted(self.user), password=quoted(password or password_of(self.user)),
                                                         log=host.log("pppd"), extra=ppp_options))
        host.write("ppp/ip-up", IP_UP.format(inside=INSIDE))
        (host.etc / "ppp/ip-up").chmod(0o755)

    def up(self, patience=45):
        if self.ipsec:
            self.start_ipsec(patience)
        self.start_l2tp(patience)

    def charon_log(self):
        return text_from(self.host.log("charon"), self.charon_log_start)

    def start_ipsec(self, patience=45):
        self.charon_log_start = size_of(self.host.log("charon"))  # what earlier ones wrote is not ours
        self.starter = self.host.spawn("starter", "/usr/lib/ipsec/starter", "--nofork", "--daemon", "charon")

        def settled():
            log = self.charon_log()
            trouble = re.search(r"received \S+ error notify|giving up after .*|no shared key found.*|parsing .* failed", log)
            if trouble:
                raise Failure(f"{self.description}: IPsec did not come up: {trouble[0]}")
            return all(re.search(rf"CHILD_SA {conn}\{{\d+\}} established", log) for conn in self.conns)

        wait_for(settled, patience, f"{self.description}: IPsec up")

    def start_l2tp(self, patience=45):
        self.ppp_log_start = size_of(self.host.log("pppd"))
        self.await_ppp(patience, "xl2tpd", "xl2tpd", "-D", "-c", "/etc/xl2tpd/xl2tpd.conf", "-p", "/run/xl2tpd.pid",
                       "-C", "/run/l2tp-control")

    def await_ppp(self, patience, what, *argv, **options):
        """Starts what speaks L2TP or PPP and waits until IPCP is up."""
        note = self.host.path("/run/ppp.up")
        note.unlink(missing_ok=True)
        self.l2tp = self.host.spawn(what, *argv, **options)

        def settled():
            if self.l2tp.poll() is not None:
                raise Failure(f"{self.description}: {what} ended")
            refusal = re.search(r"\S+ authentication failed.*|Remote message: .*incorrect.*|peer refused to authenticate.*", self.ppp_log())
            if refusal:
                raise Failure(f"{self.description}: PPP was refused: {refusal[0]}")
            return note.exists() and note.read_text().split()

        self.device, self.address, _ = wait_for(settled, patience, f"{self.description}: PPP up")

    def ppp_log(self):
        return text_from(self.host.log("pppd"), self.ppp_log_start)

    def established(self, kind):
        """How often charon has established an IKE_SA or a CHILD_SA."""
        return len(re.findall(kind + r" lab[\[{]\d+[\]}] established", self.charon_log()))

    def renew_with(self, esp, patience=45):
        """New keys under the same IKE SA, with another ESP proposal."""
        before = self.established("CHILD_SA")
        configuration = (self.host.etc / "ipsec.conf").read_text()
        self.host.write("ipsec.conf", re.sub(r"  esp = .*", f"  esp = {esp}!", configuration))
        self.starter.send_signal(signal.SIGHUP)  # which starts what it has read
        wait_for(lambda: self.established("CHILD_SA") > before, patience, f"{self.description}: new keys with {esp}")

    def inbound_spis(self):
        states = self.host.run("ip", "xfrm", "state")
        return [spi for dst, spi in re.findall(r"dst (\S+)\s+proto esp spi (\S+)", states) if dst != self.remote]

    def hang_up(self):
        """Leaves politely: L2TP StopCCN, then IKE Deletes."""
        clean = stop(self.l2tp)
        # Its pppd lives a little longer, and what it says without IPsec goes out in clear.
        wait_for(lambda: "pppd" not in self.host.processes().values(), 30, f"{self.name}: pppd gone")
        clean = stop(self.starter) and clean  # it stops charon, which says goodbye first
        self.l2tp = self.starter = None
        return clean

    def let_go(self):
        """Gives up what it holds in this very process, where the world's sweep does not reach."""

    def vanish(self):
        """Ends without a word to anybody, as by a power cut: processes and the kernel's state are gone."""
        for number in (signal.SIGSTOP, signal.SIGKILL):  # none may notice the end of another and say so
            for pid in self.host.processes():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
        for process in (self.l2tp, self.starter):
            if process:
                process.wait()
        self.l2tp = self.starter = None
        wait_for(lambda: not self.host.processes(), 20, f"{self.name}: its processes gone")
        self.host.forget()
