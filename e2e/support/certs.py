"""Certificates: of our own authority by `logkeep certs`, and bad ones by OpenSSL, which makes what we refuse to make."""

import ssl
import subprocess
from pathlib import Path

from .server import BINARY

CONFIG = """[ca]
default_ca = default
[default]
new_certs_dir = {folder}
database = {folder}/index
serial = {folder}/serial
default_md = sha256
policy = any
[any]
commonName = supplied
[leaf]
extendedKeyUsage = {usage}
subjectAltName = DNS:localhost,IP:127.0.0.1
"""


def run(*command):
    ran = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, f"{command}: {ran.stderr}"
    return ran.stdout


class Authority:
    """An authority in a folder, with a pair for a listener called localhost."""

    def __init__(self, folder):
        self.folder = Path(folder)
        run(BINARY, "certs", "init", "--dir", self.folder)
        self.ca = self.folder / "ca.pem"
        self.host = self.listener("host")

    def issue(self, name, *arguments):
        run(BINARY, "certs", "issue", "--dir", self.folder, "--file", name, *arguments)
        return self.folder / f"{name}.pem", self.folder / f"{name}.key"

    def listener(self, name):
        return self.issue(name, "--dns", "localhost", "--ip", "127.0.0.1")

    def client(self, name):
        return self.issue(name, "--client", name)

    def expired(self, name, usage="clientAuth"):
        """A pair whose certificate was good in 2020."""
        made = self.folder / f"{name}.made"
        made.mkdir()
        (made / "index").touch()
        (made / "serial").write_text("4242\n")
        (made / "config").write_text(CONFIG.format(folder=made, usage=usage))
        certificate, key, request = self.folder / f"{name}.pem", self.folder / f"{name}.key", made / "request"
        new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key]
        run("openssl", "req", "-new", *new_key, "-subj", f"/CN={name}", "-out", request)
        signed_by = ["-cert", self.ca, "-keyfile", self.folder / "ca.key"]
        period = ["-startdate", "20200101000000Z", "-enddate", "20200201000000Z", "-extensions", "leaf"]
        run("openssl", "ca", "-batch", "-notext", "-config", made / "config", *signed_by, *period, "-in", request, "-out", certificate)
        return certificate, key

    def context(self, shown=None):
        """How to call a listener of this authority, showing a pair if there is one."""
        context = ssl.create_default_context(cafile=str(self.ca))
        if shown:
            context.load_cert_chain(*map(str, shown))
        return context

    def settings(self, *more, pair=None):
        """The section of the configuration: for all listeners."""
        certificate, key = pair or self.host
        lines = [f'  certificate: "{certificate}"', f'  key: "{key}"', *(f"  {line}" for line in more)]
        return "tls:\n" + "\n".join(lines) + "\n"
