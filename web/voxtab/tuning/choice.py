"""A choice of tiles as text, for whoever keeps it.

    {"format": "voxtab-tuning", "version": 1, "adapter": the device's identity, "engine": "0.1.0",
     "one": tile, "few": [tile, ...], "many": tile}

A tile is {"kernel", "threads", "rows", "columns", "by", "norms"}; see voxtab.kernels.tiles. What is read back is a
suggestion: only tiles that tuning could have chosen on this device are taken.
"""

import hashlib
import json
from dataclasses import asdict
from typing import Any

from voxtab import __version__
from voxtab.gpu.base import AdapterInfo
from voxtab.kernels.tiles import CANDIDATES, Tile, Tiles, default_tiles, suitable

_FORMAT = "voxtab-tuning"
_VERSION = 1
_MOST_CHARACTERS = 1 << 16


def choice_name(info: AdapterInfo) -> str:
    """A file name for the choice made on this device by this version of the engine, with this choice of kernels."""
    known = repr([default_tiles(info.samples_weights), CANDIDATES])
    told = "\n".join([info.identity, __version__, str(_VERSION), known])
    return f"tuning-{hashlib.sha256(told.encode()).hexdigest()[:24]}.json"


def to_text(tiles: Tiles, info: AdapterInfo) -> str:
    return json.dumps(
        {
            "format": _FORMAT,
            "version": _VERSION,
            "adapter": info.identity,
            "engine": __version__,
            "one": asdict(tiles.one),
            "few": [asdict(tile) for tile in tiles.few],
            "many": asdict(tiles.many),
        },
        indent=1,
    )


def from_text(text: str, info: AdapterInfo) -> Tiles | None:
    """None for what is damaged, of another device, version or engine, or not among what this device could choose."""
    if len(text) > _MOST_CHARACTERS:
        return None
    try:
        found = json.loads(text)
        named = (found["format"], found["version"], found["adapter"], found["engine"])
        tiles = Tiles(_tile(found["one"]), tuple(map(_tile, found["few"])), _tile(found["many"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    allowed = suitable(info.samples_weights, info.features)
    if named != (_FORMAT, _VERSION, info.identity, __version__):
        return None
    try:  # those that are known, not those read: 8.0 is as good as 8 only until it is part of a name
        return Tiles(
            allowed.one[allowed.one.index(tiles.one)],
            allowed.few[allowed.few.index(tiles.few)],
            allowed.many[allowed.many.index(tiles.many)],
        )
    except ValueError:
        return None


def _tile(fields: Any) -> Tile:
    """Raises TypeError for what is no tile; whether it is a known one is for the caller to see."""
    return Tile(**fields)
