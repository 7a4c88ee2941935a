"""/api/models and /models/ID/FILE: the models' list and their bytes."""

import logging
from collections.abc import Sequence
from pathlib import Path

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from server.digests import Digests
from server.files import OpenFile, answer
from server.ranges import asks_too_much
from server.registry import Catalogue, Model, scan
from server.security import error_response

log = logging.getLogger("voxtab.server")


class Models:
    """The models below `roots`. They are looked up anew whenever the list is asked for."""

    def __init__(self, roots: Sequence[Path]) -> None:
        self.roots = tuple(roots)
        self.catalogue = Catalogue()
        self._digests = Digests()
        self.refresh()

    def refresh(self) -> Catalogue:
        before, self.catalogue = self.catalogue, scan(self.roots)
        for problem in self.catalogue.problems:
            if problem.where not in {known.where for known in before.problems}:
                log.warning("%s: %s", problem.where, problem.error)
        return self.catalogue

    async def listing(self, _request: Request) -> Response:
        found = await to_thread.run_sync(lambda: self.refresh().to_json())
        return JSONResponse(found, headers={"cache-control": "no-store"})

    async def file(self, request: Request) -> Response:
        model_id, name = request.path_params["model"], request.path_params["file"]
        model = self.catalogue.find(model_id) or (await to_thread.run_sync(self.refresh)).find(model_id)
        if model is None:
            return error_response(404, "model-missing", "There is no such model here.", "Reload the page.")
        if request.method == "GET" and asks_too_much(request.headers.get("range", "")):
            return await to_thread.run_sync(_refuse, model, name)
        content = await to_thread.run_sync(self._open, model, name)
        if content is None:
            return _missing()
        # The tab keeps verified weights in storage of its own; a copy in the HTTP cache would be a burden.
        small = name.endswith(".json")
        headers = {
            "cache-control": "no-cache" if small else "no-store",
            "content-type": "application/json" if small else "application/octet-stream",
        }
        return answer(request, content, headers)

    def _open(self, model: Model, name: str) -> OpenFile | None:
        known = model.find(name)
        if known is None:
            return None
        try:
            file = known.path.open("rb")
        except OSError:
            return None
        try:
            return OpenFile(file, f'"{self._digests.sha256(known.path, file, known.claim)}"')
        except BaseException:
            file.close()
            raise


def _refuse(model: Model, name: str) -> Response:
    """416 without opening the file: its tag would need a hash of gigabytes."""
    known = model.find(name)
    try:
        size = known.path.stat().st_size if known else None
    except OSError:
        size = None
    if size is None:
        return _missing()
    headers = {"cache-control": "no-store", "content-range": f"bytes */{size}"}
    return Response(None, 416, {**headers, "content-length": "0"})


def _missing() -> Response:
    return error_response(
        404,
        "shard-missing",
        "This file of the model is not on the server.",
        "Split or fetch the model again, then check it with: voxtab-shards verify DIR",
    )
