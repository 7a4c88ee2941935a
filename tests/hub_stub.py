"""A local stand-in for the Hugging Face hub: the endpoints that downloads use, and the ways they fail.

Written from the hub's observable behaviour: model info by revision, HEAD and GET of /resolve/, Range with 206, ETags
that are the SHA-256 of large files and git's blob hash of small ones, errors named in X-Error-Code.
"""

import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LARGE = 1 << 16


@dataclass
class Repository:
    files: dict[str, bytes]
    card: dict[str, Any] = field(default_factory=lambda: {"license": "apache-2.0"})
    gated: bool = False


class HubStub:
    """`requests` lists (method, path, Range); `cut_after` bytes of a body the connection breaks, `cuts` times."""

    def __init__(self, repositories: dict[str, Repository]) -> None:
        self.repositories = repositories
        self.requests: list[tuple[str, str, str | None]] = []
        self.cut_after: int | None = None
        self.cuts = 0
        self.ignore_range = False
        self.spoil: set[str] = set()
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                _answer(stub, self)

            def do_HEAD(self) -> None:
                _answer(stub, self)

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "HubStub":
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def ranges(self, name: str) -> list[str | None]:
        """The Range headers of the GETs for a file."""
        return [
            asked for method, path, asked in self.requests if method == "GET" and path.endswith(f"/{name}")
        ]


def etag(data: bytes) -> str:
    if len(data) >= LARGE:
        return hashlib.sha256(data).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def _answer(stub: HubStub, request: BaseHTTPRequestHandler) -> None:
    path = unquote(urlsplit(request.path).path)
    stub.requests.append((request.command, path, request.headers["Range"]))
    if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/([^/]+))?", path):
        _model_info(stub, request, match[1], match[2] or "main")
    elif match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
        _resolve(stub, request, match[1], match[2], match[3])
    else:
        _send(request, 404, {"X-Error-Code": "RepoNotFound"}, b"{}")


def _model_info(stub: HubStub, request: BaseHTTPRequestHandler, repo: str, revision: str) -> None:
    repository = stub.repositories.get(repo)
    if repository is None:
        # As the hub does for unknown and private models alike.
        _send(request, 401, {"X-Error-Code": "RepoNotFound"}, b'{"error": "Invalid username or password."}')
        return
    if revision not in ("main", COMMIT):
        _send(request, 404, {"X-Error-Code": "RevisionNotFound"}, b"{}")
        return
    siblings = []
    for name, data in repository.files.items():
        sibling: dict[str, Any] = {"rfilename": name, "size": len(data), "blobId": etag(data)[:40]}
        if len(data) >= LARGE:
            sibling["lfs"] = {"sha256": etag(data), "size": len(data), "pointerSize": 134}
        siblings.append(sibling)
    info = {
        "_id": "1",
        "id": repo,
        "modelId": repo,
        "sha": COMMIT,
        "private": False,
        "gated": "auto" if repository.gated else False,
        "tags": [f"license:{repository.card['license']}"] if "license" in repository.card else [],
        "cardData": repository.card,
        "siblings": siblings,
    }
    _send(request, 200, {"Content-Type": "application/json"}, json.dumps(info).encode())


def _resolve(stub: HubStub, request: BaseHTTPRequestHandler, repo: str, revision: str, name: str) -> None:
    repository = stub.repositories[repo]
    if repository.gated:
        _send(request, 403, {"X-Error-Code": "GatedRepo"}, b"")
        return
    if revision != COMMIT or name not in repository.files:
        _send(request, 404, {"X-Error-Code": "EntryNotFound"}, b"")
        return
    data = repository.files[name]
    headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{etag(data)}"', "Accept-Ranges": "bytes"}
    status, start = 200, 0
    asked = re.fullmatch(r"bytes=(\d+)-", request.headers["Range"] or "")
    if asked and not stub.ignore_range:
        status, start = 206, int(asked[1])
        headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
    body = data[start:]
    if name in stub.spoil:
        body = bytes([body[0] ^ 1]) + body[1:]
    if request.command == "GET" and stub.cuts and stub.cut_after is not None and len(body) > stub.cut_after:
        stub.cuts -= 1
        _send(request, status, headers, body, stub.cut_after)
        return
    _send(request, status, headers, body)


def _send(
    request: BaseHTTPRequestHandler, status: int, headers: dict[str, str], body: bytes, cut: int | None = None
) -> None:
    request.send_response(status)
    for key, value in headers.items():
        request.send_header(key, value)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    if request.command == "HEAD":
        return
    request.wfile.write(body[:cut])
    if cut is not None:
        request.wfile.flush()
        request.connection.close()
        request.close_connection = True
