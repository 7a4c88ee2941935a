"""Nothing outside the folders that the server was given can be had, however the path is written."""

import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.roots import find_inside, is_plain_name
from tests.unit.server_site import SCRIPT, Site, running_site, write, write_shards

PREFIXES = ["/app/", "/worker/", "/pyodide/", "/engine/", "/models/set/"]
ESCAPES = [
    "../outside/secret.js",
    "../../outside/secret.js",
    "../../../outside/secret.js",
    "%2e%2e/outside/secret.js",
    "%2e%2e/%2e%2e/outside/secret.js",
    "%2e%2e%2f%2e%2e%2foutside%2fsecret.js",
    "..%2f..%2f..%2foutside%2fsecret.js",
    "%252e%252e/%252e%252e/outside/secret.js",
    "..\\..\\outside\\secret.js",
    "..%5c..%5coutside%5csecret.js",
    "parts/../../../outside/secret.js",
    "parts%2f..%2f..%2f..%2foutside%2fsecret.js",
    "./main.js",
    "//main.js",
    "%2fetc%2fpasswd",
    "%2f%2fetc/passwd",
    "main.js%00",
    "main.js%00.js",
    "%00",
    "main.js/",
    "main%0a.js",
    "C:%5cWindows%5cwin.ini",
    "main.js::$DATA",
    ".hidden.js",
    "%2ehidden.js",
    "parts/.%2e/main.js",
    "notes.txt",
    "parts",
    "parts/",
    "",
    "link.js",
    "linked/secret.js",
    "loop.js",
    "private.json",
    "a" * 5000 + ".js",
    "a/" * 3000 + "a.js",
    "%ff%fe.js",
    "%ed%b2%80.js",
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("site")) as site:
        write_shards(site.models / "set", b"0123456789", 2)
        write(site.models / "set" / "secret.txt", "secret")
        for folder in (site.web / "app", site.models / "set"):
            (folder / "link.js").symlink_to(site.outside / "secret.js")
            (folder / "linked").symlink_to(site.outside)
            (folder / "loop.js").symlink_to(folder / "loop.js")
        (site.web / "app" / "inner.js").symlink_to(site.web / "app" / "parts" / "tiny.js")
        assert site.ask("/api/models").status == 200
        yield site


@pytest.mark.parametrize("prefix", PREFIXES)
def test_no_spelling_of_a_path_leaves_its_folder(site: Site, prefix: str) -> None:
    found = {escape: site.ask(prefix + quote(escape, safe="/%\\:$")) for escape in ESCAPES}
    assert {escape: reply.status for escape, reply in found.items() if reply.status != 404} == {}
    assert not any(b"secret" in reply.body or SCRIPT.encode() in reply.body for reply in found.values())


@pytest.mark.parametrize(
    ("path", "status"),
    [("/app/main.js", 200), ("/app/%6dain.js", 200), ("/app/parts%2ftiny.js", 200), ("/app/inner.js", 200)],
)
def test_files_inside_are_had_under_every_honest_spelling(site: Site, path: str, status: int) -> None:
    assert site.ask(path).status == status


@pytest.mark.parametrize("name", ["secret.txt", "link.js", "linked/secret.js", "shard-ac", "manifest.json/"])
def test_of_a_models_folder_only_the_models_files_are_sent(site: Site, name: str) -> None:
    assert site.ask(f"/models/set/{name}").status == 404
    assert site.ask("/models/set/shard-ab").body == b"56789"


@pytest.mark.parametrize(
    "target",
    [
        "/../outside/secret.js",
        "/app/../../outside/secret.js",
        "/app/..;/..;/outside/secret.js",
        "http://localhost/app/../../outside/secret.js",
        "//localhost/app/main.js",
        "app/main.js",
        "*",
        "\\app\\main.js",
    ],
)
def test_odd_request_targets_on_the_wire_get_an_error(site: Site, target: str) -> None:
    address = urlsplit(site.url)
    with socket.create_connection((address.hostname, address.port), timeout=20) as wire:
        request = f"GET {target} HTTP/1.1\r\nHost: {address.netloc}\r\nConnection: close\r\n\r\n"
        wire.sendall(request.encode())
        reply = b"".join(iter(lambda: wire.recv(65536), b""))
    assert reply.split(b" ")[1] in (b"400", b"404")
    assert b"secret" not in reply


segments = st.one_of(
    st.sampled_from(
        ["..", ".", "", "~", "in.js", "deep", "link.js", "away", "\0", "\\", "..\\x", "C:", "in.js "]
    ),
    st.text(max_size=6),
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with two files in it, links out of it, and a file beside it."""
    base = tmp_path_factory.mktemp("tree")
    write(base / "secret.js", "secret")
    write(base / "root" / "in.js", "inside")
    write(base / "root" / "deep" / "in.js", "inside")
    (base / "root" / "link.js").symlink_to(base / "secret.js")
    (base / "root" / "away").symlink_to(base)
    return base / "root"


@given(st.lists(segments, min_size=1, max_size=6))
def test_whatever_is_found_is_a_regular_file_below_the_root(tree: Path, parts: list[str]) -> None:
    found = find_inside(tree, "/".join(parts))
    assert (found is not None) == (parts in (["in.js"], ["deep", "in.js"]))
    assert found is None or found.read_text() == "inside"


@given(st.text(max_size=300))
def test_a_plain_name_has_no_separator_of_any_system(name: str) -> None:
    if is_plain_name(name):
        assert not set(name) & set("/\\:\0\n\r\x7f")
        assert not name.startswith(".")
        assert 0 < len(name) <= 255
