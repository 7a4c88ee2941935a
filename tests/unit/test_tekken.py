"""Tekken: the reference's texts, UTF-8 split anywhere, and bad tokenizer files."""

import base64
import binascii
import contextlib
import json
from pathlib import Path
from typing import Any

import gguf
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from voxtab.errors import VoxtabError
from voxtab.formats.gguf import parse_gguf
from voxtab.formats.tekken import GGUF_VOCAB_KEY, StreamDecoder, Tekken, TekkenAudio, TokenizerError

DATA = Path(__file__).parents[1] / "data"
CHECKPOINTS = ["asr-tiny", "asr-window", "asr-words"]
TINY = (DATA / "asr-tiny" / "tekken.json").read_bytes()
DETOK: list[tuple[str, dict[str, Any]]] = [
    (name, case)
    for name in ("asr-tiny", "asr-window")
    for case in json.loads((DATA / name / "detok.json").read_text())
]
DETOK_IDS = [f"{name}-{case['name']}" for name, case in DETOK]
AUDIO = TekkenAudio(
    sampling_rate=16000,
    frame_rate=12.5,
    num_mel_bins=128,
    hop_length=160,
    window_size=400,
    delay_ms=480,
    left_pad_tokens=32,
)
tiny = Tekken.from_json(TINY)


def stream(tekken: Tekken, tokens: list[int]) -> list[str]:
    decoder = StreamDecoder(tekken)
    return [*map(decoder.push, tokens), decoder.flush()]


@pytest.mark.parametrize(("checkpoint", "case"), DETOK, ids=DETOK_IDS)
def test_the_reference_texts_come_out(checkpoint: str, case: dict[str, Any]) -> None:
    tekken = Tekken.from_json((DATA / checkpoint / "tekken.json").read_bytes())
    assert b"".join(map(tekken.token_bytes, case["ids"])).hex() == case["bytes_hex"]
    assert tekken.decode(case["ids"]) == case["text"]
    assert "".join(stream(tekken, case["ids"])) == case["text"]


def test_the_words_checkpoint_says_the_words_of_its_reference() -> None:
    tekken = Tekken.from_json((DATA / "asr-words" / "tekken.json").read_bytes())
    recordings = json.loads((DATA / "asr-words" / "expected.json").read_text())
    compared = 0
    for tokens, text in reference_runs(recordings):
        assert tekken.decode(tokens).strip() == text.strip()
        compared += 1
    assert compared


def reference_runs(value: Any) -> list[tuple[list[int], str]]:
    """Every object of the reference that has both tokens and their text, wherever it is."""
    if isinstance(value, list):
        return [run for item in value for run in reference_runs(item)]
    if not isinstance(value, dict):
        return []
    own = [(value["tokens"], value["text"])] if {"tokens", "text"} <= value.keys() else []
    return own + [run for item in value.values() for run in reference_runs(item)]


@pytest.mark.parametrize("checkpoint", CHECKPOINTS)
def test_the_vocabulary_is_as_large_as_the_model_of_the_checkpoint(checkpoint: str) -> None:
    tekken = Tekken.from_json((DATA / checkpoint / "tekken.json").read_bytes())
    params = json.loads((DATA / checkpoint / "params.json").read_text())
    assert tekken.vocab_size == params["vocab_size"]
    assert tekken.audio == AUDIO


@settings(max_examples=500)
@given(
    st.binary(max_size=40) | st.text(st.characters(codec="utf-8"), max_size=10).map(str.encode),
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 999)), max_size=10),
)
@example("\u20ac\U0001f600".encode()[:-1], [(1, 32), (5, 33)])
def test_any_bytes_with_special_tokens_between_decode_as_the_bytes_do(
    data: bytes, specials: list[tuple[int, int]]
) -> None:
    tokens = [1000 + byte for byte in data]  # the first 256 entries are the bytes
    for place, special in specials:
        tokens.insert(place, special)
    assert tiny.decode(tokens) == data.decode("utf-8", "replace")
    assert "".join(stream(tiny, tokens)) == data.decode("utf-8", "replace")


@settings(max_examples=500)
@given(st.lists(st.integers(0, tiny.vocab_size - 1), max_size=60))
def test_streamed_text_joined_is_the_text_of_the_whole(tokens: list[int]) -> None:
    assert "".join(stream(tiny, tokens)) == tiny.decode(tokens)


def test_a_character_is_held_back_until_its_last_byte() -> None:
    euro = [1000 + byte for byte in "\u20ac5".encode()]
    assert stream(tiny, [euro[0], 33, euro[1], 32, euro[2], euro[3]]) == ["", "", "", "", "\u20ac", "5", ""]
    assert stream(tiny, euro[:2]) == ["", "", "\ufffd"]


def test_after_a_flush_a_new_run_starts() -> None:
    decoder = StreamDecoder(tiny)
    assert [decoder.push(1000 + 0xE2), decoder.flush(), decoder.push(1000 + 0x82), decoder.flush()] == [
        "",
        "\ufffd",
        "\ufffd",
        "",
    ]


@pytest.mark.parametrize("token", [-1, tiny.vocab_size, 2**31, 10**30])
def test_a_token_outside_the_vocabulary_is_refused(token: int) -> None:
    for call in (tiny.token_bytes, StreamDecoder(tiny).push, lambda bad: tiny.decode([1001, bad])):
        with pytest.raises(VoxtabError) as caught:
            call(token)
        assert caught.value.code == "tokenizer-invalid"


def real_sized() -> dict[str, Any]:
    """As the real file: 150000 entries, of which the model uses 130072."""
    vocab = [
        {"rank": rank, "token_bytes": base64.b64encode(b"%06d" % rank).decode(), "token_str": None}
        for rank in range(150_000)
    ]
    config = {"default_vocab_size": 131_072, "default_num_special_tokens": 1000, "version": "v7"}
    return {"config": config, "vocab": vocab, "audio": json.loads(TINY)["audio"]}


def test_a_vocabulary_of_the_real_size_opens_without_decoding_any_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decoded: list[str] = []
    decode = binascii.a2b_base64

    def counted(text: str, **options: bool) -> bytes:
        decoded.append(text)
        return decode(text, **options)

    monkeypatch.setattr(binascii, "a2b_base64", counted)
    tekken = Tekken.from_json(json.dumps(real_sized()).encode())
    assert tekken.vocab_size == 131_072
    assert not decoded
    assert tekken.decode([1000, 131_071, 1000]) == "000000130071000000"
    assert len(decoded) == 2
    with pytest.raises(VoxtabError):
        tekken.token_bytes(131_072)


def config(**changes: Any) -> dict[str, Any]:
    document = json.loads(TINY)
    document["config"].update(changes)
    return document  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("asked", "given"), [(1536, 1536), (1560, 1560), (131_072, 1560), (1001, 1001), (1000, 1000)]
)
def test_the_vocabulary_ends_at_the_configured_size_or_the_last_entry(asked: int, given: int) -> None:
    tekken = Tekken.from_json(json.dumps(config(default_vocab_size=asked)).encode())
    assert tekken.vocab_size == given


def without(document: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name != key}


def entry(index: int, **changes: Any) -> dict[str, Any]:
    document = json.loads(TINY)
    document["vocab"][index].update(changes)
    return document  # type: ignore[no-any-return]


def audio(**changes: Any) -> dict[str, Any]:
    document = json.loads(TINY)
    document["audio"].update(changes)
    return document  # type: ignore[no-any-return]


BAD: dict[str, Any] = {
    "an array": [],
    "no config": without(config(), "config"),
    "config a list": {**config(), "config": []},
    "no vocabulary": without(config(), "vocab"),
    "vocabulary an object": {**config(), "vocab": {}},
    "vocabulary of numbers": {**config(), "vocab": [1, 2]},
    "vocabulary of lists": {**config(), "vocab": [[]]},
    "vocabulary of strings": {**config(), "vocab": ["AA=="]},
    "entry without bytes": {**config(), "vocab": [{"rank": 0}]},
    "entry of a number": entry(3, token_bytes=7),
    "entry out of order": entry(3, rank=4),
    "entry not base64": entry(3, token_bytes="A*=="),
    "entry cut": entry(3, token_bytes="AA="),
    "entry with a space": entry(3, token_bytes="AA= "),
    "entry with a line break": entry(3, token_bytes="AAA\n"),
    "entry of other letters": entry(3, token_bytes="\u0391\u0391=="),
    "entry of half a character": entry(3, token_bytes="\ud800AA="),
    "URL-safe base64": entry(3, token_bytes="__-_"),
    "no vocabulary size": {**config(), "config": {}},
    "vocabulary size 0": config(default_vocab_size=0),
    "vocabulary size a string": config(default_vocab_size="1536"),
    "vocabulary size true": config(default_vocab_size=True),
    "vocabulary size beyond all": config(default_vocab_size=2**40),
    "negative special tokens": config(default_num_special_tokens=-1),
    "audio a list": {**config(), "audio": []},
    "audio without encoding": {**config(), "audio": {"sampling_rate": 16000, "frame_rate": 12.5}},
    "sampling rate 0": audio(sampling_rate=0),
    "frame rate 0": audio(frame_rate=0),
    "frame rate true": audio(frame_rate=True),
    "frame rate a string": audio(frame_rate="12.5"),
    "frame rate infinite": audio(frame_rate=float("inf")),
    "frame rate NaN": audio(frame_rate=float("nan")),
    "negative hop": audio(audio_encoding_config={"num_mel_bins": 128, "hop_length": -1, "window_size": 400}),
    "delay of hours": audio(transcription_delay_ms=10**7),
}
BAD_TEXTS = {
    "nothing": b"",
    "a web page": b"<!DOCTYPE html>",
    "cut short": TINY.rstrip()[:-1],
    "deep arrays": b"[" * 200_000,
    "not UTF-8": b'{"config": "\xff\xfe"}',
    **{name: json.dumps(document).encode() for name, document in BAD.items()},
}


@pytest.mark.parametrize("name", BAD_TEXTS)
def test_a_bad_tokenizer_file_is_refused(name: str) -> None:
    with pytest.raises(VoxtabError) as caught:
        Tekken.from_json(BAD_TEXTS[name])
    assert caught.value.code == "tokenizer-invalid"
    assert "tekken.json" in caught.value.hint


@pytest.mark.parametrize("text", ["=AAA", "A=AA", "AA==AAAA", "AAA=AA==", "AA=A"])
def test_padding_in_the_wrong_place_is_refused_when_the_token_is_used(text: str) -> None:
    tekken = Tekken.from_json(json.dumps(entry(3, token_bytes=text)).encode())
    assert tekken.token_bytes(1002) == b"\x02"
    with pytest.raises(VoxtabError) as caught:
        tekken.token_bytes(1003)
    assert caught.value.code == "tokenizer-invalid"


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(TINY)), st.binary(min_size=1, max_size=8))
def test_a_tokenizer_file_with_bytes_changed_is_read_or_refused(at: int, put: bytes) -> None:
    with contextlib.suppress(TokenizerError):
        tekken = Tekken.from_json(TINY[:at] + put + TINY[at + len(put) :])
        tekken.decode(range(tekken.vocab_size))


def voxtral_cpp_keys(path: Path) -> dict[str, Any]:
    """The metadata of a GGUF that gguf-py writes with the keys of the voxtral.cpp converter."""
    document = json.loads(TINY)
    writer = gguf.GGUFWriter(path, "voxtral_realtime")
    writer.add_int32("voxtral.vocab_size", 1536)
    writer.add_int32("voxtral.tokenizer.num_special_tokens", 1000)
    writer.add_array(GGUF_VOCAB_KEY, [entry["token_bytes"] for entry in document["vocab"][:536]])
    numbers = {"sample_rate": 16000, "num_mel_bins": 128, "hop_length": 160, "window_size": 400}
    for name, value in {**numbers, "n_delay_tokens": 6, "n_left_pad_tokens": 32}.items():
        writer.add_int32(f"voxtral.audio.{name}", value)
    writer.add_float32("voxtral.audio.frame_rate", 12.5)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    data = path.read_bytes()
    return parse_gguf(data, len(data)).metadata


def test_the_vocabulary_in_a_gguf_is_that_of_the_tokenizer_file(tmp_path: Path) -> None:
    tekken = Tekken.from_gguf(voxtral_cpp_keys(tmp_path / "model.gguf"))
    assert (tekken.vocab_size, tekken.special_tokens, tekken.audio) == (1536, 1000, AUDIO)
    assert [tekken.token_bytes(token) for token in range(1536)] == [
        tiny.token_bytes(token) for token in range(1536)
    ]
    for _, case in DETOK[: len(DETOK) // 2]:
        assert tekken.decode(case["ids"]) == case["text"]


def test_a_gguf_that_says_only_the_vocabulary_is_enough() -> None:
    tekken = Tekken.from_gguf({GGUF_VOCAB_KEY: ["QQ==", "Qg=="]})
    assert (tekken.vocab_size, tekken.audio) == (1002, None)
    assert tekken.decode([1000, 7, 1001]) == "AB"


BAD_METADATA: dict[str, dict[str, Any]] = {
    "no vocabulary": {},
    "vocabulary a string": {GGUF_VOCAB_KEY: "QQ=="},
    "vocabulary of numbers": {GGUF_VOCAB_KEY: [1, 2]},
    "not base64": {GGUF_VOCAB_KEY: ["Q"]},
    "vocabulary size a string": {GGUF_VOCAB_KEY: ["QQ=="], "voxtral.vocab_size": "1001"},
    "special tokens a number with a point": {
        GGUF_VOCAB_KEY: ["QQ=="],
        "voxtral.tokenizer.num_special_tokens": 1e3,
    },
    "sample rate alone": {GGUF_VOCAB_KEY: ["QQ=="], "voxtral.audio.sample_rate": 16000},
}


@pytest.mark.parametrize("name", BAD_METADATA)
def test_a_gguf_without_a_usable_vocabulary_is_refused(name: str) -> None:
    with pytest.raises(VoxtabError) as caught:
        Tekken.from_gguf(BAD_METADATA[name])
    assert caught.value.code == "tokenizer-invalid"
