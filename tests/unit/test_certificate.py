"""The made certificate: what it covers, how long it is kept, who can read its key, that TLS works with it."""

import http.client
import ipaddress
import ssl
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from server.addresses import LOOPBACK, host_names, is_loopback, lan_addresses
from server.certificate import Certificate, ensure_certificate, load_certificate
from server.run import serving
from voxtab.errors import VoxtabError

HOSTS = ["localhost", "127.0.0.1", "::1", "192.168.1.7", "mine.local"]


def read(certificate: Certificate) -> x509.Certificate:
    return x509.load_pem_x509_certificate(certificate.certificate.read_bytes())


def covered(certificate: Certificate) -> set[str]:
    names = read(certificate).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name.value) for name in names}


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_a_client_that_trusts_it_gets_through_on_every_loopback_name(tmp_path: Path, host: str) -> None:
    certificate = ensure_certificate(tmp_path, LOOPBACK)
    app = Starlette(routes=[Route("/", lambda _: PlainTextResponse("hello"))])
    trusting = ssl.create_default_context(cafile=str(certificate.certificate))
    trusting.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    with serving(app, certificate=certificate, host="::1" if host == "::1" else "127.0.0.1") as url:
        connection = http.client.HTTPSConnection(host, urlsplit(url).port, context=trusting, timeout=20)
        connection.request("GET", "/")
        assert connection.getresponse().read() == b"hello"
        connection.close()
        stranger = http.client.HTTPSConnection(
            host, urlsplit(url).port, context=ssl.create_default_context(), timeout=20
        )
        with pytest.raises(ssl.SSLCertVerificationError):
            stranger.request("GET", "/")


def test_it_covers_every_host_and_can_sign_no_other_certificate(tmp_path: Path) -> None:
    certificate = ensure_certificate(tmp_path, HOSTS, ["mine", "127.0.0.1"])
    assert covered(certificate) == {*HOSTS, "mine"}
    assert certificate.names == ("localhost", "mine.local", "mine")
    parsed = read(certificate)
    assert parsed.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    assert parsed.not_valid_after_utc - parsed.not_valid_before_utc <= timedelta(days=398)


def test_it_is_used_again_while_valid_and_covering(tmp_path: Path) -> None:
    first = ensure_certificate(tmp_path, HOSTS)
    before = (first.certificate.read_bytes(), first.key.read_bytes())
    for hosts in (HOSTS, HOSTS[:2], ["LOCALHOST", "0:0:0:0:0:0:0:1"]):
        again = ensure_certificate(tmp_path, hosts)
        assert (again.certificate.read_bytes(), again.key.read_bytes()) == before


def test_it_is_made_anew_for_another_address(tmp_path: Path) -> None:
    before = read(ensure_certificate(tmp_path, HOSTS)).serial_number
    certificate = ensure_certificate(tmp_path, [*HOSTS, "10.0.0.5"])
    assert read(certificate).serial_number != before
    assert "10.0.0.5" in covered(certificate)


@pytest.mark.parametrize(("days", "kept"), [(0, True), (380, True), (391, False), (500, False), (-1, False)])
def test_it_is_made_anew_before_it_expires_and_when_the_clock_was_wrong(
    tmp_path: Path, days: int, kept: bool
) -> None:
    start = datetime(2026, 11, 21, tzinfo=UTC)
    before = read(ensure_certificate(tmp_path, HOSTS, now=start)).serial_number
    later = ensure_certificate(tmp_path, HOSTS, now=start + timedelta(days=days))
    assert (read(later).serial_number == before) is kept


def test_servers_that_start_at_once_share_one_pair(tmp_path: Path) -> None:
    together = Barrier(8)

    def start(_: int) -> tuple[bytes, bytes]:
        together.wait()
        made = ensure_certificate(tmp_path / "certs", HOSTS)
        return made.certificate.read_bytes(), made.key.read_bytes()

    with ThreadPoolExecutor(8) as servers:
        assert len(set(servers.map(start, range(8)))) == 1


@pytest.mark.parametrize("damage", ["certificate", "key", "both", "swap", "foreign key"])
def test_damaged_files_are_replaced_by_a_pair_that_works(tmp_path: Path, damage: str) -> None:
    certificate = ensure_certificate(tmp_path, HOSTS)
    if damage in ("certificate", "both"):
        certificate.certificate.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    if damage in ("key", "both"):
        certificate.key.unlink()
    if damage == "swap":
        certificate.certificate.write_bytes(certificate.key.read_bytes())
    if damage == "foreign key":
        certificate.key.write_bytes(ensure_certificate(tmp_path / "other", HOSTS).key.read_bytes())
    mended = ensure_certificate(tmp_path, HOSTS)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(mended.certificate, mended.key)
    assert covered(mended) == set(HOSTS)


def test_only_the_owner_can_read_the_key(tmp_path: Path) -> None:
    certificate = ensure_certificate(tmp_path / "made" / "for this", HOSTS)
    assert certificate.key.stat().st_mode & 0o777 == 0o600
    certificate.key.chmod(0o644)
    ensure_certificate(tmp_path / "made" / "for this", HOSTS)
    assert certificate.key.stat().st_mode & 0o777 == 0o600
    assert {path.name for path in certificate.key.parent.iterdir()} == {
        *("voxtab.pem", "voxtab-key.pem", "voxtab.lock")
    }


def test_a_certificate_of_ones_own_brings_its_names(tmp_path: Path) -> None:
    made = ensure_certificate(tmp_path, ["voxtab.example", "10.0.0.5"])
    assert load_certificate(made.certificate, made.key).names == ("voxtab.example",)


def test_files_that_are_no_pair_are_refused(tmp_path: Path) -> None:
    one = ensure_certificate(tmp_path / "one", HOSTS)
    two = ensure_certificate(tmp_path / "two", HOSTS)
    for certificate, key in (
        (one.certificate, two.key),
        (one.key, one.certificate),
        (tmp_path / "no.pem", one.key),
    ):
        with pytest.raises(VoxtabError) as caught:
            load_certificate(certificate, key)
        assert (caught.value.code, bool(caught.value.hint)) == ("option-invalid", True)


def test_addresses_for_other_devices_are_addresses_that_are_not_loopback() -> None:
    for text in lan_addresses():
        address = ipaddress.ip_address(text)
        assert not address.is_loopback
        assert not address.is_link_local
    assert "localhost" not in host_names()


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True), ("a.localhost", True),
     ("0.0.0.0", False), ("::", False), ("192.168.1.7", False), ("localhost.example", False), ("", False)],
)  # fmt: skip
def test_what_reaches_this_machine_only(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
