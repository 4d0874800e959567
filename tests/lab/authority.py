"""A certificate authority of the lab's own, by the openssl program."""

import pathlib
import subprocess
import tempfile


def openssl(*argv):
    subprocess.run(["openssl", *(str(a) for a in argv)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


CA = "basicConstraints = critical,CA:TRUE\nkeyUsage = critical,keyCertSign,cRLSign\n"


class Authority:
    """Its certificate is ca.pem in `folder`; what it issues is NAME.pem and NAME.key there."""

    def __init__(self, subject="/O=Lab/CN=Root"):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="authority."))
        self.kinds, self.own = {}, []
        (self.folder / "index").write_text("")
        (self.folder / "ca.cnf").write_text(
            f"[ca]\ndefault_ca = lab\n[lab]\ndatabase = {self.folder}/index\ndefault_md = sha256\ndefault_crl_days = 3\n")
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", 3, "-subj", subject, "-sha256",
                "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout", self.path("ca.key"), "-out", self.path("ca.pem"))

    def path(self, name):
        return self.folder / name

    def text(self, name):
        return self.path(name).read_text()

    def issue(self, name, subject, kind="rsa", usage="clientAuth", by="ca"):
        """kind: "rsa", or a curve such as "prime256v1"; by: one of its branches."""
        self._issue(name, subject, kind, f"basicConstraints = CA:FALSE\nkeyUsage = digitalSignature\nextendedKeyUsage = {usage}\n", by)

    def issue_own(self, kinds, by="ca"):
        """The gateway's, one of each kind of key; `own` has their names."""
        self.own = [f"gateway-{kind}" for kind in kinds]
        for kind, name in zip(kinds, self.own):
            self.issue(name, "/O=Lab/CN=gateway", kind, "serverAuth", by)

    def branch(self, name, subject):
        """An authority under this one."""
        self._issue(name, subject, "rsa", CA, "ca")

    def _issue(self, name, subject, kind, extensions, by):
        self.kinds[name] = kind
        key = ["-newkey", "rsa:2048"] if kind == "rsa" else ["-newkey", "ec", "-pkeyopt", f"ec_paramgen_curve:{kind}"]
        openssl("req", *key, "-nodes", "-subj", subject, "-keyout", self.path(f"{name}.key"), "-out", self.path(f"{name}.csr"))
        self.path(f"{name}.ext").write_text(extensions)
        openssl("x509", "-req", "-in", self.path(f"{name}.csr"), "-CA", self.path(f"{by}.pem"), "-CAkey", self.path(f"{by}.key"),
                "-CAcreateserial", "-days", 3, "-sha256", "-extfile", self.path(f"{name}.ext"), "-out", self.path(f"{name}.pem"))

    def revoke(self, *names):
        """crl.pem afterwards."""
        for name in names:
            openssl("ca", "-config", self.path("ca.cnf"), "-cert", self.path("ca.pem"), "-keyfile", self.path("ca.key"),
                    "-revoke", self.path(f"{name}.pem"))
        openssl("ca", "-config", self.path("ca.cnf"), "-cert", self.path("ca.pem"), "-keyfile", self.path("ca.key"), "-gencrl",
                "-out", self.path("crl.pem"))

    def pkcs12(self, name, password):
        """Certificate, key and ca.pem in one file."""
        openssl("pkcs12", "-export", "-in", self.path(f"{name}.pem"), "-inkey", self.path(f"{name}.key"), "-name", "own",
                "-certfile", self.path("ca.pem"), "-passout", f"pass:{password}", "-out", self.path(f"{name}.p12"))
        return self.path(f"{name}.p12").read_bytes()
