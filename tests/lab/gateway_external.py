"""The gateway with an L2TP daemon that knows nothing of marks: ikd and the ruleset from a build folder, Debian's xl2tpd and pppd."""

import json

import gateway_sameroof
import gateway_strongswan
from netns import Failure, stop


class Gateway(gateway_sameroof.Gateway):
    def __init__(self, host, build, settings=None, userspace=False, **options):
        """userspace: xl2tpd carries data itself, without the kernel's L2TP."""
        settings = {**(settings or {})}
        settings["l2tp"] = {"lns": "external", **settings.get("l2tp", {})}
        super().__init__(host, build, settings=settings, **options)
        self.xl2tpd = None
        gateway_strongswan.write_xl2tpd(host, userspace)

    def start_l2tp(self):
        self.xl2tpd = gateway_strongswan.start_xl2tpd(self.host)

    def ready(self):
        if self.casualties():
            raise Failure(self.casualties())
        return json.loads(self.xfrmctl("status", "--json", check=False))["ikd"]  # whatever it says of l2tpd

    def casualties(self):
        ended = [super().casualties()]
        if self.xl2tpd and self.xl2tpd.poll() is not None:
            ended.append(f"xl2tpd ended by itself with status {self.xl2tpd.returncode}")
        return ", ".join(filter(None, ended))

    def stop(self):
        if self.casualties():
            raise Failure(self.casualties())
        clean, self.xl2tpd = stop(self.xl2tpd), None
        super().stop()
        if not clean:
            raise Failure("xl2tpd did not end when asked to")
