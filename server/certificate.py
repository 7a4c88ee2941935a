"""A certificate of the machine's own, for a microphone and WebGPU need HTTPS on anything but localhost.

Self-signed, for this server alone (it can sign no other), P-256, valid for 397 days, the longest that
browsers accept. Kept in a folder and used again until it is about to expire or the machine gets an address
it lacks.
"""

import ipaddress
import os
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from filelock import FileLock

from voxtab.errors import VoxtabError

CERTIFICATE_FILE = "voxtab.pem"
KEY_FILE = "voxtab-key.pem"
LOCK_FILE = "voxtab.lock"
LIFETIME = timedelta(days=397)
MARGIN = timedelta(days=7)  # replaced this long before it expires, so that no session sees it happen
CLOCK_SKEW = timedelta(hours=1)


@dataclass(frozen=True)
class Certificate:
    """Paths of PEM files, and the names (not the addresses) that the certificate is good for."""

    certificate: Path
    key: Path
    names: tuple[str, ...]


def ensure_certificate(
    folder: Path, needed: Iterable[str], wanted: Iterable[str] = (), *, now: datetime | None = None
) -> Certificate:
    """The certificate in `folder`, made anew unless it is valid at `now` and covers every host in `needed`.

    Hosts are names or addresses. A new one covers `wanted` too. The key file is readable by its owner alone. Servers
    that start at once wait for each other here, so that none takes one's certificate with the other's key.
    """
    now = now or datetime.now(UTC)
    needed = list(dict.fromkeys(needed))
    paths = folder / CERTIFICATE_FILE, folder / KEY_FILE
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / LOCK_FILE):
        certificate = _usable(*paths, needed, now)
        if certificate is None:
            certificate = _make(folder, list(dict.fromkeys([*needed, *wanted])), now)
        paths[1].chmod(0o600)
    return Certificate(*paths, names=_names(certificate))


def load_certificate(certificate: Path, key: Path) -> Certificate:
    """A certificate of the user's own. Raises VoxtabError when the files are not a pair that TLS can use."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=_no_password)
        parsed = x509.load_pem_x509_certificate(certificate.read_bytes())
    except (OSError, ValueError) as error:
        raise VoxtabError(
            "option-invalid",
            f"{certificate} and {key} are not a certificate and its key: {error}.",
            "Give both as PEM files, the key without a passphrase, or leave both out to have them made.",
        ) from error
    return Certificate(certificate, key, names=_names(parsed))


def _no_password() -> str:
    raise ValueError("the key has a passphrase")


def _usable(certificate: Path, key: Path, needed: list[str], now: datetime) -> x509.Certificate | None:
    try:
        parsed = x509.load_pem_x509_certificate(certificate.read_bytes())
        private = serialization.load_pem_private_key(key.read_bytes(), password=None)
    except (OSError, ValueError, TypeError):
        return None
    current = parsed.not_valid_before_utc <= now <= parsed.not_valid_after_utc - MARGIN
    if not current or private.public_key() != parsed.public_key():
        return None
    covered = {str(name.value).lower() for name in _alternatives(parsed)}
    return parsed if covered.issuperset(str(_general_name(host).value) for host in needed) else None


def _make(folder: Path, hosts: list[str], now: datetime) -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "voxtab on this machine")])
    purposes = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now - CLOCK_SKEW + LIFETIME)
        .add_extension(x509.SubjectAlternativeName([_general_name(host) for host in hosts]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(purposes, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write(folder / KEY_FILE, private, 0o600)
    _write(folder / CERTIFICATE_FILE, certificate.public_bytes(serialization.Encoding.PEM), 0o644)
    return certificate


def _write(path: Path, data: bytes, mode: int) -> None:
    """Through a new file, so that the key is never readable by others, not even for a moment."""
    temporary = path.with_suffix(f".{os.getpid()}.new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with open(descriptor, "wb") as file:
        file.write(data)
    temporary.replace(path)


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host.lower())


def _alternatives(certificate: x509.Certificate) -> list[x509.GeneralName]:
    try:
        return list(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return []


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    return tuple(str(name.value) for name in _alternatives(certificate) if isinstance(name, x509.DNSName))
