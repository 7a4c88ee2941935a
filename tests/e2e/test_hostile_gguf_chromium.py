"""Hostile GGUFs opened in the tab: each is refused with the code a user can read, and the worker lives on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.e2e.tab import Tab
from tests.hostile_gguf import hostile_headers, truncated_files, valid_gguf

FILES = {"hostile headers": hostile_headers(), "truncations": truncated_files()}
# Far above what any takes on a slow machine, far below what counting to a billion would.
SLOWEST_MS = 10_000
EOS = 2
HEAP_GROWTH_BYTES = 32 * 1024 * 1024


@pytest.mark.parametrize("files", FILES.values(), ids=FILES.keys())
def test_every_hostile_file_is_refused_in_the_tab_soon_and_in_little_memory(
    tab: Tab, files: dict[str, bytes]
) -> None:
    heap = tab.heap_bytes()
    outcomes = tab.try_files(files)
    want = {name: "gguf-invalid" if data[:4] == b"GGUF" else "not-gguf" for name, data in files.items()}
    assert {name: code for name, (code, _) in outcomes.items()} == want
    assert max(milliseconds for _, milliseconds in outcomes.values()) < SLOWEST_MS
    assert tab.heap_bytes() - heap <= HEAP_GROWTH_BYTES


def test_a_sound_gguf_without_a_model_in_it_is_refused_as_what_it_lacks(tab: Tab) -> None:
    assert tab.try_files({"no model": valid_gguf()})["no model"][0] == "not-voxtral"


def test_the_tab_loads_and_transcribes_after_all_of_them(tab: Tab, data: Path) -> None:
    tab.try_files(FILES["hostile headers"])
    tab.load("asr-window-q4_0")
    tokens = np.load(data / "asr-window" / "expected.npz")["q4_0/tokens"].tolist()
    assert [*tab.transcribe((data / "asr-window" / "input.wav").read_bytes())["tokens"], EOS] == tokens
