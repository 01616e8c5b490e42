"""A real S3 server on loopback that checks who asks, and a proxy that cuts connections."""

from __future__ import annotations

import json
import logging
import math
import socket
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import boto3
from moto import settings
from moto.core.base_backend import BackendDict
from moto.server import ThreadedMotoServer

REGION = "us-east-1"
_POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
}


@dataclass
class S3Server:
    """The server: where it is, who may ask, and a client of its own."""

    endpoint: str
    port: int
    key: str
    secret: str
    server: ThreadedMotoServer

    @property
    def environment(self) -> dict[str, str]:
        """What s3fs finds the server and its credentials by."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.key,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self, service: str = "s3") -> Any:
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            aws_access_key_id=self.key,
            aws_secret_access_key=self.secret,
            region_name=REGION,
        )

    def new_bucket(self, name: str) -> str:
        self.client().create_bucket(Bucket=name)
        return name

    def stop(self) -> None:
        self.server.stop()
        self.server._server.server_close()  # whoever connects is refused, as by a dead server

    def keys(self, bucket: str) -> list[str]:
        found = self.client().list_objects_v2(Bucket=bucket).get("Contents", [])
        return [one["Key"] for one in found]


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """Run a server in threads of this process."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    it = S3Server(f"http://127.0.0.1:{port}", port, "anybody", "anything", server)
    try:
        iam = it.client("iam")
        iam.create_user(UserName="someone")
        iam.put_user_policy(
            UserName="someone", PolicyName="all", PolicyDocument=json.dumps(_POLICY)
        )
        made = iam.create_access_key(UserName="someone")["AccessKey"]
        it.key, it.secret = made["AccessKeyId"], made["SecretAccessKey"]
        _tell(it, "reset-auth", b"0")  # from here on every request must be signed by them
        yield it
    finally:
        settings.INITIAL_NO_AUTH_ACTION_COUNT = math.inf
        it.stop()
        BackendDict.reset()


def _tell(it: S3Server, what: str, data: bytes) -> None:
    request = urllib.request.Request(
        f"{it.endpoint}/moto-api/{what}", data=data, headers={"Content-Type": "text/plain"}
    )
    urllib.request.urlopen(request).close()


class CuttingProxy:
    """Forwards connections to a port until it is told to cut them.

    Attributes:
        port: where it listens.
        cut_after: how many bytes of answers pass before all connections are cut; None is all.
        refusing: whether new connections are cut at once.
    """

    def __init__(self, to_port: int) -> None:
        self._to = to_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.cut_after: int | None = None
        self.refusing = False
        self.connections = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            if self.refusing:
                near.close()
                continue
            far = socket.create_connection(("127.0.0.1", self._to))
            for one, other, answers in ((near, far, False), (far, near, True)):
                threading.Thread(
                    target=self._forward, args=(one, other, answers), daemon=True
                ).start()

    def _forward(self, one: socket.socket, other: socket.socket, answers: bool) -> None:
        with suppress(OSError):
            while data := one.recv(1 << 14):
                if answers and self.cut_after is not None:
                    data = data[: self.cut_after]
                    self.cut_after -= len(data)
                    self.refusing = not self.cut_after
                other.sendall(data)
                if self.refusing:
                    break
        for each in (one, other):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)  # wakes the thread that reads it
            each.close()
