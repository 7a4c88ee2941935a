"""Text to Tekken ids as mistral-common makes them: its own cases, all of Unicode, random texts, long ones."""

import base64
import json
import random
import subprocess
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.mistral_reference import MistralCommon
from voxtab.formats.tekken import Tekken

DATA = Path(__file__).parents[1] / "data" / "tts-tiny"
TINY = DATA / "tekken.json"
PYODIDE = Path(__file__).parent / "js" / "encode_in_pyodide.mjs"
CASES: list[dict[str, Any]] = json.loads((DATA / "tokenizer_cases.json").read_text())

# Characters that the splitter treats each in its way, and their like in other scripts.
AWKWARD: Final = (
    " \t\v\f\r\n\u0085\u00a0\u1680\u2003\u2009\u2028\u2029\u202f\u205f\u3000",  # whitespace
    "\x00\x1c\x1d\x1e\x1f\u180e\u200b\u200c\u200d\u2060\ufeff\ufe0f\ufffd",  # not whitespace
    "/!?.,'\"-_#@\u2014\u2019\u00bf\u3002\u20ac\u00a9\u2192\U0001f600\U0001f469\U0001f3fd\U0001f1e9",  # symbols
    "09\u0663\u096b\u00b2\u00bd\u2167\u2177\u3007\u4e94\uff15\U0001d7d8",  # numbers, and one that is a letter
    "abzA\u00c9Z\u00df\u00e9\u0131\u0130\u03a3\u03c2\u0416\u0434\U00010400\U00010428",  # upper and lower case
    "\u01c5\u01c8\u01f2\u1f88\u02b0\u02bc\u3005\u00aa\u05d0\u0639\u0905\u0e01\u65e5\uac00\u1100",  # other letters
    "\u0300\u0301\u0488\u05b0\u064b\u093e\u094d\u0e31\u20e3\u3099\U000e0100\U0001d165",  # marks
    "\u0378\u0530\ue000\U000effff\U0010ffff\U0003fffd",  # unassigned and private
)
WORDS: Final = (
    "Hello",
    " world",
    "don't",
    "I'LL",
    "\r\n",
    "  ",
    " \n ",
    "//",
    "http://",
    "3.14",
    "na\u00efve",
    "MiXeD",
)
characters = st.one_of(*map(st.sampled_from, AWKWARD), st.characters(codec="utf-8"))
texts = st.lists(characters | st.sampled_from(WORDS), max_size=40).map("".join)
runs = st.lists(st.tuples(characters, st.integers(1, 1500)), max_size=4).map(
    lambda parts: "".join(character * count for character, count in parts)
)


class Reference:
    """mistral-common and our own, by the tiny vocabulary and by the full one."""

    def __init__(self, mistral_common: MistralCommon) -> None:
        self.mistral_common = mistral_common
        self.full = mistral_common.full_vocabulary
        self.ours = {path: Tekken.from_json(path.read_bytes()) for path in (TINY, self.full)}

    def compare(self, texts: list[str]) -> None:
        for path, ours in self.ours.items():
            expected = self.mistral_common.encode(path, texts)
            for text, tokens in zip(texts, expected, strict=True):
                assert ours.encode(text) == tokens, (path.name, text)
                assert ours.decode(tokens) == text.encode("utf-16", "surrogatepass").decode(
                    "utf-16", "replace"
                )


@pytest.fixture(scope="module")
def reference() -> Iterator[Reference]:
    with MistralCommon() as mistral_common:
        yield Reference(mistral_common)


def test_every_case_of_the_reference_has_its_tokens_in_both_vocabularies(reference: Reference) -> None:
    full = reference.ours[reference.full]
    assert len(CASES) >= 35
    for case in CASES:
        assert full.encode(case["text"]) == case["ids_tekken_240911"]
    reference.compare([case["text"] for case in CASES])


@settings(max_examples=1500, deadline=None)
@given(texts)
@example("\ud83d")
@example("\ufeff\ude00\ud83d")
def test_any_text_has_the_tokens_of_mistral_common(reference: Reference, text: str) -> None:
    reference.compare([text])


@settings(max_examples=100, deadline=None)
@given(runs)
@example("a" * 499 + " " + "a" * 500)  # tiktoken merges 500 bytes and more in another way
def test_long_runs_have_the_tokens_of_mistral_common(reference: Reference, text: str) -> None:
    reference.compare([text])


def test_ten_thousand_texts_of_awkward_characters_have_the_tokens_of_mistral_common(
    reference: Reference,
) -> None:
    chance = random.Random(4)
    parts = [*"".join(AWKWARD), *WORDS]
    reference.compare(["".join(chance.choices(parts, k=chance.randrange(30))) for _ in range(10_000)])


def telling_code_points() -> Iterator[int]:
    """The first two planes; of the others, which are uniform for long, every 61st and where the category changes."""
    previous = ""
    for code_point in range(0x110000):
        category = unicodedata.category(chr(code_point))
        if category != "Cs" and (code_point < 0x20000 or code_point % 61 == 0 or category != previous):
            yield code_point
        previous = category


@pytest.fixture(scope="module")
def telling_vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tekken.json that shows what stands together: each byte before or after one of five is an entry."""
    pairs = {
        bytes(pair) for byte in range(256) for near in b"aA! \n" for pair in ((near, byte), (byte, near))
    }
    document = json.loads(TINY.read_text())
    document["vocab"] = [
        {"rank": rank, "token_bytes": base64.b64encode(entry).decode(), "token_str": None}
        for rank, entry in enumerate([bytes([byte]) for byte in range(256)] + sorted(pairs))
    ]
    document["config"]["default_vocab_size"] = 1000 + len(document["vocab"])
    path = tmp_path_factory.mktemp("telling") / "tekken.json"
    path.write_text(json.dumps(document))
    return path


def probe(code_point: int) -> str:
    """A character in places where each class of characters splits otherwise. Numbers always stand alone."""
    return "a{0}1!{0}1!!{0}1{0}Aa1{0}!1".format(chr(code_point))


def differing(code_points: list[int], ours: list[list[int]], expected: list[list[int]]) -> list[str]:
    compared = zip(code_points, ours, expected, strict=True)
    return [f"U+{code_point:04X}" for code_point, mine, right in compared if mine != right]


def test_every_character_of_unicode_splits_as_in_mistral_common(
    reference: Reference, telling_vocabulary: Path
) -> None:
    code_points = list(telling_code_points())
    probes = list(map(probe, code_points))
    ours = Tekken.from_json(telling_vocabulary.read_bytes())
    expected = reference.mistral_common.encode(telling_vocabulary, probes)
    assert not differing(code_points, list(map(ours.encode, probes)), expected)


def test_pyodide_with_its_own_unicode_splits_as_mistral_common(
    reference: Reference, telling_vocabulary: Path
) -> None:
    code_points = list(telling_code_points())[::5]
    probes = list(map(probe, code_points))
    question = json.dumps([str(telling_vocabulary), probes])
    node = subprocess.run(["node", PYODIDE], input=question, capture_output=True, text=True, check=False)
    assert node.returncode == 0, node.stderr
    expected = reference.mistral_common.encode(telling_vocabulary, probes)
    assert not differing(code_points, json.loads(node.stdout), expected)
