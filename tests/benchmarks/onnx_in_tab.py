"""onnxruntime-web's MatMulNBits in a page, on the blocks of a benchmark's shape. Development only; see package.json."""

from __future__ import annotations

import random
from pathlib import Path
from statistics import median

import numpy as np
from playwright.sync_api import Page, Route

from tests.benchmarks.onnx_product import dequantized, made_up_blocks, onnx_product
from voxtab.bench.kernels import Shape

_ORT = Path(__file__).parent / "node_modules" / "onnxruntime-web" / "dist"
# At least the first; another only while the sum of times is below the limit.
_REPEATS, _MOST_MS = 5, 30_000

_RUN = """async ([n, cols, values, repeats, most]) => {
  const ort = await import("/ort/ort.webgpu.bundle.min.mjs");
  ort.env.wasm.wasmPaths = "/ort/";
  ort.env.wasm.numThreads = 1;
  const model = new Uint8Array(await (await fetch("/ort/product.onnx")).arrayBuffer());
  const session = await ort.InferenceSession.create(model, { executionProviders: ["webgpu"] });
  const x = new ort.Tensor("float32", Float32Array.from(values), [n, cols]);
  const times = [];
  let y;
  let sum = 0;
  for (let i = 0; i <= repeats && (i < 2 || sum < most); i++) {
    const start = performance.now();
    y = await (await session.run({ x })).y.getData();
    if (i > 0) times.push(performance.now() - start);
    sum += performance.now() - start;
  }
  await session.release();
  return { times, y: Array.from(y.subarray(0, 256)) };
}"""


def require() -> None:
    """SystemExit when it is not installed."""
    if not _ORT.is_dir():
        raise SystemExit("onnxruntime-web is not installed. Run: npm ci --prefix tests/benchmarks")


def onnxruntime(page: Page, shape: Shape) -> dict[str, float]:
    """Milliseconds of MatMulNBits, and how far its answers are from numpy's."""
    blocks = made_up_blocks(shape.rows, shape.cols)
    drawn = random.Random(2)
    x = np.array([[drawn.gauss(0, 1) for _ in range(shape.cols)] for _ in range(shape.n)], np.float32)

    def answer(route: Route) -> None:
        name = route.request.url.rsplit("/", 1)[1]
        if name == "product.onnx":
            route.fulfill(body=onnx_product(blocks, shape.n), content_type="application/octet-stream")
        else:
            kind = "application/wasm" if name.endswith(".wasm") else "text/javascript"
            route.fulfill(path=_ORT / name, content_type=kind)

    page.route("**/ort/*", answer)
    found = page.evaluate(_RUN, [shape.n, shape.cols, x.ravel().tolist(), _REPEATS, _MOST_MS])
    page.unroute("**/ort/*")
    want = (x.astype(np.float64) @ dequantized(blocks).T).ravel()[:256]
    difference = float(np.max(np.abs(np.array(found["y"]) - want)) / np.max(np.abs(want)))
    assert difference < 1e-3, f"onnxruntime-web computed something else: {difference}"
    return {"onnxruntime_ms": median(found["times"]), "onnxruntime_difference": difference}
