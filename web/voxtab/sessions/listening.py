"""Listens to a stream of sound for as long as it lasts: what was said so far, while it is being said.

    session = Listening(model, tekken, ListenOptions(delay_ms=480))
    while sound comes:
        session.feed(pcm)
        while not session.idle:
            show((await session.step()).text)
    session.close()
    while not session.done:
        show((await session.step()).text)

The stream is heard in segments, each a transcription of its own with silence before and behind it, one after the other
on the same GPU memory. A segment ends

- after ten minutes or so, at a pause (`segmenting.py`). The released model is made for 131072 tokens, 2.9 hours, and
  what it writes depends on what it wrote in the last eleven minutes: a new start bounds the former, and ends whatever
  the latter may have led it into. Both segments hear the middle of the pause.
- when another delay is wished for, at the next pause too: the delay is in the prompt and in every layer.
- when the model gives its end-of-sequence token. What was said stays; the next segment hears the sound from there on,
  less four tokens in which a word may have begun, but behind the last word that was written. The reference stops there;
  to go on with the token in the context would be something the model was never trained on. One among the first
  thirteen tokens is passed over, so that a model which ends each stream at once can't make starts its only work.

Sound is kept until the model has written about it, text and words as letters and numbers; nothing else grows.
"""

from array import array
from collections import deque
from dataclasses import dataclass, replace
from typing import Any

from voxtab.errors import VoxtabError
from voxtab.formats.tekken import Tekken
from voxtab.models.asr import AsrModel
from voxtab.models.asr_state import MAX_CHUNK_TOKENS, AsrOptions
from voxtab.models.log_mel import SAMPLE_RATE
from voxtab.sessions.segmenting import Cut, Segmenting
from voxtab.sessions.sound import SoundQueue, checked
from voxtab.sessions.transcript import Transcript
from voxtab.sessions.transcription import Transcription
from voxtab.sessions.words import Word, WordFinder

MAX_BACKLOG_S = 300.0
"""The most sound that may wait; more is refused."""

_HEARD_AGAIN = 4
_DOUBTED_TOKENS = 13
# What a segment is handed at a time: enough for a step to be as large as it may.
_HANDED_TOKENS = 2 * MAX_CHUNK_TOKENS


@dataclass(frozen=True)
class ListenOptions:
    """What a caller may choose for a stream; most are AsrOptions'. segment_s: seconds after which a segment ends at the
    next pause."""

    delay_ms: int | None = None
    kv_window: int | None = None
    cache: str = "f16"
    gain: float = 1.0
    submit_ms: int = 200
    segment_s: float = 600.0

    def __post_init__(self) -> None:
        if not self.segment_s >= 1:
            raise VoxtabError(
                "option-invalid",
                f"segment_s can't be {self.segment_s!r}.",
                "Use a number of seconds from 1; 600 is the default.",
            )

    def of_segment(self) -> AsrOptions:
        """Raises VoxtabError option-invalid."""
        return AsrOptions(
            delay_ms=self.delay_ms,
            kv_window=self.kv_window,
            cache=self.cache,
            gain=self.gain,
            submit_ms=self.submit_ms,
        )


def check_budget(budget: int) -> None:
    """Raises VoxtabError option-invalid for a step that could not get anywhere."""
    if budget < 1:
        raise VoxtabError(
            "option-invalid", f"A step can't have a budget of {budget}.", "Use 1 token or more."
        )


@dataclass(frozen=True)
class Heard:
    """What one step brought: text to append, the words that it finished (in seconds of the whole stream), and the ids
    behind the text, special ones included."""

    text: str = ""
    words: tuple[Word, ...] = ()
    tokens: tuple[int, ...] = ()


@dataclass(frozen=True)
class Segment:
    """A run of the model: the sound it heard, in seconds of the whole stream, and what it wrote."""

    start: float
    end: float
    delay_ms: int
    text: str

    def to_json(self) -> dict[str, Any]:
        times = {"start": round(self.start, 3), "end": round(self.end, 3)}
        return {**times, "delay_ms": self.delay_ms, "text": self.text}


@dataclass(frozen=True)
class _Ended:
    """A segment whose text is still in the transcript: from where to where."""

    start: float
    end: float
    delay_ms: int
    text_start: int
    text_end: int


class Listening:
    """One stream on one model. Not for use by two tasks at once; several streams may share a device."""

    def __init__(self, model: AsrModel, tekken: Tekken, options: ListenOptions | None = None) -> None:
        options = options or ListenOptions()
        delay_ms = model.config.n_delay_tokens * 80 if options.delay_ms is None else options.delay_ms
        self.options = replace(options, delay_ms=delay_ms)
        self._model = model
        self._tekken = tekken
        self._samples_per_token = model.config.samples_per_token
        self._sound = SoundQueue()
        self._segmenting = Segmenting(delay_ms, options.segment_s)
        self._first_delay_ms = delay_ms
        self._cuts: deque[Cut] = deque()
        self._closed = False
        self._done = False
        self.transcript = Transcript()
        self._segments: list[_Ended] = []
        self._seconds = {"encode": 0.0, "prompt": 0.0, "decode": 0.0}
        self._tokens = 0
        self._heard_s = 0.0
        self._counters = model.gpu.counters.copy()
        self._run = self._transcription()
        self._begin(0)

    def _transcription(self) -> Transcription:
        options = self.options.of_segment()
        return Transcription(self._model, self._tekken, options, doubted_tokens=_DOUBTED_TOKENS)

    def _run_at(self, delay_ms: int) -> None:
        """A new run with another delay, in place of the one there is: never both, they may be most of a GPU's memory."""
        self._run.free()
        self.options = replace(self.options, delay_ms=delay_ms)
        self._run = self._transcription()

    def _begin(self, start: int) -> None:
        """Let self._run, which is new, hear the stream from sample `start` on."""
        self._start = start
        self._handed = start
        self._taken = 0
        self._text_start = self.transcript.length
        self._finder = WordFinder(self._tekken, start / SAMPLE_RATE, self.transcript.end_s)

    @property
    def done(self) -> bool:
        """Whether it was closed and all has been written."""
        return self._done

    @property
    def idle(self) -> bool:
        """Whether a step would find nothing to do before more sound is fed."""
        return self._done or (
            self._handed == self._sound.end
            and not self._cuts
            and not self._closed
            and not self._run.done
            and self._run.idle
        )

    @property
    def delay_ms(self) -> int:
        """Of the segment being heard."""
        assert self.options.delay_ms is not None
        return self.options.delay_ms

    @property
    def text(self) -> str:
        """What was said so far, trimmed."""
        return self.transcript.text.strip()

    @property
    def audio_s(self) -> float:
        """Seconds of sound fed."""
        return self._sound.end / SAMPLE_RATE

    @property
    def heard_s(self) -> float:
        """Seconds of sound behind the text there is."""
        return self._heard_s

    @property
    def backlog_s(self) -> float:
        """Seconds of sound that no work has begun on."""
        waiting = self._sound.end - self._handed + self._run.backlog
        return 0.0 if self._done else waiting / SAMPLE_RATE

    @property
    def rtf(self) -> float:
        """Work on the GPU over the sound heard, so far."""
        seconds = sum(self._seconds.values()) + sum(self._run.seconds.values())
        return round(seconds / self.heard_s, 4) if self.heard_s else 0.0

    def feed(self, pcm: "array[float] | memoryview") -> None:
        """Append mono samples at 16 kHz in [-1, 1], as float32.

        Raises VoxtabError audio-undecodable for what is no sound or comes after close(), backlog-full when more than
        MAX_BACKLOG_S would wait. Nothing of the piece is taken then; what was fed before is still written down.
        """
        samples = checked(pcm)
        if self._closed:
            raise VoxtabError(
                "audio-undecodable", "Sound came after the end of the stream.", "Start a new one."
            )
        if self.backlog_s + len(samples) / SAMPLE_RATE > MAX_BACKLOG_S:
            raise VoxtabError(
                "backlog-full",
                f"More than {MAX_BACKLOG_S:.0f} s of sound wait to be written down.",
                "Wait until it has caught up; use a smaller model or a faster GPU if it doesn't.",
            )
        self._sound.append(samples)
        self._cuts.extend(self._segmenting.hear(self._sound))

    def set_delay(self, delay_ms: int) -> None:
        """How far the text lags, from the next pause in what is fed from now on, at the latest five seconds later. Raises
        VoxtabError option-invalid."""
        AsrOptions(delay_ms=delay_ms)
        if self._sound.end:
            self._segmenting.set_delay(delay_ms, self._sound.end)
        else:
            self._segmenting = Segmenting(delay_ms, self.options.segment_s)
            self._first_delay_ms = delay_ms

    def close(self) -> None:
        """No more sound; what was said last is still to come out."""
        self._closed = True

    async def step(self, budget: int = MAX_CHUNK_TOKENS) -> Heard:
        """Work on at most `budget` tokens (80 ms each) of sound. Returns at once when there is nothing to do. Raises
        VoxtabError device-lost, adapter-too-small or option-invalid."""
        check_budget(budget)
        if self._done:
            return Heard()
        if self._handed == 0 and self._first_delay_ms != self.delay_ms:
            self._run_at(self._first_delay_ms)
        self._hand_over()
        text = await self._run.step(budget)
        tokens = tuple(self._run.tokens[self._taken :])
        self._taken += len(tokens)
        found = [self._finder.push(token, self._run_audio_s) for token in tokens]
        if text and self.transcript.length == self._text_start > 0 and not text[0].isspace():
            text = " " + text
        self.transcript.append(text)
        self._heard_s = max(self._heard_s, self._start / SAMPLE_RATE + self._run.heard_s)
        if self._run.done:
            found.append(self._finder.finish(self._run_audio_s))
        words = tuple(word for word in found if word is not None)
        for word in words:
            self.transcript.add(word)
        if self._run.done:
            self._end_segment()
        self._sound.drop_before(self._oldest_needed())
        return Heard(text, words, tokens)

    @property
    def _run_audio_s(self) -> float:
        """Where the sound that the segment was handed ends, in seconds of the stream."""
        return self._handed / SAMPLE_RATE

    def _hand_over(self) -> None:
        """Give the segment sound, as far as it goes; its end, when that is known."""
        end = self._segment_end()
        wanted = _HANDED_TOKENS * self._samples_per_token - self._run.backlog
        upto = min(self._handed + max(0, wanted), self._sound.end if end is None else end)
        if upto > self._handed:
            self._run.take(self._sound.part(self._handed, upto))
            self._handed = upto
        if self._handed == end:
            self._run.close()

    def _segment_end(self) -> int | None:
        """The sample that this segment ends before; None while there is no telling."""
        if self._cuts:
            return self._cuts[0].end
        return self._sound.end if self._closed else None

    def _end_segment(self) -> None:
        """The run is done: begin the next one, or none."""
        self._account()
        start, end = self._start, self._handed
        resumed = self._resumed_from()
        if resumed is not None:
            end = resumed
        times = start / SAMPLE_RATE, end / SAMPLE_RATE
        self._segments.append(_Ended(*times, self.delay_ms, self._text_start, self.transcript.length))
        if resumed is not None:
            self._run.restart()
            self._begin(resumed)
        elif self._cuts:
            cut = self._cuts.popleft()
            if cut.delay_ms == self.delay_ms:
                self._run.restart()
            else:
                self._run_at(cut.delay_ms)
            self._begin(cut.start)
        else:
            self._done = True

    def _resumed_from(self) -> int | None:
        """The sample to go on from where the model ended the stream before its sound did."""
        count = len(self._run.tokens)
        end = self._segment_end()
        if not self._run.ended_by_model:
            return None
        if end is not None and self._start + (count + 1) * self._samples_per_token >= end:
            return None
        written = next(
            (k + 1 for k in reversed(range(count)) if self._tekken.token_bytes(self._run.tokens[k])), 0
        )
        return self._start + max(written, count + 1 - _HEARD_AGAIN) * self._samples_per_token

    def _oldest_needed(self) -> int:
        """The first sample that the model may still be handed, now or again."""
        again = self._start + max(0, len(self._run.tokens) + 1 - _HEARD_AGAIN) * self._samples_per_token
        return min(again, self._handed, self._cuts[0].start if self._cuts else self._sound.end)

    def _account(self) -> None:
        for kind, seconds in self._run.seconds.items():
            self._seconds[kind] += seconds
            self._run.seconds[kind] = 0.0
        self._tokens += len(self._run.tokens)

    def words(self) -> list[Word]:
        """All finished words."""
        return self.transcript.words()

    def segments(self) -> list[Segment]:
        """All that have ended."""
        written = self.transcript.text_between
        return [
            Segment(ended.start, ended.end, ended.delay_ms, written(ended.text_start, ended.text_end).strip())
            for ended in self._segments
        ]

    @property
    def segment_start_s(self) -> float:
        """Where the segment being heard begins, in seconds of the stream."""
        return self._start / SAMPLE_RATE

    def stats(self) -> dict[str, Any]:
        """Figures so far; times are milliseconds of GPU work as seen from here, rtf is that work over the sound."""
        seconds = {kind: self._seconds[kind] + self._run.seconds[kind] for kind in self._seconds}
        tokens = self._tokens + (0 if self._done else len(self._run.tokens))
        gpu = self._model.gpu
        return {
            "audio_s": round(self.audio_s, 3),
            "heard_s": round(self.heard_s, 3),
            "backlog_s": round(self.backlog_s, 3),
            **{f"{kind}_ms": round(value * 1e3, 1) for kind, value in seconds.items()},
            "tokens_per_s": round(tokens / seconds["decode"], 2) if seconds["decode"] else 0.0,
            "rtf": self.rtf,
            "segments": len(self._segments),
            "gpu_bytes": gpu.gpu_bytes,
            "adapter": gpu.info.name,
            "counters": gpu.counters.since(self._counters),
        }

    def result(self) -> dict[str, Any]:
        """What callers of a finished session get, as JSON values."""
        return {
            "text": self.text,
            "words": [word.to_json() for word in self.words()],
            "segments": [segment.to_json() for segment in self.segments()],
            "stats": self.stats(),
        }

    def free(self) -> None:
        """Give the session's GPU memory back; text and words stay."""
        self._done = True
        self._run.free()
