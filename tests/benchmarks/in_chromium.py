"""`voxtab bench` in headless Chromium on SwiftShader, its kernels beside onnxruntime-web's MatMulNBits.

    npm ci --prefix tests/benchmarks
    python -m tests.benchmarks.in_chromium kernels [--group vectors] [--shape 2] [--without-onnxruntime]
    python -m tests.benchmarks.in_chromium decode|encode|speak|load [--layers 2] [--context 100 ...] [--tokens 1 ...]
    python -m tests.benchmarks.in_chromium session [--preset voxtral-tts-4b] [--layers 1] [--seconds 1]
    python -m tests.benchmarks.in_chromium host [--preset voxtral-tts-4b] [--seconds 16]

All take --json and --no-tuning. They run in the Python of voxtab's own worker, on web/worker/gpu.js; `load` goes through
its loader, from a server over HTTPS and from the cache. `host` is such a session at full depth, of a model that is
thin, and with dispatches of no workgroups: what Python, JavaScript and Chromium's WebGPU calls take, while no software
adapter is at work. onnxruntime-web (from the package.json beside this; only `kernels` needs it) gets the same
weights and the same adapter, one shape after the other; its answers are checked against numpy. Its time includes moving
12 KB in and some more out, under a millisecond for a vector.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks import onnx_in_tab
from tests.benchmarks.bench_worker import BenchWorker, bench_worker
from voxtab.bench.kernels import GROUPS, GROUPS_OF
from voxtab.bench.presets import PRESETS, SPEAKER, TRANSCRIBER
from voxtab.bench.report import as_text
from voxtab.cli.bench_files import GGUF, write_model

LOAD_IN_WORKER = Path(__file__).with_name("load_in_worker.py")
MODEL = "shards"
_STEPS = {"decode": TRANSCRIBER, "encode": TRANSCRIBER, "speak": SPEAKER}


def bench_kernels(
    worker: BenchWorker, groups: list[str], only: int | None = None, beside: bool = True
) -> dict[str, Any]:
    """As `voxtab bench kernels`, and `beside` it onnxruntime-web's time for every shape, or for number `only`."""
    result: dict[str, Any] = {"kernels": []}
    for group in groups:
        for number, shape in enumerate(GROUPS[group]):
            if only not in (None, number):
                continue
            found = worker.measured(f"kernels.bench_kernels(gpu, [{group!r}], {number})")
            result |= {key: found[key] for key in ("adapter", "copy_gb_s", "tiles")}
            (one,) = found["kernels"]
            line = f"{one['name']} {one['rows']} x {one['cols']}, {one['n']}: {one['ms']:.1f} ms"
            if beside:
                one |= onnx_in_tab.onnxruntime(worker.page, shape)
                one["times_onnxruntime"] = one["onnxruntime_ms"] / one["ms"]
                line += f", onnxruntime-web {one['onnxruntime_ms']:.0f} ms"
            result["kernels"].append(one)
            print(line, flush=True)
    return result


def bench_steps(worker: BenchWorker, what: str, chosen: argparse.Namespace) -> dict[str, Any]:
    """As `voxtab bench decode`, `encode` or `speak`."""
    sizes = {
        "decode": chosen.context or [100, 8000],
        "encode": chosen.tokens or [1, 16, 64],
        "speak": (chosen.context or [200])[0],
    }[what]
    preset = "speaker" if what == "speak" else "transcriber"
    return worker.measured(f"steps.bench_{what}(gpu, presets.{preset}(), {chosen.layers or 2}, {sizes})")


def bench_host(worker: BenchWorker, preset: str, seconds: float) -> dict[str, Any]:
    """As `voxtab bench session` at full depth, on a GPU that has nothing to compute."""
    worker.empty_dispatches()
    worker.run(f"thin = presets.narrow(presets.sizes({preset!r}))")
    what, codec = ("speech", ", presets.narrow_codec()") if preset == SPEAKER else ("transcription", "")
    return worker.measured(f"session.bench_{what}(gpu, thin, presets.deepest(thin), {seconds}{codec})")


def bench_load(worker: BenchWorker, layers: int, model: str = MODEL, repeats: int = 3) -> dict[str, Any]:
    """Of one of the server's models: shards with a manifest."""
    models = worker.page.evaluate("fetch('/api/models').then((answer) => answer.json())")["models"]
    (entry,) = (each for each in models if each["id"] == model)
    worker.run(LOAD_IN_WORKER.read_text())
    return worker.measured(
        f"bench_tab_load(gpu, idle, open_source, json.loads({json.dumps(entry)!r}), {layers}, {repeats})"
    )


def measured(chosen: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """What was asked for; `folder` is for files."""
    if chosen.what == "kernels" and not chosen.without_onnxruntime:
        onnx_in_tab.require()
    if chosen.what == "load":
        layers = chosen.layers or 2
        (folder / "models").mkdir()
        write_model(folder / "models", chosen.preset, layers)
        (folder / "models" / GGUF).unlink()
        with bench_worker(folder, folder / "models") as worker:
            return bench_load(worker, layers)
    with bench_worker(folder) as worker:
        if chosen.what == "host":
            return bench_host(worker, chosen.preset, chosen.seconds or 16.0)
        if chosen.tuning:
            worker.run("gpu.chosen_tiles = await tune(gpu)")
        if chosen.what == "kernels":
            groups = chosen.group or list(GROUPS_OF.get(chosen.preset, GROUPS))
            return bench_kernels(worker, groups, chosen.shape, not chosen.without_onnxruntime)
        if chosen.what == "session":
            return worker.measured(
                f"session.bench_session(gpu, presets.sizes({chosen.preset!r}), {chosen.layers}, {chosen.seconds})"
            )
        return bench_steps(worker, chosen.what, chosen)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("kernels", *_STEPS, "load", "session", "host"))
    parser.add_argument("--preset", choices=PRESETS)
    parser.add_argument("--group", action="append", choices=tuple(GROUPS))
    parser.add_argument("--shape", type=int, help="only the one of this number in each group")
    parser.add_argument("--without-onnxruntime", action="store_true")
    parser.add_argument("--layers", type=int)
    parser.add_argument("--context", type=int, action="append")
    parser.add_argument("--tokens", type=int, action="append")
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--no-tuning", dest="tuning", action="store_false")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    if chosen.what in ("load", "session", "host") and chosen.preset is None:
        chosen.preset = TRANSCRIBER
    elif chosen.what in _STEPS and chosen.preset not in (None, _STEPS[chosen.what]):
        parser.error(f"{chosen.what} measures {_STEPS[chosen.what]}")
    with tempfile.TemporaryDirectory() as folder:
        result = measured(chosen, Path(folder))
    print(json.dumps(result, indent=1) if chosen.json else as_text(result))


if __name__ == "__main__":
    main()
