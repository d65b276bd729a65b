"""Ports that stay free while what listens there is started again."""

import random
import socket

# Below the ports that the kernel gives to outgoing connections: one of those may be taken by a client that comes back too early.
RANGE = range(20_000, 32_000)


def free_port():
    while True:
        port = random.choice(RANGE)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
