"""A device that gets no further than adb's first words: python adb_handshake.py PORT STATE.

It speaks adb's protocol (protocol.txt in Android's sources) as a device does that waits for its
user's consent (``unauthorized``), or that is older than Android 7 (``old``).
"""

from __future__ import annotations

import socket
import struct
import sys

_HEAD = struct.Struct("<6I")
_TOKEN_BYTES, _VERSION, _MOST_BYTES = 20, 0x01000000, 4096
# Kinds of AUTH: a token to sign; a signature and a public key come the other way.
_TOKEN, _PUBLIC_KEY = 1, 3


def serve(port: int, state: str) -> None:
    """Answer one connection after the other, for ever."""
    with socket.create_server(("127.0.0.1", port)) as server:
        while True:
            connection, _ = server.accept()
            with connection:
                talk(connection, state)


def talk(connection: socket.socket, state: str) -> None:
    """Answer what adb's server says until it hangs up."""
    while head := connection.recv(_HEAD.size, socket.MSG_WAITALL):
        command, kind, _, length, _, _ = _HEAD.unpack(head)
        connection.recv(length, socket.MSG_WAITALL)
        name = command.to_bytes(4, "little")
        if state == "old" and name == b"CNXN":
            send(connection, b"CNXN", _VERSION, _MOST_BYTES, b"device::ro.product.name=old;\0")
        elif name == b"CNXN" or (name == b"AUTH" and kind != _PUBLIC_KEY):
            send(connection, b"AUTH", _TOKEN, 0, bytes(_TOKEN_BYTES))


def send(connection: socket.socket, name: bytes, first: int, second: int, data: bytes) -> None:
    """Send one message of the protocol."""
    command = int.from_bytes(name, "little")
    head = _HEAD.pack(command, first, second, len(data), sum(data), command ^ 0xFFFFFFFF)
    connection.sendall(head + data)


if __name__ == "__main__":
    serve(int(sys.argv[1]), sys.argv[2])
