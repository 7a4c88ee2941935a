"""Transcribes a stream of sound. Offline transcription is the same session fed in large chunks.

    session = Transcription(model, tekken, AsrOptions(delay_ms=480))
    session.feed(pcm); session.close()
    while not session.done:
        print(await session.step(), end="")

Padding and schedule (the reference's): 32 tokens of silence before the sound; after it silence up to a whole token, then
delay + 11 tokens. The prompt covers the first 1 + 32 + delay positions; its last one yields token 0; each later position
takes its audio embedding and the token before.
"""

import time
from array import array
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from voxtab.errors import VoxtabError
from voxtab.formats.tekken import StreamDecoder, Tekken
from voxtab.gpu.base import Program, Readback
from voxtab.models.asr import AsrModel
from voxtab.models.asr_state import MAX_CHUNK_TOKENS, AsrOptions, AsrState
from voxtab.models.log_mel import HOP, SAMPLE_RATE, WINDOW
from voxtab.nn.time_embedding import time_embedding
from voxtab.sessions.pace import Pace
from voxtab.sessions.sound import checked
from voxtab.sessions.trace import Trace
from voxtab.sessions.words import Word, words

_RIGHT_PAD_TOKENS = 11
_LOOK_BACK = WINDOW // 2
_LOOK_AHEAD = WINDOW // 2 - HOP
_PROGRAMS_KEPT = 8


@dataclass(frozen=True)
class _Submitted:
    """Work under way: `count` tokens encoded, or the tokens of positions first .. first + count decoded, of which the
    prompt's go in one piece."""

    kind: str
    first: int
    count: int
    at: float
    back: Readback


class Transcription:
    """One stream on one model. Not for use by two tasks at once.

    doubted_tokens: an end of sequence among so many first tokens is taken for a mistake and passed over.
    """

    def __init__(
        self,
        model: AsrModel,
        tekken: Tekken,
        options: AsrOptions | None = None,
        trace: Trace | None = None,
        doubted_tokens: int = 0,
    ) -> None:
        self.options = options or AsrOptions()
        self.model = model
        self._gpu = model.gpu
        self._tekken = tekken
        self._trace = trace
        with model.gpu.all_or_nothing():
            self._state = AsrState(model.gpu, model.config, self.options, trace is not None)
            self._condition_on_delay()
        self._doubted_tokens = doubted_tokens
        self._programs: dict[tuple[str, int], Program] = {}
        self._samples_per_token = model.config.samples_per_token
        submit_s = self.options.submit_ms / 1000
        self._encode_pace = Pace(16, MAX_CHUNK_TOKENS, submit_s)
        self._decode_pace = Pace(8, MAX_CHUNK_TOKENS, submit_s)
        self._in_flight: deque[_Submitted] = deque()
        self._last_done = 0.0
        self._begin()

    def _begin(self) -> None:
        # Samples from _LOOK_BACK before the next token to encode on; the silence before the sound comes first.
        self._pcm = array("f", bytes(4 * (_LOOK_BACK + self._state.n_left_pad * self._samples_per_token)))
        self._fed = 0
        self._encoded = 0
        self._position = 0
        self._total: int | None = None
        self._text = StreamDecoder(self._tekken)
        self._ended = False
        self._eos_seen = False
        self._counters = self._gpu.counters.copy()
        self._started = time.perf_counter()
        self.seconds = {"encode": 0.0, "prompt": 0.0, "decode": 0.0}
        """Of GPU work, as seen from here."""
        self.tokens: list[int] = []
        """Ids generated so far, special ones included, the end-of-sequence token dropped."""

    def restart(self) -> None:
        """Begin anew on the same GPU memory: a stream of its own, with the options there are. The one before is done."""
        assert self._ended, "a stream under way can't be restarted"
        self._state.rewind()
        self._begin()

    def _condition_on_delay(self) -> None:
        time_data = time_embedding(self.model.config.decoder.dim, self._state.n_delay_tokens)
        self._gpu.write(self._state.time, 0, memoryview(time_data))
        program = self.model.record_time_conditioning(self._state)
        self._gpu.run(program)
        self._gpu.free_program(program)

    @property
    def done(self) -> bool:
        return self._ended

    @property
    def ended_by_model(self) -> bool:
        """Whether an end-of-sequence token ended it, maybe before all sound was heard."""
        return self._eos_seen

    @property
    def text(self) -> str:
        """What was said so far, trimmed."""
        return self._tekken.decode(self.tokens).strip()

    @property
    def audio_s(self) -> float:
        """Seconds of sound fed."""
        return self._fed / SAMPLE_RATE

    @property
    def heard_s(self) -> float:
        """Seconds of sound behind the tokens there are."""
        return min(self.audio_s, len(self.tokens) * self._samples_per_token / SAMPLE_RATE)

    @property
    def backlog(self) -> int:
        """Samples fed and not yet encoded."""
        return min(self._fed, len(self._pcm) - _LOOK_BACK)

    @property
    def idle(self) -> bool:
        """Whether a step would find nothing to do before more sound comes."""
        return not self._in_flight and self._encodable() <= 0 and self._decodable() <= 0

    def words(self) -> list[Word]:
        return words(self._tekken, self.tokens, self.audio_s)

    def feed(self, pcm: "array[float] | memoryview") -> None:
        """Append mono samples at 16 kHz in [-1, 1], as float32. Dropped once the transcript has ended.

        Raises VoxtabError audio-undecodable for what is no sound: one endless sample would spoil all that follows.
        """
        if self._ended:
            return
        samples = checked(pcm)
        if self._total is not None:
            raise VoxtabError(
                "audio-undecodable", "Sound came after the end of the stream.", "Start a new one."
            )
        self.take(samples)

    def take(self, samples: "array[float] | memoryview") -> None:
        """Append samples that were checked before, while the stream is open."""
        self._pcm.frombytes(memoryview(samples).cast("B"))
        self._fed += len(samples)

    def close(self) -> None:
        """No more sound. Silence is appended so that the last words come out."""
        if self._total is not None:
            return
        whole = -self._fed % self._samples_per_token
        tail = (self._state.n_delay_tokens + _RIGHT_PAD_TOKENS) * self._samples_per_token
        self._pcm.frombytes(bytes(4 * (whole + tail + _LOOK_AHEAD)))
        self._total = self._encoded + (len(self._pcm) - _LOOK_BACK - _LOOK_AHEAD) // self._samples_per_token

    async def step(self, budget: int = MAX_CHUNK_TOKENS) -> str:
        """Submit at most `budget` tokens of sound to encode and as many to decode (the prompt goes whole), take in what
        has come back, return the new text.

        Does not wait for the GPU while less than a few submits are under way; returns "" at once when there is
        nothing to do. Raises VoxtabError device-lost or adapter-too-small.
        """
        if self._ended:
            return ""
        await self._gpu.ready()
        before = len(self._in_flight), self._encoded, self._position
        delta = ""
        if self._decodable() < self._decode_pace.size:
            count = min(budget, self._encode_pace.size, self._encodable())
            if count > 0:
                await self._encode(count)
                delta += await self._collect(self._gpu.most_in_flight)
        count = min(budget, self._decode_pace.size, self._decodable())
        if count > 0 and not self._ended:
            await self._decode(count)
            delta += await self._collect(self._gpu.most_in_flight)
        if before == (len(self._in_flight), self._encoded, self._position):
            delta += await self._collect(0)
        if not self._in_flight and self._total is not None and self._position >= self._total:
            self._ended = True
        if self._ended:
            while self._in_flight:
                await self._in_flight.popleft().back.bytes()
            delta += self._text.flush()
        return delta

    def stats(self) -> dict[str, Any]:
        """Figures of the session so far; times are milliseconds of GPU work as seen from here."""
        elapsed = time.perf_counter() - self._started
        decode = self.seconds["decode"]
        return {
            "audio_s": round(self.audio_s, 3),
            **{f"{kind}_ms": round(seconds * 1e3, 1) for kind, seconds in self.seconds.items()},
            "tokens_per_s": round(len(self.tokens) / decode, 2) if decode else 0.0,
            "rtf": round(elapsed / self.audio_s, 4) if self._fed else 0.0,
            "gpu_bytes": self._gpu.gpu_bytes,
            "adapter": self._gpu.info.name,
            "counters": self._gpu.counters.since(self._counters),
        }

    def result(self) -> dict[str, Any]:
        """What callers of a finished transcription get, as JSON values."""
        return {
            "text": self.text,
            "tokens": self.tokens,
            "words": [word.to_json() for word in self.words()],
            "stats": self.stats(),
        }

    def free(self) -> None:
        """Give the session's GPU memory back; text and tokens stay."""
        self._ended = True
        self._forget_programs()
        self._state.free()

    def _encodable(self) -> int:
        """Tokens whose samples, look-ahead included, are here, and whose embeddings the ring has room for."""
        ready = (len(self._pcm) - _LOOK_BACK - _LOOK_AHEAD) // self._samples_per_token
        room = self._state.audio_slots - (self._encoded - self._position)
        return min(ready, room)

    def _decodable(self) -> int:
        """Positions whose audio embeddings are encoded; the prompt goes first and whole."""
        prompt = self._state.prompt_length
        if self._position < prompt:
            return prompt - self._position if self._encoded >= prompt else 0
        return self._encoded - self._position

    async def _encode(self, count: int) -> None:
        factor = self.model.config.downsample_factor
        self._reserve((self._encoded + count) * factor, self._position)
        samples = memoryview(self._pcm)[: count * self._samples_per_token + _LOOK_BACK + _LOOK_AHEAD]
        self._gpu.write(self._state.pcm, 0, samples)
        samples.release()
        at = time.perf_counter()
        program = self._program("encode", count, lambda: self.model.record_encode(self._state, count))
        back = self._gpu.run_and_read(program, self._state.encoder_position, 0, 4)
        self._in_flight.append(_Submitted("encode", self._encoded, count, at, back))
        del self._pcm[: count * self._samples_per_token]
        self._encoded += count
        if self._trace is not None:
            await self._trace.encoded(self.model, self._state, count)

    async def _decode(self, count: int) -> None:
        """The next `count` positions: rows of one program inside the prompt, replays of a one-row program after it."""
        first, prompt = self._position, self._state.prompt_length
        if first < prompt:
            count = min(prompt - first, MAX_CHUNK_TOKENS)
        elif self._trace is not None:
            count = 1
        self._reserve(self._encoded * self.model.config.downsample_factor, first + count)
        at = time.perf_counter()
        if first < prompt:
            head = first + count == prompt
            name = "prompt and token" if head else "prompt"
            make = self.model.record_decode
            program, times = self._program(name, count, lambda: make(self._state, count, head)), 1
        else:
            program = self._program("token", 1, lambda: self.model.record_decode(self._state, 1, True))
            times = count
        tokens = self._state.tokens.buffer
        back = self._gpu.run_and_read(program, tokens, 0, self._state.token_slots * 4, times)
        kind = "prompt" if first < prompt else "decode"
        self._in_flight.append(_Submitted(kind, first, count, at, back))
        self._position += count
        if self._trace is not None and self._position >= prompt:
            await self._trace.decoded(self.model, self._state)

    async def _collect(self, leave: int) -> str:
        """Wait for the oldest submits until `leave` are under way, and take their tokens in."""
        delta = ""
        while len(self._in_flight) > leave and not self._ended:
            work = self._in_flight.popleft()
            delta += self._taken_in(work, await work.back.bytes())
        return delta

    def _taken_in(self, work: _Submitted, ring: bytes) -> str:
        """What came back from one submit: how long it took, and its tokens if it made any."""
        now = time.perf_counter()
        seconds = now - max(work.at, self._last_done)
        self._last_done = now
        self.seconds[work.kind] += seconds
        if work.kind == "encode":
            self._encode_pace.measured(work.count, seconds)
            return ""
        prompt, config = self._state.prompt_length, self.model.config
        if work.kind == "decode":
            self._decode_pace.measured(work.count, seconds)
        tokens = array("I", ring)
        delta = ""
        for position in range(max(work.first, prompt - 1), work.first + work.count):
            token = tokens[(position + 1) % self._state.token_slots]
            if self._trace is not None:
                self._trace.tokens_full.append(token)
            doubted = len(self.tokens) < self._doubted_tokens
            self._eos_seen = self._eos_seen or (token == config.eos and not doubted)
            if self._eos_seen:
                if self._trace is not None:
                    continue
                self._ended = True
                break
            self.tokens.append(token)
            delta += self._text.push(token)
            if len(self.tokens) == self.options.max_tokens:
                self._ended = True
                break
        return delta

    def _reserve(self, encoder_end: int, decoder_end: int) -> None:
        if self._state.reserve(encoder_end, decoder_end):
            self._forget_programs()

    def _program(self, kind: str, count: int, record: "Callable[[], Program]") -> Program:
        """Recorded once and kept; chunk sizes repeat, and the odd ones out leave first."""
        key = (kind, count)
        program = self._programs.pop(key, None) or record()
        self._programs[key] = program
        if len(self._programs) > _PROGRAMS_KEPT:
            self._gpu.free_program(self._programs.pop(next(iter(self._programs))))
        return program

    def _forget_programs(self) -> None:
        for program in self._programs.values():
            self._gpu.free_program(program)
        self._programs.clear()
