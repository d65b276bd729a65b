"""Plain HTTP over one kept connection, with nothing added and nothing followed."""

import http.client
import json
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass
class Answer:
    status: int
    headers: dict
    body: bytes
    cookies: tuple = ()

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    def json(self):
        return json.loads(self.body)


def reads(path):
    """Whether this is a question to the API, and nothing that is sent to be stored."""
    return path.startswith("/api/v1/") and not path.startswith("/api/v1/ingest")


class Connection:
    """One connection; opened again if the server closed it between two requests. What reads shows the token."""

    def __init__(self, url, timeout_s=60, tls=None, token=None):
        self.url = urlsplit(url)
        self.token = token
        self.tls = tls
        self.timeout_s = timeout_s
        self.open = None

    def request(self, method, path, body=None, headers=None):
        fresh = self.open is None
        try:
            return self._request(method, path, body, headers)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            self.close()
            # A kept connection may have been closed while it was idle; reading again is safe, writing is not.
            if fresh or method != "GET":
                raise
            return self._request(method, path, body, headers)
        except Exception:
            self.close()
            raise

    def _request(self, method, path, body, headers):
        if self.open is None:
            kind, security = http.client.HTTPConnection, {}
            if self.url.scheme == "https":
                kind, security = http.client.HTTPSConnection, {"context": self.tls}
            self.open = kind(self.url.hostname, self.url.port, timeout=self.timeout_s, **security)
        shown = {"authorization": f"Bearer {self.token}"} if self.token and reads(path) else {}
        self.open.request(method, path, body=body, headers={**shown, **(headers or {})})
        answer = self.open.getresponse()
        cookies = tuple(answer.headers.get_all("set-cookie") or ())
        headers = {name.lower(): value for name, value in answer.getheaders()}
        read = Answer(answer.status, headers, answer.read(), cookies)
        if answer.will_close:
            self.close()
        return read

    def get(self, path, **headers):
        return self.request("GET", path, headers=headers)

    def post(self, path, body, headers=None):
        return self.request("POST", path, body, headers)

    def close(self):
        if self.open is not None:
            self.open.close()
            self.open = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
