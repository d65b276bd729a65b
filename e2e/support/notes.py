"""Signed notes (C2SP), checked with nothing of ours but the form."""

import base64
import re

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def verified(note, key):
    """The text of a note, line by line, if the key of one line has signed it."""
    name, _, encoded = key.strip().split("+", 2)
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(encoded)[1:])
    text, signatures = note.split("\n\n", 1)
    signature = re.fullmatch(rf"— {re.escape(name)} (\S+)\n", signatures)
    public.verify(base64.b64decode(signature[1])[4:], f"{text}\n".encode())
    return dict(line.split(" ", 1) for line in text.splitlines()[1:])
