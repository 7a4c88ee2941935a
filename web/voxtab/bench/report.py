"""Figures as text for people."""

from collections.abc import Iterator, Mapping
from typing import Any


def as_text(result: Mapping[str, Any]) -> str:
    """What one of the benchmarks gave."""
    head = str(result["adapter"])
    if "copy_gb_s" in result:
        head += f", copies {result['copy_gb_s']:.1f} GB/s"
    if "layers" in result:
        head += f", measured with {result['layers']} layers"
    lines = [head]
    if "kernels" in result:
        lines += _kernels(result["kernels"])
    for step in result.get("steps", []):
        lines += _step(step["name"], step)
    for kind in ("encode", "prompt"):
        for step in result.get(kind, []):
            lines += _step(f"{kind}, {step['tokens']} tokens", step)
    if "rtf" in result:
        lines.append(
            f"a frame of the full model {result['frame_ms']:.1f} ms, real-time factor {result['rtf']:.3f}"
        )
    return "\n".join(lines)


def _kernels(found: list[dict[str, Any]]) -> Iterator[str]:
    yield (
        f"{'matrix':16} {'rows':>6} {'cols':>5} {'n':>4} {'ms':>9} {'GB/s':>8} {'of copy':>8} {'x plain':>8}"
        f" {'x 1 row':>8}"
    )
    for one in found:
        vectors = f"{one['times_vectors']:8.2f}" if one["times_vectors"] else ""
        yield (
            f"{one['name']:16} {one['rows']:6} {one['cols']:5} {one['n']:4} {one['ms']:9.3f} {one['gb_s']:8.2f}"
            f" {one['share_of_copy']:8.1%} {one['times_plain']:8.2f} {vectors}"
        )


def _step(name: str, step: Mapping[str, Any]) -> Iterator[str]:
    yield (
        f"{name}: {step['ms']:.2f} ms, matrix products {step['products_ms']:.2f} ms, the rest {step['rest_share']:.1%},"
        f" {step['dispatches']} dispatches; full model {step['full_ms']:.1f} ms"
        + (f", real-time factor {step['rtf']:.3f}" if "rtf" in step else "")
        + (
            f", floor {step['full_floor_ms']:.2f} ms, {step['over_floor']:.1f} times it"
            if "over_floor" in step
            else ""
        )
    )
    for kernel, ms in step["kernels"].items():
        yield f"    {ms:9.3f} ms  {kernel}"
