"""The broker's side of SASL on one connection of Kafka: PLAIN (RFC 4616) and SCRAM (RFC 5802 with SHA-256 and SHA-512)."""

import base64
import hashlib
import hmac
import secrets
import struct

HANDSHAKE, AUTHENTICATE = 17, 36
HASHES = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}
ITERATIONS = 4_096
UNSUPPORTED, FAILED = 33, 58


class Failed(Exception):
    """Whoever it is does not know the password."""


class Login:
    def __init__(self, mechanism, user, password):
        self.mechanism, self.user, self.password = mechanism, user, password
        self.is_known, self.first = False, None

    def answer(self, key, body):
        """What is answered, without its length and correlation."""
        if key == HANDSHAKE:
            (length,) = struct.unpack(">h", body[:2])
            asked = body[2 : 2 + length].decode()
            error = 0 if asked == self.mechanism else UNSUPPORTED
            return struct.pack(">hih", error, 1, len(self.mechanism)) + self.mechanism.encode()
        (length,) = struct.unpack(">i", body[:4])
        try:
            said = self.step(body[4 : 4 + length])
        except Failed as failed:
            why = str(failed).encode()
            return struct.pack(">hh", FAILED, len(why)) + why + struct.pack(">iq", 0, 0)
        return struct.pack(">hhi", 0, -1, len(said)) + said + struct.pack(">q", 0)

    def step(self, said):
        if self.mechanism == "PLAIN":
            if said.split(b"\0")[1:] != [self.user.encode(), self.password.encode()]:
                raise Failed("wrong name or password")
            self.is_known = True
            return b""
        return self.proof(said) if self.first else self.challenge(said)

    def challenge(self, said):
        header, bare = said.decode().split(",,", 1)
        fields = dict(field.split("=", 1) for field in bare.split(","))
        if header != "n" or fields["n"] != self.user:
            raise Failed("wrong name")
        self.salt, self.nonce = secrets.token_bytes(16), fields["r"] + secrets.token_hex(12)
        first = f"r={self.nonce},s={base64.b64encode(self.salt).decode()},i={ITERATIONS}"
        self.first = f"{bare},{first}"
        return first.encode()

    def proof(self, said):
        name = HASHES[self.mechanism]
        digest = lambda key, text: hmac.digest(key, text.encode(), name)
        without, proof = said.decode().rsplit(",p=", 1)
        salted = hashlib.pbkdf2_hmac(name, self.password.encode(), self.salt, ITERATIONS)
        signed = f"{self.first},{without}"
        stored = hashlib.new(name, digest(salted, "Client Key")).digest()
        mask = hmac.digest(stored, signed.encode(), name)
        shown = bytes(a ^ b for a, b in zip(base64.b64decode(proof), mask, strict=True))
        is_right = hmac.compare_digest(hashlib.new(name, shown).digest(), stored)
        if not is_right or f"r={self.nonce}" not in without.split(","):
            raise Failed("wrong password")
        self.is_known = True
        return b"v=" + base64.b64encode(digest(digest(salted, "Server Key"), signed))
