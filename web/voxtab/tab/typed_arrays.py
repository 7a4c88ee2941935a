"""Numbers between Python and JavaScript, copied once: neither side's memory may be seen by the other for long."""

from array import array
from typing import Any


def to_js(kind: str, numbers: "array[Any]") -> Any:
    """A JavaScript typed array of this kind, of as many bytes an element."""
    import js  # type: ignore[import-not-found]

    made = getattr(js, kind).new(len(numbers))
    made.assign(memoryview(numbers))
    return made


def floats(typed: Any) -> Any:
    """A Float32Array's numbers, as a memoryview of format "f"."""
    return memoryview(typed.to_bytes()).cast("f")
