"""Damaged and hostile checkpoints: each is refused with a code, before anything is written."""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shard_tools.gguf_header import read_header
from shard_tools.quantize import quantize_checkpoint
from tests.checkpoints import WEIGHTS, copy_checkpoint, edit_header, edit_json
from voxtab.errors import VoxtabError

SOURCE = Path(__file__).parents[1] / "data" / "asr-window"
NORM = "norm.weight"
Edit = Callable[[Any], None]


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return copy_checkpoint(SOURCE, tmp_path / "checkpoint")


def _refused(checkpoint: Path) -> VoxtabError:
    out = checkpoint.parent / "m.gguf"
    with pytest.raises(VoxtabError) as caught:
        quantize_checkpoint(checkpoint, out)
    assert [path.name for path in checkpoint.parent.iterdir()] == [checkpoint.name]
    assert caught.value.message.endswith(".")
    return caught.value


def _encoder(params: Any) -> Any:
    return params["multimodal"]["whisper_model_args"]["encoder_args"]


PARAMS: dict[str, tuple[str, Edit]] = {
    "dim-text": ("checkpoint-invalid", lambda p: p.update(dim="160")),
    "dim-true": ("checkpoint-invalid", lambda p: p.update(dim=True)),
    "dim-zero": ("checkpoint-invalid", lambda p: p.update(dim=0)),
    "dim-huge": ("checkpoint-invalid", lambda p: p.update(dim=10**30)),
    "dim-float": ("checkpoint-invalid", lambda p: p.update(dim=160.0)),
    "layers-huge": ("checkpoint-invalid", lambda p: p.update(n_layers=10**9)),
    "layers-missing": ("checkpoint-invalid", lambda p: p.pop("n_layers")),
    "head-dim-odd": ("checkpoint-invalid", lambda p: p.update(head_dim=63)),
    "kv-heads": ("checkpoint-invalid", lambda p: p.update(n_kv_heads=3)),
    "theta-infinite": ("checkpoint-invalid", lambda p: p.update(rope_theta=float("inf"))),
    "theta-nan": ("checkpoint-invalid", lambda p: p.update(rope_theta=float("nan"))),
    "theta-list": ("checkpoint-invalid", lambda p: p.update(rope_theta=[1])),
    "eps-negative": ("checkpoint-invalid", lambda p: p.update(norm_eps=-1e-5)),
    "window-null": ("checkpoint-invalid", lambda p: p.update(sliding_window=None)),
    "encoder-missing": (
        "checkpoint-invalid",
        lambda p: p["multimodal"]["whisper_model_args"].pop("encoder_args"),
    ),
    "encoder-list": (
        "checkpoint-invalid",
        lambda p: p["multimodal"]["whisper_model_args"].update(encoder_args=[]),
    ),
    "audio-missing": ("checkpoint-invalid", lambda p: _encoder(p).pop("audio_encoding_args")),
    "surrogate": ("checkpoint-invalid", lambda p: p.update(note="\ud800")),
    "not-voxtral": ("not-voxtral", lambda p: p.pop("multimodal")),
    "multimodal-list": ("checkpoint-invalid", lambda p: p.update(multimodal=[])),
    "layer-norm": ("not-voxtral", lambda p: _encoder(p).update(norm_type="layer_norm")),
    "untied": ("not-voxtral", lambda p: p.update(tied_embeddings=False)),
    "no-ada": ("not-voxtral", lambda p: p.update(ada_rms_norm_t_cond=False)),
}


@pytest.mark.parametrize("case", PARAMS)
def test_bad_params_json_is_refused(case: str, checkpoint: Path) -> None:
    code, edit = PARAMS[case]
    edit_json(checkpoint / "params.json", edit)
    assert _refused(checkpoint).code == code


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a":' * 50 + b"0" + b"}" * 50,
        b" " * (2 << 20),
        b"null",
    ],
)
def test_params_json_that_is_no_object_is_refused(text: bytes, checkpoint: Path) -> None:
    (checkpoint / "params.json").write_bytes(text)
    assert _refused(checkpoint).code == "checkpoint-invalid"


@pytest.mark.parametrize("name", ["params.json", WEIGHTS, "tekken.json"])
def test_a_missing_file_is_named(name: str, checkpoint: Path) -> None:
    (checkpoint / name).unlink()
    error = _refused(checkpoint)
    assert error.code == ("tokenizer-invalid" if name == "tekken.json" else "checkpoint-invalid")
    assert name in error.message
    assert "No such file" in error.message


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(VoxtabError, match="is not a folder") as caught:
        quantize_checkpoint(tmp_path / "nowhere", tmp_path / "m.gguf")
    assert caught.value.code == "checkpoint-invalid"


HEADERS: dict[str, Edit] = {
    "missing": lambda h: h.pop(NORM),
    "extra": lambda h: h.update({"output.weight": dict(h[NORM])}),
    "renamed": lambda h: h.update({"norm.weights": h.pop(NORM)}),
    "dtype-int": lambda h: h[NORM].update(dtype="I32"),
    "dtype-list": lambda h: h[NORM].update(dtype=["BF16"]),
    "dtype-wide": lambda h: h[NORM].update(dtype="F32"),
    "shape-text": lambda h: h[NORM].update(shape="96"),
    "shape-negative": lambda h: h[NORM].update(shape=[-96]),
    "shape-empty": lambda h: h[NORM].update(shape=[]),
    "shape-huge": lambda h: h[NORM].update(shape=[2**40, 2**40]),
    "shape-bool": lambda h: h[NORM].update(shape=[True]),
    "shape-other": lambda h: h[NORM].update(shape=[1, 96]),
    "shape-zero": lambda h: h[NORM].update(shape=[0], data_offsets=[0, 0]),
    "offsets-missing": lambda h: h[NORM].pop("data_offsets"),
    "offsets-reversed": lambda h: h[NORM].update(data_offsets=h[NORM]["data_offsets"][::-1]),
    "offsets-beyond": lambda h: h[NORM].update(data_offsets=[2**62, 2**62 + 192]),
    "offsets-overlap": lambda h: h[NORM].update(data_offsets=[2, 194]),
    "offsets-float": lambda h: h[NORM].update(data_offsets=[0.0, 192.0]),
    "entry-list": lambda h: h.update({NORM: []}),
}


@pytest.mark.parametrize("case", HEADERS)
def test_a_bad_safetensors_header_is_refused(case: str, checkpoint: Path) -> None:
    edit_header(checkpoint, HEADERS[case])
    assert _refused(checkpoint).code == "checkpoint-invalid"


def _header_of(text: bytes, length: int | None = None) -> bytes:
    return struct.pack("<Q", len(text) if length is None else length) + text


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 7,
        b"\0" * 8,
        _header_of(b"{}"),
        _header_of(b"{}", 2**63),
        _header_of(b"{}", 3),
        _header_of(b"[]"),
        _header_of(b"nope"),
        _header_of(b"[" * 200_000),
        _header_of(b'{"a": NaN}'),
        b"GGUF" + b"\0" * 100,
    ],
)
def test_a_file_that_is_no_safetensors_is_refused(data: bytes, checkpoint: Path) -> None:
    (checkpoint / WEIGHTS).write_bytes(data)
    assert _refused(checkpoint).code == "checkpoint-invalid"


@pytest.mark.parametrize("change", [-1, 1])
def test_weights_cut_or_lengthened_by_a_byte_are_refused(change: int, checkpoint: Path) -> None:
    data = (checkpoint / WEIGHTS).read_bytes()
    (checkpoint / WEIGHTS).write_bytes(data[:-1] if change < 0 else data + b"\0")
    assert _refused(checkpoint).code == "checkpoint-invalid"


TEKKEN: dict[str, Edit] = {
    "no-vocab": lambda t: t.pop("vocab"),
    "short": lambda t: t["vocab"].pop(0) and t.update(vocab=t["vocab"][:100]),
    "vocab-object": lambda t: t.update(vocab={}),
    "entry-text": lambda t: t["vocab"].__setitem__(5, "AA=="),
    "not-base64": lambda t: t["vocab"][5].update(token_bytes="A*=="),
    "bytes-number": lambda t: t["vocab"][5].update(token_bytes=7),
    "rank-swapped": lambda t: t["vocab"][5].update(rank=6),
    "special-count": lambda t: t["config"].update(default_num_special_tokens=-1),
    "special-count-huge": lambda t: t["config"].update(default_num_special_tokens=10**9),
    "special-object": lambda t: t.update(special_tokens={}),
    "special-rank": lambda t: t["special_tokens"][3].update(rank=5000),
    "special-text": lambda t: t["special_tokens"][3].update(token_str=None),
    "config-list": lambda t: t.update(config=[]),
    "audio-list": lambda t: t.update(audio=[]),
    "delay-text": lambda t: t["audio"].update(transcription_delay_ms="480"),
    "delay-infinite": lambda t: t["audio"].update(transcription_delay_ms=float("inf")),
    "pad-negative": lambda t: t["audio"].update(streaming_n_left_pad_tokens=-1),
}


@pytest.mark.parametrize("case", TEKKEN)
def test_a_bad_tekken_json_is_refused(case: str, checkpoint: Path) -> None:
    edit_json(checkpoint / "tekken.json", TEKKEN[case])
    assert _refused(checkpoint).code == "tokenizer-invalid"


@pytest.mark.parametrize("text", [b"", b"[]", b"\xff", b"[" * 100_000])
def test_tekken_json_that_is_no_object_is_refused(text: bytes, checkpoint: Path) -> None:
    (checkpoint / "tekken.json").write_bytes(text)
    assert _refused(checkpoint).code == "tokenizer-invalid"


def test_overlong_keys_of_params_json_are_left_out(checkpoint: Path) -> None:
    edit_json(checkpoint / "params.json", lambda params: params.update({"k" * 5000: 1}))
    quantize_checkpoint(checkpoint, checkpoint.parent / "m.gguf")
    metadata = read_header(checkpoint.parent / "m.gguf").metadata
    assert metadata["voxtral.params.dim"] == 96
    assert not [key for key in metadata if "kkk" in key]


def test_weights_that_shrink_while_they_are_read_are_noticed(checkpoint: Path) -> None:
    def shrink(done: int, total: int) -> None:
        with (checkpoint / WEIGHTS).open("r+b") as file:
            file.truncate(4096)

    with pytest.raises(VoxtabError, match="became shorter") as caught:
        quantize_checkpoint(checkpoint, checkpoint.parent / "m.gguf", progress=shrink)
    assert caught.value.code == "checkpoint-invalid"
    assert [path.name for path in checkpoint.parent.iterdir()] == [checkpoint.name]
