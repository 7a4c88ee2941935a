"""What the demo model is measured under, and what it should reach: conditions and bars, as data."""

from dataclasses import dataclass
from typing import Final, Literal

Treatment = Literal["clean", "start", "quiet", "clipped", "8khz", "48khz-stereo", "wordless"]
Precision = Literal["q4_0", "f32"]
Measure = Literal["wer", "false_words_per_minute", "false_words_per_word"]

QUIET_PEAK: Final = 0.01
CLIPPED_SHARE: Final = 0.2
ENOUGH_WORDS: Final = 1500
_SUBSET: Final = 600
_SMALL_SUBSET: Final = 400


@dataclass(frozen=True)
class Condition:
    """The recordings of a split (the first that have `words` words together; None for all), treated, at one delay.

    treatment: start is every phrase alone from its first audible sample; wordless takes no split.
    """

    key: str
    title: str
    split: str = "test"
    delay_ms: int = 480
    words: int | None = None
    treatment: Treatment = "clean"
    normalize_peak: bool = False
    precision: Precision = "q4_0"


# In the order in which they are measured: what matters most comes first.
CONDITIONS: Final = (
    Condition("trained-480", "trained voices, new phrases"),
    Condition("unseen-480", "voices never trained", split="test_unseen"),
    Condition("foreign", "words outside the vocabulary", split="test_foreign"),
    Condition("wordless", "silence, hum, tones, chords, noise", split="", treatment="wordless"),
    Condition("trained-f32", "trained voices, weights in f32", precision="f32"),
    Condition("trained-240", "trained voices at 240 ms", delay_ms=240, words=_SUBSET),
    Condition("trained-960", "trained voices at 960 ms", delay_ms=960, words=_SUBSET),
    Condition("unseen-240", "voices never trained at 240 ms", "test_unseen", 240, _SUBSET),
    Condition("unseen-960", "voices never trained at 960 ms", "test_unseen", 960, _SUBSET),
    Condition("start", "speech that starts at sample 0", words=_SMALL_SUBSET, treatment="start"),
    Condition("quiet", "very quiet speech, peak 0.01", words=_SMALL_SUBSET, treatment="quiet"),
    Condition(
        "quiet-evened",
        "very quiet speech, level evened out",
        words=_SMALL_SUBSET,
        treatment="quiet",
        normalize_peak=True,
    ),
    Condition("clipped", "clipped speech", words=_SMALL_SUBSET, treatment="clipped"),
    Condition("8khz", "8 kHz file", words=_SMALL_SUBSET, treatment="8khz"),
    Condition("48khz-stereo", "48 kHz stereo file", words=_SMALL_SUBSET, treatment="48khz-stereo"),
    Condition("evened", "clean speech, level evened out", words=_SMALL_SUBSET, normalize_peak=True),
)


@dataclass(frozen=True)
class Bar:
    """`measure` of a condition, less that of `baseline` on the same recordings if there is one, is at most `most`.

    groups: how the names of the groups that count begin. least_words: fewer prove nothing.
    """

    key: str
    claim: str
    condition: str
    most: float
    measure: Measure = "wer"
    baseline: str | None = None
    groups: str = ""
    least_words: int = 0


_TRAINED, _UNSEEN = "trained-480", "unseen-480"
_NEAR: Final = 0.04

BARS: Final = (
    Bar("trained", "new phrases of trained voices", _TRAINED, 0.02, least_words=ENOUGH_WORDS),
    Bar("unseen", "voices never trained", _UNSEEN, 0.12, least_words=ENOUGH_WORDS),
    Bar("unseen-espeak", "espeak-ng variants never trained", _UNSEEN, 0.04, groups="espeak-ng "),
    Bar("trained-240", "trained voices, 240 ms against 480", "trained-240", _NEAR, baseline=_TRAINED),
    Bar("trained-960", "trained voices, 960 ms against 480", "trained-960", _NEAR, baseline=_TRAINED),
    Bar("unseen-240", "voices never trained, 240 ms against 480", "unseen-240", _NEAR, baseline=_UNSEEN),
    Bar("unseen-960", "voices never trained, 960 ms against 480", "unseen-960", _NEAR, baseline=_UNSEEN),
    Bar("q4_0", "Q4_0 against the same weights in f32", _TRAINED, 0.01, baseline="trained-f32"),
    Bar("wordless", "silence, hum, tones, noise", "wordless", 0.3, "false_words_per_minute"),
    Bar("foreign", "words outside the vocabulary", "foreign", 0.4, "false_words_per_word"),
    Bar("start", "speech that starts at sample 0, against clean", "start", _NEAR, baseline=_TRAINED),
    Bar("quiet", "peak 0.01, against clean", "quiet", _NEAR, baseline=_TRAINED),
    Bar(
        "quiet-evened",
        "peak 0.01 with the level evened out, against clean",
        "quiet-evened",
        _NEAR,
        baseline=_TRAINED,
    ),
    Bar("clipped", "clipped, against clean", "clipped", _NEAR, baseline=_TRAINED),
    Bar("8khz", "8 kHz file, against clean", "8khz", _NEAR, baseline=_TRAINED),
    Bar("48khz-stereo", "48 kHz stereo file, against clean", "48khz-stereo", _NEAR, baseline=_TRAINED),
    Bar("evened", "level evened out, against clean", "evened", _NEAR, baseline=_TRAINED),
)
