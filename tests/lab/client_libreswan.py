"""A real client with another IPsec: Libreswan's pluto instead of strongSwan's charon."""

import pathlib
import re

from certificates import GATEWAY_SUBJECT
from client import PSK, Client, size_of, text_from
from netns import Failure, wait_for

# As NetworkManager-l2tp configures it, with the lab's addresses and lifetimes.
IPSEC_CONF = """
config setup
  nssdir = {nss}
  ikev1-policy = accept
  uniqueids = no
conn lab
  ikev2 = no
  type = transport
  authby = {authby}
  left = {local}
  leftprotoport = udp/{port}
  leftupdown = %disabled
  right = {remote}
  rightprotoport = udp/1701
  ike = {ike}
  esp = {esp}
  pfs = no
  ikelifetime = {ikelifetime}
  salifetime = {lifetime}
  rekeymargin = {margin}
  rekeyfuzz = 0%
  keyingtries = 1
  auto = start
{extra}
"""

WITH_CERTIFICATE = f"""
  leftcert = own
  leftid = %fromcert
  leftsendcert = always
  rightid = "{GATEWAY_SUBJECT}"
"""

PROGRAMS = pathlib.Path("/usr/libexec/ipsec")
NSS = "/run/nss"
P12_PASSWORD = "lab"


def install(unpacked):
    """Libreswan looks for its own programs in one place; the guest's root is ours to change."""
    if not PROGRAMS.exists():
        PROGRAMS.symlink_to(pathlib.Path(unpacked) / "usr/libexec/ipsec")


class LibreswanClient(Client):
    def __init__(self, host, ike="aes256-sha2_256;modp2048", esp="aes256-sha1", ikelifetime="3h", lifetime="1h", margin="9m",
                 id_port="1701", certificate=None, **options):
        """certificate: an authority that has issued an RSA certificate under the host's name."""
        super().__init__(host, ike=ike, esp=esp, **options)
        local = re.search(r"src (\S+)", host.run("ip", "route", "get", self.remote))[1]
        host.write("ipsec.conf", IPSEC_CONF.format(nss=NSS, local=local, port=id_port, remote=self.remote, ike=ike, esp=esp,
                                                   ikelifetime=ikelifetime, lifetime=lifetime, margin=margin,
                                               authby="rsasig" if certificate else "secret",
                                               extra=WITH_CERTIFICATE if certificate else ""))
        host.write("ipsec.secrets", f'{local} {self.remote} : PSK "{PSK}"\n')
        self.description = f"{self.name} (Libreswan, {ike}, {esp})"
        self.pluto_log_start = 0
        self.certificate = certificate
        if certificate:
            host.write("ca.pem", certificate.text("ca.pem"))
            (host.etc / "own.p12").write_bytes(certificate.pkcs12(host.name, P12_PASSWORD))

    def ipsec_log(self):
        return text_from(self.host.log("pluto"), self.pluto_log_start)

    def start_ipsec(self, patience=45):
        self.host.run("sh", "-ec", f"mkdir -p {NSS} /run/pluto; certutil -N -d sql:{NSS} --empty-password")
        if self.certificate:
            self.host.run("certutil", "-A", "-d", f"sql:{NSS}", "-n", "ca", "-t", "CT,,", "-a", "-i", self.host.etc / "ca.pem")
            self.host.run("pk12util", "-i", self.host.etc / "own.p12", "-d", f"sql:{NSS}", "-W", P12_PASSWORD, "-K", "")
        self.pluto_log_start = size_of(self.host.log("pluto"))
        self.starter = self.host.spawn("pluto", PROGRAMS / "pluto", "--nofork", "--stderrlog",
                                       "--config", "/etc/ipsec.conf", "--secretsfile", "/etc/ipsec.secrets")

        def settled():
            if self.starter.poll() is not None:
                raise Failure(f"{self.description}: pluto ended: {self.ipsec_log()[-300:]}")
            trouble = re.search(r"received and ignored notification payload: .*|.*NO_PROPOSAL_CHOSEN.*|.*deleting state.* not replacing.*"
                                r"|FATAL ERROR.*|.*failed to add .*|addconn.*(?:failed|error).*", self.ipsec_log())
            if trouble:
                raise Failure(f"{self.description}: IPsec did not come up: {trouble[0]}")
            return "IPsec SA established transport mode" in self.ipsec_log()

        wait_for(settled, patience, f"{self.description}: IPsec up")

    def established(self, kind):
        words = {"IKE_SA": r"(?:ISAKMP|IKE) SA established", "CHILD_SA": "IPsec SA established"}[kind]
        return len(re.findall(words, self.ipsec_log()))
