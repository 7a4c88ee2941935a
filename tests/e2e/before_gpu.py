"""Changes what the worker finds of WebGPU: a smaller one, a lost one, none."""

from __future__ import annotations

from playwright.sync_api import BrowserContext, Route

# The worker's device gets a name it can be called by, to be destroyed.
KEEP_DEVICE = """
const request = GPUAdapter.prototype.requestDevice;
GPUAdapter.prototype.requestDevice = async function (...rest) {
  globalThis.device = await request.apply(this, rest);
  return globalThis.device;
};
"""


def before_the_gpu_opens(context: BrowserContext, script: str) -> None:
    """Run `script` in the context's workers before their GPU layer."""

    def prefixed(route: Route) -> None:
        response = route.fetch()
        route.fulfill(response=response, body=script + response.text())

    context.route("**/worker/gpu.js", prefixed)
