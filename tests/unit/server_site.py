"""A small site on disk and the real server in front of it, asked with the standard library's HTTP client.

http.client sends paths and headers as given, where friendlier clients would tidy them first.
"""

import hashlib
import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from server.app import create_app
from server.run import serving
from voxtab.formats.manifest import FileInfo, Manifest, ModelInfo, Shard

TEMPLATE = "<!doctype html><title>voxtab {{ version }}</title>"
SCRIPT = "export const answer = 42;\n" * 40
WASM = b"\0asm\x01\0\0\0" + bytes(4096)


@dataclass(frozen=True)
class Reply:
    """What came back. Header names are lower-case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Site:
    """A running server. `web` and `models` are folders it serves from; `outside` is one that it must not."""

    url: str
    web: Path
    models: Path
    outside: Path

    def ask(self, path: str, method: str = "GET", **headers: str) -> Reply:
        """One request; `if_range="x"` becomes `If-Range: x`."""
        host = urlsplit(self.url).netloc
        connection = http.client.HTTPConnection(host, timeout=20)
        try:
            connection.putrequest(method, path, skip_host="host" in headers, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name.replace("_", "-"), value)
            connection.endheaders()
            response = connection.getresponse()
            fields = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, fields, response.read())
        finally:
            connection.close()


@contextmanager
def running_site(folder: Path) -> Iterator[Site]:
    """A site in the empty `folder`: scripts, something like Pyodide, an engine; models are up to the test."""
    web, models, outside = folder / "web", folder / "models", folder / "outside"
    write(web / "app" / "main.js", SCRIPT)
    write(web / "app" / "parts" / "tiny.js", ";")
    write(web / "app" / "shader.wgsl", "@compute fn main() {}\n" * 20)
    write(web / "app" / "notes.txt", "not for the web")
    write(web / "app" / ".hidden.js", "secret")
    write(web / "worker" / "worker.js", "self.x = 1;")
    write(web / "node_modules" / "pyodide" / "pyodide.mjs", "export {};")
    write(web / "node_modules" / "pyodide" / "pyodide.asm.wasm", WASM)
    write(web / "build" / "voxtab.zip", b"PK\x05\x06" + bytes(18))
    write(web / "build" / "engine.json", "{}")
    write(web / "build" / "private.json", "{}")
    write(folder / "templates" / "index.html.j2", TEMPLATE)
    write(outside / "secret.js", "secret")
    models.mkdir()
    with serving(create_app([models], web=web, templates=folder / "templates")) as url:
        yield Site(url, web, models, outside)


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def write_shards(folder: Path, content: bytes, count: int, *, name: str = "Test model") -> Manifest:
    """`content` in `count` shards, with a manifest whose chunks are 4096 bytes long."""
    step = -(-len(content) // count)
    shards = []
    for i in range(count):
        data = content[i * step : (i + 1) * step]
        shard = f"shard-a{chr(ord('a') + i)}"
        write(folder / shard, data)
        chunks = tuple(sha256(data[at : at + 4096]) for at in range(0, len(data), 4096))
        shards.append(Shard(shard, len(data), sha256(data), chunks))
    manifest = Manifest(
        ModelInfo(name, "speech-to-text", "voxtral_realtime", "Apache-2.0", description="For tests."),
        FileInfo("test.gguf", len(content), sha256(content)),
        4096,
        tuple(shards),
    )
    write(folder / "manifest.json", manifest.to_json())
    return manifest


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
