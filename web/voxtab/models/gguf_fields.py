"""Checked access to a model's sizes in GGUF metadata: what is absent has a default, what is out of range is refused."""

from collections.abc import Mapping
from typing import Any

from voxtab.errors import VoxtabError


class Fields:
    """The values under `<prefix>.`; `model` is what errors call the model. Raises VoxtabError not-voxtral."""

    def __init__(self, metadata: Mapping[str, Any], prefix: str, model: str) -> None:
        self._metadata = metadata
        self._prefix = prefix
        self._model = model

    def architecture(self, wanted: str) -> None:
        """Refuse a file of another architecture; one that names none may be any."""
        found = self._metadata.get("general.architecture", wanted)
        if found != wanted:
            raise VoxtabError(
                "not-voxtral",
                f"This GGUF holds a model of architecture {str(found)[:40]!r}, not {wanted!r}.",
                f"Choose a {self._model} model; voxtab-shards quantize makes one from Mistral's files.",
            )

    def whole(self, key: str, default: int, least: int, most: int, multiple: int = 1) -> int:
        value = self._metadata.get(f"{self._prefix}.{key}", default)
        if not _is_whole(value, least, most, multiple):
            raise self.wrong_value(key)
        return int(value)

    def wholes(self, key: str, default: tuple[int, ...], least: int, most: int) -> tuple[int, ...]:
        """An array of at most 256 numbers, each in range; empty only where the default is."""
        values = self._metadata.get(f"{self._prefix}.{key}", default)
        if not isinstance(values, list | tuple) or not min(1, len(default)) <= len(values) <= 256:
            raise self.wrong_value(key)
        if not all(_is_whole(value, least, most) for value in values):
            raise self.wrong_value(key)
        return tuple(values)

    def real(self, key: str, default: float, least: float, most: float) -> float:
        value = self._metadata.get(f"{self._prefix}.{key}", default)
        if not isinstance(value, int | float) or isinstance(value, bool) or not least <= value <= most:
            raise self.wrong_value(key)
        return float(value)

    def word(self, key: str) -> str:
        """A short string; absent: empty."""
        value = self._metadata.get(f"{self._prefix}.{key}", "")
        if not _is_word(value):
            raise self.wrong_value(key)
        return str(value)

    def words(self, key: str) -> tuple[str, ...]:
        """An array of at most 256 short strings; absent: none."""
        values = self._metadata.get(f"{self._prefix}.{key}", ())
        if not isinstance(values, list | tuple) or len(values) > 256 or not all(map(_is_word, values)):
            raise self.wrong_value(key)
        return tuple(values)

    def wrong_value(self, key: str) -> VoxtabError:
        return self.refusal(
            f"{self._prefix}.{key} is {str(self._metadata.get(f'{self._prefix}.{key}'))[:40]!r}"
        )

    def refusal(self, reason: str) -> VoxtabError:
        return VoxtabError(
            "not-voxtral",
            f"This GGUF does not describe a {self._model} model: {reason}.",
            "Make the file again with voxtab-shards quantize, or download another one.",
        )


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= 64


def _is_whole(value: Any, least: int, most: int, multiple: int = 1) -> bool:
    return (
        isinstance(value, int)
        and not isinstance(value, bool)
        and least <= value <= most
        and value % multiple == 0
    )
