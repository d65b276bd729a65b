"""A stand-in for a provider of OpenID Connect, which says whatever a test has it say, and a browser without a screen."""

import base64
import hashlib
import hmac
import json
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from .http import Connection

CLIENT, SECRET = "logkeep", "s3cret: of & a client"


def base64url(data):
    data = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Key:
    """An RSA key in a file, and what the provider publishes of it."""

    def __init__(self, folder, kid):
        self.kid, self.path = kid, folder / f"{kid}.pem"
        subprocess.run(["openssl", "genrsa", "-out", self.path, "2048"], check=True, capture_output=True)
        self.public_pem = self._openssl("rsa", "-pubout")
        modulus = self._openssl("rsa", "-noout", "-modulus").decode().strip().removeprefix("Modulus=")
        self.jwk = {"kty": "RSA", "use": "sig", "kid": kid, "n": base64url(bytes.fromhex(modulus)), "e": "AQAB"}

    def _openssl(self, command, *arguments, stdin=None):
        command = ["openssl", command, "-in", str(self.path), *arguments]
        return subprocess.run(command, input=stdin, check=True, capture_output=True).stdout

    def sign(self, message):
        command = ["openssl", "dgst", "-sha256", "-sign", str(self.path)]
        return subprocess.run(command, input=message, check=True, capture_output=True).stdout


def token(claims, sign, **header):
    signed = f"{base64url({'typ': 'JWT', **header})}.{base64url(claims)}"
    return f"{signed}.{base64url(sign(signed.encode()))}"


def rs256(key):
    return lambda claims: token(claims, key.sign, alg="RS256", kid=key.kid)


def hs256(secret, kid):
    return lambda claims: token(claims, lambda message: hmac.digest(secret, message, hashlib.sha256), alg="HS256", kid=kid)


def unsigned(claims):
    return token(claims, lambda _: b"", alg="none")


class Provider:
    """`make` makes a token of claims; `claims` are what differs from those of a good one, where None is absent."""

    def __init__(self, folder):
        self.folder = folder
        self.key = Key(folder, "first")
        self.published = [self.key.jwk]
        self.make, self.claims = rs256(self.key), {}
        self.requests, self.challenges = [], {}
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                provider.requests.append(self.path)
                self._answer(*provider.get(self.path))

            def do_POST(self):
                form = dict(parse_qsl(self.rfile.read(int(self.headers["content-length"])).decode()))
                provider.requests.append(self.path)
                self._answer(*provider.exchange(form, self.headers["authorization"]))

            def _answer(self, status, body, headers=()):
                body = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                usual = {"content-type": "application/json", "content-length": len(body)}
                for name, value in {**usual, **dict(headers)}.items():
                    self.send_header(name, str(value))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def get(self, path):
        if path == "/.well-known/openid-configuration":
            return 200, self.metadata()
        if path == "/jwks":
            return 200, {"keys": self.published}
        return 404, {}

    def metadata(self):
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    def authorize(self, location):
        """What the provider would ask whoever comes by this address; gives the code and the way back."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
        assert location.startswith(f"{self.url}/authorize?") and asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT and asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split() and len(asked["state"]) >= 32 and len(asked["nonce"]) >= 32
        code = f"code-{len(self.challenges)}"
        self.challenges[code] = asked
        return code, asked

    def exchange(self, form, authorization):
        asked = self.challenges.pop(form["code"], None)
        basic = base64.b64decode(authorization.split()[1]).decode()
        known = f"{CLIENT}:{urlencode({'': SECRET})[1:]}"
        if asked is None or basic != known or form["redirect_uri"] != asked["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        if base64url(hashlib.sha256(form["code_verifier"].encode()).digest()) != asked["code_challenge"]:
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        good = {"iss": self.url, "sub": "1", "aud": CLIENT, "iat": now, "exp": now + 60, "nonce": asked["nonce"]}
        good |= {"preferred_username": "jane", "groups": ["devs"]}
        claims = {name: value for name, value in {**good, **self.claims}.items() if value is not None}
        return 200, {"access_token": "x", "token_type": "Bearer", "id_token": self.make(claims)}

    def settings(self):
        secret = self.folder / "client-secret"
        secret.write_text(SECRET + "\n")
        return (
            f'oidc:\n  issuer: "{self.url}"\n  client_id: {CLIENT}\n  client_secret_file: "{secret}"\n'
            "  label: Example\n  roles: {devs: analyst, ops: [administrator, auditor]}\n"
        )

    def stop(self):
        self.http.shutdown()
        self.http.server_close()


class Browser:
    """Follows nothing by itself, and keeps its cookies."""

    def __init__(self, server):
        self.connection, self.cookies = Connection(server.url), {}

    def get(self, path):
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = self.connection.get(path, **({"cookie": cookies} if cookies else {}))
        for cookie in answer.cookies:
            name, value = cookie.split(";")[0].split("=", 1)
            assert "HttpOnly" in cookie and "SameSite=Lax" in cookie, cookie
            self.cookies[name] = value
            if "Max-Age=0" in cookie:
                del self.cookies[name]
        return answer

    def begin(self, provider, to=""):
        """Up to the provider: its code, and what it was asked."""
        answer = self.get("/api/v1/session/oidc/start" + (f"?{urlencode({'to': to})}" if to else ""))
        assert answer.status == 303, answer.text
        return provider.authorize(answer.headers["location"])

    def come_back(self, **parameters):
        answer = self.get(f"/api/v1/session/oidc/callback?{urlencode(parameters)}")
        assert answer.status == 303, answer.text
        return answer.headers["location"]

    def sign_in(self, provider, to=""):
        code, asked = self.begin(provider, to)
        return self.come_back(code=code, state=asked["state"])
