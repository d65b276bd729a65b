"""A stand-in for the Transit engine of HashiCorp Vault.

The real one can be installed from none of the registries that these tests may use (Debian, PyPI, npm, crates.io). What is here
follows its API documentation: paths, fields, status codes and the words of its errors. It says nothing about a real one's other
behaviour.
"""

import base64
import hashlib
import hmac
import json
import os
import secrets
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY = "logkeep"
NAMESPACE = "logs"


class Refused(Exception):
    def __init__(self, status, *errors):
        super().__init__(status, *errors)
        self.status, self.errors = status, errors


class Vault:
    """One key, made as `derived` or not. `start` and `stop` keep what it knows."""

    def __init__(self, folder, authority=None, derived=False):
        self.folder = folder
        self.authority = authority
        self.derived = derived
        self.versions = [secrets.token_bytes(32)]
        self.least_version = 1
        self.token_file = folder / "vault" / "token"
        self.token_file.parent.mkdir(parents=True)
        self.port = 0
        self.server = None
        self.delay_s = 0.0
        self.sealed = False
        self.asked = []
        self.renew_token()

    def renew_token(self):
        """As an agent of Vault does: another file in the place of the old one, and the old token ends."""
        self.token = f"hvs.{secrets.token_hex(12)}"
        new = self.token_file.with_name("token.new")
        new.write_text(self.token + "\n")
        new.chmod(0o640)
        new.rename(self.token_file)

    def start(self):
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                if stand_in.server is None:
                    # Kept connections outlive the listener; a server that is gone answers on none.
                    self.close_connection = True
                    return
                time.sleep(stand_in.delay_s)
                try:
                    status, answer = 200, {"data": stand_in.answer(self.path, self.headers, json.loads(body))}
                except Refused as refused:
                    status, answer = refused.status, {"errors": list(refused.errors)}
                content = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        if self.authority:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*map(str, self.authority.host))
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def stop(self):
        server, self.server = self.server, None
        if server:
            server.shutdown()
            server.server_close()

    @property
    def address(self):
        return f"{'https' if self.authority else 'http'}://127.0.0.1:{self.port}"

    def settings(self):
        """Sections of the configuration."""
        ca = f'  ca_file: "{self.authority.ca}"\n' if self.authority else ""
        return (
            f'keys:\n  provider: vault\nvault:\n  address: "{self.address}"\n  key: {KEY}\n  namespace: {NAMESPACE}\n'
            f'  token_file: "{self.token_file}"\n{ca}'
        )

    def answer(self, path, headers, body):
        if self.sealed:
            raise Refused(503, "Vault is sealed")
        if not hmac.compare_digest(headers.get("x-vault-token", ""), self.token):
            raise Refused(403, "permission denied")
        if headers.get("x-vault-namespace") != NAMESPACE:
            raise Refused(404, "no handler for route")
        self.asked.append(path)
        actions = {
            f"/v1/transit/encrypt/{KEY}": self.encrypt,
            f"/v1/transit/decrypt/{KEY}": self.decrypt,
            f"/v1/transit/keys/{KEY}/rotate": self.rotate,
        }
        if path not in actions:
            raise Refused(404, "no handler for route")
        return actions[path](body)

    def cipher(self, version, body):
        key = self.versions[version - 1]
        if self.derived:
            if not body.get("context"):
                raise Refused(400, "missing 'context' for key derivation; the key was created using a derived key")
            key = hmac.new(key, base64.b64decode(body["context"]), hashlib.sha256).digest()
        return AESGCM(key), base64.b64decode(body.get("associated_data", ""))

    def encrypt(self, body):
        cipher, bound = self.cipher(len(self.versions), body)
        nonce = os.urandom(12)
        sealed = nonce + cipher.encrypt(nonce, base64.b64decode(body["plaintext"]), bound)
        return {"ciphertext": f"vault:v{len(self.versions)}:{base64.b64encode(sealed).decode()}"}

    def decrypt(self, body):
        try:
            vault, version, sealed = body["ciphertext"].split(":")
            version, sealed = int(version.removeprefix("v")), base64.b64decode(sealed)
            if vault != "vault" or not 1 <= version <= len(self.versions):
                raise ValueError(version)
        except ValueError:
            raise Refused(400, "invalid ciphertext: no prefix") from None
        if version < self.least_version:
            raise Refused(400, "ciphertext or signature version is disallowed by policy (too old)")
        cipher, bound = self.cipher(version, body)
        try:
            return {"plaintext": base64.b64encode(cipher.decrypt(sealed[:12], sealed[12:], bound)).decode()}
        except InvalidTag:
            raise Refused(400, "cipher: message authentication failed") from None

    def rotate(self, _):
        self.versions.append(secrets.token_bytes(32))
        return None
