"""Checked access to Mistral's params.json: every value is held against what a model can have."""

from collections.abc import Mapping
from typing import Any, Final

from voxtab.errors import VoxtabError

# Far above any real model, far below what would exhaust memory while checking.
MAX_DIM: Final = 1 << 17
MAX_LAYERS: Final = 512
MAX_VOCABULARY: Final = 1 << 22

_HINT: Final = "Download the checkpoint again, or check who wrote its params.json."


class Section:
    """One object of params.json; every getter names the key in its error. `model` is what errors call the model.

    Raises VoxtabError `checkpoint-invalid`, or `not-voxtral` where the model would be another one.
    """

    def __init__(self, values: Any, path: str, model: str) -> None:
        if not isinstance(values, Mapping):
            raise VoxtabError("checkpoint-invalid", f"{path} is not a JSON object.", _HINT)
        self.values = values
        self.path = path
        self.model = model

    def section(self, key: str) -> "Section":
        path = f"{self.path}: {key}" if ": " not in self.path else f"{self.path}.{key}"
        return Section(self.values.get(key), path, self.model)

    def integer(self, key: str, low: int, high: int, default: int | None = None) -> int:
        value = self.values.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise self.error(key, value, f"an integer from {low} to {high}")
        return value

    def number(self, key: str, signed: bool = False, default: float | None = None) -> float:
        value = self.values.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.error(key, value, "a number")
        if abs(value) < 1e30 and (signed or value > 0):
            return float(value)
        raise self.error(key, value, "a number" if signed else "a positive number")

    def integers(self, key: str, low: int, high: int, longest: int) -> tuple[int, ...]:
        """Mistral's lists in a string, such as "2,2,2,2": 1 to `longest` integers."""
        value = self.values.get(key)
        wanted = f"1 to {longest} integers from {low} to {high}, with commas, in a string"
        if not isinstance(value, str) or len(value) > 12 * longest:
            raise self.error(key, value, wanted)
        items = [item.strip() for item in value.split(",")]
        if len(items) > longest or not all(item.isascii() and item.isdigit() for item in items):
            raise self.error(key, value, wanted)
        numbers = tuple(int(item) for item in items)
        if not all(low <= number <= high for number in numbers):
            raise self.error(key, value, wanted)
        return numbers

    def expect(self, key: str, expected: Any) -> None:
        value = self.values.get(key, expected)
        if value != expected:
            raise VoxtabError(
                "not-voxtral", f"{self.path}: {key} is {_shown(value)}, {self.model} has {expected!r}."
            )

    def error(self, key: str, value: Any, wanted: str) -> VoxtabError:
        return VoxtabError(
            "checkpoint-invalid", f"{self.path}: {key} is {_shown(value)}, expected {wanted}.", _HINT
        )


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
