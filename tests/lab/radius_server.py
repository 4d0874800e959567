"""A real FreeRADIUS on a host of the lab, with users of its own and a record of what it was asked."""

import re

from client import password_of, quoted
from gateway_sameroof import RADIUS_SECRET
from netns import stop, wait_for

CONFIGURATION = """
prefix = /usr
name = radiusd
confdir = {folder}
logdir = {folder}
run_dir = {folder}
libdir = /usr/lib/freeradius
max_requests = 256
security {{
  allow_vulnerable_openssl = yes
}}
client gateway {{
  ipaddr = 0.0.0.0/0
  secret = {secret}
  require_message_authenticator = no
}}
thread pool {{
  start_servers = 1
  max_servers = 2
  min_spare_servers = 1
  max_spare_servers = 2
  max_requests_per_server = 0
}}
modules {{
  files {{
    usersfile = {folder}/users
  }}
  mschap {{
    with_ntdomain_hack = yes
  }}
  pap {{
  }}
  chap {{
  }}
  detail asked {{
    filename = {folder}/asked
    permissions = 0600
  }}
  detail told {{
    filename = {folder}/told
    permissions = 0600
  }}
  always ok {{
    rcode = ok
  }}
}}
server default {{
  listen {{
    type = auth
    ipaddr = *
    port = 1812
  }}
  listen {{
    type = acct
    ipaddr = *
    port = 1813
  }}
  authorize {{
    asked
    chap
    mschap
    files
    pap
  }}
  authenticate {{
    Auth-Type PAP {{
      pap
    }}
    Auth-Type CHAP {{
      chap
    }}
    Auth-Type MS-CHAP {{
      mschap
    }}
  }}
  accounting {{
    told
  }}
}}
"""


class RadiusServer:
    def __init__(self, host, users):
        """users: name → attributes of the answer."""
        self.host, self.folder, self.process = host, host.etc / "radius", None
        self.folder.mkdir(exist_ok=True)
        for record in ("asked", "told"):
            (self.folder / record).unlink(missing_ok=True)
        host.write("radius/radiusd.conf", CONFIGURATION.format(folder=self.folder, secret=RADIUS_SECRET))
        host.write("radius/users", "".join(
            f"{user} Cleartext-Password := {quoted(password_of(user))}\n  " + ",\n  ".join(["Service-Type = Framed-User", *attributes]) + "\n"
            for user, attributes in users.items()))

    def __enter__(self):
        self.process = self.host.spawn("freeradius", "freeradius", "-f", "-d", self.folder, "-l", "stdout", "-n", "radiusd")
        wait_for(lambda: "Ready to process requests" in self.host.log("freeradius").read_text(), 60, "FreeRADIUS ready")
        return self

    def __exit__(self, *_):
        stop(self.process)

    def records(self, file):
        """What came in, oldest first, each a dictionary: "asked" (Access-Request) or "told" (Accounting-Request)."""
        path = self.folder / file
        blocks = path.read_text().split("\n\n") if path.exists() else []
        return [dict(re.findall(r"^\t(\S+) = \"?(.*?)\"?$", block.replace("\\\\", "\\"), re.M)) for block in blocks if block.strip()]

    def accounting(self, user, status):
        return [r for r in self.records("told") if r.get("User-Name") == user and r.get("Acct-Status-Type") == status]
