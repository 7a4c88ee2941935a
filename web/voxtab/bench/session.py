"""Whole sessions on made-up weights: how fast they are, and how much of it is Python's work, not the GPU's.

Sound and text are made up too, and what the models make of them means nothing; the work is that of a real session. The
full model is told, stage by stage, from a session with some layers and one with none.
"""

import time
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from voxtab.bench.made_up import made_up_asr, made_up_tekken, made_up_tts
from voxtab.bench.presets import deepest, with_layers
from voxtab.bench.programs import told
from voxtab.bench.timing import HostClock
from voxtab.formats.tekken import Tekken
from voxtab.gpu.base import Gpu
from voxtab.models.asr import AsrModel
from voxtab.models.asr_config import AsrConfig
from voxtab.models.codec_config import CodecConfig
from voxtab.models.log_mel import SAMPLE_RATE
from voxtab.models.tts import TtsModel
from voxtab.models.tts_config import TtsConfig
from voxtab.sessions.speech import Speech, SpeechOptions
from voxtab.sessions.transcription import Transcription
from voxtab.sessions.warm_up import warm_up_asr, warm_up_tts

TOKEN_S = 0.08
_TEXT = "The quick brown fox jumps over the lazy dog, and nobody minds."
# Made-up weights end a transcript anywhere; an end among so many tokens is passed over.
_NEVER_ENDS = 1 << 30


async def bench_session(
    gpu: Gpu, config: AsrConfig | TtsConfig, layers: int | None = None, seconds: float | None = None
) -> dict[str, Any]:
    """Transcriptions or a speech, whichever the model is for. By default of 16 s with all layers, on a software adapter
    of 1 s with one."""
    layers = layers or (1 if gpu.info.software else deepest(config))
    seconds = seconds or (1.0 if gpu.info.software else 16.0)
    if isinstance(config, AsrConfig):
        return await bench_transcription(gpu, config, layers, seconds)
    return await bench_speech(gpu, config, layers, seconds)


async def bench_transcription(gpu: Gpu, config: AsrConfig, layers: int, seconds: float) -> dict[str, Any]:
    """So much sound: whole, as a file comes, then 80 ms at a time, each when the text of those before is there.
    A step is a token of text."""
    model = await made_up_asr(gpu, with_layers(config, layers))
    bare = await made_up_asr(gpu, with_layers(config, 0)) if layers < deepest(config) else None
    full = {"encode": config.encoder.n_layers} | dict.fromkeys(("prompt", "decode"), config.decoder.n_layers)
    tekken = made_up_tekken()
    found = []
    for name, most in (("file", round(seconds * SAMPLE_RATE)), ("live", config.samples_per_token)):
        ran = await _transcribed(model, tekken, seconds, most)
        without = await _transcribed(bare, tekken, seconds, most) if bare else None
        found.append({"name": name, "unit": "token", **_figures(ran, without, layers, full)})
    for made in filter(None, (model, bare)):
        made.free()
    return {"adapter": gpu.info.name, "layers": layers, "sessions": found}


async def bench_speech(
    gpu: Gpu, config: TtsConfig, layers: int, seconds: float, codec: CodecConfig | None = None
) -> dict[str, Any]:
    """So much speech of one sentence, less if the made-up weights end it. A step is a frame.

    Nothing of a backbone's time lies outside its layers, so that no session without any is needed.
    """
    model = await made_up_tts(gpu, with_layers(config, layers), codec)
    full = dict.fromkeys(("prompt", "backbone"), config.backbone.n_layers)
    ran = await _spoken(model, made_up_tekken(), max(1, round(seconds / TOKEN_S)))
    model.free()
    session = {"name": "speech", "unit": "frame", **_figures(ran, None, layers, full)}
    return {"adapter": gpu.info.name, "layers": layers, "sessions": [session]}


@dataclass(frozen=True)
class _Mark:
    """How far a session is: seconds since its start, and of Python at work; stages in milliseconds of GPU work, as the
    session tells them."""

    steps: int
    seconds: float
    host_s: float
    stages: Mapping[str, float]
    counters: Mapping[str, int]

    def since(self, start: "_Mark") -> "_Mark":
        return _Mark(
            self.steps - start.steps,
            self.seconds - start.seconds,
            self.host_s - start.host_s,
            {stage: ms - start.stages[stage] for stage, ms in self.stages.items()},
            {name: count - start.counters[name] for name, count in self.counters.items()},
        )


@dataclass(frozen=True)
class _Ran:
    """What it took until the first token or sound was there, and from then on."""

    audio_s: float
    first: _Mark
    later: _Mark


async def _transcribed(model: AsrModel, tekken: Tekken, seconds: float, most: int) -> _Ran:
    """`most`: samples fed at once."""
    await warm_up_asr(model)
    drawn = Random(3)
    sound = memoryview(array("f", (drawn.uniform(-0.1, 0.1) for _ in range(round(seconds * SAMPLE_RATE)))))
    session = Transcription(model, tekken, doubted_tokens=_NEVER_ENDS)
    clock = HostClock()
    start = time.perf_counter()

    def mark() -> _Mark:
        stages = {stage: value * 1e3 for stage, value in session.seconds.items()}
        counters = session.stats()["counters"]
        return _Mark(len(session.tokens), time.perf_counter() - start, clock.seconds, stages, counters)

    first = mark()
    fed = 0
    while not session.done:
        if session.idle and fed < len(sound):
            session.feed(sound[fed : fed + most])
            fed += most
            if fed >= len(sound):
                session.close()
        await clock.watch(session.step())
        first = first if first.steps else mark()
    end = mark()
    session.free()
    return _Ran(seconds, first, end.since(first))


async def _spoken(model: TtsModel, tekken: Tekken, frames: int) -> _Ran:
    await warm_up_tts(model)
    drawn = Random(4)
    noise = array("f", (drawn.gauss(0, 1) for _ in range(frames * model.config.n_codebooks)))
    voice = next(iter(model.voices))
    session = Speech(model, tekken, _TEXT, voice, SpeechOptions(noise=noise))
    clock = HostClock()
    start = time.perf_counter()

    def mark() -> _Mark:
        stats = session.stats()
        stages = {stage: stats[f"{stage}_ms"] for stage in ("prompt", "backbone", "flow", "codec")}
        taken = time.perf_counter() - start
        return _Mark(stats["frames"], taken, clock.seconds, stages, stats["counters"])

    first = mark()
    while not session.done:
        await clock.watch(session.step())
        first = first if first.steps else mark()
    end = mark()
    session.free()
    return _Ran(session.audio_s, first, end.since(first))


def _figures(ran: _Ran, bare: _Ran | None, layers: int, depths: Mapping[str, int]) -> dict[str, Any]:
    """What was measured, and `full`: the same of the full model. bare: a session without layers; depths: how many layers
    a stage has in the full model."""

    def in_full(part: _Mark, without: _Mark | None) -> _Mark:
        bares = without.stages if without else {}
        stages = {
            stage: told(ms, bares.get(stage, 0.0), layers, depths[stage]) if stage in depths else ms
            for stage, ms in part.stages.items()
        }
        longer_s = (sum(stages.values()) - sum(part.stages.values())) / 1e3
        return replace(part, seconds=part.seconds + longer_s, stages=stages)

    full = in_full(ran.first, bare.first if bare else None), in_full(ran.later, bare.later if bare else None)
    steps = max(1, ran.later.steps)
    return {
        "audio_s": ran.audio_s,
        "steps": ran.first.steps + ran.later.steps,
        **_timings(ran.first, ran.later, ran.audio_s),
        "host_ms_per_step": ran.later.host_s * 1e3 / steps,
        "per_100_steps": {name: count * 100 / steps for name, count in ran.later.counters.items()},
        "full": _timings(*full, ran.audio_s),
    }


def _timings(first: _Mark, later: _Mark, audio_s: float) -> dict[str, Any]:
    """A step's share is of those after the first one."""
    return {
        "rtf": (first.seconds + later.seconds) / audio_s,
        "first_ms": first.seconds * 1e3,
        "ms_per_step": later.seconds * 1e3 / max(1, later.steps),
        "stages_ms": {stage: ms + later.stages[stage] for stage, ms in first.stages.items()},
    }
