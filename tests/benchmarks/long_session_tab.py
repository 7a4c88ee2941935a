"""A listening session of hours in headless Chromium, fed as fast as it is heard: does the tab stay as small and as fast?

    python -m tests.benchmarks.long_session_tab [--minutes 180]

With the model that `long_session` makes up for the same question natively. Looks every ten minutes: GPU bytes, the
WebAssembly heap, JavaScript's memory by Chromium's own count, of which the page's heap, resident memory of Chromium's
processes, milliseconds a token by the clock and of their CPU time, which says more where the machine has other work.
Then the tokens of the last minute at least, from the start of a segment on, are compared with a fresh session's that
hears the sound from there on. Fails where they differ, and where one of the first three differs by more than 1 % between
minute 10 and the end.
"""

from __future__ import annotations

import argparse
import base64
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Page

from shard_tools.split import split_gguf
from tests.benchmarks.full_size_tab import open_tab
from tests.benchmarks.long_session import PIECE, smallest_model, spread, talk

_LOOK_S = 600
_MOST_TOKENS = 10_000
"""In the last minute, the longest segment that may begin before it, and the silence around all."""

_BEGIN = """async ([talk, piece, mostTokens, options]) => {
  const sound = new Float32Array(Uint8Array.from(atob(talk), (c) => c.charCodeAt(0)).buffer);
  // A stream that hears the talk from sample `start` on.
  const begin = async (start) => {
    const live = await vox.listen(options);
    let at = start, heard = start / 16000, words = 0, tokens = [], wake = () => {};
    const following = (async () => {
      for await (const news of live) {
        heard = start / 16000 + news.heardSeconds;
        words += news.words.length;
        tokens = tokens.concat(news.tokens).slice(-mostTokens);
        wake();
      }
    })();
    return {
      // What is fed ends at sample `end`, is at most 30 s ahead of what was heard, and hardly more than what shall be.
      async hear(seconds, end = Infinity) {
        const from = heard;
        while (heard < seconds && at < end) {
          if (at / 16000 - heard > 30 || at / 16000 > seconds + 1) {
            await new Promise((resolve) => { wake = resolve; });
            continue;
          }
          const upto = Math.min(at + piece - (at % piece), end);
          live.feed(sound.slice(at % sound.length, (at % sound.length) + upto - at));
          at = upto;
        }
        return { from, heard, words };
      },
      async close() {
        const { segments, stats } = await live.close();
        await following;
        return { fed: at, segments, rtf: stats.rtf, tokens };
      },
    };
  };
  const freshTokens = async (start, end) => {
    const fresh = await begin(start);
    await fresh.hear(Infinity, end);
    return (await fresh.close()).tokens;
  };
  globalThis.long = { stream: await begin(0), freshTokens };
}"""
# Needs cross-origin isolation.
_PAGE_BYTES = "performance.measureUserAgentSpecificMemory().then((measured) => measured.bytes)"


@dataclass(frozen=True)
class Look:
    """How a tab stood when it had heard so much, and what a token took since it was fed for this look: the one before
    took long itself, and what had been fed by then was heard meanwhile."""

    heard_s: float
    words: int
    gpu_bytes: int
    wasm_heap_bytes: int
    page_heap_bytes: int
    resident_bytes: int
    ms_per_token: float
    cpu_ms_per_token: float


@dataclass(frozen=True)
class Ending:
    """What became of a stream: its segments as voxtab.js gives them, the tokens of the last, and those of a stream that
    heard the same from there on."""

    segments: list[dict[str, Any]]
    rtf: float
    last_tokens: list[int]
    fresh_tokens: list[int]


class LongStream:
    """A stream in a page where `vox` has loaded its model. It hears the same talk over and over."""

    def __init__(self, page: Page, talk_s: int = 300, **options: object) -> None:
        """talk_s: seconds of talk, then it begins again; options: voxtab.js's for a stream."""
        self._page = page
        loop = np.concatenate(list(islice(talk(), talk_s * 16000 // PIECE)))
        encoded = base64.b64encode(loop.tobytes()).decode()
        page.evaluate(_BEGIN, [encoded, PIECE, _MOST_TOKENS, options])
        self._debugger = page.context.new_cdp_session(page)

    def hear(self, seconds: float) -> Look:
        """Feed it until it has heard so much of the talk."""
        began, (began_cpu_s, _) = time.perf_counter(), _cpu_and_resident()
        heard = self._page.evaluate("(seconds) => long.stream.hear(seconds)", seconds)
        now, (cpu_s, resident) = time.perf_counter(), _cpu_and_resident()
        tokens = (heard["heard"] - heard["from"]) / 0.08
        memory = self._page.evaluate("vox.memory()")
        self._debugger.send("HeapProfiler.collectGarbage")  # the talk as text, 26 MB, might be there or not
        return Look(
            heard_s=heard["heard"],
            words=heard["words"],
            gpu_bytes=memory["gpuBytes"],
            wasm_heap_bytes=memory["wasmHeapBytes"],
            page_heap_bytes=round(self._debugger.send("Runtime.getHeapUsage")["usedSize"]),
            resident_bytes=resident,
            ms_per_token=1000 * (now - began) / tokens,
            cpu_ms_per_token=1000 * (cpu_s - began_cpu_s) / tokens,
        )

    def page_bytes(self) -> int:
        """JavaScript's, of the page and its worker. Chromium takes twenty seconds to tell."""
        measured: int = self._page.evaluate(_PAGE_BYTES)
        return measured

    def end(self, compared_s: float = 0) -> Ending:
        """compared_s: the least of the talk, at the end, whose tokens are compared."""
        closed = self._page.evaluate("long.stream.close()")
        starts = [round(segment["start"] * 16000) for segment in closed["segments"]]
        start = max(start for start in starts if start <= max(0, closed["fed"] - compared_s * 16000))
        fresh = self._page.evaluate("([start, end]) => long.freshTokens(start, end)", [start, closed["fed"]])
        return Ending(closed["segments"], closed["rtf"], closed["tokens"][-len(fresh) :], fresh)


def _cpu_and_resident() -> tuple[float, int]:
    """CPU seconds used so far by Chromium's renderers and GPU process, where those are descendants of this process, and
    bytes of memory they have."""
    stats = {int(pid): fields for pid, fields in _processes()}
    family = {os.getpid()}
    while more := {pid for pid, fields in stats.items() if int(fields[1]) in family} - family:
        family |= more
    ours = [stats[pid] for pid in family if pid in stats and _is_chromium(pid)]
    ticks = sum(int(fields[11]) + int(fields[12]) for fields in ours)
    pages = sum(int(fields[21]) for fields in ours)
    return ticks / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGE_SIZE")


def _processes() -> Iterator[tuple[str, list[str]]]:
    """Ids, and what /proc/ID/stat says from the third field on."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            yield path.parent.name, path.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue


def _is_chromium(pid: int) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return b"--type=renderer" in words or b"--type=gpu-process" in words


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--minutes", type=float, default=180)
    minutes = parser.parse_args().minutes
    looks, page_bytes = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        split_gguf(smallest_model(folder), folder / "models" / "smallest")
        with open_tab(folder / "models", folder / "server.txt") as tab:
            tab.load("smallest")
            stream = LongStream(tab.page, delayMs=480)
            for k in range(1, max(1, round(minutes * 60 / _LOOK_S)) + 1):
                looks.append(stream.hear(min(k * _LOOK_S, minutes * 60)))
                page_bytes.append(stream.page_bytes())
                _report(looks[-1], page_bytes[-1])
            ending = stream.end(compared_s=60)
    sys.exit(not _flat_and_right(looks, page_bytes, ending))


def _report(look: Look, page_bytes: int) -> None:
    print(
        f"minute {look.heard_s / 60:5.0f}: GPU {look.gpu_bytes / 1e6:.3f} MB,"
        f" WASM heap {look.wasm_heap_bytes / 1e6:.2f} MB, JavaScript {page_bytes / 1e6:.3f} MB,"
        f" of which the page's heap {look.page_heap_bytes / 1e6:.3f} MB,"
        f" processes {look.resident_bytes / 1e6:.0f} MB,"
        f" {look.ms_per_token:.2f} ms a token, {look.cpu_ms_per_token:.2f} ms of CPU, {look.words} words",
        flush=True,
    )


def _flat_and_right(looks: list[Look], page_bytes: list[int], ending: Ending) -> bool:
    grown = {
        "GPU bytes": spread([look.gpu_bytes for look in looks]),
        "WASM heap": spread([look.wasm_heap_bytes for look in looks]),
        "JavaScript": spread(page_bytes),
    }
    first, last = looks[0], looks[-1]
    equal = ending.last_tokens == ending.fresh_tokens
    print(f"{len(ending.segments)} segments, RTF {ending.rtf}")
    print(", ".join(f"{name} within {share:.2%}" for name, share in grown.items()))
    print(
        f"at the end a token takes {last.ms_per_token / first.ms_per_token:.3f} of the time of the start,"
        f" {last.cpu_ms_per_token / first.cpu_ms_per_token:.3f} of the CPU time"
    )
    print(
        f"the last {len(ending.last_tokens)} tokens",
        "equal a fresh session's" if equal else "DIFFER from a fresh session's",
    )
    return equal and all(share <= 0.01 for share in grown.values())


if __name__ == "__main__":
    main()
