"""The voices, which of them are trained, and how each varies from phrase to phrase.

All are of Debian's main section. Held out in full: festival ked, flite rms, six variants of espeak-ng. flite kal
and kal16 and festival kal_diphone are recordings of one speaker.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from shard_tools.demo.espeak import Espeak
from shard_tools.demo.festival import Festival
from shard_tools.demo.flite import Flite
from shard_tools.demo.spoken import Spoken

Engine = Literal["espeak", "flite", "festival"]
Say = Callable[[str, np.random.Generator], Spoken | None]

# espeak-ng takes "en" for en-gb, which it does not know by that name with a variant.
ESPEAK_ACCENTS: Final = (
    "en-us",
    "en",
    "en-gb-x-rp",
    "en-us-nyc",
    "en-gb-scotland",
    "en-gb-x-gbclan",
    "en-gb-x-gbcwmd",
    "en-029",
)
# Left out: whispers, robots, echoes and croaks; "fast", which changes the rate; Storm, which sets an accent.
_VARIANTS: Final = """
Alex Alicia Andy AnxiousAndy Denis Diogo Gene Gene2 Henrique Hugo Jacky Lee Marco Mario Michael Mike Nguyen
Tweaky adam anika aunty belinda benjamin boris david edward edward2 f1 f2 f4 f5 grandma grandpa gustave iven
iven2 iven3 iven4 john kaukovalta klatt klatt2 klatt3 klatt4 linda m1 m3 m4 m5 m6 m7 m8 marcelo max michel
miguel norbert pablo paul pedro quincy rob robert shelby steph steph2 steph3 travis victor zac
"""
ESPEAK_VARIANTS: Final = tuple(_VARIANTS.split())
# Natural ones, three female and three male, without a near copy among the trained.
ESPEAK_HELD_OUT: Final = ("Andrea", "Annie", "f3", "antonio", "ed", "m2")
ESPEAK_HELD_OUT_ACCENTS: Final = ("en-us", "en")


@dataclass(frozen=True)
class Voice:
    """A voice of one engine; `str(voice)` is its name in the corpus, such as flite/slt."""

    engine: Engine
    name: str

    def __str__(self) -> str:
        return f"{self.engine}/{self.name}"


def espeak_trained() -> tuple[Voice, ...]:
    """Every accent with every variant that is trained."""
    return tuple(
        Voice("espeak", f"{accent}+{variant}") for accent in ESPEAK_ACCENTS for variant in ESPEAK_VARIANTS
    )


def espeak_held_out(variant: str) -> tuple[Voice, ...]:
    """The accents of one variant that is not."""
    return tuple(Voice("espeak", f"{accent}+{variant}") for accent in ESPEAK_HELD_OUT_ACCENTS)


RECORDED_TRAINED: Final = (
    Voice("flite", "slt"),
    Voice("flite", "awb"),
    Voice("flite", "kal"),
    Voice("flite", "kal16"),
    Voice("festival", "kal_diphone"),
    Voice("festival", "cmu_us_slt_arctic_hts"),
)
RECORDED_HELD_OUT: Final = (Voice("flite", "rms"), Voice("festival", "ked_diphone"))

# Mean pitch in Hz and its spread; the engines of rms and of festival's slt do not take them.
_PITCHES: Final = {
    "slt": (168.0, 20.0),
    "awb": (130.0, 15.0),
    "kal": (95.0, 11.0),
    "kal16": (95.0, 11.0),
    "kal_diphone": (105.0, 14.0),
    "ked_diphone": (105.0, 15.0),
}


@dataclass(frozen=True)
class Manner:
    """How a voice varies: rate (1 being the engine's own), pitch in octaves up or down, melody's factor."""

    rates: tuple[float, float]
    octaves: tuple[float, float]
    melody: tuple[float, float]


TRAINED_MANNER: Final = Manner((0.77, 1.3), (-0.3, 0.3), (0.6, 1.5))
# What is held out speaks as it is.
HELD_OUT_MANNER: Final = Manner((0.85, 1.15), (0.0, 0.0), (1.0, 1.0))
_ESPEAK_RATE: Final = 165  # words a minute at rate 1; its own, 175, is fast
_ESPEAK_PITCHES_AN_OCTAVE: Final = 66  # of its scale from 0 to 100


@contextmanager
def speaking(voice: Voice, manner: Manner) -> Iterator[Say]:
    """A function that says a text with this voice, its rate and pitch drawn for each phrase.

    Raises VoxtabError tool-missing.
    """
    if voice.engine == "espeak":
        yield _espeak(Espeak(voice.name), manner)
    elif voice.engine == "flite":
        yield _flite(Flite(voice.name), voice.name, manner)
    else:
        with Festival(voice.name) as festival:
            yield _festival(festival, voice.name, manner)


def _espeak(engine: Espeak, manner: Manner) -> Say:
    def say(text: str, generator: np.random.Generator) -> Spoken | None:
        rate, octaves, melody = _drawn(manner, generator)
        pitch = round(50 + octaves * _ESPEAK_PITCHES_AN_OCTAVE)
        return engine.say(text, round(_ESPEAK_RATE * rate), pitch, round(50 * melody))

    return say


def _flite(engine: Flite, name: str, manner: Manner) -> Say:
    def say(text: str, generator: np.random.Generator) -> Spoken | None:
        rate, octaves, melody = _drawn(manner, generator)
        features = {"duration_stretch": 1 / rate}
        if name in _PITCHES:
            mean, spread = _PITCHES[name]
            features |= {"int_f0_target_mean": mean * 2**octaves, "int_f0_target_stddev": spread * melody}
        return engine.say(text, features)

    return say


def _festival(engine: Festival, name: str, manner: Manner) -> Say:
    def say(text: str, generator: np.random.Generator) -> Spoken | None:
        rate, octaves, melody = _drawn(manner, generator)
        mean, spread = _PITCHES.get(name, (0.0, 0.0))
        settings = {
            "stretch": 1.1 / rate,
            "f0_mean": mean * 2**octaves,
            "f0_std": spread * melody,
            "rate": rate,
        }
        return engine.say(text, settings)

    return say


def _drawn(manner: Manner, generator: np.random.Generator) -> tuple[float, float, float]:
    return (
        generator.uniform(*manner.rates),
        generator.uniform(*manner.octaves),
        generator.uniform(*manner.melody),
    )
