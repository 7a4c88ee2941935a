"""What an evaluation found: one result a recording, sums of them, and both as JSON.

    {"format": "voxtab-eval", "version": 1, "about": {"model", "data", "options", ...}, "normaliser",
     "planned": recordings asked for, "partial": not all of them were tried, "stopped": code of why not, or null,
     "total": Totals, "groups": {group: Totals},
     "files": [{"name", "group", "reference", "hypothesis", "seconds", "processing_s", "rtf", "words", "substitutions",
                "insertions", "deletions", "wer", "characters", "cer"}],
     "failed": [{"name", "group", "code", "message", "hint"}]}

Rates are fractions (0.05 is 5 %); one without anything to divide by is null. Recordings that failed count nowhere else.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from shard_tools.evaluate.score import Counts
from voxtab.errors import VoxtabError

_NOTHING: Final = Counts()


@dataclass(frozen=True)
class FileResult:
    """`seconds` of sound took `processing_s` to transcribe (reading the file not included). `reference` is as given,
    `hypothesis` as written; `words` and `characters` were counted after normalising. `error`: why there is nothing."""

    name: str
    group: str
    reference: str
    hypothesis: str = ""
    seconds: float = 0.0
    processing_s: float = 0.0
    words: Counts = _NOTHING
    characters: Counts = _NOTHING
    error: VoxtabError | None = None

    def to_json(self) -> dict[str, Any]:
        if self.error is not None:
            return {"name": self.name, "group": self.group, **self.error.to_json()}
        return {
            "name": self.name,
            "group": self.group,
            "reference": self.reference,
            "hypothesis": self.hypothesis,
            **_times(self.seconds, self.processing_s),
            **_rates(self.words, self.characters),
        }


@dataclass(frozen=True)
class Totals:
    """Sums over recordings; those that failed are counted in `failed` alone. `silent_s`: seconds of the recordings in
    which nothing is said, and `silent_words` what was written for them."""

    files: int
    failed: int
    seconds: float
    processing_s: float
    words: Counts
    characters: Counts
    silent_s: float
    silent_words: int

    @classmethod
    def of(cls, results: Iterable[FileResult]) -> "Totals":
        results = list(results)
        heard = [result for result in results if result.error is None]
        silent = [result for result in heard if not result.words.reference]
        return cls(
            files=len(heard),
            failed=len(results) - len(heard),
            seconds=sum(result.seconds for result in heard),
            processing_s=sum(result.processing_s for result in heard),
            words=sum((result.words for result in heard), _NOTHING),
            characters=sum((result.characters for result in heard), _NOTHING),
            silent_s=sum((result.seconds for result in silent), 0.0),
            silent_words=sum(result.words.insertions for result in silent),
        )

    @property
    def wer(self) -> float | None:
        """Word errors per reference word, words inserted into silence included; None without reference words."""
        return self.words.rate

    @property
    def cer(self) -> float | None:
        """The same for characters."""
        return self.characters.rate

    @property
    def rtf(self) -> float | None:
        """Processing time per time of sound: below 1 is faster than real time."""
        return self.processing_s / self.seconds if self.seconds else None

    @property
    def false_words_per_minute(self) -> float | None:
        """Words written per minute of the recordings in which nothing is said; None without such recordings."""
        return 60 * self.silent_words / self.silent_s if self.silent_s else None

    def to_json(self) -> dict[str, Any]:
        return {
            "files": self.files,
            "failed": self.failed,
            **_times(self.seconds, self.processing_s),
            **_rates(self.words, self.characters),
            "silent_s": round(self.silent_s, 3),
            "silent_words": self.silent_words,
            "false_words_per_minute": _rounded(self.false_words_per_minute),
        }


@dataclass(frozen=True)
class Report:
    """`about`: with what was measured, as JSON values. `planned`: how many results there should be. `stopped`: the code
    of what ended the run early."""

    results: Sequence[FileResult]
    normaliser: str
    planned: int
    stopped: str | None = None
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def partial(self) -> bool:
        """Not every recording was tried."""
        return len(self.results) < self.planned

    @property
    def total(self) -> Totals:
        return Totals.of(self.results)

    @property
    def by_group(self) -> dict[str, Totals]:
        """Sums per group, in the groups' first order; empty when no recording names one."""
        groups: dict[str, list[FileResult]] = {}
        for result in self.results:
            groups.setdefault(result.group, []).append(result)
        return {} if set(groups) <= {""} else {name: Totals.of(found) for name, found in groups.items()}

    @property
    def failed(self) -> list[FileResult]:
        return [result for result in self.results if result.error is not None]

    def to_json(self) -> dict[str, Any]:
        """See the module."""
        return {
            "format": "voxtab-eval",
            "version": 1,
            "about": dict(self.about),
            "normaliser": self.normaliser,
            "planned": self.planned,
            "partial": self.partial,
            "stopped": self.stopped,
            "total": self.total.to_json(),
            "groups": {name: totals.to_json() for name, totals in self.by_group.items()},
            "files": [result.to_json() for result in self.results if result.error is None],
            "failed": [result.to_json() for result in self.failed],
        }


def _times(seconds: float, processing_s: float) -> dict[str, Any]:
    return {
        "seconds": round(seconds, 3),
        "processing_s": round(processing_s, 3),
        "rtf": _rounded(processing_s / seconds if seconds else None),
    }


def _rates(words: Counts, characters: Counts) -> dict[str, Any]:
    return {
        "words": words.reference,
        "substitutions": words.substitutions,
        "insertions": words.insertions,
        "deletions": words.deletions,
        "wer": _rounded(words.rate),
        "characters": characters.reference,
        "cer": _rounded(characters.rate),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
