"""A real S3 server on loopback that checks who asks, and a proxy that cuts connections."""

from __future__ import annotations

import json
import logging
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

REGION = "us-east-1"
_POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
}


@dataclass(frozen=True)
class S3Server:
    """The server: where it is, who may ask, and who may not."""

    port: int
    key: str
    secret: str
    stranger: dict[str, str]
    process: subprocess.Popen[str]

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What s3fs finds the server and its credentials by, in any process."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.key,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self) -> Any:
        return _client("s3", self.endpoint, self.key, self.secret)

    def new_bucket(self, name: str) -> str:
        self.client().create_bucket(Bucket=name)
        return name

    def keys(self, bucket: str) -> list[str]:
        """Return the keys of all objects; the first thousand."""
        found = self.client().list_objects_v2(Bucket=bucket).get("Contents", [])
        return [one["Key"] for one in found]

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """Run a server in a process of its own, which ends with this one."""
    with subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        try:
            yield S3Server(**said, process=process)
        finally:
            process.kill()


def _serve() -> None:
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    endpoint = f"http://127.0.0.1:{port}"
    iam = _client("iam", endpoint, "anybody", "anything")
    made = {}
    for name in ("someone", "stranger"):
        iam.create_user(UserName=name)
        made[name] = iam.create_access_key(UserName=name)["AccessKey"]
    iam.put_user_policy(UserName="someone", PolicyName="all", PolicyDocument=json.dumps(_POLICY))
    # From here on every request must be signed by them.
    request = urllib.request.Request(
        f"{endpoint}/moto-api/reset-auth", data=b"0", headers={"Content-Type": "text/plain"}
    )
    urllib.request.urlopen(request).close()
    (key, secret), (other, others) = (
        (one["AccessKeyId"], one["SecretAccessKey"]) for one in made.values()
    )
    stranger = {"AWS_ACCESS_KEY_ID": other, "AWS_SECRET_ACCESS_KEY": others}
    said = {"port": port, "key": key, "secret": secret, "stranger": stranger}
    print(json.dumps(said), flush=True)
    sys.stdin.read()


def _client(service: str, endpoint: str, key: str, secret: str) -> Any:
    import boto3

    return boto3.client(
        service,
        endpoint_url=endpoint,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        region_name=REGION,
    )


def forget_connections() -> None:
    """Let the next store ask for its endpoint and credentials anew."""
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()


class CuttingProxy:
    """Forwards connections to a port until it is told to cut them.

    Attributes:
        cut_after: how many bytes of answers pass before all connections are cut; None is all.
        refusing: whether connections are cut at once, and new ones too.
    """

    def __init__(self, to_port: int) -> None:
        self._to = to_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.cut_after: int | None = None
        self.refusing = False
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Listen no more."""
        self.refusing = True
        _close(self._listener)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                if self.refusing:
                    _close(near)
                    continue
                far = socket.create_connection(("127.0.0.1", self._to))
                for ends in ((near, far, False), (far, near, True)):
                    threading.Thread(target=self._forward, args=ends, daemon=True).start()

    def _forward(self, one: socket.socket, other: socket.socket, answers: bool) -> None:
        with suppress(OSError):
            while (data := one.recv(1 << 14)) and not self.refusing:
                if answers and self.cut_after is not None:
                    data = data[: self.cut_after]
                    self.cut_after -= len(data)
                    self.refusing = not self.cut_after
                other.sendall(data)
        _close(one)
        _close(other)


def _close(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits for it
    end.close()


if __name__ == "__main__":
    _serve()
