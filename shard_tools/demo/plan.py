"""Which part of the corpus is spoken by which voices, and how much of it."""

from dataclasses import dataclass
from typing import Final, Literal

from shard_tools.demo.voices import (
    ESPEAK_HELD_OUT,
    HELD_OUT_MANNER,
    RECORDED_HELD_OUT,
    RECORDED_TRAINED,
    TRAINED_MANNER,
    Manner,
    Voice,
    espeak_held_out,
    espeak_trained,
)

Unit = Literal["seconds", "phrases", "words"]


@dataclass(frozen=True)
class Part:
    """What one process makes at a time: phrases of `voices` in turn until there is `amount` of `unit`."""

    name: str
    split: str
    voices: tuple[Voice, ...]
    amount: float
    unit: Unit
    held_out: bool = False

    @property
    def manner(self) -> Manner:
        """How its voices vary."""
        return HELD_OUT_MANNER if self.held_out else TRAINED_MANNER


# Hours of training for each hour in all. Recordings of people get more than their number.
_ESPEAK_SHARE: Final = 4.5 / 11
_RECORDED_SHARES: Final = {
    "flite/slt": 1.55 / 11,
    "flite/awb": 1.55 / 11,
    "flite/kal": 0.6 / 11,
    "flite/kal16": 0.8 / 11,
    "festival/kal_diphone": 0.9 / 11,
    "festival/cmu_us_slt_arctic_hts": 1.1 / 11,
}
_LONGEST_PART: Final = 1800.0  # seconds of sound: what an interrupted run loses at most
_TEST_WORDS: Final = 1728
_VALID_PHRASES: Final = 200
_UNSEEN_PHRASES: Final = 150
_FOREIGN_WORDS: Final = 260


def plan_parts(hours: float) -> list[Part]:
    """All parts in the corpus's order, for `hours` of training."""
    espeak = espeak_trained()
    unseen = [(voice,) for voice in RECORDED_HELD_OUT] + [
        espeak_held_out(variant) for variant in ESPEAK_HELD_OUT
    ]
    parts = _training("train-espeak", espeak, hours * _ESPEAK_SHARE)
    for voice in RECORDED_TRAINED:
        parts += _training(f"train-{_slug(voice)}", (voice,), hours * _RECORDED_SHARES[str(voice)])
    recorded = len(RECORDED_TRAINED)
    for split, total, unit in _TRAINED_SPLITS:
        parts.append(Part(f"{split}-espeak", split, espeak, total / 2, unit))
        for voice, amount in zip(RECORDED_TRAINED, _shares(total / 2, recorded), strict=True):
            parts.append(Part(f"{split}-{_slug(voice)}", split, (voice,), amount, unit))
    for split, total, unit in _UNSEEN_SPLITS:
        for voices, amount in zip(unseen, _shares(total, len(unseen)), strict=True):
            parts.append(Part(f"{split}-{_slug(voices[0])}", split, voices, amount, unit, held_out=True))
    return parts


_TRAINED_SPLITS: Final[tuple[tuple[str, int, Unit], ...]] = (
    ("valid", _VALID_PHRASES, "phrases"),
    ("test", _TEST_WORDS, "words"),
    ("test_foreign", _FOREIGN_WORDS // 2, "words"),
)
_UNSEEN_SPLITS: Final[tuple[tuple[str, int, Unit], ...]] = (
    ("valid_unseen", _UNSEEN_PHRASES, "phrases"),
    ("test_unseen", _TEST_WORDS, "words"),
    ("test_foreign", _FOREIGN_WORDS // 2, "words"),
)


def _training(name: str, voices: tuple[Voice, ...], hours: float) -> list[Part]:
    seconds = hours * 3600
    count = max(1, round(seconds / _LONGEST_PART + 0.49))
    return [
        # Every part takes its own voices, so that a short corpus still hears many.
        Part(f"{name}-{index:02}", "train", voices[index::count] or voices, seconds / count, "seconds")
        for index in range(count)
    ]


def _shares(total: float, count: int) -> list[int]:
    """`total` in `count` whole shares as equal as can be."""
    return [round(total * (index + 1) / count) - round(total * index / count) for index in range(count)]


def _slug(voice: Voice) -> str:
    return str(voice).replace("/", "-").replace("+", "-")
