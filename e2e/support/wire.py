"""Bytes that no library would send: protocol buffers by hand, snappy without compression, bombs."""

import gzip
import struct

import zstandard


def varint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out) + bytes([number])


def message(*fields):
    """A message from (number, value): bytes and text are length-delimited, integers are varints, floats are 64 bits."""
    out = bytearray()
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        elif isinstance(value, float):
            out += varint(number << 3 | 1) + struct.pack("<Q", int(value))
        else:
            value = value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | 2) + varint(len(value)) + value
    return bytes(out)


def snappy(body):
    """A raw block of literals only."""
    out = varint(len(body))
    for start in range(0, len(body), 60):
        part = body[start : start + 60]
        out += bytes([(len(part) - 1) << 2]) + part
    return out


def otlp_string(text):
    return message((1, text))


def otlp_record(body, attributes=()):
    """A LogRecord; `body` is an AnyValue, attributes are (key, AnyValue)."""
    return message((5, body), *((6, message((1, key), (2, value))) for key, value in attributes))


def otlp_logs(records, service="bad-input"):
    """An ExportLogsServiceRequest."""
    resource = message((1, message((1, "service.name"), (2, otlp_string(service)))))
    return message((1, message((1, resource), (2, message(*((2, record) for record in records))))))


def loki_push(streams):
    """A PushRequest from (labels, lines)."""

    def entry(line):
        return message((1, message((1, 1_795_168_800))), (2, line))

    return message(*((1, message((1, labels), *((2, entry(line)) for line in lines))) for labels, lines in streams))


def gzip_bomb(size):
    return gzip.compress(b" " * size, 9)


def zstd_bomb(size):
    return zstandard.ZstdCompressor(level=19).compress(b" " * size)
