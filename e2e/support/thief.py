"""Whoever has a data folder and its key file: opens what docs/formats/encryption.md says can be opened, with nothing of ours."""

import base64
import json
import re
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

WRAPPED_BYTES = 61
CHUNK_BYTES = 65_536


class Thief:
    def __init__(self, data, key):
        self.data = Path(data)
        self.key = AESGCM(base64.b64decode(re.search(r"^key (\S+)$", Path(key).read_text(), re.MULTILINE)[1]))
        self.catalog = AESGCM(self.unwrapped((self.data / "catalog.key").read_bytes(), "catalog"))

    def unwrapped(self, wrapped, context):
        """The data key that was wrapped for this."""
        return self.key.decrypt(wrapped[1:13], wrapped[13:], b"logkeep-wrapped-key\x01" + context.encode())

    def segments(self, tenant):
        """The rows of a tenant's segments, by path."""
        found = {}
        with tempfile.TemporaryDirectory() as folder:
            for file in self.data.glob("catalog.sqlite*"):
                shutil.copy(file, folder)
            with closing(sqlite3.connect(Path(folder) / "catalog.sqlite")) as database:
                rows = database.execute("select class, id, body from segments where tenant = ?", [tenant]).fetchall()
        for of, id, body in rows:
            named = b"logkeep-blob\x01" + f"segments/{tenant}/{of}/{id}".encode()
            found[f"{tenant}/{of}/segment/{id}"] = json.loads(self.catalog.decrypt(body[1:13], body[13:], named))
        return found

    def contexts(self, tenant):
        """What keys of a tenant that are here now are for, the audit trail's aside."""
        segments = [path for path in self.segments(tenant) if f"{tenant}/audit/" not in path]
        logs = [f"wal/{path.stem}/{tenant}" for path in sorted((self.data / "wal").glob("*.wal"))]
        return segments + logs

    def opens(self, contexts):
        """For which of these a key can be had, from a row of the catalog or from anywhere in any file."""
        found = set()
        for path, row in self.segments(contexts[0].split("/")[0]).items() if contexts else ():
            if path in contexts and self.unwrapped(bytes(row["wrapped_key"]), path):
                found.add(path)
        for path in sorted(path for path in self.data.rglob("*") if path.is_file()):
            try:
                body = path.read_bytes()
            except FileNotFoundError:
                # A server that runs has removed it meanwhile.
                continue
            at = body.find(b"\x01")
            while 0 <= at <= len(body) - WRAPPED_BYTES:
                found |= {context for context in set(contexts) - found if self.is_key(body[at : at + WRAPPED_BYTES], context)}
                at = body.find(b"\x01", at + 1)
        return found

    def is_key(self, wrapped, context):
        try:
            return bool(self.unwrapped(wrapped, context))
        except InvalidTag:
            return False

    def content(self, path):
        """The first chunk of a segment."""
        row = self.segments(path.split("/")[0])[path]
        key = AESGCM(self.unwrapped(bytes(row["wrapped_key"]), path))
        sealed = (self.data / "objects" / path).read_bytes()
        is_last = len(sealed) <= 8 + CHUNK_BYTES + 16
        associated = bytes([1, is_last]) + bytes(8) + path.encode()
        return key.decrypt(bytes(12), sealed[8 : 8 + CHUNK_BYTES + 16], associated)
