"""Every kernel compiles under Tint, Chromium's WGSL compiler, on a device with WebGPU's default limits.

But for those that multiply matrices by subgroups, which no software adapter can.
"""

from __future__ import annotations

from collections.abc import Collection

from playwright.sync_api import Page

from voxtab import kernels
from voxtab.kernels.tiles import TUNED_WEIGHTS, candidates

COMPILE = """async ([sources, parsedOnly]) => {
  const adapter = await navigator.gpu.requestAdapter();
  const device = await adapter.requestDevice({requiredFeatures: ["subgroups"]});
  const problems = [];
  const pipelines = [];
  for (const [name, code] of Object.entries(sources)) {
    const module = device.createShaderModule({label: name, code});
    const {messages} = await module.getCompilationInfo();
    for (const {type, lineNum, message} of messages) problems.push(`${name}:${lineNum}: ${type}: ${message}`);
    if (messages.length || parsedOnly.includes(name)) continue;
    const compute = {module, entryPoint: "main"};
    const made = device.createComputePipelineAsync({label: name, layout: "auto", compute});
    pipelines.push(made.catch((error) => problems.push(`${name}: ${error.message}`)));
  }
  await Promise.all(pipelines);
  device.destroy();
  return problems;
}"""


def compiled(page: Page, sources: dict[str, str], parsed_only: Collection[str] = ()) -> list[str]:
    """What Tint has to say about each source; WebGPU wants a secure origin, which an answered route is. Those of
    `parsed_only` are made no pipelines of."""
    page.route("**/*", lambda route: route.fulfill(content_type="text/html", body=""))
    page.goto("https://kernels.test/")
    problems: list[str] = page.evaluate(COMPILE, [sources, list(parsed_only)])
    return problems


def test_tint_compiles_every_kernel_without_a_warning(page: Page) -> None:
    experimental = "enable chromium_experimental_subgroup_matrix;"
    sources = {name: code for name, code in kernels.render_all().items() if experimental not in code}
    tuned = {
        kernels.key(tile.kernel, weight=weight, storage=storage, **tile.parameters)
        for storage in ("buffer", "texture")
        for tile in candidates(software=storage == "texture")
        for weight in TUNED_WEIGHTS
    }
    assert (
        compiled(page, sources, tuned) == []
    )  # test_tuning_chromium.py makes their pipelines, and runs them


def test_tint_is_really_asked(page: Page) -> None:
    (problem,) = compiled(page, {"broken": "@compute @workgroup_size(1) fn main() { let x: u32 = 1.5; }"})
    assert problem.startswith("broken:1: error:")
