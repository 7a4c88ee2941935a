"""A listening session of hours in headless Chromium, fed as fast as it is heard: does the tab stay as small and as fast?

    python -m tests.benchmarks.long_session_tab [--minutes 180]

With the model that `long_session` makes up for the same question natively. Looks every ten minutes: GPU bytes,
the WebAssembly heap, JavaScript and WebAssembly memory by Chromium's own count, milliseconds a token. Fails where one of
the three differs by more than 1 % between minute 10 and the end.
"""

from __future__ import annotations

import argparse
import base64
import sys
import tempfile
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from shard_tools.split import split_gguf
from tests.benchmarks.full_size_tab import open_tab
from tests.benchmarks.long_session import PIECE, smallest_model, spread, talk

# Of the talk, which then begins again.
_LOOP_S = 300
_LOOK_S = 600
_LISTEN = """([talk, piece, minutes, lookSeconds]) => begin(async () => {
  const sound = floats(talk);
  const live = await vox.listen({ delayMs: 480 });
  const looks = [];
  let heard = 0, words = 0, wake = () => {}, since = performance.now();
  const listening = (async () => {
    for await (const news of live) {
      heard = news.heardSeconds;
      words += news.words.length;
      run.progress = `minute ${(heard / 60).toFixed(0)}, ${JSON.stringify(looks.at(-1) ?? {})}, `;
      wake();
    }
  })();
  for (let at = 0; at < minutes * 60 * 16000; at += piece) {
    live.feed(sound.slice(at % sound.length, (at % sound.length) + piece));
    while ((at + piece) / 16000 - heard > 30) await new Promise((resolve) => { wake = resolve; });
    if (heard < (looks.length + 1) * lookSeconds) continue;
    const msPerToken = (performance.now() - since) / (lookSeconds / 0.08);
    const { gpuBytes, wasmHeapBytes } = await vox.memory();
    const { bytes } = await performance.measureUserAgentSpecificMemory();
    looks.push({ heard, words, msPerToken, gpuBytes, wasmHeapBytes, pageBytes: bytes });
    since = performance.now();
  }
  const { segments, stats } = await live.close();
  await listening;
  return { looks, segments: segments.length, stats };
})"""


def listen(minutes: float) -> dict[str, Any]:
    """{looks, segments, stats} of a session in Chromium."""
    loop = np.concatenate(list(islice(talk(), _LOOP_S * 16000 // PIECE)))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        split_gguf(smallest_model(folder), folder / "models" / "smallest")
        with open_tab(folder / "models", folder / "server.txt") as tab:
            tab.load("smallest")
            argument = [base64.b64encode(loop.tobytes()).decode(), PIECE, minutes, _LOOK_S]
            result, _ = tab.run(_LISTEN, argument, "listening")
    found: dict[str, Any] = result
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--minutes", type=float, default=180)
    found = listen(parser.parse_args().minutes)
    for look in found["looks"]:
        print(
            f"minute {look['heard'] / 60:5.0f}: GPU {look['gpuBytes'] / 1e6:.3f} MB,"
            f" WASM heap {look['wasmHeapBytes'] / 1e6:.1f} MB, page {look['pageBytes'] / 1e6:.2f} MB,"
            f" {look['msPerToken']:.2f} ms a token, {look['words']} words"
        )
    print(f"{found['segments']} segments, RTF {found['stats']['rtf']}")
    grown = {
        name: spread([look[name] for look in found["looks"]])
        for name in ("gpuBytes", "wasmHeapBytes", "pageBytes")
    }
    slower = found["looks"][-1]["msPerToken"] / found["looks"][0]["msPerToken"]
    print(
        ", ".join(f"{name} within {share:.2%}" for name, share in grown.items()),
        f"ms a token at the end {slower:.3f} of the start",
    )
    sys.exit(any(share > 0.01 for share in grown.values()))


if __name__ == "__main__":
    main()
