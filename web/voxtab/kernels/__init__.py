"""Kernel sources: Jinja2 templates of WGSL, rendered here natively and ahead of time for the browser.

A template opens with what it computes, its layout and its grid. Variants (weight type, tile, cache type) are template
parameters; sizes come in a uniform; switches that cost nothing are WGSL override constants.
"""

import json
from functools import cache
from importlib import resources
from typing import Any

from voxtab.kernels.tiles import GPU, SOFTWARE, TUNED_WEIGHTS, Tile, candidates

WEIGHT_TYPES = ("q4_0", "q8_0", "f16", "f32", "f32_scalar")
CACHE_TYPES = ("f16", "f32")
# Threads of an attention workgroup, pairs of a head that each owns, and keys of a tile that each scores: fewer for
# windows far shorter than the larger tile. On a CPU few threads load queries and weights less often, and wait less.
ATTENTION_THREADS = {"software": 8, "gpu": 64}
ATTENTION_PAIRS = {"software": (1, 2, 4, 8, 16), "gpu": (1, 2)}
ATTENTION_KEYS = {"software": (2, 8), "gpu": (1,)}
# Threads that norm a row. On a CPU each costs a switch at the barrier.
NORM_THREADS = {"software": 8, "gpu": 64}

RENDERED = "rendered.json"


def variants() -> list[tuple[str, dict[str, Any]]]:
    """Every (template, parameters) the engine can ask for."""
    plain = (
        "log_mel",
        "argmax_rows",
        "argmax_token",
        "advance",
        "attention_merge",
        "shift_rows",
        "copy_rows",
        *("attend_tokens", "choose_codes", "euler_step", "gather_rows", "load_frame_row"),
    )
    found: list[tuple[str, dict[str, Any]]] = [(name, {}) for name in plain]
    found += [("ring_store", {}), ("repack_conv", {}), ("repack_upsampling", {}), ("fold_weight_norm", {})]
    found += [("interleave_rows", {})]
    found += [("texel_bits", {"way": way}) for way in ("in", "out")]
    found += [("codec_latent", {}), ("reflect_rows", {})]
    for weight in WEIGHT_TYPES:
        for storage, tiles in _tiles_by_storage(weight).items():
            stored = {"weight": weight, "storage": storage}
            found += [(tile.kernel, {**stored, **tile.parameters}) for tile in dict.fromkeys(tiles)]
            found += [(name, stored) for name in ("embed", "embed_prompt", "embed_codes")]
    for kind in CACHE_TYPES:
        found += [("rope_store", {"cache": kind})]
        found += [("norm_store", {"cache": kind, "threads": threads}) for threads in NORM_THREADS.values()]
        found += [
            ("attention", {"cache": kind, "threads": threads, "pairs": pairs, "keys": keys})
            for adapter, threads in ATTENTION_THREADS.items()
            for pairs in ATTENTION_PAIRS[adapter]
            for keys in ATTENTION_KEYS[adapter]
        ]
    found += [
        ("repack_blocks", {"weight": weight, "storage": storage})
        for weight in TUNED_WEIGHTS
        for storage in ("buffer", "texture")
    ]
    found += [("rms_norm", {"threads": threads}) for threads in NORM_THREADS.values()]
    found += [("widen", {"source": source}) for source in ("f16", "bf16")]
    return found


def _tiles_by_storage(weight: str) -> dict[str, list[Tile]]:
    """What may serve such weights; CPU adapters have block-quantized ones as textures where they can."""
    if weight not in TUNED_WEIGHTS:
        return {"buffer": [*SOFTWARE, *GPU]}
    return {
        "buffer": [*GPU, *candidates(software=False)],
        "texture": [*SOFTWARE, *candidates(software=True)],
    }


def key(name: str, **parameters: Any) -> str:
    """`matvec(rows=8,threads=32,weight=q4_0)`: names one rendered variant."""
    inner = ",".join(f"{k}={v}" for k, v in sorted(parameters.items()))
    return f"{name}({inner})" if inner else name


def source(name: str, **parameters: Any) -> str:
    """The WGSL of one variant. KeyError in the browser when it was not rendered at build time."""
    ahead = _rendered()
    if ahead is not None:
        return ahead[key(name, **parameters)]
    return str(_environment().get_template(f"{name}.wgsl").render(parameters))


def render_all() -> dict[str, str]:
    """All variants by key; the engine build stores this as `kernels/rendered.json`."""
    return {key(name, **parameters): source(name, **parameters) for name, parameters in variants()}


@cache
def _rendered() -> dict[str, str] | None:
    file = resources.files(__name__) / RENDERED
    if not file.is_file():
        return None
    loaded: dict[str, str] = json.loads(file.read_text("utf-8"))
    return loaded


@cache
def _environment() -> Any:
    import jinja2  # not in the browser, where everything is rendered already

    return jinja2.Environment(
        loader=jinja2.PackageLoader("voxtab", "kernels"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
