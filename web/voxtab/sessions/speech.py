"""Speaks a text.

    session = Speech(model, tekken, "Hello there.", "casual_female")
    while not session.done:
        play(await session.step())      # float32 samples at 24 kHz, as soon as there are any

A long text is several utterances with a pause between them. Frames (80 ms) are queued several at a time, each batch with
the codec's run over it behind it; the END frame is seen when a batch has come back, and what was queued past it is
dropped. So nothing waits for the GPU frame by frame.
"""

import time
from array import array
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from voxtab.errors import VoxtabError
from voxtab.formats.tekken import Tekken
from voxtab.gpu.base import Program, Readback
from voxtab.models.codec_state import CodecState
from voxtab.models.tts import TtsModel
from voxtab.models.tts_config import END_CODE
from voxtab.models.tts_state import FRAME_SLOTS, TtsOptions, TtsState
from voxtab.sessions.pace import Pace
from voxtab.sessions.speech_trace import SpeechTrace
from voxtab.sessions.utterance import GivenNoise, Noise, Utterance, plan_utterances

# Between utterances, in seconds.
PAUSE_S = 0.3
# Batches are powers of two, so that few programs are recorded; the first is small, for an early sound.
_FIRST_BATCH, _LARGEST_BATCH = 2, 16


@dataclass(frozen=True)
class SpeechOptions:
    """euler_steps, cfg_alpha, cache: see TtsOptions. seed: of the noise. submit_ms: about how long one submit may keep
    the GPU. noise: f32 values in place of the seed's, a row of codebooks a frame; speech ends where they end."""

    euler_steps: int | None = None
    cfg_alpha: float | None = None
    cache: str = "f16"
    seed: int = 0
    submit_ms: int = 200
    noise: "array[float] | None" = None

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 1 << 53:
            raise VoxtabError(
                "option-invalid", f"seed can't be {self.seed!r}.", "Use a whole number from 0 to 2^53 - 1."
            )
        if not 1 <= self.submit_ms <= 60_000:
            raise VoxtabError(
                "option-invalid",
                f"submit_ms can't be {self.submit_ms!r}.",
                "Use 1 to 60000; 200 is the default.",
            )

    def model_options(self) -> TtsOptions:
        return TtsOptions(self.euler_steps, self.cfg_alpha, self.cache)


@dataclass(frozen=True)
class _Batch:
    """Frames under way: their codes, then their samples."""

    first: int
    count: int
    at: float
    codes: Readback
    samples: Readback


class Speech:
    """One text in one voice on one model. Not for use by two tasks at once."""

    def __init__(
        self,
        model: TtsModel,
        tekken: Tekken,
        text: str,
        voice: str,
        options: SpeechOptions | None = None,
        trace: SpeechTrace | None = None,
    ) -> None:
        """Raises VoxtabError: text-empty, text-too-long, voice-unknown, option-invalid, adapter-too-small."""
        self.options = options or SpeechOptions()
        self.model = model
        self._gpu = model.gpu
        self._trace = trace
        self._planned = plan_utterances(text, voice, model.config, tekken)
        width = model.config.n_codebooks
        given = self.options.noise
        self._noise = GivenNoise(width, given) if given is not None else Noise(width, self.options.seed)
        with model.gpu.all_or_nothing():
            self._state = TtsState(
                *(model.gpu, model.config, self.options.model_options(), model.voices[voice]),
                trace=trace is not None,
            )
            self._codec = CodecState(model.gpu, model.codec.config, self._state.codes, FRAME_SLOTS)
            self._run_once(model.record_times(self._state))
        self._programs: dict[tuple[str, int], Program] = {}
        self._pace = Pace(_FIRST_BATCH, _LARGEST_BATCH, self.options.submit_ms / 1000)
        self._utterance: Utterance | None = None
        self._begun = 0
        self._queued = 0
        self._frames = 0
        self._in_flight: deque[_Batch] = deque()
        self._last_done = 0.0
        self._samples = 0
        self._started = time.perf_counter()
        self._first_sound: float | None = None
        self._seconds = {"prompt": 0.0, "backbone": 0.0, "flow": 0.0, "frames": 0.0, "codec": 0.0}
        self._counters = model.gpu.counters.copy()
        self.codes: list[list[int]] = []
        """Of every frame spoken, special codes included; END frames are not among them."""
        self.cut_short = 0
        """Utterances that reached the limit of frames instead of an end."""

    @property
    def sample_rate(self) -> int:
        return self.model.codec.config.sample_rate

    @property
    def done(self) -> bool:
        return self._utterance is None and self._begun == len(self._planned)

    @property
    def audio_s(self) -> float:
        return self._samples / self.sample_rate

    @property
    def utterance(self) -> tuple[int, int]:
        """(those begun, those in all): the progress of a long text."""
        return self._begun, len(self._planned)

    async def step(self) -> "array[float]":
        """Submit some frames, take in what has come back, return the new samples (there may be none).

        Raises VoxtabError: speech-empty when the model ends an utterance before its first sound, device-lost,
        adapter-too-small.
        """
        sound = array("f")
        if self.done:
            return sound
        await self._gpu.ready()
        if self._utterance is None:
            await self._begin()
            assert self._utterance is not None
        room = self._most_frames() - self._queued
        if room > 0:
            await self._queue(min(self._batch_size(), room))
        while self._in_flight and (room <= 0 or len(self._in_flight) > self._gpu.most_in_flight):
            sound.extend(await self._collect())
        if len(sound) and self._first_sound is None:
            self._first_sound = time.perf_counter() - self._started
        self._samples += len(sound)
        return sound

    def stats(self) -> dict[str, Any]:
        """Figures so far; times are milliseconds of GPU work as seen from here. A frame is one program: its time is
        shared between backbone and flow as the first frame's was, whose halves ran apart."""
        elapsed = time.perf_counter() - self._started
        halves = self._seconds["backbone"] + self._seconds["flow"]
        frames = self._seconds["frames"]
        split = {
            part: self._seconds[part] * (1 + frames / halves if halves else 1)
            for part in ("backbone", "flow")
        }
        return {
            "audio_s": round(self.audio_s, 3),
            "frames": len(self.codes),
            "utterances": self._begun,
            "first_audio_ms": round(self._first_sound * 1e3, 1) if self._first_sound is not None else None,
            "prompt_ms": round(self._seconds["prompt"] * 1e3, 1),
            **{f"{part}_ms": round(seconds * 1e3, 1) for part, seconds in split.items()},
            "codec_ms": round(self._seconds["codec"] * 1e3, 1),
            "rtf": round(elapsed / self.audio_s, 4) if self._samples else 0.0,
            "gpu_bytes": self._gpu.gpu_bytes,
            "adapter": self._gpu.info.name,
            "counters": self._gpu.counters.since(self._counters),
        }

    def result(self) -> dict[str, Any]:
        """What callers of a finished speech get beside the sound, as JSON values."""
        return {
            "codes": self.codes,
            "frames": len(self.codes),
            "cut_short": self.cut_short,
            "stats": self.stats(),
        }

    def free(self) -> None:
        """Give the session's GPU memory back; codes stay."""
        self._utterance, self._begun = None, len(self._planned)
        self._forget_programs()
        self._codec.free()
        self._state.free()

    async def _begin(self) -> None:
        """The next utterance's prompt, but for its last row, which the first frame takes."""
        self._utterance = utterance = self._planned[self._begun]
        self._noise.start(self._begun)
        self._begun += 1
        self._queued = self._frames = 0
        self._codec.restart()
        at = time.perf_counter()
        self._reserve(len(utterance.prompt))
        for rows in self.model.begin(self._state, utterance.prompt):
            self._gpu.run(self._program("prefill", rows, self.model.record_prefill))
            if self._trace is not None:
                await self._trace.prefilled(self._gpu, self._state, rows)
        self.model.keep_prefix(self._state)
        await self._gpu.read(self._state.control, 0, 4).bytes()
        self._last_done = time.perf_counter()
        self._seconds["prompt"] += self._last_done - at

    def _most_frames(self) -> int:
        assert self._utterance is not None
        given = self._noise.frames if isinstance(self._noise, GivenNoise) else self._utterance.max_frames
        return min(self._utterance.max_frames, given)

    def _batch_size(self) -> int:
        """A power of two; a traced session goes frame by frame."""
        return 1 if self._trace is not None else 1 << (self._pace.size.bit_length() - 1)

    async def _queue(self, count: int) -> None:
        """`count` frames and their sound."""
        assert self._utterance is not None
        first = self._queued
        halved = not self.codes and first == 0
        count = 1 if halved else 1 << (count.bit_length() - 1)
        self._reserve(len(self._utterance.prompt) + first + count)
        self._state.write_noise(first, self._noise.rows(first, count))
        at = time.perf_counter()
        # The whole ring: a batch may lie over its end.
        ring = self._state.codes.buffer, 0, FRAME_SLOTS * self.model.config.codes_per_frame * 4
        if halved:
            await self._first_frame()
            codes = self._gpu.read(*ring)
        else:
            frame = self._program("frame", 1, lambda state, _: self.model.record_frame(state))
            codes = self._gpu.run_and_read(frame, *ring, times=count)
        if self._trace is not None:
            await self._trace.framed(self.model, self._state)
        decode = self._program("codec", count, lambda _, n: self.model.codec.record_decode(self._codec, n))
        spoken = count * self.model.codec.config.samples_per_frame * 4
        samples = self._gpu.run_and_read(decode, self._codec.samples.buffer, 0, spoken)
        self._in_flight.append(_Batch(first, count, at, codes, samples))
        self._queued += count

    async def _first_frame(self) -> None:
        """Frame 0 in its two halves, each waited for: their times tell how later frames divide.

        What goes from one to the other lies in the model's scratch, where another session may write meanwhile, so it
        waits in this session's next input, which the second half makes anew.
        """
        hidden, own = self.model.hidden(), self._state.input
        size = hidden.width * 4
        at = time.perf_counter()
        self._run_once(self.model.record_hidden(self._state))
        self._gpu.copy(hidden.buffer, own.buffer, size)
        await self._waited("backbone", at)
        at = time.perf_counter()
        self._gpu.copy(own.buffer, hidden.buffer, size)
        self._run_once(self.model.record_codes(self._state))
        await self._waited("flow", at)

    async def _waited(self, part: str, since: float) -> None:
        """For all submitted so far, which is this part's time."""
        await self._gpu.read(self._state.control, 0, 4).bytes()
        self._last_done = time.perf_counter()
        self._seconds[part] += self._last_done - since

    async def _collect(self) -> "array[float]":
        """The sound of the oldest batch, up to the end of the utterance if it lies there."""
        batch = self._in_flight.popleft()
        ring = array("I", await batch.codes.bytes())
        framed = time.perf_counter()
        samples = array("f", await batch.samples.bytes())
        now = time.perf_counter()
        started = max(batch.at, self._last_done)
        self._last_done = now
        if batch.first or len(self.codes):
            self._seconds["frames"] += max(0.0, framed - started)
            self._pace.measured(batch.count, now - started)
        self._seconds["codec"] += now - max(framed, started)
        width = self.model.config.codes_per_frame
        ended = False
        fresh = 0
        for frame in range(batch.first, batch.first + batch.count):
            row = ring[frame % FRAME_SLOTS * width :][:width].tolist()
            if row[0] == END_CODE:
                ended = True
                break
            self.codes.append(row)
            fresh += 1
        self._frames += fresh
        if ended and not self._frames:
            raise self._nothing_said()
        del samples[fresh * self.model.codec.config.samples_per_frame :]
        limit = not ended and self._frames >= self._most_frames()
        if ended or limit:
            self.cut_short += limit
            await self._end()
            if self._begun < len(self._planned):
                samples.extend(array("f", bytes(4 * round(PAUSE_S * self.sample_rate))))
        return samples

    async def _end(self) -> None:
        """Whatever was queued past the end of the utterance goes unheard."""
        while self._in_flight:
            batch = self._in_flight.popleft()
            await batch.codes.bytes()
            await batch.samples.bytes()
        self._utterance = None

    def _nothing_said(self) -> VoxtabError:
        assert self._utterance is not None
        return VoxtabError(
            "speech-empty",
            f"The model ended before it said anything of {self._utterance.text[:60]!r}.",
            "Try another seed or voice, or put it in other words.",
        )

    def _reserve(self, end: int) -> None:
        if self._state.reserve(end):
            self._forget_programs()

    def _program(self, kind: str, count: int, record: Callable[[TtsState, int], Program]) -> Program:
        key = (kind, count)
        if key not in self._programs:
            self._programs[key] = record(self._state, count)
        return self._programs[key]

    def _run_once(self, program: Program) -> None:
        self._gpu.run(program)
        self._gpu.free_program(program)

    def _forget_programs(self) -> None:
        for program in self._programs.values():
            self._gpu.free_program(program)
        self._programs.clear()
