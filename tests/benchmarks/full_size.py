"""The 4B model at full size, random weights, in Chromium and natively: does it load, how much memory, how fast.

    python -m tests.benchmarks.full_size [--folder build/full-size]

Makes up the model's GGUF (2.5 GB, Q4_0), splits it, serves it, loads it in headless Chromium and transcribes one second;
then the same natively. Prints a report and fails if the tokens differ. On a software adapter this takes some 20 minutes,
so it is no part of `make test`. Needs 6 GB of disk, and as much memory.
"""

from __future__ import annotations

import argparse
import base64
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from playwright.sync_api import Page, sync_playwright

from shard_tools.split import split_gguf
from shard_tools.synth import PRESETS, synth_gguf
from tests import chromium
from tests.server_process import ServerProcess

RECORDING = Path(__file__).parents[1] / "data" / "asr-tiny" / "input.wav"
PRESET = "voxtral-realtime-4b"

_START = """([base, id]) => {
  globalThis.run = { megabytes: 0 };
  (async () => {
    const { Voxtab } = await import(base + '/app/voxtab.js');
    globalThis.vox = await Voxtab.create();
    const start = performance.now();
    run.loaded = await vox.load(id, { onProgress: (p) => { run.megabytes = p.loadedBytes / 1e6; } });
    run.loadSeconds = (performance.now() - start) / 1000;
  })().catch((error) => { run.error = `${error.code}: ${error.message}`; });
}"""
_TRANSCRIBE = """([data]) => {
  const pcm = new Float32Array(Uint8Array.from(atob(data), (c) => c.charCodeAt(0)).buffer);
  vox.transcribe(pcm, { delayMs: 480 }).then(
    (result) => { run.result = result; }, (error) => { run.error = `${error.code}: ${error.message}`; });
}"""
# JavaScript and WASM of the page and its workers, by Chromium's own count (needs cross-origin isolation).
_MEASURE = "performance.measureUserAgentSpecificMemory().then((measured) => measured.bytes)"


def watch(page: Page, key: str, what: str) -> int:
    """Wait until `run[key]` is there; the largest memory seen on the way, in bytes."""
    peak = 0
    while not page.evaluate(f"run.{key} !== undefined"):
        if error := page.evaluate("run.error"):
            raise SystemExit(f"{what} failed: {error}")
        peak = max(peak, int(page.evaluate(_MEASURE)))
        print(
            f"  {what}: {page.evaluate('run.megabytes'):6.0f} MB on the GPU, page {peak / 1e6:.0f} MB",
            flush=True,
        )
        time.sleep(1)
    return peak


def in_chromium(models: Path, log: Path, sound: bytes) -> dict[str, Any]:
    with sync_playwright() as playwright, ServerProcess(log, models) as server:
        browser = chromium.launch(playwright)
        page = browser.new_context(ignore_https_errors=True).new_page()
        page.set_default_timeout(0)
        page.goto(f"{server.url}/api/health")  # our origin and headers, without the page's own worker
        page.evaluate(_START, [server.url, PRESET])
        loading = watch(page, "loadSeconds", "loading")
        page.evaluate(_TRANSCRIBE, [base64.b64encode(sound).decode()])
        running = watch(page, "result", "transcribing")
        found: dict[str, Any] = page.evaluate("({...run, wasm: vox.memory(), adapter: vox.adapter.name})")
        found["wasm_bytes"] = page.evaluate("vox.memory().then((m) => m.wasmHeapBytes)")
        browser.close()
    return {**found, "peak_loading": loading, "peak_running": running}


def natively(model: Path, wav: Path) -> dict[str, Any]:
    command = [
        str(Path(sys.executable).with_name("voxtab")),
        "transcribe",
        str(wav),
        "--model",
        str(model),
        "--json",
    ]
    result: dict[str, Any] = json.loads(
        subprocess.run(command, check=True, capture_output=True, text=True).stdout
    )
    return result


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument(
        "--folder", type=Path, default=Path("build/full-size"), help="for the model's files"
    )
    folder: Path = arguments.parse_args().folder
    shards = folder / "models" / PRESET
    gguf = folder / f"{PRESET}.gguf"
    folder.mkdir(parents=True, exist_ok=True)
    if not gguf.exists():
        synth_gguf(gguf, PRESETS[PRESET], seed=1)
    if not (shards / "manifest.json").exists():
        split_gguf(gguf, shards)

    sound = soundfile.read(RECORDING, dtype="float32")[0][8000:24000]
    wav = folder / "one-second.wav"
    soundfile.write(wav, sound, 16000, subtype="PCM_16")
    tab = in_chromium(folder / "models", folder / "server.txt", np.ascontiguousarray(sound).tobytes())
    native = natively(shards, wav)

    print(f"\n{len(list(shards.glob('shard-*')))} shards, {gguf.stat().st_size / 1e9:.2f} GB")
    print(
        f"Chromium ({tab['adapter']}): loaded in {tab['loadSeconds']:.0f} s,"
        f" GPU {tab['loaded']['gpu_bytes'] / 1e6:.0f} MB,"
        f" page at most {tab['peak_loading'] / 1e6:.0f} MB while loading, {tab['peak_running'] / 1e6:.0f} MB after,"
        f" of which WASM {tab['wasm_bytes'] / 1e6:.0f} MB"
    )
    for name, stats, tokens in (
        ("Chromium", tab["result"]["stats"], tab["result"]["tokens"]),
        ("native", native["stats"], native["tokens"]),
    ):
        print(f"{name}: {json.dumps(stats)}")
        step_ms = stats["decode_ms"] / max(1, len(tokens) - 1)  # the first token is the prompt's
        print(f"  {len(tokens)} tokens, {step_ms:.0f} ms a decode step")
    same = tab["result"]["tokens"] == native["tokens"]
    print("tokens equal" if same else f"tokens differ: {tab['result']['tokens']} and {native['tokens']}")
    sys.exit(not same)


if __name__ == "__main__":
    main()
