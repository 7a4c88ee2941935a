"""One part of the corpus: phrases drawn, spoken, checked and written to two files."""

import json
import os
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from shard_tools.demo.corpus import Phrase
from shard_tools.demo.foreign import Foreign
from shard_tools.demo.phrases import PhraseSource, PhraseText
from shard_tools.demo.plan import Part
from shard_tools.demo.pronunciation import pronounce
from shard_tools.demo.spoken import SAMPLE_RATE, Clip, make_clip
from shard_tools.demo.voices import Say, Voice, speaking
from voxtab.errors import VoxtabError

_PEAKS: Final = (0.3, 0.9)
_VOICE_PHRASES: Final = 4  # said by a voice before the next one of a part has its turn
_TRIES: Final = 40  # phrases that a voice may fail one after another


@dataclass(frozen=True)
class PartTally:
    """What a part has come to: samples written, and phrases dropped by voice."""

    samples: int
    dropped: dict[str, int]


def part_paths(folder: Path, part: Part) -> tuple[Path, Path, Path]:
    """Sound, phrases, tally; the tally is written last."""
    return folder / f"{part.name}.i16", folder / f"{part.name}.jsonl", folder / f"{part.name}.done"


def make_part(folder: Path, part: Part, foreign: Foreign, seed: int) -> None:
    """Write the part's files. The same bytes for the same part, words and seed, in a process of its own.

    Raises VoxtabError tool-missing; voice-silent where a voice says nothing usable.
    """
    sound_path, phrases_path, tally_path = part_paths(folder, part)
    generator = np.random.default_rng([seed, zlib.crc32(part.name.encode())])
    dropped: dict[str, int] = {}
    offset = 0
    with sound_path.open("wb") as sound, phrases_path.open("w", encoding="utf-8") as lines:
        for phrase, samples in _phrases(part, foreign, generator, dropped):
            sound.write(samples.astype("<i2").tobytes())
            lines.write(replace(phrase, offset=offset).to_json() + "\n")
            offset += phrase.samples
    partial = tally_path.with_suffix(".partial")
    partial.write_text(json.dumps(asdict(PartTally(offset, dropped))), "utf-8")
    os.replace(partial, tally_path)


def read_tally(path: Path) -> PartTally:
    """As `make_part` wrote it. Raises ValueError, KeyError or TypeError for anything else."""
    row = json.loads(path.read_text("utf-8"))
    return PartTally(int(row["samples"]), {str(voice): int(count) for voice, count in row["dropped"].items()})


def _phrases(
    part: Part, foreign: Foreign, generator: np.random.Generator, dropped: dict[str, int]
) -> Iterator[tuple[Phrase, npt.NDArray[np.int16]]]:
    training = part.split == "train"
    source = PhraseSource(generator, foreign.training if training else foreign.test, training)
    amount = 0.0
    while True:
        for voice in (part.voices[int(index)] for index in generator.permutation(len(part.voices))):
            with speaking(voice, part.manner) as say:
                for _ in range(_VOICE_PHRASES):
                    phrase, samples = _spoken(part, voice, say, source, generator, dropped)
                    yield phrase, samples
                    amount += {
                        "seconds": len(samples) / SAMPLE_RATE,
                        "phrases": 1,
                        "words": len(phrase.words),
                    }[part.unit]
                    if amount >= part.amount:
                        return


def _spoken(
    part: Part,
    voice: Voice,
    say: Say,
    source: PhraseSource,
    generator: np.random.Generator,
    dropped: dict[str, int],
) -> tuple[Phrase, npt.NDArray[np.int16]]:
    """The next phrase that the voice says well."""
    for _ in range(_TRIES):
        text = source.draw_foreign() if part.split == "test_foreign" else source.draw()
        clip = _clip(text, say, generator)
        if clip is None:
            dropped[str(voice)] = dropped.get(str(voice), 0) + 1
            continue
        source.said(text)
        phones = tuple(pronounce(word) for word in text.words)
        phrase = Phrase(
            *(str(voice), part.split, 0, len(clip.samples)),
            *(text.words, text.known),
            clip.starts,
            clip.ends,
            phones,
        )
        return phrase, clip.samples
    raise VoxtabError(
        "voice-silent", f"The voice {voice} gives no usable phrase.", "Check the version of its synthesizer."
    )


def _clip(text: PhraseText, say: Say, generator: np.random.Generator) -> Clip | None:
    peak = generator.uniform(*_PEAKS)
    spoken = say(text.text, generator)
    if spoken is None or tuple(word.lower() for word in spoken.words) != text.words:
        return None
    return make_clip(spoken, peak)
