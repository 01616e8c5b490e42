"""A certificate that a server makes for itself, for as long as it serves."""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from pathlib import Path

from lama_edge.errors import needs_extra

with needs_extra("web"):
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID

# Clocks of phones and boards are wrong by hours; no server of ours serves for a week.
_EARLIER, _LATER = timedelta(days=1), timedelta(days=7)


@dataclass(frozen=True)
class Certificate:
    """A self-made certificate.

    Attributes:
        context: what a server's socket is wrapped with; the private key is in it alone.
        fingerprint: SHA-256 of the certificate as browsers show it, such as ``AB:CD:…``.
    """

    context: ssl.SSLContext
    fingerprint: str


def make_certificate(addresses: Collection[str], names: Collection[str] = ()) -> Certificate:
    """Make a certificate for a machine's addresses, with a new key.

    Args:
        addresses: one or more, IPv4 or IPv6.
        names: host names beside them.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "lama-edge")])
    now = datetime.now(timezone.utc)
    places = [x509.IPAddress(ip_address(one)) for one in addresses]
    hosts = [x509.DNSName(one) for one in names]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLIER)
        .not_valid_after(now + _LATER)
        .add_extension(x509.SubjectAlternativeName([*places, *hosts]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # Python takes keys out of files alone; this one is gone before anybody is served.
    with tempfile.TemporaryDirectory() as folder:
        pem = Path(folder) / "pem"
        pem.touch(mode=0o600)
        pem.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + made.public_bytes(serialization.Encoding.PEM)
        )
        context.load_cert_chain(pem)
    return Certificate(context, made.fingerprint(hashes.SHA256()).hex(":").upper())
