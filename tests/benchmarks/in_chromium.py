"""`voxtab bench` in headless Chromium on SwiftShader, its kernels beside onnxruntime-web's MatMulNBits.

    npm ci --prefix tests/benchmarks
    python -m tests.benchmarks.in_chromium kernels [--group vectors] [--json]
    python -m tests.benchmarks.in_chromium decode|encode|speak [--layers 2] [--context 100 ...] [--tokens 1 ...] [--json]

The engine runs in Pyodide as in a tab, on web/worker/gpu.js. onnxruntime-web (from the package.json beside this, for only
kernels needs it) gets the same weights and the same adapter, one shape after the other; its answers are checked against
numpy. Its time includes moving 12 KB in and some more out, under a millisecond.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from playwright.sync_api import Page, Route, sync_playwright

from tests import chromium
from tests.benchmarks.onnx_product import dequantized, made_up_blocks, onnx_product
from tests.server_process import ServerProcess
from voxtab.bench.kernels import GROUPS, Shape
from voxtab.bench.report import as_text

ORT = Path(__file__).parent / "node_modules" / "onnxruntime-web" / "dist"
# Of the server's origin and under its headers, but without an engine of its own.
BARE_PAGE = "/app/icon.svg"
REPEATS = 5

_BOOT = """async () => {
  const { loadPyodide } = await import("/pyodide/pyodide.mjs");
  const { createGpu } = await import("/worker/gpu.js");
  globalThis.python = await loadPyodide({ indexURL: "/pyodide/" });
  python.unpackArchive(await (await fetch("/engine/voxtab.zip")).arrayBuffer(), "zip", { extractDir: "/engine" });
  python.globals.set("js_gpu", await createGpu());
  python.runPython(`import sys; sys.path.insert(0, "/engine")
import json
from voxtab.gpu.browser import BrowserGpu
from voxtab.bench import kernels, steps
gpu = BrowserGpu(js_gpu)`);
}"""
_RUN = "(code) => python.runPythonAsync(code)"
_ORT = """async ([n, cols, values, repeats]) => {
  const ort = await import("/ort/ort.webgpu.bundle.min.mjs");
  ort.env.wasm.wasmPaths = "/ort/";
  ort.env.wasm.numThreads = 1;
  const model = new Uint8Array(await (await fetch("/ort/product.onnx")).arrayBuffer());
  const session = await ort.InferenceSession.create(model, { executionProviders: ["webgpu"] });
  const x = new ort.Tensor("float32", Float32Array.from(values), [n, cols]);
  const times = [];
  let y;
  for (let i = 0; i <= repeats; i++) {
    const start = performance.now();
    y = await (await session.run({ x })).y.getData();
    if (i > 0) times.push(performance.now() - start);
  }
  await session.release();
  return { times, y: Array.from(y.subarray(0, 256)) };
}"""


def measured(page: Page, call: str) -> dict[str, Any]:
    """What a benchmark of voxtab.bench gives in the page."""
    result: dict[str, Any] = json.loads(page.evaluate(_RUN, f"json.dumps(await {call})"))
    return result


def onnxruntime(page: Page, shape: Shape) -> dict[str, Any]:
    """Milliseconds of MatMulNBits, and how far its answers are from numpy's."""
    if not ORT.is_dir():
        raise SystemExit("onnxruntime-web is not installed. Run: npm ci --prefix tests/benchmarks")
    blocks = made_up_blocks(shape.rows, shape.cols)
    drawn = random.Random(2)
    x = np.array([[drawn.gauss(0, 1) for _ in range(shape.cols)] for _ in range(shape.n)], np.float32)

    def answer(route: Route) -> None:
        name = route.request.url.rsplit("/", 1)[1]
        if name == "product.onnx":
            route.fulfill(body=onnx_product(blocks, shape.n), content_type="application/octet-stream")
        else:
            kind = "application/wasm" if name.endswith(".wasm") else "text/javascript"
            route.fulfill(path=ORT / name, content_type=kind)

    page.route("**/ort/*", answer)
    found = page.evaluate(_ORT, [shape.n, shape.cols, x.ravel().tolist(), REPEATS])
    page.unroute("**/ort/*")
    want = (x.astype(np.float64) @ dequantized(blocks).T).ravel()[:256]
    difference = float(np.max(np.abs(np.array(found["y"]) - want)) / np.max(np.abs(want)))
    assert difference < 1e-3, f"onnxruntime-web computed something else: {difference}"
    return {"onnxruntime_ms": median(found["times"]), "onnxruntime_difference": difference}


def bench_kernels(page: Page, groups: list[str]) -> dict[str, Any]:
    """As `voxtab bench kernels`, and onnxruntime-web's time for every shape."""
    result: dict[str, Any] = {"kernels": []}
    for group in groups:
        for number, shape in enumerate(GROUPS[group]):
            call = f"kernels.bench_kernels(gpu, [{group!r}], {number})"
            found = measured(page, call)
            result |= {key: found[key] for key in ("adapter", "copy_gb_s")}
            (one,) = found["kernels"]
            one |= onnxruntime(page, shape)
            one["times_onnxruntime"] = one["onnxruntime_ms"] / one["ms"]
            result["kernels"].append(one)
            print(
                f"{one['name']} {one['rows']} x {one['cols']}, {one['n']}: {one['ms']:.1f} ms,"
                f" {one['times_plain']:.1f} times the plain kernel,"
                f" {one['times_onnxruntime']:.1f} times onnxruntime-web ({one['onnxruntime_ms']:.0f} ms)",
                flush=True,
            )
    return result


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("kernels", "decode", "encode", "speak"))
    parser.add_argument("--group", action="append", choices=tuple(GROUPS))
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--context", type=int, action="append")
    parser.add_argument("--tokens", type=int, action="append")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        sync_playwright() as playwright,
        ServerProcess(Path(folder) / "server.txt") as server,
    ):
        page = chromium.launch(playwright).new_context(ignore_https_errors=True).new_page()
        page.set_default_timeout(0)
        page.goto(server.url + BARE_PAGE)
        page.evaluate(_BOOT)
        if chosen.what == "kernels":
            result = bench_kernels(page, chosen.group or list(GROUPS))
        elif chosen.what == "decode":
            contexts = chosen.context or [100, 8000]
            result = measured(page, f"steps.bench_decode(gpu, {chosen.layers}, {contexts})")
        elif chosen.what == "encode":
            tokens = chosen.tokens or [1, 16, 64]
            result = measured(page, f"steps.bench_encode(gpu, {chosen.layers}, {tokens})")
        else:
            (context,) = chosen.context or [200]
            result = measured(page, f"steps.bench_speak(gpu, {chosen.layers}, {context})")
    print(json.dumps(result, indent=1) if chosen.json else as_text(result))


if __name__ == "__main__":
    main()
