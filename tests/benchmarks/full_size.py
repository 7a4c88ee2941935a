"""The 4B models at full size, random weights, in Chromium and natively: do they load, how much memory, how fast.

    python -m tests.benchmarks.full_size transcribe|speak [--folder build/full-size]

Makes up the GGUF (2.5 GB, Q4_0), splits it, serves it, and loads it in headless Chromium. `transcribe` takes down one
second; `speak` loads the transcribing model too, side by side, and makes three frames of speech. Then the same natively.
Prints a report and fails if tokens or codes differ. On a software adapter this takes some 20 minutes, so it is no part of
`make test`. Needs 6 GB of disk a model, and as much memory.
"""

from __future__ import annotations

import argparse
import base64
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

from shard_tools.split import split_gguf
from shard_tools.synth import PRESETS, SPEECH_PRESETS, synth_gguf
from tests.benchmarks.full_size_tab import FullSizeTab, open_tab

RECORDING = Path(__file__).parents[1] / "data" / "asr-tiny" / "input.wav"
TRANSCRIBER, SPEAKER = "voxtral-realtime-4b", "voxtral-tts-4b"
TEXT, FRAMES, CODEBOOKS = "Hello.", 3, 36

_TRANSCRIBE = "(pcm) => begin(() => vox.transcribe(floats(pcm), { delayMs: 480 }))"
_SPEAK = """([text, voice, noise]) => begin(async () => {
  const stream = vox.speak(text, { voice, noise: floats(noise), cache: "f32" });
  const peaks = [];
  for await (const chunk of stream) peaks.push([chunk.length, chunk.reduce((most, x) => Math.max(most, Math.abs(x)), 0)]);
  return { ...(await stream.result), peaks };
})"""


def publish(preset: str, folder: Path) -> Path:
    """The preset's shards below `folder`/models, made where they are not there yet."""
    shards = folder / "models" / preset
    gguf = folder / f"{preset}.gguf"
    folder.mkdir(parents=True, exist_ok=True)
    if not (shards / "manifest.json").exists():
        if not gguf.exists():
            sizes = PRESETS[preset] if preset in PRESETS else SPEECH_PRESETS[preset]
            synth_gguf(gguf, sizes, seed=1, scales="absmax")
        split_gguf(gguf, shards)
        gguf.unlink()
    return shards


def load(tab: FullSizeTab, shards: Path) -> dict[str, Any]:
    loaded, seconds = tab.load(shards.name)
    files = list(shards.glob("shard-*"))
    print(
        f"{shards.name}: {len(files)} shards, {sum(file.stat().st_size for file in files)} bytes,"
        f" loaded in {seconds:.0f} s, GPU {loaded['gpu_bytes'] / 1e6:.0f} MB in all,"
        f" page at most {tab.peak_bytes / 1e6:.0f} MB"
    )
    return loaded


def natively(command: str, *words: str | Path, model: Path) -> dict[str, Any]:
    """The JSON of a `voxtab` command."""
    voxtab = Path(sys.executable).with_name("voxtab")
    full = [str(voxtab), command, *map(str, words), "--model", str(model), "--json"]
    result: dict[str, Any] = json.loads(
        subprocess.run(full, check=True, capture_output=True, text=True).stdout
    )
    return result


def transcribe(folder: Path) -> bool:
    """Whether tab and native run write the same tokens for one second of sound."""
    shards = publish(TRANSCRIBER, folder)
    sound = soundfile.read(RECORDING, dtype="float32")[0][8000:24000]
    wav = folder / "one-second.wav"
    soundfile.write(wav, sound, 16000, subtype="PCM_16")
    with open_tab(folder / "models", folder / "server.txt") as tab:
        load(tab, shards)
        found, _ = tab.run(_TRANSCRIBE, _base64(sound), "transcribing")
        report_memory(tab)
    native = natively("transcribe", wav, model=shards)
    for name, run in (("Chromium", found), ("native", native)):
        step_ms = run["stats"]["decode_ms"] / max(1, len(run["tokens"]) - 1)  # the first is the prompt's
        print(f"{name}: {json.dumps(run['stats'])}\n  {step_ms:.0f} ms a decode step")
    return same("tokens", found["tokens"], native["tokens"])


def speak(folder: Path) -> bool:
    """Whether tab and native run make the same codes of three frames, in the shortest voice."""
    publish(TRANSCRIBER, folder)
    shards = publish(SPEAKER, folder)
    noise = np.random.default_rng(1).standard_normal((FRAMES, CODEBOOKS)).astype("<f4")
    np.save(folder / "noise.npy", noise)
    with open_tab(folder / "models", folder / "server.txt") as tab:
        load(tab, folder / "models" / TRANSCRIBER)
        voices = load(tab, shards)["voices"]
        voice = min(voices, key=lambda voice: int(voice["rows"]))
        print(f"voice {voice['name']}, {voice['rows']} rows")
        found, _ = tab.run(_SPEAK, [TEXT, voice["name"], _base64(noise)], "speaking")
        report_memory(tab)
    # Caches in f32: on random weights f16's rounding, here one way and there the other, moves a code now and then.
    options = ["--voice", voice["name"], "--kv-cache", "f32"]
    files = ["--noise", str(folder / "noise.npy"), "-o", str(folder / "speech.wav")]
    native = natively("speak", TEXT, *options, *files, model=shards)
    for name, run in (("Chromium", found), ("native", native)):
        stages = {
            stage: round(run["stats"][f"{stage}_ms"] / FRAMES) for stage in ("backbone", "flow", "codec")
        }
        print(f"{name}: {json.dumps(run['stats'])}\n  ms a frame: {stages}")
    print(f"samples and peak of each chunk in the tab: {found['peaks']}")
    return same("codes", found["codes"], native["codes"])


def report_memory(tab: FullSizeTab) -> None:
    print(
        f"page at most {tab.peak_bytes / 1e6:.0f} MB, WASM heap {tab.wasm_bytes() / 1e6:.0f} MB ({tab.adapter})"
    )


def same(what: str, in_tab: object, native: object) -> bool:
    print(f"{what} equal" if in_tab == native else f"{what} differ: {in_tab} and {native}")
    return in_tab == native


def _base64(values: npt.NDArray[np.float32]) -> str:
    return base64.b64encode(np.ascontiguousarray(values, "<f4").tobytes()).decode()


def main() -> None:
    tasks: dict[str, Callable[[Path], bool]] = {"transcribe": transcribe, "speak": speak}
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("task", choices=tasks)
    parser.add_argument("--folder", type=Path, default=Path("build/full-size"), help="for the models' files")
    arguments = parser.parse_args()
    sys.exit(not tasks[arguments.task](arguments.folder))


if __name__ == "__main__":
    main()
