"""Sends one file, whole or in part. The file is something with an entity tag made from its content.

Starlette's FileResponse is not used: it makes tags from the modification time, answers up to a hundred ranges
with a multipart body, and applies ranges to HEAD.
"""

import os
from collections.abc import AsyncIterator, Mapping
from functools import partial
from io import BufferedReader
from typing import Protocol

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from server.ranges import UnsatisfiableRangeError, is_unchanged, parse_range, range_applies

PIECE_BYTES = 1 << 20  # read and sent at once: large enough to keep thread switches rare


class Content(Protocol):
    """Bytes, and a strong entity tag (quoted) that changes when they do. For when none are sent: `close`."""

    etag: str
    size: int

    def stream(self, start: int, stop: int) -> AsyncIterator[bytes]: ...

    def close(self) -> None: ...


class Memory:
    """Content that is already in memory."""

    def __init__(self, body: bytes, etag: str) -> None:
        self.etag = etag
        self.size = len(body)
        self._body = body

    async def stream(self, start: int, stop: int) -> AsyncIterator[bytes]:
        for at in range(start, stop, PIECE_BYTES):
            yield self._body[at : min(stop, at + PIECE_BYTES)]

    def close(self) -> None:
        pass


class OpenFile:
    """Content of a file opened before its tag was made, so that both belong to the same bytes even when the
    path gets another file meanwhile."""

    def __init__(self, file: BufferedReader, etag: str) -> None:
        self.etag = etag
        self.size = os.fstat(file.fileno()).st_size
        self._file = file

    async def stream(self, start: int, stop: int) -> AsyncIterator[bytes]:
        try:
            await to_thread.run_sync(self._file.seek, start)
            while start < stop:
                piece = await to_thread.run_sync(self._file.read, min(PIECE_BYTES, stop - start))
                if not piece:  # cut short under us; a body shorter than announced tells the client so
                    return
                start += len(piece)
                yield piece
        finally:
            self.close()

    def close(self) -> None:
        self._file.close()


def answer(request: Request, content: Content, headers: Mapping[str, str]) -> Response:
    """200, 206, 304 or 416 for a GET or HEAD of `content`. `headers` go on all of them."""
    given = request.headers
    common = {**headers, "etag": content.etag, "accept-ranges": "bytes"}
    bare = partial(_close_and_answer, content)
    if is_unchanged(given.get("if-none-match"), content.etag):
        return bare(304, common)
    start, stop, status = 0, content.size, 200
    # Ranges are defined for GET alone (RFC 9110, 14.2).
    if request.method == "GET" and "range" in given and range_applies(given.get("if-range"), content.etag):
        try:
            part = parse_range(given["range"], content.size)
        except UnsatisfiableRangeError:
            return bare(416, {**headers, "content-range": f"bytes */{content.size}", "content-length": "0"})
        if part:
            start, stop, status = part.start, part.stop, 206
            common["content-range"] = part.content_range(content.size)
    common["content-length"] = str(stop - start)
    if request.method == "HEAD":
        return bare(status, common)
    return StreamingResponse(content.stream(start, stop), status, common)


def _close_and_answer(content: Content, status: int, headers: Mapping[str, str]) -> Response:
    content.close()
    return Response(None, status, headers)
