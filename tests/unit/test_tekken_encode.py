"""Text to Tekken ids: the reference's cases, the way back, odd vocabularies, and long texts."""

import base64
import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from voxtab.errors import VoxtabError
from voxtab.formats.tekken import GGUF_VOCAB_KEY, Tekken
from voxtab.formats.tekken_split import PATTERN, split

DATA = Path(__file__).parents[1] / "data" / "tts-tiny"
TINY = (DATA / "tekken.json").read_bytes()
CASES: list[dict[str, Any]] = json.loads((DATA / "tokenizer_cases.json").read_text())
ENTRIES: list[str] = [entry["token_bytes"] for entry in json.loads(TINY)["vocab"]]
BYTES = [bytes([byte]) for byte in range(256)]
tiny = Tekken.from_json(TINY)


def gguf_metadata(entries: list[bytes], **more: Any) -> dict[str, Any]:
    return {GGUF_VOCAB_KEY: [base64.b64encode(entry).decode() for entry in entries], **more}


def changed(**config: Any) -> Tekken:
    document = json.loads(TINY)
    document["config"].update(config)
    return Tekken.from_json(json.dumps(document).encode())


@pytest.mark.parametrize("case", CASES, ids=[str(index) for index in range(len(CASES))])
def test_a_text_has_the_tokens_of_the_reference(case: dict[str, Any]) -> None:
    assert tiny.encode(case["text"]) == case["ids"]


@settings(max_examples=500, deadline=None)
@given(st.text(max_size=60))
def test_tokens_decode_to_the_text_they_came_from(text: str) -> None:
    assert tiny.decode(tiny.encode(text)) == text


@settings(max_examples=500, deadline=None)
@given(st.text(max_size=60))
def test_the_pieces_of_a_text_joined_are_the_text(text: str) -> None:
    pieces = split(text)
    assert all(pieces)
    assert "".join(pieces) == text


@pytest.mark.parametrize(
    ("text", "heard"),
    [
        ("\ud83d", "\ufffd"),
        ("a\udc00b", "a\ufffdb"),
        ("\ud83d\ude00", "\U0001f600"),
        ("\ufeff\ud800", "\ufeff\ufffd"),
    ],
)
def test_half_a_surrogate_pair_is_a_replacement_character(text: str, heard: str) -> None:
    assert tiny.encode(text) == tiny.encode(heard)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=30), st.integers(1256, tiny.vocab_size))
@example("It took me quite a long time", 1300)
def test_entries_beyond_the_vocabulary_take_no_part(text: str, vocab_size: int) -> None:
    """As if they were not in the file."""
    cut = Tekken(ENTRIES, vocab_size=vocab_size)
    assert cut.encode(text) == Tekken(ENTRIES[: vocab_size - 1000]).encode(text)
    assert max(cut.encode(text), default=0) < vocab_size


def test_of_equal_ranks_the_leftmost_pair_is_joined_first() -> None:
    tekken = Tekken.from_gguf(gguf_metadata([*BYTES, b"aa"]))
    assert tekken.encode("aaaaa") == [1256, 1256, 1097]


def test_a_pair_of_lower_rank_is_joined_before_one_further_left() -> None:
    tekken = Tekken.from_gguf(gguf_metadata([*BYTES, b"bc", b"ab"]))
    assert tekken.encode("abcab") == [1097, 1256, 1257]


def test_a_piece_that_is_an_entry_is_one_token_though_no_merges_lead_to_it() -> None:
    tekken = Tekken.from_gguf(gguf_metadata([*BYTES, b"xyz"]))
    assert tekken.encode("xyz xyz") == [1256, 1032, 1120, 1121, 1122]


def test_ids_follow_the_special_tokens() -> None:
    key = "voxtral.tokenizer.num_special_tokens"
    assert Tekken.from_gguf(gguf_metadata([*BYTES, b"ab"], **{key: 7})).encode("abc") == [263, 106]


@pytest.mark.parametrize(
    "tekken",
    [
        Tekken.from_gguf(gguf_metadata(BYTES[:255])),
        Tekken.from_gguf(gguf_metadata(BYTES[::-1])),
        Tekken.from_gguf(gguf_metadata([*BYTES, b"ab", b"ab"])),
        Tekken.from_gguf(gguf_metadata([*BYTES, b"a"])),
        Tekken.from_gguf({GGUF_VOCAB_KEY: [*gguf_metadata(BYTES)[GGUF_VOCAB_KEY], "=AAA"]}),
        Tekken.from_gguf(gguf_metadata(BYTES, **{"voxtral.tokenizer.pattern": r"\p{L}+|."})),
        changed(default_vocab_size=1255),
        changed(pattern=PATTERN.replace("?", "*")),
    ],
    ids=[
        "255 bytes",
        "bytes in another order",
        "an entry twice",
        "a byte twice",
        "bad padding",
        "another pattern",
        "cut within the bytes",
        "another pattern in tekken.json",
    ],
)
def test_a_vocabulary_that_cannot_write_every_text_still_reads_but_refuses_to_encode(tekken: Tekken) -> None:
    assert tekken.decode([5]) == ""
    with pytest.raises(VoxtabError) as caught:
        tekken.encode("a")
    assert caught.value.code == "tokenizer-invalid"


@pytest.mark.parametrize("pattern", [7, ["x"], {"a": 1}])
def test_a_pattern_that_is_no_text_is_refused(pattern: Any) -> None:
    with pytest.raises(VoxtabError) as caught:
        changed(pattern=pattern)
    assert caught.value.code == "tokenizer-invalid"


def test_a_file_without_a_pattern_is_of_the_known_kind() -> None:
    metadata = gguf_metadata([tiny.token_bytes(token) for token in range(1000, tiny.vocab_size)])
    for said in ({}, {"voxtral.tokenizer.pattern": ""}, {"voxtral.tokenizer.pattern": PATTERN}):
        assert Tekken.from_gguf({**metadata, **said}).encode(CASES[0]["text"]) == CASES[0]["ids"]


@pytest.mark.parametrize("unit", ["a", "-", " ", "\n", "\u0301", "\u65e5\u672c\u8a9e", "Ab", "9"])
def test_a_long_text_without_breaks_takes_time_in_proportion(unit: str) -> None:
    """100 000 characters, mostly one piece: half a second. Merges that look through all pairs would take minutes."""
    text = (unit * 100_000)[:100_000]
    started = time.process_time()
    tokens = tiny.encode(text)
    assert time.process_time() - started < 5
    assert tiny.decode(tokens) == text
