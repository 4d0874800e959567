"""The gateway everybody has today: Debian's strongSwan, xl2tpd and pppd. The lab's negative control."""

from client import PSK, STRONGSWAN_CONF, password_of
from netns import Failure, stop, wait_for
from topology import CLIENT_HOSTS

IPSEC_CONF = """
config setup
  uniqueids = no
conn lab
  keyexchange = ikev1
  type = transport
  authby = secret
  left = %any
  leftprotoport = 17/1701
  right = %any
  rightprotoport = 17/%any
  rekey = no
  auto = add
"""

XL2TPD_CONF = """
[global]
port = 1701
access control = no
debug tunnel = yes
{extra}
[lns default]
ip range = 10.99.1.1-10.99.1.250
local ip = 10.99.0.1
require authentication = no
ppp debug = yes
pppoptfile = /etc/ppp/options.lab
length bit = yes
"""

PPP_OPTIONS = """
auth
require-mschap-v2
noccp
ms-dns 10.99.0.53
mtu 1400
mru 1400
lcp-echo-interval 30
lcp-echo-failure 4
debug
logfile {log}
"""


def write_xl2tpd(host, userspace=False):
    """What Debian's xl2tpd and pppd need to serve the lab's users; userspace: without the kernel's L2TP."""
    host.write("xl2tpd/xl2tpd.conf", XL2TPD_CONF.format(extra="force userspace = yes" if userspace else ""))
    host.write("ppp/options", "")
    host.write("ppp/options.lab", PPP_OPTIONS.format(log=host.log("pppd")))
    host.write("ppp/chap-secrets", "".join(f'{user} * "{password_of(user)}" *\n' for user in CLIENT_HOSTS))


def start_xl2tpd(host):
    process = host.spawn("xl2tpd", "xl2tpd", "-D", "-c", "/etc/xl2tpd/xl2tpd.conf", "-p", "/run/xl2tpd.pid", "-C", "/run/l2tp-control")
    wait_for(lambda: ":06A5 " in host.proc_net("udp"), 30, "the gateway's xl2tpd listening")
    return process


class Gateway:
    kind = "strongswan"

    def __init__(self, host, ike=None, esp=None, cleartext="off", edit_ruleset=None, **_):
        # No guard keeps clear text out here: that, too, is how it is found in the field.
        self.host = host
        self.starter = self.xl2tpd = None
        proposals = (f"  ike = {','.join(ike)}!\n" if ike else "") + (f"  esp = {','.join(esp)}!\n" if esp else "")
        host.write("strongswan.conf", STRONGSWAN_CONF.format(log=host.log("charon"), extra=""))
        host.write("ipsec.conf", IPSEC_CONF + proposals)
        host.write("ipsec.secrets", f'%any %any : PSK "{PSK}"\n')
        write_xl2tpd(host)

    def start(self):
        self.starter = self.host.spawn("starter", "/usr/lib/ipsec/starter", "--nofork", "--daemon", "charon")
        self.xl2tpd = start_xl2tpd(self.host)
        log = self.host.log("charon")
        wait_for(lambda: log.exists() and "added configuration 'lab'" in log.read_text(), 60, "the gateway's charon ready")

    def casualties(self):
        return ""

    def stop(self):
        if not (stop(self.xl2tpd) and stop(self.starter)):
            raise Failure("xl2tpd or charon did not end when asked to")

    def peers(self):
        return None  # it keeps no such list

    def map_elements(self):
        return 0

    def drops(self):
        return {}
