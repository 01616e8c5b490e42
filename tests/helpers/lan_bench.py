"""The command with ``--lan`` in a network of its own, and a phone's browser that opens its page.

Run by `unshare --net` as ``lan_bench.py ORT_WEB MODEL REFERENCE RESULT``; it prints JSON.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
import ssl
import subprocess
import sys
import warnings
from typing import Any
from urllib.parse import urlsplit

from chromium import chromium
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

ADDRESS = "10.77.7.7"
_SAID = re.compile(r"lama-edge: (?:the page is at (?P<page>\S+)|.*SHA-256 (?P<print>[0-9A-F:]+))")


def main(ort: str, model: str, reference: str, result: str) -> dict[str, Any]:
    """Measure; return what was seen."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["ip", "address", "add", f"{ADDRESS}/24", "dev", "lo"], check=True)
    command = [
        sys.executable, "-P", "-m", "lama_edge.cli", "bench", model, "--target", "browser", "--lan",
        "--ort-web", ort, "--reference", reference, "--rounds", "1", "--min-runs", "2",
        "--min-seconds", "0", "--provider", "wasm", "--json-out", result,
    ]  # fmt: skip
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            return _visited(process)
        finally:
            process.kill()


def _visited(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stderr is not None
    address = fingerprint = None
    said: list[str] = []
    while address is None or fingerprint is None:
        line = process.stderr.readline()
        assert line, said
        said.append(line)
        if found := _SAID.match(line):
            address, fingerprint = found["page"] or address, found["print"] or fingerprint
    place = urlsplit(address)
    pem = ssl.get_server_certificate((str(place.hostname), place.port or 0))
    certificate = x509.load_pem_x509_certificate(pem.encode())
    key = certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    pinned = base64.b64encode(hashlib.sha256(key).digest()).decode()
    seen: dict[str, Any] = {
        "address": place.hostname,
        "scheme": place.scheme,
        "fingerprint": fingerprint == certificate.fingerprint(hashes.SHA256()).hex(":").upper(),
        "loopback": _answers("127.0.0.1", place.port or 0),
    }
    # What a person does who compares the fingerprint and goes on; no other certificate is taken.
    with chromium(f"--ignore-certificate-errors-spki-list={pinned}") as browser:
        page = browser.new_page(viewport={"width": 390, "height": 844})
        page.goto(str(address))
        page.get_by_role("button", name=re.compile("^Start")).click()
        seen["isolated"] = page.evaluate("crossOriginIsolated")
        while process.poll() is None:
            page.wait_for_timeout(100)
        page.wait_for_timeout(200)
        seen["text"] = page.inner_text("main")
    return {**seen, "code": process.returncode, "said": "".join([*said, process.stderr.read()])}


def _answers(host: str, port: int) -> bool:
    with socket.socket() as tried:
        tried.settimeout(2)
        return tried.connect_ex((host, port)) == 0


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(json.dumps(main(*sys.argv[1:])))
