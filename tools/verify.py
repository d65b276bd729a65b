#!/usr/bin/env python3
"""A second verifier for a Logkeep data folder, written from docs/formats/ alone.

It shares no code with Logkeep, so that agreement between the two says something. Without a key it checks the signed
checkpoints and the trees below them; with the key file also the catalog, every object and every record.

    tools/verify.py DATA [--key-file FILE] [--public-key LINE] [--since CHECKPOINT]... [--class TENANT/CLASS]

Needs the package `cryptography`, and with a key file also `pyarrow`; the log's checksums are computed in Python, slowly. Exits 0 if everything is as
it was acknowledged, 1 with the first damage of each object otherwise. Meant for a folder that no server is changing.
"""

import argparse
import base64
import datetime
import hashlib
import hmac
import io
import json
import math
import re
import shutil
import sqlite3
import struct
import sys
import tempfile
from pathlib import Path

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
CHUNK, TAG = 65536, 16


class Damage(Exception):
    """Something is not as it must be."""


def need(holds, what):
    if not holds:
        raise Damage(what)


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def read(path):
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise Damage(f"{path}: {error.strerror}") from None


class Reader:
    """Bytes from the front, nothing beyond the end."""

    def __init__(self, data, order="<"):
        self.data, self.at, self.order = data, 0, order

    def take(self, count):
        need(0 <= count <= len(self.data) - self.at, "cut short")
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, form):
        return struct.unpack(self.order + form, self.take(struct.calcsize(form)))[0]

    def rest(self):
        return self.take(len(self.data) - self.at)

    def end(self):
        need(self.at == len(self.data), "bytes left over")


# --- transparency-log.md -------------------------------------------------------------------------------------------


def leaf(data):
    return sha(b"\0", data)


def complete_subtrees(leaves):
    """Level by level, the hashes of all complete subtrees; the first level is the leaves."""
    levels = [list(leaves)]
    while len(levels[-1]) > 1:
        below = levels[-1]
        levels.append([sha(b"\1", below[i], below[i + 1]) for i in range(0, len(below) - 1, 2)])
    return levels


def root_of(levels, size):
    """Root of the first `size` leaves: the complete subtrees of its bits, joined from the smallest."""
    root, start = None, size
    for height in range(size.bit_length()):
        if size >> height & 1:
            start -= 1 << height
            subtree = levels[height][start >> height]
            root = subtree if root is None else sha(b"\1", subtree, root)
    return sha() if root is None else root


def public_key_of(line):
    name, key_id, encoded = line.strip().split("+", 2)
    raw = base64.b64decode(encoded, validate=True)
    need(len(raw) == 33 and raw[0] == 1, "the public key is not one of Ed25519")
    need(sha(name.encode(), b"\n", raw)[:4].hex() == key_id, "the public key's id does not belong to it")
    return name, bytes.fromhex(key_id), raw[1:]


def open_note(note, key):
    """The text of a note that the key signed."""
    name, key_id, public = key
    text, _, tail = note.rpartition("\n\n")
    need(text and tail.endswith("\n"), "not a signed note")
    text += "\n"
    good = False
    for line in tail[:-1].split("\n"):
        need(line.startswith("\u2014 "), "not a signature line")
        signer, _, encoded = line[2:].partition(" ")
        raw = base64.b64decode(encoded, validate=True)
        if signer == name and raw[:4] == key_id:
            try:
                Ed25519PublicKey.from_public_bytes(public).verify(raw[4:], text.encode())
                good = True
            except InvalidSignature:
                raise Damage("a signature by the trusted key is wrong") from None
    need(good, "not signed by the trusted key")
    return text


class Checkpoint:
    def __init__(self, note, key):
        try:
            lines = open_note(note.decode(), key)[:-1].split("\n")
            self.origin, size, root = lines[:3]
            self.size, self.root = int(size), base64.b64decode(root, validate=True)
        except ValueError as error:
            raise Damage(f"not a checkpoint: {error}") from None
        need(str(self.size) == size and self.size >= 0 and len(self.root) == 32, "not a checkpoint")
        need(not re.search(r"\s", self.origin) and all(lines[3:]), "not a checkpoint")
        parts = self.origin.split("/")
        need(len(parts) == 4 and parts[0] == "logkeep", f"origin `{self.origin}` is not Logkeep's")
        self.installation, self.klass = parts[1], "/".join(parts[2:])
        self.succeeds = next((line for line in lines[3:] if line.startswith("succeeds ")), None)

    def told(self):
        return self.origin, self.size, self.root


LINK = re.compile(
    r"logkeep statement succession\nversion 1\norigin (\S+)\npredecessor (\S+) (\d+) (\S+)\n"
    r"predecessor-key (\S+)\nrestored (\d+) (\S+)\ntime (-?\d+)\n"
)


class Link:
    """What a restored log says of the one it was restored from; both have signed it."""

    def __init__(self, note, key):
        said = LINK.fullmatch(open_note(note.decode(), key))
        need(said, "not the statement of a succession")
        self.key = public_key_of(said[5])
        open_note(note.decode(), self.key)
        self.origin, self.line = said[1], f"succeeds {said[2]} {said[3]} {said[4]}"
        self.predecessor = said[2], int(said[3]), base64.b64decode(said[4], validate=True)
        self.size, self.root = int(said[6]), base64.b64decode(said[7], validate=True)


class Entry:
    def __init__(self, data):
        bytes_ = Reader(data, ">")
        need(bytes_.take(1) == b"\1", "entry of an unknown version")
        self.tenant, self.klass = (bytes_.take(bytes_.number("B")).decode("ascii") for _ in range(2))
        self.batch, self.records = bytes_.number("Q"), bytes_.number("I")
        self.times, self.received = (bytes_.number("q"), bytes_.number("q")), (bytes_.number("q"), bytes_.number("q"))
        self.root = bytes_.take(32)
        bytes_.end()
        need(self.times[0] <= self.times[1] and self.received[0] <= self.received[1], "entry ends before it begins")


def tile_name(kind, index):
    groups = [f"{index % 1000:03}"]
    while index >= 1000:
        index //= 1000
        groups.insert(0, f"x{index % 1000:03}")
    return f"tile/{kind}/" + "/".join(groups)


def read_tile(folder, kind, index, width):
    """The tile, or a wider one, whose first `width` items are the same."""
    whole = folder / tile_name(kind, index)
    if whole.exists():
        return read(whole)
    partial = Path(f"{whole}.p")
    widths = sorted(int(p.name) for p in partial.glob("*") if p.name.isdigit() and int(p.name) >= width)
    need(widths, f"{whole.relative_to(folder)}: missing (width {width})")
    return read(partial / str(widths[0]))


class Log:
    """The tree of one tenant and class, grown from its entries."""

    def __init__(self, klass):
        self.klass, self.entries, self.leaves, self.levels = klass, [], [], [[]]

    def append(self, data):
        entry = Entry(data)
        need(f"{entry.tenant}/{entry.klass}" == self.klass, f"entry {len(self.entries)}: of another log")
        need(entry.batch == len(self.entries), f"entry {len(self.entries)}: has number {entry.batch}")
        self.entries.append(entry)
        self.leaves.append(leaf(data))

    def read(self, folder, size):
        for index in range(0, size, 256):
            width = min(256, size - index)
            bundle = Reader(read_tile(folder, "entries", index // 256, width), ">")
            for _ in range(width):
                self.append(bundle.take(bundle.number("H")))

    def root(self, size):
        need(size <= len(self.leaves), f"{size} batches are committed to, only {len(self.leaves)} are here")
        if len(self.levels[0]) != len(self.leaves):
            self.levels = complete_subtrees(self.leaves)
        return root_of(self.levels, size)

    def check_tiles(self, folder, size):
        self.root(size)
        for level in range(8):
            count = size >> (8 * level)
            if not count:
                break
            hashes = self.levels[8 * level]
            for index in range(0, count, 256):
                width = min(256, count - index)
                tile = read_tile(folder, level, index // 256, width)
                expected = b"".join(hashes[index : index + width])
                need(tile[: 32 * width] == expected, f"{tile_name(level, index // 256)}: the tile was altered")


# --- encryption.md -------------------------------------------------------------------------------------------------


def unseal(key, nonce, sealed, associated, what):
    try:
        return AESGCM(key).decrypt(nonce, sealed, associated)
    except (InvalidTag, ValueError):
        raise Damage(f"{what} does not open") from None


def key_file(path):
    lines = read(path).decode().splitlines()
    need(len(lines) == 3 and lines[0] == "logkeep-key-file 1", "not a key file")
    key = base64.b64decode(lines[2].removeprefix("key "), validate=True)
    key_id = hmac.digest(key, b"logkeep key id", "sha256")[:8].hex()
    need(lines[1] == f"id {key_id}" and len(key) == 32, "the key file is damaged")
    return key


def unwrap(outer, wrapped, context):
    need(len(wrapped) == 61 and wrapped[0] == 1, f"wrapped key for `{context}` has another form")
    return unseal(outer, wrapped[1:13], wrapped[13:], b"logkeep-wrapped-key\x01" + context.encode(), f"key `{context}`")


def open_row(key, name, sealed):
    need(len(sealed) >= 29 and sealed[0] == 1, f"row `{name}` has another form")
    return unseal(key, sealed[1:13], sealed[13:], b"logkeep-blob\x01" + name.encode(), f"row `{name}`")


def open_object(key, path, sealed, plain_bytes):
    count = max(1, -(-plain_bytes // CHUNK))
    need(len(sealed) == 8 + plain_bytes + TAG * count, "the object has another length")
    need(sealed[:8] == b"LKO1\1\0\0\0", "the object's header is damaged")
    plain = bytearray()
    for chunk in range(count):
        start = 8 + chunk * (CHUNK + TAG)
        number = struct.pack(">Q", chunk)
        associated = b"\1" + bytes([chunk == count - 1]) + number + path.encode()
        plain += unseal(key, bytes(4) + number, sealed[start : start + CHUNK + TAG], associated, f"chunk {chunk}")
    return bytes(plain)


# --- canonical-record.md -------------------------------------------------------------------------------------------


def u32(number):
    return struct.pack("<I", number)


def text(value):
    data = value.encode() if isinstance(value, str) else value
    return u32(len(data)) + data


def skip_value(reader, depth=0):
    """Walks over one value and refuses what is none."""
    need(depth <= 65, "nested too deeply")
    tag = reader.number("B")
    if tag in (3, 4):
        reader.take(8)
    elif tag == 5:
        reader.take(reader.number("I")).decode()
    elif tag == 6:
        reader.take(reader.number("I"))
    elif tag == 7:
        for _ in range(reader.number("I")):
            skip_value(reader, depth + 1)
    elif tag == 8:
        for _ in range(reader.number("I")):
            reader.take(reader.number("I")).decode()
            skip_value(reader, depth + 1)
    else:
        need(tag <= 2, "unknown tag")


def one_value(data):
    reader = Reader(data)
    skip_value(reader)
    reader.end()
    return data


def optional_time(time):
    return bytes(9) if time is None else b"\1" + struct.pack("<q", time)


def record_hash(groups, seed, index):
    halves = [sha(seed, u32(index), bytes([half])) for half in (0, 1)]
    salts = [halves[0][:16], halves[0][16:], halves[1][:16], halves[1][16:]]
    hashes = [sha(bytes([number]), salt, data) for number, salt, data in zip((1, 2, 3, 4), salts, groups)]
    return sha(b"\x52", *hashes)


def known_answer():
    """The example of canonical-record.md, so that a broken verifier is not taken for a broken folder."""
    envelope = optional_time(1700000000000000000) + bytes(59)
    pairs = u32(1) + text("service.name") + b"\5" + text("web")
    attributes = u32(1) + text("n") + b"\3" + struct.pack("<q", -1)
    groups = (envelope, sha(pairs + bytes(28)), b"\5" + text("hi") + b"\0", attributes)
    found = record_hash(groups, bytes(32), 0).hex()
    assert found == "7e2be6a612d88a0b06953bc12c7b470292d918edecd0aa64eb73846dfb3b4acb", found


# --- segment.md ----------------------------------------------------------------------------------------------------


def unzstd(data):
    import pyarrow

    return pyarrow.CompressedInputStream(pyarrow.BufferReader(data), "zstd").read()


def digits(number):
    return str(number) if abs(number) < 9e15 else None


def decimal(number):
    if number == int(number) or not 1e-3 <= abs(number) < 9e15:
        return None
    return repr(number)


def escaped(characters):
    short = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    control = lambda c: c < " " or c == "\x7f"
    return "".join(short.get(c) or (f"\\u{ord(c):04x}" if control(c) else c) for c in characters)


def written(notation, value):
    """A value, in canonical bytes, as a layout writes it."""
    tag = value[0]
    if tag == 5 and notation in "pe":
        characters = value[5:].decode()
        return escaped(characters) if notation == "e" else characters
    if tag == 3 and notation == "p":
        return str(struct.unpack("<q", value[1:])[0])
    if tag == 4 and notation in "wdn":
        number = struct.unpack("<d", value[1:])[0]
        if not math.isfinite(number):
            return None
        if notation == "w":
            return digits(int(number)) if number == int(number) else None
        return decimal(number) if notation == "d" else digits(math.floor(number * 1e6 + 0.5))
    return None


def written_time(time, count):
    seconds, nanos = divmod(time, 10**9)
    if nanos % 10 ** (9 - count):
        return None
    stamp = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds)
    fraction = f".{nanos:09}"[: count + 1] if count else ""
    return f"{stamp:%Y-%m-%dT%H:%M:%S}{fraction}Z"


def layout_of(data):
    reader, parts = Reader(data), []
    while reader.at < len(data):
        letter = chr(reader.number("B"))
        need(letter in "lragbstuc", "unknown part of a layout")
        if letter == "l":
            detail = (reader.take(reader.number("I")).decode(),)
        elif letter in "ag":
            detail = (reader.number("I"), chr(reader.number("B")))
        elif letter in "bs":
            detail = (chr(reader.number("B")),)
        else:
            detail = (reader.number("B"),) if letter == "c" else ()
        parts.append((letter, *detail))
    return parts


def values_of(attributes):
    """The values of a map in canonical bytes, in order."""
    reader, values = Reader(attributes), []
    for _ in range(reader.number("I")):
        reader.take(reader.number("I"))
        start = reader.at
        skip_value(reader)
        values.append(attributes[start : reader.at])
    return values


def take_list(reader):
    return [reader.take(reader.number("I")) for _ in range(reader.number("I"))]


def slots_of(shape):
    reader, slots = Reader(shape), []
    while reader.at < len(shape):
        letter = chr(reader.number("B"))
        need(letter in "nbidsxv", "unknown type letter")
        slots.append((letter, reader.take(reader.number("I")).decode()))
    firsts = [slots.index(slot) == place for place, slot in enumerate(slots)]
    return [(letter, key, first) for (letter, key), first in zip(slots, firsts)]


def encode_cell(letter, value):
    if letter == "b":
        return b"\2" if value else b"\1"
    if letter == "i":
        return b"\3" + struct.pack("<q", value)
    if letter == "d":
        return b"\4" + value
    if letter == "s":
        return b"\5" + text(value)
    return b"\6" + text(value) if letter == "x" else one_value(value)


def cells(column):
    """A column's values; doubles as their eight bytes, because a NaN's bits are not Python's to choose."""
    import pyarrow

    column = column.combine_chunks() if hasattr(column, "combine_chunks") else column
    if isinstance(column, pyarrow.ChunkedArray):
        column = pyarrow.concat_arrays(column.chunks) if column.num_chunks else pyarrow.array([], column.type)
    if column.type != pyarrow.float64():
        return column.to_pylist()
    data, start = column.buffers()[1], column.offset
    raw = memoryview(data).cast("B") if data else b""
    valid = column.is_valid().to_pylist()
    return [bytes(raw[8 * (start + i) : 8 * (start + i) + 8]) if ok else None for i, ok in enumerate(valid)]


class Rows:
    """Records in columns, as canonical groups."""

    def __init__(self, table, streams, shapes, layouts):
        self.columns = {name: cells(table.column(name)) for name in table.column_names}
        self.count = table.num_rows
        self.streams = [sha(stream) for stream in streams]
        self.shapes = [slots_of(shape) for shape in shapes]
        self.layouts = [layout_of(layout) for layout in layouts]
        self.resources = [values_of(stream) for stream in streams]

    def at(self, name, row):
        return self.columns[name][row]

    def groups(self, row):
        return self.envelope(row), self.streams[self.at("stream", row)], self.body(row), self.attributes(row)

    def times(self, row):
        """Effective time, own time or None."""
        time, whose, received = self.at("time", row), self.at("time_from", row), self.at("received", row)
        observed = self.at("observed", row)
        expected = {0: time, 1: observed, 2: received}.get(whose)
        need(time == expected and (whose != 2 or observed is None), f"row {row}: its times contradict each other")
        return time, time if whose == 0 else None

    def envelope(self, row):
        return b"".join(
            (
                optional_time(self.at("received", row)),
                optional_time(self.times(row)[1]),
                optional_time(self.at("observed", row)),
                bytes([self.at("severity_number", row)]),
                text(self.at("severity_text", row)),
                u32(self.at("flags", row)),
                self.at("trace_id", row) or bytes(16),
                self.at("span_id", row) or bytes(8),
                text(self.at("event_name", row)),
                u32(self.at("dropped_attributes", row)),
            )
        )

    def body(self, row):
        body, value, original = self.at("body", row), self.at("body_value", row), self.original(row)
        need((body is None) != (value is None), f"row {row}: has no body, or two")
        encoded = one_value(value) if body is None else b"\5" + text(body)
        return encoded + (b"\0" if original is None else b"\5" + text(original))

    def original(self, row):
        stored, layout = self.at("original", row), self.at("layout", row)
        if layout is None:
            return stored
        need(stored is None, f"row {row}: has two originals")
        rest = (self.at("rest", row) or "").split("\x1f")
        need(rest.pop() == "", f"row {row}: the rest of its original is cut short")
        pieces = [self.part(row, part, rest) for part in self.layouts[layout]]
        need(None not in pieces and not rest, f"row {row}: does not fit the layout of its original")
        return "".join(pieces)

    def part(self, row, part, rest):
        letter = part[0]
        if letter == "l":
            return part[1]
        if letter == "r":
            return rest.pop(0) if rest else None
        if letter == "a":
            return written(part[2], values_of(self.attributes(row))[part[1]])
        if letter == "g":
            return written(part[2], self.resources[self.at("stream", row)][part[1]])
        if letter == "b":
            body = self.at("body", row)
            return written(part[1], self.at("body_value", row) if body is None else b"\5" + text(body))
        if letter == "s":
            return written(part[1], b"\5" + text(self.at("severity_text", row)))
        if letter == "c":
            time = self.times(row)[1]
            return None if time is None else written_time(time, part[1])
        identity = self.at("trace_id" if letter == "t" else "span_id", row)
        return identity.hex() if identity and any(identity) else None

    def attributes(self, row):
        slots = self.shapes[self.at("shape", row)]
        overflow = Reader(self.at("overflow", row) or b"")
        out = [u32(len(slots))]
        for letter, key, first in slots:
            out.append(text(key))
            column = self.columns.get(f"a/{key}/{letter}") if first else None
            if letter == "n":
                out.append(b"\0")
            elif column is not None and column[row] is not None:
                out.append(encode_cell(letter, column[row]))
            else:
                start = overflow.at
                skip_value(overflow)
                out.append(overflow.data[start : overflow.at])
        overflow.end()
        return b"".join(out)

    def check_batch(self, entry, places, seed):
        """Whether the rows at `places`, in order of index, are the batch that the entry commits to."""
        indexes = [self.at("index", row) for row in places]
        need(indexes == list(range(entry.records)), f"batch {entry.batch}: has not its {entry.records} records")
        hashes = [leaf(record_hash(self.groups(row), seed, index)) for index, row in zip(indexes, places)]
        found = root_of(complete_subtrees(hashes), len(hashes))
        need(found == entry.root, f"batch {entry.batch}: its records do not have the root that was acknowledged")
        times, received = [self.times(row)[0] for row in places], [self.at("received", row) for row in places]
        bounds = ((min(times), max(times)), (min(received), max(received)))
        need(bounds == (entry.times, entry.received), f"batch {entry.batch}: has other time bounds than its entry")


def read_segment(data):
    import pyarrow.parquet

    need(len(data) >= 56 and data[-4:] == b"LKS1", "not a segment")
    trailer = Reader(data[-56:])
    parquet, tables, index, rows = (trailer.number("Q") for _ in range(4))
    trailer.take(16)
    need(trailer.number("I") == 2, "segment of an unknown version")
    need(parquet + tables + index + 56 == len(data), "the segment's parts do not add up")
    # Without threads: a pool that is torn down at exit sometimes aborts the process.
    file = pyarrow.parquet.ParquetFile(io.BytesIO(data[:parquet]), pre_buffer=False)
    table = file.read(use_threads=False)
    need(table.num_rows == rows, "the segment has another number of rows")
    lists = Reader(unzstd(data[parquet : parquet + tables]))
    streams, shapes, layouts, batches = (take_list(lists) for _ in range(4))
    lists.end()
    need(all(len(batch) == 44 for batch in batches), "a batch of the segment has another form")
    seeds = {struct.unpack("<QI", batch[:12]): batch[12:] for batch in batches}
    return Rows(table, streams, shapes, layouts), seeds


def check_segment(data, row, log):
    rows, seeds = read_segment(data)
    need(rows.count == row["records"], "it has another number of records than the catalog says")
    numbers = list(range(row["first_batch"], row["last_batch"] + 1))
    need(sorted(number for number, _ in seeds) == numbers, "it does not hold the batches that the catalog says")
    places = {number: [] for number in numbers}
    for place, number in enumerate(rows.columns["batch"]):
        need(number in places, f"row {place}: of batch {number}, which is not here")
        places[number].append(place)
    for (number, records), seed in seeds.items():
        at = sorted(places[number], key=lambda place: rows.at("index", place))
        need(records == len(at), f"batch {number}: has not its {records} records")
        rows.check_batch(log.entries[number], at, seed)
    return rows.count


# --- wal.md --------------------------------------------------------------------------------------------------------


def crc32c_table():
    table = []
    for number in range(256):
        for _ in range(8):
            number = number >> 1 ^ (0x82F63B78 if number & 1 else 0)
        table.append(number)
    return table


CRC = crc32c_table()
WAL_HEAD_BYTES = 20


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = CRC[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def whole_frame(data, at):
    """(kind, slot, sequence, first of its group, body) of the frame at a place; None if it is not whole."""
    head = data[at : at + 24]
    if len(head) < 24 or head[:4] != b"LKWF" or head[12] not in (1, 2, 3) or head[15]:
        return None
    length, crc = struct.unpack("<II", head[4:12])
    body = data[at + 24 : at + 24 + length]
    if len(body) < length or crc32c(head[4:8] + head[12:] + body) != crc:
        return None
    slot, sequence, group = struct.unpack("<HxII", head[13:24])
    return head[12], slot, sequence, group, body


def frames_of(data):
    """(place, kind, slot, sequence, body) of every frame; what a stop left at the end is left out."""
    at, expected = WAL_HEAD_BYTES, 0
    while at < len(data):
        frame = whole_frame(data, at)
        if frame is None:
            later = data.find(b"LKWF", at + 1)
            while later >= 0:
                after = whole_frame(data, later)
                need(after is None or after[3] <= expected, f"byte {at}: a frame that was synced is damaged")
                later = data.find(b"LKWF", later + 1)
            return
        kind, slot, sequence, _, body = frame
        need(sequence == expected, f"byte {at}: frame {sequence} where {expected} was expected")
        yield at, kind, slot, sequence, body
        at, expected = at + 24 + len(body), expected + 1


def batches_of(path, outer):
    """(entry bytes, seed, lines of the ledger, payload) of every batch in a file of the log whose request is whole."""
    data, number = read(path), int(path.stem)
    if len(data) < WAL_HEAD_BYTES:
        return
    file_id = struct.pack("<Q", number)
    version = data[7]
    head = b"LKWAL\0\0" + bytes([version]) + file_id
    need(data[:WAL_HEAD_BYTES] == head + struct.pack("<I", crc32c(head)), "the head of the file is damaged")
    need(version in (5, 6), "a log of an unknown version")
    keys, request = [], []
    for at, kind, slot, sequence, body in frames_of(data):
        if kind == 1:
            reader = Reader(body)
            tenant = reader.take(reader.number("B")).decode("ascii")
            need(slot == len(keys), f"byte {at}: slot {slot} out of order")
            keys.append(unwrap(outer, reader.rest(), f"wal/{number:012}/{tenant}"))
            continue
        need(slot < len(keys), f"byte {at}: a batch comes without its tenant's key")
        count = struct.pack(">Q", sequence)
        associated = b"LKF1" + struct.pack(">Q", 8) + file_id + count + bytes([kind])
        reader = Reader(unseal(keys[slot], bytes(4) + count, body, associated, f"frame at byte {at}"))
        seed, _ = reader.take(32), reader.take(32)
        entry, lines = reader.take(reader.number("H")), reader.take(reader.number("I"))
        if version > 5:
            reader.take(reader.number("I"))
        request.append((entry, seed, lines, reader.rest()))
        if kind == 2:
            yield from request
            request = []


def check_payload(payload, entry, seed):
    import pyarrow.ipc

    reader = Reader(unzstd(payload))
    streams, shapes, layouts = (take_list(reader) for _ in range(3))
    table = pyarrow.ipc.open_stream(reader.rest()).read_all()
    rows = Rows(table, streams, shapes, layouts)
    need("batch" not in table.column_names, "a payload names its batch")
    rows.check_batch(entry, list(range(rows.count)), seed)
    return rows.count


# --- data-folder.md ------------------------------------------------------------------------------------------------


def stored_by(lines):
    """Records that lines of the ledger count as stored. What became of the records of a line must add up."""
    stored = 0
    for line in json.loads(lines):
        became = line["stored"] + line.get("deduplicated", 0) + line.get("deferred", 0)
        became += sum(line.get("rejected", {}).values()) + sum(line.get("dropped", {}).values())
        need(line["received"] == became, f"a line of the ledger does not balance: {line}")
        stored += line["stored"]
    return stored


class Catalog:
    def __init__(self, data, outer):
        self.key = unwrap(outer, read(data / "catalog.key"), "catalog")
        need((data / "catalog.sqlite").exists(), "catalog.sqlite: missing")
        # Of a copy, because SQLite folds a journal that it finds into the file.
        with tempfile.TemporaryDirectory() as copy:
            for name in ("catalog.sqlite", "catalog.sqlite-wal"):
                if (data / name).exists():
                    shutil.copy(data / name, copy)
            self.db = sqlite3.connect(Path(copy) / "catalog.sqlite")
            try:
                self.load()
            finally:
                self.db.close()

    def load(self):
        need(self.db.execute("PRAGMA user_version").fetchone()[0] in (2, 3), "catalog of an unknown version")
        self.meta = {n: open_row(self.key, f"meta/{n}", v) for n, v in self.db.execute("SELECT name, value FROM meta")}
        lines = [line.split(" ", 2) for line in self.meta.get("succession", b"").decode().splitlines()]
        self.succession = {f"{tenant}/{klass}": line for tenant, klass, line in lines}
        self.heads = self.rows("heads", "tenant, class", 2)
        rows = self.rows("segments", "tenant, class, id", 3)
        self.segments = {}
        for (tenant, klass, name), row in rows.items():
            need(row["id"] == name, f"row of segment {name} is another")
            need((tenant, klass) in self.heads, f"segment {name} belongs to no head")
            self.segments.setdefault((tenant, klass), []).append(row)
        self.pages = {}
        for tenant, klass, first, last, body in self.db.execute(
            "SELECT tenant, class, first, last, body FROM ledger ORDER BY first"
        ):
            reader = Reader(open_row(self.key, f"ledger/{tenant}/{klass}/{first}-{last}", body))
            page = json.loads(reader.take(reader.number("H")))
            need((page["first"], page["last"]) == (first, last), f"page {first} of the ledger is another")
            stored = stored_by(unzstd(reader.rest()))
            self.pages.setdefault((tenant, klass), []).append((first, last, stored))
        for name, head in self.heads.items():
            following = 0
            for first, last, _ in self.pages.get(name, []):
                need(first == following <= last, f"batch {following}: no page of the ledger, or two")
                following = last + 1
            need(following == head["flushed"], f"batches from {following} on have no page of the ledger")
        need(set(self.pages) <= set(self.heads), "a page of the ledger belongs to no head")

    def rows(self, table, columns, count):
        found = {}
        for *key, body in self.db.execute(f"SELECT {columns}, body FROM {table}"):
            found[tuple(key)] = json.loads(open_row(self.key, "/".join([table, *key[:count]]), body))
        return found

    def check_signer(self, key, installations):
        seed, installation = self.meta["checkpoint-signer"], self.meta["installation"].hex()
        public = Ed25519PrivateKey.from_private_bytes(seed).public_key()
        raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        need(raw == key[2] and key[0] == f"logkeep-{installation}", "the public key is not that of the signing key")
        need(installations <= {installation}, "a checkpoint is of another installation")

    def segments_of(self, name, head):
        rows = sorted(self.segments.get(name, []), key=lambda row: row["first_batch"])
        following = 0
        for row in rows:
            need(row["first_batch"] == following, f"batch {following}: no segment, or two")
            following = row["last_batch"] + 1
        need(following == head["flushed"], f"batches from {following} to {head['flushed']} have no segment")
        commitment = sha(*(row["id"].encode() + b"\0" + bytes(row["sha256"]) for row in rows))
        need(commitment == bytes(head["segments"]), "the head commits to other segments")
        return rows


def class_of(note):
    """The tenant and class that a checkpoint claims to be of."""
    return "/".join(note.decode(errors="replace").split("\n")[0].split("/")[2:])


class Verifier:
    def __init__(self, options):
        self.data = Path(options.data)
        self.options, self.damage, self.records = options, [], 0
        own = read(self.data / "tlog/public-key").decode()
        need(options.public_key in (None, own.strip()), "tlog/public-key is not the key that was given")
        self.key = public_key_of(own)
        self.outer = key_file(options.key_file) if options.key_file else None
        self.catalog = Catalog(self.data, self.outer) if self.outer else None
        self.batches = self.read_wal() if self.outer else {}
        self.since = [read(path) for path in options.since]

    def attempt(self, where, work, *arguments):
        try:
            return work(*arguments)
        except Damage as damage:
            self.damage.append(f"{where}: {damage}")
        except Exception as error:  # bytes that a library refuses are damage too
            self.damage.append(f"{where}: {type(error).__name__}: {error}")
        return None

    def read_wal(self):
        found = {}
        for path in sorted((self.data / "wal").glob("????????????.wal")):
            self.attempt(path.name, self.read_wal_file, path, found)
        return found

    def read_wal_file(self, path, found):
        for data, seed, lines, payload in batches_of(path, self.outer):
            entry = Entry(data)
            need(stored_by(lines) == entry.records, f"batch {entry.batch}: the ledger counts other records as stored")
            batches = found.setdefault(f"{entry.tenant}/{entry.klass}", [])
            # A number that is given twice: what was written before with it, or after it, was refused.
            while batches and batches[-1][1] >= entry.batch:
                batches.pop()
            batches.append((path.name, entry.batch, data, seed, payload))

    def run(self):
        checkpoints = {}
        for path in sorted(self.data.glob("tlog/*/*/checkpoint")):
            klass = "/".join(path.parts[-3:-1])
            checkpoints[klass] = self.attempt(path, self.own_checkpoint, path, klass)
        known = {checkpoint.installation for checkpoint in checkpoints.values() if checkpoint}
        if len(known) > 1:
            self.damage.append("the checkpoints are of several installations")
        classes = set(checkpoints) | set(self.batches) | {class_of(note) for note in self.since}
        if self.catalog:
            self.attempt("catalog", self.catalog.check_signer, self.key, known)
            # The ledger has pages of its own, and no tree.
            classes |= {"/".join(name) for name in self.catalog.heads if name[1] != "ledger"}
        for klass in sorted(classes if self.options.klass is None else {self.options.klass}):
            self.attempt(klass, self.check_class, klass, checkpoints.get(klass))

    def own_checkpoint(self, path, klass):
        need(all(NAME.fullmatch(name) for name in klass.split("/")), "not a tenant and class")
        checkpoint = Checkpoint(read(path), self.key)
        need(checkpoint.klass == klass, f"it is of `{checkpoint.klass}`")
        return checkpoint

    def check_class(self, klass, checkpoint):
        log, folder = Log(klass), self.data / "tlog" / klass
        name = tuple(klass.split("/"))
        head = self.catalog.heads.get(name) if self.catalog else None
        published = checkpoint.size if checkpoint else 0
        need(checkpoint or not (head and head["flushed"]), "the checkpoint is missing")
        log.read(folder, max(published, head["flushed"] if head else 0))
        log.check_tiles(folder, published)
        records = 0
        if head:
            need(log.root(head["flushed"]) == bytes(head["root"]), "the entries do not have the root in the catalog")
            for first, last, stored in self.catalog.pages.get(name, []):
                there = sum(entry.records for entry in log.entries[first : last + 1])
                need(stored == there, f"the ledger counts {stored} records in batches {first} to {last}")
            for row in self.catalog.segments_of(name, head):
                records += self.attempt(row["id"], self.check_object, klass, row, log) or 0
        if self.catalog:
            records += self.check_wal(klass, log, head["flushed"] if head else 0)
        links = list(self.follow(klass, checkpoint)) if checkpoint else []
        told = [checkpoint] * bool(checkpoint) + [each for link in links for each in link]
        for kept in told + self.kept_elsewhere(klass, links):
            need(log.root(kept.size) == kept.root, f"the first {kept.size} batches are not those of a checkpoint")
        self.records += records
        size = len(log.entries)
        print(f"{klass}: {size} batches, {records} records; root {base64.b64encode(log.root(size)).decode()}")

    def follow(self, klass, checkpoint):
        """The logs before a restored one, newest first: the statement of each, and its last checkpoint in the copy."""
        key, origin, line = self.key, checkpoint.origin, checkpoint.succeeds
        if self.catalog:
            need(line == self.catalog.succession.get(klass), "the checkpoint names another predecessor than the catalog")
        for folder in sorted((self.data / "tlog" / klass / "succession").glob("*"), reverse=True):
            link = Link(read(folder / "statement"), key)
            need(link.origin == origin and link.line == line, f"{folder}: not about the log that follows it")
            kept = Checkpoint(read(folder / "checkpoint"), link.key)
            need(kept.told() == link.predecessor, f"{folder}: another checkpoint than the statement says")
            yield link, kept
            key, origin, line = link.key, kept.origin, kept.succeeds
        need(line is None, f"the statement of `{line}` is missing")

    def kept_elsewhere(self, klass, links):
        keys = {f"logkeep/{key[0].removeprefix('logkeep-')}/{klass}": key for key in [self.key, *(l.key for l, _ in links)]}
        kept = []
        for note in self.since:
            if class_of(note) == klass:
                kept.append(Checkpoint(note, keys.get(note.decode().split("\n")[0], self.key)))
                for link, last in links:
                    gone = kept[-1].origin == last.origin and kept[-1].size > link.size
                    need(not gone, f"the log it was restored from went on after its first {link.size} batches")
        return kept

    def check_object(self, klass, row, log):
        path = f"{klass}/segment/{row['id']}"
        sealed = read(self.data / "objects" / path)
        need(len(sealed) == row["sealed_bytes"], "it has another length than the catalog says")
        need(sha(sealed) == bytes(row["sha256"]), "its bytes are not those that were written")
        key = unwrap(self.outer, bytes(row["wrapped_key"]), path)
        return check_segment(open_object(key, path, sealed, row["plain_bytes"]), row, log)

    def check_wal(self, klass, log, flushed):
        following, records = flushed, 0
        for where, number, data, seed, payload in self.batches.get(klass, []):
            if number < following:
                continue
            need(number == following, f"{where}: batches {following} to {number - 1} are missing")
            if number < len(log.entries):
                need(leaf(data) == log.leaves[number], f"{where}: batch {number} is another than in the tree")
            else:
                log.append(data)
            records += check_payload(payload, log.entries[number], seed)
            following += 1
        need(following == len(log.entries), f"batches {following} to {len(log.entries) - 1} are in no segment and no log")
        return records


def main():
    known_answer()
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("data", help="data folder")
    parser.add_argument("--key-file", help="key file: verifies objects and records as well")
    parser.add_argument("--public-key", help="the public key as obtained elsewhere, one line")
    parser.add_argument("--since", action="append", default=[], help="a checkpoint that was kept elsewhere")
    parser.add_argument("--class", dest="klass", metavar="TENANT/CLASS", help="only this one")
    try:
        verifier = Verifier(parser.parse_args())
        verifier.run()
    except (Damage, ValueError, sqlite3.Error) as damage:
        print(f"DAMAGED {damage}")
        return 1
    for damage in verifier.damage:
        print(f"DAMAGED {damage}")
    if not verifier.damage:
        print(f"verified: {verifier.records} records" if verifier.outer else "verified: trees only, no key given")
    return 1 if verifier.damage else 0


if __name__ == "__main__":
    sys.exit(main())
