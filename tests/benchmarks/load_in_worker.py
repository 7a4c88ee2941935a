"""Runs in the worker's Python, beside what bench_worker.py puts there: loading from the server, and from the cache."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from voxtab.bench.load import Way, bench_load
from voxtab.gpu.browser import BrowserGpu
from voxtab.models.source import ModelSource
from voxtab.tab.source import BrowserSource


async def bench_tab_load(
    gpu: BrowserGpu,
    idle: BrowserGpu,
    open_source: Any,
    entry: dict[str, Any],
    layers: int,
    repeats: int = 3,
) -> dict[str, Any]:
    """`entry`: of /api/models, shards with a manifest."""
    shards = [file for file in entry["files"] if file["name"].startswith("shard-")]
    bare = entry | {"manifest": None, "files": shards}

    def opened(
        model: dict[str, Any], cached: bool = False, emptied: bool = False
    ) -> Callable[[], AbstractAsyncContextManager[ModelSource]]:
        @asynccontextmanager
        async def source() -> AsyncIterator[ModelSource]:
            found = await open_source(json.dumps(model), cached, emptied)
            try:
                yield BrowserSource(found)
            finally:
                await found.close(True)

        return source

    ways = [
        Way("fetched", idle, opened(bare)),
        Way("fetched, checked", idle, opened(entry)),
        Way("fetched, checked, on GPU", gpu, opened(entry)),
        Way("the same, into the cache", gpu, opened(entry, cached=True, emptied=True)),
        Way("cached, checked, on GPU", gpu, opened(entry, cached=True), adds=False),
    ]
    return await bench_load(gpu, layers, ways, repeats)
