"""The page's own files: scripts, styles, WebAssembly and archives, kept in memory with a gzip twin.

A file is read and compressed once, ahead of requests where `warm` ran, and again when it changes on disk,
so that editing a script needs no restart and serving Pyodide's 10 MB of WebAssembly costs no compression.
"""

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from server.digests import Signature
from server.files import Memory, answer
from server.ranges import accepts_gzip
from server.roots import find_inside
from server.security import error_response

MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
    ".wav": "audio/wav",
    ".webmanifest": "application/manifest+json",
    ".wgsl": "text/wgsl; charset=utf-8",
    ".woff2": "font/woff2",
    ".zip": "application/zip",
}
COMPRESSIBLE = {".css", ".html", ".js", ".json", ".map", ".mjs", ".svg", ".wasm", ".webmanifest", ".wgsl"}


@dataclass(frozen=True)
class Asset:
    signature: Signature
    media_type: str
    body: bytes
    gzipped: bytes | None
    digest: str


class Assets:
    """Answers GET and HEAD for the files below `root` that have one of MEDIA_TYPES' endings.

    `only` narrows that to the named paths. Nothing else in or outside the folder can be reached.
    """

    def __init__(self, root: Path, *, only: frozenset[str] | None = None) -> None:
        self.root = root
        self.only = only
        self._assets: dict[Path, Asset] = {}

    async def __call__(self, request: Request) -> Response:
        name: str = request.path_params["path"]
        asset = await to_thread.run_sync(self._load, name)
        if asset is None:
            return error_response(404, "internal", "There is no such file.", "Reload the page.")
        headers = {"cache-control": "no-cache", "content-type": asset.media_type}
        body, etag = asset.body, f'"{asset.digest}"'
        if asset.gzipped is not None:
            headers["vary"] = "accept-encoding"
            # Part of a compressed file is of no use to a reader, so ranges are those of the file itself.
            if "range" not in request.headers and accepts_gzip(request.headers.get("accept-encoding")):
                headers["content-encoding"] = "gzip"
                body, etag = asset.gzipped, f'"{asset.digest}-gzip"'
        return answer(request, Memory(body, etag), headers)

    def warm(self) -> None:
        """Reads and compresses all files now. Blocks for a second or so the first time."""
        for path in sorted(self.root.rglob("*")):
            self._load(path.relative_to(self.root).as_posix())

    def _load(self, name: str) -> Asset | None:
        path = self._find(name)
        if path is None:
            return None
        try:
            signature = Signature.of(path.stat())
            asset = self._assets.get(path)
            if asset is None or asset.signature != signature:
                asset = self._assets[path] = _read(path, signature)
        except FileNotFoundError:  # removed since it was found
            return None
        return asset

    def _find(self, name: str) -> Path | None:
        if self.only is not None and name not in self.only:
            return None
        path = find_inside(self.root, name)
        return path if path is not None and path.suffix in MEDIA_TYPES else None


def _read(path: Path, signature: Signature) -> Asset:
    body = path.read_bytes()
    gzipped = gzip.compress(body, 9, mtime=0) if path.suffix in COMPRESSIBLE else None
    if gzipped is not None and len(gzipped) >= len(body):
        gzipped = None
    return Asset(signature, MEDIA_TYPES[path.suffix], body, gzipped, hashlib.sha256(body).hexdigest())
