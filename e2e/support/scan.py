"""Looking for plain text in a folder, as someone who has stolen it would: raw, and inside all that can be opened.

Every place in a file that looks like the beginning of a compressed stream is opened, several deep; databases are opened
and each of their values looked at.
"""

import io
import lzma
import shutil
import sqlite3
import tempfile
import zlib
from contextlib import closing
from pathlib import Path

import lz4.frame
import zstandard

OPENED_BYTES = 64 << 20
DEPTH = 3


def _gzip(body):
    return zlib.decompressobj(wbits=31).decompress(body, OPENED_BYTES)


def _zlib(body):
    return zlib.decompressobj().decompress(body, OPENED_BYTES)


def _zstd(body):
    return zstandard.ZstdDecompressor().stream_reader(io.BytesIO(body)).read(OPENED_BYTES)


def _lz4(body):
    return lz4.frame.LZ4FrameDecompressor().decompress(body, OPENED_BYTES)


def _xz(body):
    return lzma.LZMADecompressor().decompress(body, OPENED_BYTES)


MAGIC = [
    (b"\x28\xb5\x2f\xfd", _zstd),
    (b"\x1f\x8b\x08", _gzip),
    (b"\x04\x22\x4d\x18", _lz4),
    (b"\xfd7zXZ\x00", _xz),
    (b"\x78\x01", _zlib),
    (b"\x78\x5e", _zlib),
    (b"\x78\x9c", _zlib),
    (b"\x78\xda", _zlib),
]
FAULTS = (zlib.error, zstandard.ZstdError, RuntimeError, lzma.LZMAError, EOFError, OSError)


def opened(body):
    """What each compressed stream in `body` holds, wherever it begins."""
    for magic, read in MAGIC:
        at = body.find(magic)
        while at >= 0:
            try:
                inside = read(body[at:])
            except FAULTS:
                inside = b""
            if inside:
                yield f"{read.__name__[1:]} at {at}", inside
            at = body.find(magic, at + 1)


def values(path):
    """Every value and name in a database, read from a copy with its side files."""
    with tempfile.TemporaryDirectory() as folder:
        for file in path.parent.glob(path.name + "*"):
            shutil.copy(file, folder)
        with closing(sqlite3.connect(Path(folder) / path.name)) as database:
            database.text_factory = bytes
            for (table,) in database.execute("select name from sqlite_master where type = 'table'").fetchall():
                for row in database.execute(f'select * from "{table.decode()}"'):
                    for value in row:
                        if value is not None:
                            yield f"table {table.decode()}", value if isinstance(value, bytes) else str(value).encode()


class Scan:
    """`needles` are bytes; text is found in any letter case, and as UTF-16."""

    def __init__(self, needles):
        self.needles = [
            needle for one in needles for needle in (one.lower(), one.lower().decode("latin1").encode("utf-16-le"))
        ]
        self.files = self.streams = self.bytes = 0
        self.found = []

    def folder(self, folder):
        for path in sorted(path for path in Path(folder).rglob("*") if path.is_file()):
            try:
                body = path.read_bytes()
            except FileNotFoundError:
                continue  # A running server replaces files: what it removed is not in the folder any more.
            self.files += 1
            self.look(str(path.relative_to(folder)), str(path).encode())
            self.look(str(path.relative_to(folder)), body, DEPTH)
            if body.startswith(b"SQLite format 3\x00"):
                for where, value in values(path):
                    self.look(f"{path.name}: {where}", value, DEPTH)
        return self

    def look(self, where, body, depth=0):
        self.bytes += len(body)
        lower = body.lower()
        self.found += [(where, needle) for needle in self.needles if needle in lower]
        if depth:
            for what, inside in opened(body):
                self.streams += 1
                self.look(f"{where}: {what}", inside, depth - 1)
