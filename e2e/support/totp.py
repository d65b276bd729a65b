"""Codes as an app computes them (RFC 6238 over RFC 4226), from nothing but the secret."""

import base64
import hashlib
import hmac
import struct
import time

from .wait import until

STEP_S = 30


class App:
    """An app that was shown a secret. Codes are asked for by steps from when it was."""

    def __init__(self, secret):
        self.key = base64.b32decode(secret + "=" * (-len(secret) % 8))
        # Early enough in a step for all that a test does with the codes beside it.
        until(lambda: time.time() % STEP_S < STEP_S / 2, "a step of the clock begins", 20, 0.1)
        self.step = int(time.time()) // STEP_S

    def code(self, steps=0):
        digest = hmac.digest(self.key, struct.pack(">Q", self.step + steps), hashlib.sha1)
        place = digest[-1] & 15
        number = struct.unpack(">I", digest[place : place + 4])[0] & 0x7FFF_FFFF
        return f"{number % 1_000_000:06}"
