"""Phrases spoken by festival: one process that is fed phrase after phrase and answers with each word's times."""

import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np

from shard_tools.demo.spoken import Spoken, spoken_from_segments
from voxtab.errors import VoxtabError

# Each segment's end and its word (0 for none) with the word's place, then the sample rate.
_PRELUDE: Final = """
(define (voxtab_say text path)
  (set! utt (SynthText text))
  (utt.save.wave utt path 'raw)
  (mapcar (lambda (segment)
    (format t "%f %s %s\\n" (item.feat segment "end") (item.feat segment "R:SylStructure.parent.parent.id")
      (item.feat segment "R:SylStructure.parent.parent.name")))
    (utt.relation.items utt 'Segment))
  (format t "rate %d\\n" (cadr (assoc 'sample_rate (wave.info (utt.wave utt)))))
  (fflush nil))
"""


class Festival:
    """One voice of festival, such as kal_diphone; a context that ends the process.

    Raises VoxtabError tool-missing.
    """

    def __init__(self, voice: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="voxtab-festival-")
        self._sound = Path(self._folder.name) / "phrase.raw"
        try:
            self._process = subprocess.Popen(
                ["festival", "--pipe"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                encoding="ascii",
            )
        except OSError as error:
            self._folder.cleanup()
            raise VoxtabError(
                "tool-missing", "festival is not installed.", "Install it: apt install festival"
            ) from error
        self._voice = voice
        self._write(f"(voice_{voice}){_PRELUDE}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._folder.cleanup()

    def say(self, text: str, settings: Mapping[str, float]) -> Spoken | None:
        """The text's sound and words. Settings: stretch, f0_mean and f0_std (Hz) of diphones, rate of HTS, whose
        pitch festival cannot change."""
        self._write(_settings(self._voice, settings) + f'(voxtab_say "{text}" "{self._sound}")\n')
        segments: list[tuple[float, str | None, str]] = []
        assert self._process.stdout is not None
        for line in self._process.stdout:
            fields = line.split()
            if len(fields) == 2 and fields[0] == "rate":
                samples = np.fromfile(self._sound, np.int16)
                return spoken_from_segments(samples, int(fields[1]), segments)
            if len(fields) == 3:
                end, word, name = fields
                segments.append((float(end), None if word == "0" else word, name))
        raise VoxtabError(
            "tool-missing",
            f"festival ended while its voice {self._voice} spoke.",
            "Install its voices: apt install festvox-kallpc16k festvox-kdlpc16k festvox-us-slt-hts",
        )

    def _write(self, commands: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(commands)
        self._process.stdin.flush()


def _settings(voice: str, settings: Mapping[str, float]) -> str:
    """Scheme that sets pitch and rate: the two kinds of voices take them in different ways."""
    if voice.endswith("_hts"):
        rate = f'(list "-r" {settings["rate"]:.3f})'
        return f"(set! hts_engine_params (append {voice}::hts_engine_params (list {rate})))\n"
    target = f"(target_f0_mean {settings['f0_mean']:.1f}) (target_f0_std {settings['f0_std']:.1f})"
    return (
        f"(Parameter.set 'Duration_Stretch {settings['stretch']:.3f})\n"
        f"(set! int_lr_params '({target} (model_f0_mean 170) (model_f0_std 34)))\n"
    )
