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
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".wgsl": "text/wgsl; charset=utf-8",
    ".woff2": "font/woff2",
    ".zip": "application/zip",
}
COMPRESSIBLE = {".css", ".js", ".json", ".map", ".mjs", ".svg", ".wasm", ".webmanifest", ".wgsl"}
MAX_ASSET_BYTES = 64 << 20  # Pyodide's largest file has 10 MB; models are not assets


@dataclass(frozen=True)
class Asset:
    signature: Signature
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
        path = await to_thread.run_sync(self._find, name)
        if path is None:
            return error_response(404, "internal", "There is no such file.", "Reload the page.")
        asset = await to_thread.run_sync(self._load, path)
        headers = {"cache-control": "no-cache", "content-type": MEDIA_TYPES[path.suffix]}
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
            found = self._find(path.relative_to(self.root).as_posix())
            if found:
                self._load(found)

    def _find(self, name: str) -> Path | None:
        if self.only is not None and name not in self.only:
            return None
        path = find_inside(self.root, name)
        if path is None or path.suffix not in MEDIA_TYPES or path.stat().st_size > MAX_ASSET_BYTES:
            return None
        return path

    def _load(self, path: Path) -> Asset:
        signature = Signature.of(path.stat())
        asset = self._assets.get(path)
        if asset is None or asset.signature != signature:
            body = path.read_bytes()
            gzipped = gzip.compress(body, 9, mtime=0) if path.suffix in COMPRESSIBLE else None
            if gzipped is not None and len(gzipped) >= len(body):
                gzipped = None
            asset = Asset(signature, body, gzipped, hashlib.sha256(body).hexdigest())
            self._assets[path] = asset
        return asset
