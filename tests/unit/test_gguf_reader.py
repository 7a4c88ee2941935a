"""The GGUF reader against gguf-py: what it writes is read as it was meant, to the last key and byte."""

import mmap
import tempfile
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from gguf import GGMLQuantizationType, GGUFValueType
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.hostile_gguf import gguf as file_of
from tests.hostile_gguf import key, tensor, text, valid_gguf
from voxtab.formats.ggml_types import GgmlType
from voxtab.formats.gguf import Gguf, GgufTruncated, parse_gguf

LIMITS: dict[GGUFValueType, tuple[int, int]] = {
    GGUFValueType.UINT8: (0, 2**8 - 1),
    GGUFValueType.INT8: (-(2**7), 2**7 - 1),
    GGUFValueType.UINT16: (0, 2**16 - 1),
    GGUFValueType.INT16: (-(2**15), 2**15 - 1),
    GGUFValueType.UINT32: (0, 2**32 - 1),
    GGUFValueType.INT32: (-(2**31), 2**31 - 1),
    GGUFValueType.UINT64: (0, 2**64 - 1),
    GGUFValueType.INT64: (-(2**63), 2**63 - 1),
}
Value = tuple[GGUFValueType, Any]  # the kind of a key, or of the elements when the value is a list


def write(
    path: Path, keys: dict[str, Value], tensors: dict[str, tuple[np.ndarray, Any]], alignment: int = 32
) -> bytes:
    """The bytes of a file that gguf-py writes. Tensors: array, and the type of raw bytes or None."""
    writer = gguf.GGUFWriter(path, "voxtral_realtime")
    if alignment != 32:
        writer.add_custom_alignment(alignment)
    for name, (kind, value) in keys.items():
        if isinstance(value, list):
            writer.add_key_value(name, value, GGUFValueType.ARRAY, sub_type=kind)
        else:
            writer.add_key_value(name, value, kind)
    for name, (values, raw_type) in tensors.items():
        writer.add_tensor(name, values, raw_dtype=raw_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path.read_bytes()


def assert_agrees_with_gguf_py(parsed: Gguf, path: Path) -> None:
    """Every key and tensor that gguf-py reads from the file, and no others."""
    data = path.read_bytes()
    reader = gguf.GGUFReader(path)
    fields = {name: field for name, field in reader.fields.items() if not name.startswith("GGUF.")}
    assert list(parsed.metadata) == list(fields)
    for name, field in fields.items():
        np.testing.assert_equal(parsed.metadata[name], field.contents())
    assert list(parsed.tensors) == [tensor.name for tensor in reader.tensors]
    for theirs in reader.tensors:
        ours = parsed.tensors[theirs.name]
        assert ours.type.name == theirs.tensor_type.name
        assert list(ours.shape) == theirs.shape.tolist()[::-1]
        assert (ours.offset, ours.nbytes) == (theirs.data_offset, theirs.n_bytes)
        assert data[ours.offset : ours.offset + ours.nbytes] == theirs.data.tobytes()
    assert (parsed.alignment, parsed.data_offset) == (reader.alignment, reader.data_offset)


def values_of(kind: GGUFValueType) -> st.SearchStrategy[Any]:
    if kind in LIMITS:
        return st.integers(*LIMITS[kind])
    if kind == GGUFValueType.FLOAT32:
        return st.floats(width=32)
    if kind == GGUFValueType.FLOAT64:
        return st.floats()
    return st.booleans() if kind == GGUFValueType.BOOL else st.text(st.characters(codec="utf-8"), max_size=20)


ELEMENT_KINDS = [kind for kind in GGUFValueType if kind != GGUFValueType.ARRAY]
KEYS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30).filter(
    lambda name: name not in ("general.architecture", "general.alignment") and not name.startswith("GGUF.")
)
SCALARS = st.sampled_from(ELEMENT_KINDS).flatmap(lambda kind: st.tuples(st.just(kind), values_of(kind)))
ARRAYS = st.sampled_from(ELEMENT_KINDS).flatmap(
    lambda kind: st.tuples(st.just(kind), st.lists(values_of(kind), min_size=1, max_size=9))
)
KINDS = [GGMLQuantizationType(kind.value) for kind in GgmlType]
DTYPES = [np.float32, np.float16, np.float64, np.int8, np.int16, np.int32, np.int64]


@st.composite
def arrays(draw: st.DrawFn) -> tuple[np.ndarray, Any]:
    """An array of plain numbers, or the raw bytes of blocks with their type."""
    outer = tuple(draw(st.lists(st.integers(1, 5), max_size=3)))
    if draw(st.booleans()):
        shape = (*outer, draw(st.integers(1, 40)))
        return np.arange(np.prod(shape)).reshape(shape).astype(draw(st.sampled_from(DTYPES))), None
    kind = draw(st.sampled_from(KINDS))
    shape = (*outer, gguf.GGML_QUANT_SIZES[kind][1] * draw(st.integers(1, 3)))
    return np.arange(np.prod(shape)).reshape(shape).astype(np.uint8), kind


@settings(max_examples=150, deadline=None)
@given(
    keys=st.dictionaries(KEYS, SCALARS | ARRAYS, max_size=12),
    tensors=st.dictionaries(
        st.text(st.characters(codec="utf-8"), min_size=1, max_size=40), arrays(), max_size=6
    ),
    alignment=st.sampled_from([8, 32, 64, 4096]),
)
def test_whatever_gguf_py_writes_is_read_alike(
    keys: dict[str, Value], tensors: dict[str, tuple[np.ndarray, Any]], alignment: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.gguf"
        data = write(path, keys, tensors, alignment)
        parsed = parse_gguf(data, len(data))
        assert_agrees_with_gguf_py(parsed, path)
        for name, (_, value) in keys.items():
            np.testing.assert_equal(parsed.metadata[name], value)
        assert parsed.version == 3
        assert parsed.alignment == alignment


def test_the_extremes_of_every_kind_of_value_are_read(tmp_path: Path) -> None:
    keys: dict[str, Value] = {"string": (GGUFValueType.STRING, "a\x00b \U0001f600 \u0627\u0644")}
    for kind, (least, most) in LIMITS.items():
        keys[f"{kind.name}.least"], keys[f"{kind.name}.most"] = (kind, least), (kind, most)
        keys[f"{kind.name}.array"] = (kind, [most, least, 0])
    for kind in (GGUFValueType.FLOAT32, GGUFValueType.FLOAT64):
        keys[kind.name] = (kind, float("-inf"))
        keys[f"{kind.name}.array"] = (kind, [0.5, -0.0, float("nan"), float("inf")])
    keys["true"], keys["false"] = (GGUFValueType.BOOL, True), (GGUFValueType.BOOL, False)
    keys["booleans"] = (GGUFValueType.BOOL, [True, False, True])
    keys["strings"] = (GGUFValueType.STRING, ["", "\u00e9", "word" * 1000])
    path = tmp_path / "model.gguf"
    data = write(path, keys, {})
    parsed = parse_gguf(data, len(data))
    for name, (_, value) in keys.items():
        np.testing.assert_equal(parsed.metadata[name], value)
        assert type(parsed.metadata[name]) is type(value)
    assert_agrees_with_gguf_py(parsed, path)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_tensor_type_has_the_name_and_size_that_gguf_py_gives_it(
    kind: GGMLQuantizationType, tmp_path: Path
) -> None:
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    raw = np.arange(3 * 2 * size, dtype=np.uint8).reshape(3, 2 * size)
    path = tmp_path / "model.gguf"
    data = write(path, {}, {"before": (np.ones(5, np.float32), None), "blocks": (raw, kind)})
    parsed = parse_gguf(data, len(data))
    blocks = parsed.tensors["blocks"]
    assert blocks.type.name == kind.name
    assert blocks.shape == (3, 2 * elements)
    assert data[blocks.offset : blocks.offset + blocks.nbytes] == raw.tobytes()
    assert_agrees_with_gguf_py(parsed, path)


def test_a_real_sized_vocabulary_is_read_from_a_prefix_that_grows_as_asked(tmp_path: Path) -> None:
    vocabulary = [f"{index:x}=" * (1 + index % 3) for index in range(150_000)]
    path = tmp_path / "model.gguf"
    data = write(
        path,
        {"voxtral.tokenizer.vocab_token_bytes_b64": (GGUFValueType.STRING, vocabulary)},
        {"norm.weight": (np.ones((2048, 1024), np.float32), None)},
    )
    asked = [64]
    parsed: Gguf | None = None
    while parsed is None:
        try:
            parsed = parse_gguf(memoryview(data)[: asked[-1]], len(data))
        except GgufTruncated as more:
            asked.append(more.needed)
    assert asked == sorted(set(asked))
    assert len(asked) < 20
    assert asked[-1] < 2.1 * parsed.data_offset < len(data)  # the tensors' bytes were not asked for
    assert parsed.metadata["voxtral.tokenizer.vocab_token_bytes_b64"] == vocabulary
    assert parsed.tensors["norm.weight"].offset == parsed.data_offset


def test_a_file_mapped_into_memory_is_read_in_place(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(valid_gguf())
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
        memoryview(mapped) as view,
    ):
        parsed = parse_gguf(view, len(view))
    assert parsed == parse_gguf(valid_gguf(), len(valid_gguf()))


def test_version_2_is_read_as_version_3_is() -> None:
    data = valid_gguf()
    older = data[:4] + (2).to_bytes(4, "little") + data[8:]
    newer, parsed = parse_gguf(data, len(data)), parse_gguf(older, len(older))
    assert parsed.version == 2
    assert (parsed.metadata, parsed.tensors) == (newer.metadata, newer.tensors)


def test_the_handwritten_file_means_what_it_says() -> None:
    data = valid_gguf()
    parsed = parse_gguf(data, len(data))
    assert parsed.metadata == {
        "general.architecture": "voxtral_realtime",
        "general.alignment": 32,
        "a.bool": True,
        "a.u8": 255,
        "a.i16": -2,
        "a.f32": 0.5,
        "a.u64": 2**64 - 1,
        "a.f64": -1.5,
        "a.numbers": [-1, 7],
        "a.bools": [False, True],
        "a.words": ["", "\u00e9", "word"],
        "a.nothing": [],
    }
    assert parsed.tensors["tok_embeddings.weight"].shape == (2, 32)
    assert parsed.tensors["tok_embeddings.weight"].nbytes == 36
    assert parsed.file_bytes == len(data)


def test_a_gap_between_tensors_is_no_fault() -> None:
    data = file_of([], [tensor(b"a", (8,), 0, 0), tensor(b"b", (8,), 0, 128)], bytes(160))
    parsed = parse_gguf(data, len(data))
    assert parsed.tensors["b"].offset == parsed.data_offset + 128


def test_names_longer_than_llama_cpp_takes_are_read() -> None:
    long = b"mm_streams_embeddings.embedding_module.whisper_encoder.transformer.layers.31.attention.wq.weight"
    data = file_of([], [tensor(long, (8,), 0, 0)], bytes(32))
    assert list(parse_gguf(data, len(data)).tensors) == [long.decode()]


def test_more_bytes_than_the_file_has_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="of a file of 10"):
        parse_gguf(valid_gguf(), 10)


def test_a_file_of_keys_alone_is_read() -> None:
    data = file_of([key(b"a", 8, text(b"b"))], alignment=1)
    parsed = parse_gguf(data, len(data))
    assert (parsed.metadata, parsed.tensors) == ({"a": "b"}, {})
