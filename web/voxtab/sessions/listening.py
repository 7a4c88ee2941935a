"""Listens to a stream of sound: what was said so far, while it is being said.

session = Listening(model, tekken, ListenOptions(delay_ms=480))
while sound comes:
    session.feed(pcm)
    heard = await session.step()
    print(heard.text, end="")
session.close()
while not session.done:
    print((await session.step()).text, end="")
"""

from array import array
from dataclasses import dataclass
from typing import Any

from voxtab.errors import VoxtabError
from voxtab.formats.tekken import Tekken
from voxtab.models.asr import AsrModel
from voxtab.models.asr_state import MAX_CHUNK_TOKENS, AsrOptions
from voxtab.models.log_mel import SAMPLE_RATE
from voxtab.sessions.transcription import Transcription
from voxtab.sessions.words import Word

MAX_BACKLOG_S = 300.0
"""The most sound that may wait; more is refused."""


@dataclass(frozen=True)
class ListenOptions:
    """What a caller may choose for a stream; the names are AsrOptions'."""

    delay_ms: int | None = None
    kv_window: int | None = None
    cache: str = "f16"
    gain: float = 1.0
    submit_ms: int = 200

    def of_segment(self) -> AsrOptions:
        """The same for one segment. Raises VoxtabError option-invalid."""
        return AsrOptions(
            delay_ms=self.delay_ms,
            kv_window=self.kv_window,
            cache=self.cache,
            gain=self.gain,
            submit_ms=self.submit_ms,
        )


@dataclass(frozen=True)
class Heard:
    """What one step brought: text to append, the words that are finished by it (seconds of the whole stream), and the
    ids behind the text, special ones included."""

    text: str = ""
    words: tuple[Word, ...] = ()
    tokens: tuple[int, ...] = ()


class Listening:
    """One stream on one model. Not for use by two tasks at once; several streams may share a device."""

    def __init__(self, model: AsrModel, tekken: Tekken, options: ListenOptions | None = None) -> None:
        self.options = options or ListenOptions()
        self._segment = Transcription(model, tekken, self.options.of_segment())
        self._text = ""
        self._words_given = 0
        self._tokens_given = 0

    @property
    def done(self) -> bool:
        return self._segment.done

    @property
    def text(self) -> str:
        """What was said so far, trimmed."""
        return self._text.strip()

    @property
    def audio_s(self) -> float:
        """Seconds of sound fed."""
        return self._segment.audio_s

    @property
    def heard_s(self) -> float:
        """Seconds of sound behind the text there is."""
        return self._segment.heard_s

    @property
    def backlog_s(self) -> float:
        """Seconds of sound fed that no work has begun on."""
        return self._segment.backlog / SAMPLE_RATE

    def feed(self, pcm: "array[float] | memoryview") -> None:
        """Append mono samples at 16 kHz in [-1, 1], as float32.

        Raises VoxtabError audio-undecodable for what is no sound or comes after close(), backlog-full when more than
        MAX_BACKLOG_S would wait: nothing of this piece is taken then, and what waits is still transcribed.
        """
        if self.backlog_s + len(pcm) / SAMPLE_RATE > MAX_BACKLOG_S:
            raise VoxtabError(
                "backlog-full",
                f"More than {MAX_BACKLOG_S:.0f} s of sound wait to be transcribed.",
                "Wait until it has caught up, or use a smaller model or a faster GPU.",
            )
        self._segment.feed(pcm)

    def set_delay(self, delay_ms: int) -> None:
        """How far the text lags from now on. Raises VoxtabError option-invalid."""
        AsrOptions(delay_ms=delay_ms)

    def close(self) -> None:
        """No more sound; what was said last still comes out."""
        self._segment.close()

    async def step(self, budget: int = MAX_CHUNK_TOKENS) -> Heard:
        """Work on at most `budget` tokens (80 ms each) of sound. Returns at once when there is nothing to do. Raises
        VoxtabError device-lost or adapter-too-small."""
        delta = await self._segment.step(budget)
        self._text += delta
        words = self._segment.words()
        finished = words if self.done else words[:-1]
        tokens = self._segment.tokens
        heard = Heard(delta, tuple(finished[self._words_given :]), tuple(tokens[self._tokens_given :]))
        self._words_given, self._tokens_given = len(finished), len(tokens)
        return heard

    def words(self) -> list[Word]:
        """All finished words."""
        return self._segment.words()[: self._words_given]

    def segments(self) -> list[dict[str, Any]]:
        """Runs of the model, each on sound of its own: start and end in seconds of the stream, delay_ms, text."""
        return [
            {
                "start": 0.0,
                "end": round(self.audio_s, 3),
                "delay_ms": self.options.delay_ms,
                "text": self.text,
            }
        ]

    def stats(self) -> dict[str, Any]:
        return self._segment.stats()

    def result(self) -> dict[str, Any]:
        """What callers of a finished session get, as JSON values."""
        return {
            "text": self.text,
            "words": [word.to_json() for word in self.words()],
            "segments": self.segments(),
            "stats": self.stats(),
        }

    def free(self) -> None:
        """Give the session's GPU memory back; text and words stay."""
        self._segment.free()
