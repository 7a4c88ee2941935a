"""Figures as text for people."""

from collections.abc import Iterator, Mapping
from typing import Any


def as_text(result: Mapping[str, Any]) -> str:
    """What one of the benchmarks gave."""
    lines = [_head(result)]
    if "tiles" in result:
        lines.append("products in " + ", ".join(map(_tile, result["tiles"])))
    if "kernels" in result:
        lines += _kernels(result["kernels"])
    for step in result.get("steps", []):
        lines += _step(step)
    if "frame_ms" in result:
        lines.append(
            f"a frame of the full model {result['frame_ms']:.1f} ms, real-time factor {result['rtf']:.3f}"
        )
    if "ways" in result:
        lines += _ways(result)
    for session in result.get("sessions", []):
        lines += _session(session)
    return "\n".join(lines)


def _head(result: Mapping[str, Any]) -> str:
    parts = [str(result["adapter"])]
    if "copy_gb_s" in result:
        parts.append(f"copies {result['copy_gb_s']:.1f} GB/s")
    if "layers" in result:
        parts.append(f"measured with {result['layers']} layer" + "s" * (result["layers"] != 1))
    return ", ".join(parts)


def _tile(tile: Mapping[str, Any]) -> str:
    sizes = " x ".join(str(tile[name]) for name in ("threads", "rows", "columns"))
    return f"{tile['kernel']} {sizes}{' ' * bool(tile['by'])}{tile['by']}"


def _kernels(found: list[dict[str, Any]]) -> Iterator[str]:
    others = any("times_onnxruntime" in one for one in found)
    yield (
        f"{'matrix':16} {'rows':>6} {'cols':>5} {'n':>4} {'ms':>9} {'GB/s':>8} {'of copy':>8} {'x plain':>8}"
        f" {'x 1 row':>8}" + f" {'x onnxruntime':>14}" * others
    )
    for one in found:
        vectors = f"{one['times_vectors']:8.2f}" if one["times_vectors"] else " " * 8
        onnx = f" {one['times_onnxruntime']:14.1f}" if others else ""
        yield (
            f"{one['name']:16} {one['rows']:6} {one['cols']:5} {one['n']:4} {one['ms']:9.3f} {one['gb_s']:8.2f}"
            f" {one['share_of_copy']:8.1%} {one['times_plain']:8.2f} {vectors}{onnx}"
        ).rstrip()


def _step(step: Mapping[str, Any]) -> Iterator[str]:
    yield (
        f"{step['name']}: {step['ms']:.2f} ms in {step['dispatches']} dispatches, {step['products_ms']:.2f} ms of it"
        f" matrix products; {step['rest_share']:.1%} is no matrix product"
    )
    rtf = f", real-time factor {step['rtf']:.3f}" if "rtf" in step else ""
    yield (
        f"    full model: {step['full_ms']:.1f} ms in {step['full_dispatches']} dispatches, {step['over_floor']:.1f}"
        f" times the floor of {step['full_floor_ms']:.2f} ms{rtf}"
    )
    for one in step["kernels"]:
        rate = f"{one['gb_s']:8.2f} GB/s {one['share_of_copy']:7.1%} of copy" if "gb_s" in one else ""
        yield f"    {one['ms']:9.3f} ms {one['dispatches']:4} x {one['kernel']:45} {rate}".rstrip()


def _ways(result: Mapping[str, Any]) -> Iterator[str]:
    yield (
        f"{result['model_bytes'] / 1e6:.0f} MB; before its weights come header and vocabulary,"
        f" {result['header_s'] * 1e3:.0f} ms, and the plan, {result['plan_s'] * 1e3:.0f} ms"
    )
    yield f"{'':26} {'s':>8} {'GB/s':>7} {'adds s':>8} {'adds GB/s':>10}"
    for way in result["ways"]:
        line = f"{way['name']:26} {way['s']:8.2f} {way['gb_s']:7.2f}"
        if "added_s" in way:
            line += f" {way['added_s']:8.2f}" + (f" {way['added_gb_s']:10.2f}" if way["added_gb_s"] else "")
        yield line


def _session(session: Mapping[str, Any]) -> Iterator[str]:
    unit = session["unit"]
    yield f"{session['name']}: {session['audio_s']:.1f} s of sound, {session['steps']} {unit}s"
    yield from _timings("here", unit, session)
    yield from _timings("full model", unit, session["full"])
    counters = ", ".join(f"{count:.0f} {name}" for name, count in session["per_100_steps"].items())
    yield f"    Python is at work for {session['host_ms_per_step']:.2f} ms a {unit}; for 100 {unit}s {counters}"


def _timings(name: str, unit: str, timings: Mapping[str, Any]) -> Iterator[str]:
    stages = ", ".join(f"{stage} {ms:.0f}" for stage, ms in timings["stages_ms"].items())
    yield (
        f"    {name + ':':12} real-time factor {timings['rtf']:.3f}, first {unit} after {timings['first_ms']:.0f} ms,"
        f" then {timings['ms_per_step']:.2f} ms each (ms: {stages})"
    )
