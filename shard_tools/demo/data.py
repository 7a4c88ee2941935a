"""Makes the corpus: every part in a process of its own, two at a time, then joined in the plan's order.

Parts lie in a hidden folder until then, so a run that was interrupted goes on, and `corpus.json`, written last, tells
that the corpus is whole.
"""

import errno
import json
import multiprocessing
import os
import shutil
import zlib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, BinaryIO, Final

from shard_tools.demo.corpus import AUDIO, FORMAT, INFO, PHRASES, VERSION, read_info, read_phrases
from shard_tools.demo.foreign import Foreign, choose_foreign, read_dictionary
from shard_tools.demo.part import make_part, part_paths, read_tally
from shard_tools.demo.plan import Part, plan_parts
from shard_tools.demo.pronunciation import pronounce
from shard_tools.demo.spoken import SAMPLE_RATE
from shard_tools.demo.tools import check_tools
from shard_tools.demo.words import WORDS
from shard_tools.progress import Progress, silent
from voxtab.errors import VoxtabError

_PARTS: Final = ".parts"
_PLAN: Final = "plan.json"
# The modules that decide a part's bytes.
_SPEAKING: Final = (
    *("corpus", "espeak", "festival", "flite", "part", "phrases", "plan"),
    *("pronunciation", "spoken", "voices", "words"),
)
_NAMES: Final = frozenset((AUDIO, PHRASES, INFO, _PARTS))
DEFAULT_HOURS: Final = 11.0


def make_corpus(
    folder: Path,
    *,
    seed: int,
    hours: float = DEFAULT_HOURS,
    processes: int = 2,
    force: bool = False,
    progress: Progress = silent,
) -> bool:
    """Make the corpus of `hours` of training speech in `folder`; False if it was there already.

    `progress` counts parts. The same seed and tools give the same bytes.

    Raises VoxtabError: tool-missing, option-invalid (another corpus or other files in the folder, without `force`;
    impossible numbers; no permission to write), corpus-invalid, quota-full, voice-silent, synthesis-failed.
    """
    _check_options(seed, hours, processes)
    if folder.exists() and not folder.is_dir():
        raise VoxtabError("option-invalid", f"{folder} is a file.", "Give a folder.")
    if not force and _is_made(folder, seed, hours):
        return False
    tools = check_tools()
    foreign = choose_foreign(read_dictionary(), pronounce)
    parts = plan_parts(hours)
    with _writing(folder):
        if force:
            _remove(folder)
        workplace = _workplace(folder, seed, hours, tools, foreign)
        _make_parts(workplace, parts, foreign, seed, processes, progress)
        info = {"format": FORMAT, "version": VERSION, "seed": seed, "requested_hours": hours}
        info |= _join(folder, workplace, parts) | {"words": list(WORDS), "tools": tools, "finished": True}
        partial = workplace / INFO
        partial.write_text(json.dumps(info, indent=1) + "\n", "utf-8")
        os.replace(partial, folder / INFO)
        shutil.rmtree(workplace)
    return True


def _check_options(seed: int, hours: float, processes: int) -> None:
    if not 0 <= seed < 1 << 63:
        raise VoxtabError("option-invalid", f"{seed} is no seed.", "Use a number from 0 to 2^63 - 1.")
    if not 0.01 <= hours <= 200:
        raise VoxtabError("option-invalid", f"{hours} hours cannot be made.", "Use 0.01 to 200.")
    if not 1 <= processes <= 256:
        raise VoxtabError("option-invalid", f"{processes} processes cannot be run.", "Use 1 to 256.")


def _is_made(folder: Path, seed: int, hours: float) -> bool:
    """Whether `folder` holds this very corpus. Raises VoxtabError option-invalid where it holds something else."""
    info = read_info(folder)
    if info is not None:
        if (info.get("seed"), info.get("requested_hours"), info.get("words")) == (seed, hours, list(WORDS)):
            return True
        raise VoxtabError(
            "option-invalid",
            f"{folder} holds another corpus (seed {info.get('seed')}, {info.get('requested_hours')} hours).",
            "Choose another folder, or replace it with --force.",
        )
    others = (
        sorted(path.name for path in folder.iterdir() if path.name not in _NAMES) if folder.exists() else []
    )
    if others:
        raise VoxtabError(
            "option-invalid", f"{folder} holds other files, such as {others[0]}.", "Choose an empty folder."
        )
    return False


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Raises VoxtabError quota-full or option-invalid where files cannot be written."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise VoxtabError(
                "quota-full",
                f"The disk of {folder} is full.",
                "An hour of speech takes 0.12 GB, twice that while it is made. Free some space and run it again.",
            ) from error
        raise VoxtabError(
            "option-invalid",
            f"Writing to {folder} failed: {error.filename or folder}: {error.strerror or error}.",
            "Check the permissions, or choose another folder.",
        ) from error


def _remove(folder: Path) -> None:
    """Remove a corpus, whole or begun; corpus.json first, so that what is left never looks whole."""
    for name in (INFO, PHRASES, AUDIO):
        (folder / name).unlink(missing_ok=True)
    if (folder / _PARTS).exists():
        shutil.rmtree(folder / _PARTS)


def _workplace(folder: Path, seed: int, hours: float, tools: dict[str, str], foreign: Foreign) -> Path:
    """The hidden folder of parts, emptied unless it is of a run with the same plan."""
    workplace = folder / _PARTS
    here = Path(__file__).parent
    code = [zlib.crc32((here / f"{name}.py").read_bytes()) for name in _SPEAKING]
    plan = json.dumps([seed, hours, tools, asdict(foreign), code])
    path = workplace / _PLAN
    if not path.is_file() or path.read_text("utf-8") != plan:
        shutil.rmtree(workplace, ignore_errors=True)
        workplace.mkdir(parents=True)
        path.write_text(plan, "utf-8")
    return workplace


def _make_parts(
    workplace: Path, parts: list[Part], foreign: Foreign, seed: int, processes: int, progress: Progress
) -> None:
    missing = [part for part in parts if not part_paths(workplace, part)[2].is_file()]
    done = len(parts) - len(missing)
    progress(done, len(parts))
    # Long ones first, so that no process is left waiting for one at the end. A process for every part, since the
    # libraries carry state from phrase to phrase.
    missing.sort(key=lambda part: part.unit != "seconds")
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, max_tasks_per_child=1) as pool:
        jobs = [pool.submit(_make, workplace, part, foreign, seed) for part in missing]
        try:
            for job in as_completed(jobs):
                error = job.result()
                if error is not None:
                    raise VoxtabError(*error)
                done += 1
                progress(done, len(parts))
        except BrokenProcessPool as error:
            raise VoxtabError(
                "synthesis-failed",
                "A process that spoke phrases ended unexpectedly.",
                "Run the command again: it goes on where it stopped.",
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _make(workplace: Path, part: Part, foreign: Foreign, seed: int) -> tuple[str, str, str] | None:
    """Make a part; the error's code, message and hint where that fails, since it does not pass between processes."""
    try:
        make_part(workplace, part, foreign, seed)
    except VoxtabError as error:
        return error.code, error.message, error.hint
    return None


def _join(folder: Path, workplace: Path, parts: list[Part]) -> dict[str, Any]:
    """Join the parts' files in `folder`; what is in them, for corpus.json."""
    phrases: Counter[tuple[str, str]] = Counter()
    samples: Counter[tuple[str, str]] = Counter()
    dropped: Counter[str] = Counter()
    offset = 0
    partial_sound, partial_lines = workplace / AUDIO, workplace / PHRASES
    with partial_sound.open("wb") as sound, partial_lines.open("w", encoding="utf-8") as lines:
        for part in parts:
            sound_path, lines_path, tally_path = part_paths(workplace, part)
            try:
                tally = read_tally(tally_path)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise _damaged(folder, part) from error
            dropped.update(tally.dropped)
            before = offset
            for phrase in read_phrases(lines_path):
                lines.write(replace(phrase, offset=before + phrase.offset).to_json() + "\n")
                phrases[phrase.voice, phrase.split] += 1
                samples[phrase.voice, phrase.split] += phrase.samples
            offset += _append(sound, sound_path)
            if offset - before != tally.samples:
                raise _damaged(folder, part)
    os.replace(partial_sound, folder / AUDIO)
    os.replace(partial_lines, folder / PHRASES)
    return _summary(phrases, samples, dropped)


def _damaged(folder: Path, part: Part) -> VoxtabError:
    return VoxtabError(
        "corpus-invalid",
        f"The part {part.name} of the corpus in {folder} is damaged.",
        f"Make it again: voxtab-shards demo-asr data {folder} --force",
    )


def _append(file: BinaryIO, path: Path) -> int:
    """Samples copied from `path`."""
    start = file.tell()
    with path.open("rb") as source:
        shutil.copyfileobj(source, file, 1 << 20)
    return (file.tell() - start) // 2


def _summary(
    phrases: Counter[tuple[str, str]], samples: Counter[tuple[str, str]], dropped: Counter[str]
) -> dict[str, Any]:
    hours: dict[str, float] = {}
    voices: dict[str, dict[str, Any]] = {}
    for (voice, split), count in phrases.items():
        length = samples[voice, split] / SAMPLE_RATE / 3600
        hours[split] = hours.get(split, 0.0) + length
        entry = voices.setdefault(voice, {"split": [], "phrases": 0, "hours": 0.0, "dropped": dropped[voice]})
        entry["split"].append(split)
        entry["phrases"] += count
        entry["hours"] += length
    for entry in voices.values():
        entry["hours"] = round(entry["hours"], 5)
    return {"hours": {split: round(length, 5) for split, length in hours.items()}, "voices": voices}
