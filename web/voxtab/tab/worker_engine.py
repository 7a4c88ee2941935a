"""The worker's one engine, on the device it was last handed."""

from typing import Any

from voxtab.errors import VoxtabError
from voxtab.gpu.browser import BrowserGpu
from voxtab.sessions.engine import Engine

_device: Any = None
_engine: Engine | None = None


def engine_on(device: Any) -> Engine:
    """The engine there is, or a new one if the device is another."""
    global _device, _engine
    if _engine is None or _device != device:
        _device = device
        _engine = Engine(BrowserGpu(device))
    return _engine


def engine_here() -> Engine | None:
    return _engine


def loaded_engine() -> Engine:
    """Raises VoxtabError model-missing before the first load."""
    if _engine is None:
        raise VoxtabError("model-missing", "No model is loaded.", "Load a model first.")
    return _engine


def forget(device: Any) -> None:
    """A device that is gone takes its models along; its memory is free already."""
    global _device, _engine
    if _device == device:
        _device = _engine = None
