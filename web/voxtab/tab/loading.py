"""Models come and go."""

import json
from collections.abc import Coroutine
from typing import Any, get_args

from voxtab.errors import VoxtabError
from voxtab.formats.manifest import parse_manifest
from voxtab.models.tasks import Task
from voxtab.tab.answers import answer
from voxtab.tab.calls import Call, long_call
from voxtab.tab.source import BrowserSource
from voxtab.tab.tuning_store import tuner_for
from voxtab.tab.worker_engine import engine_here, engine_on, forget


def load(
    call: int, gpu: Any, source: Any, memory_limit: float | None, tuning: Any = None
) -> Coroutine[Any, Any, str]:
    """Load a model in place of the one of its task; ok: what Engine.load tells.

    memory_limit: bytes for models and sessions in all; None asks the device alone. tuning: see tuner_for.
    """

    async def work(running: Call) -> dict[str, Any]:
        model = BrowserSource(source)
        engine = engine_on(gpu)
        engine.memory_limit = None if memory_limit is None else int(memory_limit)
        engine.tuner = tuner_for(tuning)
        loaded = await engine.load(model, await model.tekken())
        if running.cancelled:
            engine.unload(loaded["task"])
        running.check()
        return loaded

    return long_call(call, work)


def unload(task: Task | None = None) -> str:
    """Free the GPU memory of a task's model, or of both; ok: {gpu_bytes}. No session may be running on it."""

    def work() -> dict[str, Any]:
        if task is not None and task not in get_args(Task):
            raise VoxtabError(
                "option-invalid", f"{task!r} is no task.", f"Use {' or '.join(get_args(Task))}."
            )
        engine = engine_here()
        if engine is None:
            return {"gpu_bytes": 0}
        engine.unload(task)
        return {"gpu_bytes": engine.gpu.gpu_bytes}

    return answer(work)


def loaded_tasks() -> str:
    """ok: the tasks that a model is loaded for."""

    def work() -> list[Task]:
        engine = engine_here()
        return engine.tasks if engine else []

    return answer(work)


def gpu_bytes() -> str:
    """ok: bytes of GPU memory that models and sessions take now."""

    def work() -> int:
        engine = engine_here()
        return engine.gpu.gpu_bytes if engine else 0

    return answer(work)


def forget_device(gpu: Any) -> None:
    """The device is gone for good, and with it whatever was loaded."""
    forget(gpu)


def check_manifest(text: str) -> str:
    """Check a manifest.json; ok: the manifest, normalized."""
    return answer(lambda: json.loads(parse_manifest(text).to_json()))
