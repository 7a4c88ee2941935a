"""What a speech session is asked for, checked before anything runs."""

import random
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from voxtab.errors import VoxtabError
from voxtab.formats.tekken import Tekken
from voxtab.models.tts_config import TtsConfig
from voxtab.sessions.sentences import utterances

MAX_TEXT_CHARACTERS = 10_000
# About twenty seconds of speech: as long as a voice keeps its tone, and as a listener waits for a cancelled one.
LONGEST_UTTERANCE = 300
# The reference's limit: 164 s. An utterance of LONGEST_UTTERANCE that goes on so long has lost its way.
MAX_FRAMES = 2048


@dataclass(frozen=True)
class Utterance:
    """One prompt, and how many frames may follow it."""

    text: str
    prompt: list[int]
    max_frames: int


def plan_utterances(text: str, voice: str, config: TtsConfig, tekken: Tekken) -> list[Utterance]:
    """Raises VoxtabError: text-empty, text-too-long, voice-unknown (naming those there are)."""
    if not text.strip():
        raise VoxtabError("text-empty", "There is no text to speak.", "Type something first.")
    if len(text) > MAX_TEXT_CHARACTERS:
        raise VoxtabError(
            "text-too-long",
            f"The text has {len(text)} characters; {MAX_TEXT_CHARACTERS} can be spoken at once.",
            "Speak it in parts.",
        )
    rows = {entry.name: entry.rows for entry in config.voices}
    if voice not in rows:
        raise VoxtabError("voice-unknown", f"There is no voice {voice!r}.", f"Use {', '.join(rows)}.")
    planned = []
    for piece in utterances(text, LONGEST_UTTERANCE):
        prompt = config.prompt(rows[voice], tekken.encode(piece))
        # The last prompt row makes frame 0, and every later frame takes a position.
        room = config.max_position - len(prompt) + 1
        if room < 1:
            raise VoxtabError(
                "text-too-long",
                f"A voice and a sentence of {len(prompt)} tokens leave no room for speech.",
                "Use a shorter sentence.",
            )
        planned.append(Utterance(piece, prompt, min(MAX_FRAMES, room)))
    return planned


class Noise:
    """What the flow starts from: standard normal numbers, `width` a frame, the same for the same seed everywhere."""

    def __init__(self, width: int, seed: int) -> None:
        self.width = width
        self._seed = seed
        self._random = random.Random(seed)

    def start(self, utterance: int) -> None:
        """Every utterance draws for itself, so that how far the one before was queued changes nothing."""
        self._random = random.Random(f"{self._seed}/{utterance}")

    def rows(self, first: int, count: int) -> "array[float]":
        """Of the next `count` frames; `first` is the number of frames already asked for."""
        return array("f", (self._random.gauss(0.0, 1.0) for _ in range(count * self.width)))


class GivenNoise(Noise):
    """Noise from outside, to compare with a reference: every utterance starts at its first row."""

    def __init__(self, width: int, values: Sequence[float]) -> None:
        super().__init__(width, 0)
        if not len(values) or len(values) % width:
            raise VoxtabError(
                "option-invalid",
                f"The noise has {len(values)} values, which is no whole number of frames.",
                f"Give {width} values a frame.",
            )
        self._values = array("f", values)

    @property
    def frames(self) -> int:
        return len(self._values) // self.width

    def rows(self, first: int, count: int) -> "array[float]":
        return self._values[first * self.width : (first + count) * self.width]
