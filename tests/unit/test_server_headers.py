"""What every response says about itself: isolation, policy, types, encodings, and who may ask."""

import gzip
import os
from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from server.app import create_app
from server.run import serving
from server.security import SECURITY_HEADERS, KnownHosts
from tests.unit.server_site import SCRIPT, WASM, Reply, Site, running_site, write, write_shards
from voxtab import __version__


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("site")) as site:
        write_shards(site.models / "set", b"0123456789", 2)
        site.ask("/api/models")
        yield site


def policy(reply: Reply) -> dict[str, list[str]]:
    directives = [part.split() for part in reply.headers["content-security-policy"].split(";")]
    return {name: sources for name, *sources in directives}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("HEAD", "/", 200),
        ("GET", "/app/main.js", 200),
        ("GET", "/worker/worker.js", 200),
        ("GET", "/pyodide/pyodide.mjs", 200),
        ("GET", "/engine/engine.json", 200),
        ("GET", "/api/models", 200),
        ("GET", "/api/health", 200),
        ("GET", "/models/set/shard-aa", 200),
        ("GET", "/models/set/shard-zz", 404),
        ("GET", "/models/other/shard-aa", 404),
        ("GET", "/nowhere", 404),
        ("POST", "/", 405),
        ("PUT", "/app/main.js", 405),
        ("DELETE", "/models/set/shard-aa", 405),
        ("TRACE", "/api/models", 405),
    ],
)
def test_every_answer_is_isolated_and_typed(site: Site, method: str, path: str, status: int) -> None:
    reply = site.ask(path, method)
    assert reply.status == status
    assert reply.headers.items() >= SECURITY_HEADERS.items()
    assert "content-type" in reply.headers
    assert "server" not in reply.headers


def test_partial_unchanged_and_refused_answers_are_isolated_too(site: Site) -> None:
    etag = site.ask("/app/main.js").headers["etag"]
    replies = [
        site.ask("/models/set/shard-aa", range="bytes=0-1"),
        site.ask("/models/set/shard-aa", range="bytes=9-"),
        site.ask("/app/main.js", if_none_match=etag),
        site.ask("/", host="evil.example"),
    ]
    assert [reply.status for reply in replies] == [206, 416, 304, 421]
    assert all(reply.headers.items() >= SECURITY_HEADERS.items() for reply in replies)


def test_the_page_is_isolated_and_runs_only_its_own_code(site: Site) -> None:
    reply = site.ask("/")
    assert reply.headers["cross-origin-opener-policy"] == "same-origin"
    assert reply.headers["cross-origin-embedder-policy"] == "require-corp"
    assert reply.headers["cross-origin-resource-policy"] == "same-origin"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert "microphone=(self)" in reply.headers["permissions-policy"]
    rules = policy(reply)
    assert rules["default-src"] == ["'none'"]
    assert rules["script-src"] == ["'self'", "'wasm-unsafe-eval'"]
    everything = {source for sources in rules.values() for source in sources}
    assert everything <= {"'self'", "'none'", "'wasm-unsafe-eval'", "data:", "blob:"}


def test_the_page_is_rendered_from_its_template(site: Site) -> None:
    reply = site.ask("/")
    assert reply.body.decode() == f"<!doctype html><title>voxtab {__version__}</title>"
    assert reply.headers["content-type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/app/main.js", "text/javascript; charset=utf-8"),
        ("/app/shader.wgsl", "text/wgsl; charset=utf-8"),
        ("/pyodide/pyodide.mjs", "text/javascript; charset=utf-8"),
        ("/pyodide/pyodide.asm.wasm", "application/wasm"),
        ("/engine/voxtab.zip", "application/zip"),
        ("/engine/engine.json", "application/json"),
        ("/api/models", "application/json"),
        ("/models/set/manifest.json", "application/json"),
        ("/models/set/shard-aa", "application/octet-stream"),
    ],
)
def test_types_do_not_depend_on_the_machine(site: Site, path: str, media_type: str) -> None:
    assert site.ask(path).headers["content-type"] == media_type


@pytest.mark.parametrize(
    ("path", "content"), [("/app/main.js", SCRIPT.encode()), ("/pyodide/pyodide.asm.wasm", WASM)]
)
def test_assets_come_compressed_to_those_who_accept_it(site: Site, path: str, content: bytes) -> None:
    small = site.ask(path, accept_encoding="gzip, deflate, br")
    assert small.headers["content-encoding"] == "gzip"
    assert len(small.body) < len(content) / 2
    assert gzip.decompress(small.body) == content
    plain = site.ask(path)
    assert (plain.body, "content-encoding" in plain.headers) == (content, False)
    assert small.headers["vary"] == plain.headers["vary"] == "accept-encoding"
    assert small.headers["etag"] != plain.headers["etag"]


def test_a_compressed_asset_is_revalidated_by_its_own_tag(site: Site) -> None:
    tags = [site.ask("/app/main.js", accept_encoding=coding).headers["etag"] for coding in ("gzip", "br")]
    statuses = [
        site.ask("/app/main.js", accept_encoding=coding, if_none_match=tag).status
        for coding in ("gzip", "br")
        for tag in tags
    ]
    assert statuses == [304, 200, 200, 304]


def test_a_range_of_an_asset_is_of_the_file_itself(site: Site) -> None:
    reply = site.ask("/app/main.js", accept_encoding="gzip", range="bytes=0-5")
    assert (reply.status, reply.body, "content-encoding" in reply.headers) == (206, b"export", False)


@pytest.mark.parametrize("path", ["/app/parts/tiny.js", "/engine/voxtab.zip", "/models/set/shard-aa"])
def test_what_does_not_shrink_is_sent_as_it_is(site: Site, path: str) -> None:
    assert "content-encoding" not in site.ask(path, accept_encoding="gzip").headers


def test_an_edited_asset_is_sent_anew_with_another_tag(site: Site) -> None:
    path = write(site.web / "app" / "edited.js", "let a = 1;")
    before = site.ask("/app/edited.js")
    stat = path.stat()
    path.write_text("let a = 2;")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    after = site.ask("/app/edited.js", if_none_match=before.headers["etag"])
    assert (after.status, after.body) == (200, b"let a = 2;")
    path.write_text("let a = 1;")
    assert site.ask("/app/edited.js", if_none_match=before.headers["etag"]).status == 304


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("localhost", True),
        ("LOCALHOST:8443", True),
        ("voxtab.localhost", True),
        ("127.0.0.1:1", True),
        ("192.168.1.7:8443", True),
        ("[::1]:8443", True),
        ("[fe80::1]", True),
        ("mine.example:8443", True),
        ("any.wild.example", True),
        ("wild.example", False),
        ("a.b.wild.example", False),
        ("evil.example", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("[::1", False),
        ("localhost:port", False),
        ("localhost\r\n", False),
        ("user@localhost", False),
        ("", False),
    ],
)
def test_only_addresses_and_known_names_are_answered(host: str, known: bool) -> None:
    names = ["localhost", "*.localhost", "mine.example", "*.wild.example"]
    assert KnownHosts(Starlette(), names=names).knows(host) is known


def test_a_rebound_name_is_told_where_to_go(site: Site) -> None:
    reply = site.ask("/api/models", host="evil.example")
    assert reply.status == 421
    assert "localhost" in str(reply.json()["error"])


def test_an_answer_that_fails_says_so_without_its_insides(site: Site) -> None:
    app = create_app([site.models], web=site.web, templates=site.outside)
    with serving(app) as url:
        reply = Site(url, site.web, site.models, site.outside).ask("/")
    assert reply.status == 500
    assert reply.headers.items() >= SECURITY_HEADERS.items()
    assert b"Traceback" not in reply.body
    assert reply.json()["error"] == {
        "code": "internal",
        "message": "The server failed to answer.",
        "hint": "Its terminal says why.",
    }


def test_no_route_writes(site: Site) -> None:
    app = create_app([site.models], web=site.web)
    methods = {method for route in app.routes if isinstance(route, Route) for method in route.methods or ()}
    assert methods == {"GET", "HEAD"}
