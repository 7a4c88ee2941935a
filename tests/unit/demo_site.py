"""A corpus and a training run as small as they can be, for what is made of them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from shard_tools.demo.corpus import AUDIO, FORMAT, INFO, PHRASES, VERSION, Phrase
from shard_tools.demo.network import VoxtralRealtime
from shard_tools.demo.train import SIZES
from shard_tools.demo.words import WORDS

WORD_SAMPLES = 6000
EDGE = 800
COMMIT = "0123456789abcdef0123456789abcdef01234567"

VOICES = {
    "train": ("espeak/en+Alex", "flite/slt", "festival/kal_diphone"),
    "valid": ("flite/slt",),
    "valid_unseen": ("flite/rms",),
    "test": ("espeak/en+Alex", "espeak/en-us+Lee", "flite/slt", "festival/kal_diphone"),
    "test_unseen": ("espeak/en+f3", "espeak/en-us+f3", "flite/rms", "festival/ked_diphone"),
    "test_foreign": ("espeak/en+f3", "flite/slt"),
}


def small_phrase(voice: str, split: str, words: Sequence[str], offset: int) -> Phrase:
    """Words of WORD_SAMPLES each after EDGE samples of silence."""
    starts = [EDGE + index * WORD_SAMPLES for index in range(len(words))]
    return Phrase(
        voice=voice,
        split=split,
        offset=offset,
        samples=2 * EDGE + len(words) * WORD_SAMPLES,
        words=tuple(words),
        known=tuple(word in WORDS for word in words),
        starts=tuple(starts),
        ends=tuple(start + WORD_SAMPLES - 1000 for start in starts),
        phones=tuple(("t", "er1", "n") for _ in words),
    )


def small_corpus(
    folder: Path, phrases_a_voice: int = 12, voices: dict[str, tuple[str, ...]] = VOICES
) -> Path:
    """A finished corpus of three-word phrases; a word is a burst of noise of its own height between 0.05 and 0.5."""
    rng = np.random.default_rng(5)
    folder.mkdir(parents=True, exist_ok=True)
    sounds, phrases, offset = [], [], 0
    for split, names in voices.items():
        for voice in names:
            for number in range(phrases_a_voice):
                words = ["tiger", "violin"] if split == "test_foreign" else list(rng.choice(WORDS, 3))
                if split == "train" and number % 4 == 0:
                    words[1] = "tiger"
                phrase = small_phrase(voice, split, words, offset)
                sound = np.zeros(phrase.samples)
                for start, end in zip(phrase.starts, phrase.ends, strict=True):
                    sound[start:end] = rng.uniform(-1, 1, end - start) * rng.uniform(0.05, 0.5)
                sounds.append(np.rint(sound * 32767).astype("<i2"))
                phrases.append(phrase)
                offset += phrase.samples
    np.concatenate(sounds).tofile(folder / AUDIO)
    (folder / PHRASES).write_text("".join(phrase.to_json() + "\n" for phrase in phrases), "utf-8")
    info: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "seed": 7,
        "requested_hours": 11.0,
        "hours": dict.fromkeys(voices, 0.5),
        "voices": {
            voice: {
                "split": [split for split in voices if voice in voices[split]],
                "phrases": 12,
                "hours": 0.25,
                "dropped": 0,
            }
            for voice in {voice for names in voices.values() for voice in names}
        },
        "words": list(WORDS),
        "tools": {"espeak-ng": "1.51", "flite": "2.2-5", "wamerican": "2020"},
        "finished": True,
    }
    (folder / INFO).write_text(json.dumps(info), "utf-8")
    return folder


def small_run(folder: Path, step: int = 40, seed: int = 3) -> Path:
    """A run of first weights, saved as Run.save does."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    net = VoxtralRealtime(SIZES)
    torch.save({"step": step, "net": net.state_dict(), "helpers": {}, "optimizers": []}, folder / "state.pt")
    settings = {
        "seed": seed,
        "steps": 40,
        "batch": 12,
        "words": list(WORDS),
        "corpus_seed": 7,
        "commit": COMMIT,
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    log = [
        {"step": 20, "text": 1.5, "phones": 1.0, "ended": 1.0, "norm": 1.0, "seconds": 61.0},
        {"step": 40, "text": 0.25, "phones": 0.5, "ended": 0.5, "norm": 1.0, "seconds": 59.0},
        {"step": 40, "wer": {"valid@480": 0.0123, "valid_unseen@480": 0.0789}},
    ]
    (folder / "log.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in log))
    return folder
