"""One model, however its bytes lie on disk: the tokens stay the same, and what is wrong is said."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import gguf
import pytest
import soundfile

from shard_tools.quantize import quantize_checkpoint
from shard_tools.split import split_gguf
from tests.parity.engine import Floats, loaded, transcribe
from voxtab.errors import VoxtabError
from voxtab.gpu.native import NativeGpu
from voxtab.models.asr_state import AsrOptions


@pytest.fixture(scope="module")
def gpu(native_adapter: Any) -> NativeGpu:
    return NativeGpu(native_adapter)


@pytest.fixture(scope="module")
def model(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("model") / "model.gguf"
    quantize_checkpoint(data / "asr-tiny", out, "q4_0", scales="absmax")
    return out


@pytest.fixture(scope="module")
def audio(data: Path) -> Floats:
    sound: Floats = soundfile.read(data / "asr-tiny" / "input.wav", dtype="float32")[0]
    return sound


@pytest.fixture(scope="module")
def tokens(gpu: NativeGpu, model: Path, audio: Floats) -> list[int]:
    return transcribe(loaded(gpu, model), audio, AsrOptions()).tokens


def copied(model: Path, out: Path, *, tokenizer: bool = True, tensors_per_part: int = 0) -> None:
    """The same tensors and keys written again by gguf-py, in parts of `tensors_per_part` if asked."""
    reader = gguf.GGUFReader(model)
    writer = gguf.GGUFWriter(out, "voxtral_realtime", split_max_tensors=tensors_per_part)
    for field in reader.fields.values():
        own = field.name.startswith(("GGUF.", "general.architecture"))
        if not own and (tokenizer or not field.name.startswith("voxtral.tokenizer.")):
            kind = field.types[0]
            sub_type = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(field.name, field.contents(), kind, sub_type)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def test_shards_with_and_without_a_manifest(
    gpu: NativeGpu, model: Path, audio: Floats, tokens: list[int], tmp_path: Path
) -> None:
    split_gguf(model, tmp_path / "shards", 300_000)
    assert len(list((tmp_path / "shards").glob("shard-*"))) > 2
    assert transcribe(loaded(gpu, tmp_path / "shards"), audio, AsrOptions()).tokens == tokens
    (tmp_path / "shards" / "manifest.json").unlink()
    assert transcribe(loaded(gpu, tmp_path / "shards"), audio, AsrOptions()).tokens == tokens


def test_parts_of_a_gguf_split(
    gpu: NativeGpu, model: Path, audio: Floats, tokens: list[int], tmp_path: Path
) -> None:
    copied(model, tmp_path / "model.gguf", tensors_per_part=20)
    parts = sorted(tmp_path.glob("model-*-of-*.gguf"))
    assert len(parts) > 2
    assert transcribe(loaded(gpu, parts[1]), audio, AsrOptions()).tokens == tokens
    assert transcribe(loaded(gpu, tmp_path), audio, AsrOptions()).tokens == tokens
    parts[-1].unlink()
    with pytest.raises(VoxtabError) as caught:
        loaded(gpu, parts[0])
    assert caught.value.code == "shard-missing"


def test_mistral_names(gpu: NativeGpu, data: Path, audio: Floats, tokens: list[int], tmp_path: Path) -> None:
    quantize_checkpoint(data / "asr-tiny", tmp_path / "m.gguf", "q4_0", scales="absmax", names="mistral")
    assert transcribe(loaded(gpu, tmp_path / "m.gguf"), audio, AsrOptions()).tokens == tokens


def test_a_tokenizer_beside_a_file_that_has_none(
    gpu: NativeGpu, data: Path, model: Path, audio: Floats, tokens: list[int], tmp_path: Path
) -> None:
    copied(model, tmp_path / "model.gguf", tokenizer=False)
    with pytest.raises(VoxtabError) as caught:
        loaded(gpu, tmp_path / "model.gguf")
    assert caught.value.code == "tokenizer-invalid"
    shutil.copy(data / "asr-tiny" / "tekken.json", tmp_path)
    assert transcribe(loaded(gpu, tmp_path / "model.gguf"), audio, AsrOptions()).tokens == tokens


@pytest.mark.parametrize("kind", ["q8_0", "f16"])
def test_other_types_decode_as_their_values_in_float32(
    gpu: NativeGpu, data: Path, audio: Floats, tmp_path: Path, kind: Any
) -> None:
    quantize_checkpoint(data / "asr-tiny", tmp_path / "small.gguf", kind, scales="absmax")
    reader = gguf.GGUFReader(tmp_path / "small.gguf")
    writer = gguf.GGUFWriter(tmp_path / "wide.gguf", "voxtral_realtime")
    for field in reader.fields.values():
        if field.name.startswith("voxtral."):
            value = field.types[0]
            sub_type = field.types[-1] if value == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(field.name, field.contents(), value, sub_type)
    for tensor in reader.tensors:
        wide = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        writer.add_tensor(tensor.name, wide.astype("float32"))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    small = transcribe(loaded(gpu, tmp_path / "small.gguf"), audio, AsrOptions(cache="f32"))
    wide_session = transcribe(loaded(gpu, tmp_path / "wide.gguf"), audio, AsrOptions(cache="f32"))
    assert small.tokens == wide_session.tokens


def test_matrices_split_over_small_bindings_change_nothing(
    gpu: NativeGpu, model: Path, audio: Floats, tokens: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voxtab.nn.upload.MOST_SEGMENT_BYTES", 8192)
    assert transcribe(loaded(gpu, model), audio, AsrOptions()).tokens == tokens


def test_an_altered_shard_is_refused_and_frees_what_was_loaded(
    gpu: NativeGpu, model: Path, tmp_path: Path
) -> None:
    split_gguf(model, tmp_path, 300_000)
    shard = tmp_path / "shard-ab"
    data = bytearray(shard.read_bytes())
    data[1000] ^= 1
    shard.write_bytes(data)
    before = gpu.gpu_bytes
    with pytest.raises(VoxtabError) as caught:
        loaded(gpu, tmp_path)
    assert caught.value.code == "shard-altered"
    assert "shard-ab" in str(caught.value)
    # Constants and pipelines stay with the device; weights and tables do not.
    assert gpu.gpu_bytes - before < 65536


def test_a_file_that_is_no_model_is_refused(gpu: NativeGpu, tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(b"RIFF" + bytes(100))
    with pytest.raises(VoxtabError) as caught:
        loaded(gpu, tmp_path / "x.gguf")
    assert caught.value.code == "not-gguf"
    with pytest.raises(VoxtabError) as caught:
        loaded(gpu, tmp_path / "absent.gguf")
    assert caught.value.code == "model-missing"
    writer = gguf.GGUFWriter(tmp_path / "llama.gguf", "llama")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(VoxtabError) as caught:
        loaded(gpu, tmp_path / "llama.gguf")
    assert caught.value.code == "not-voxtral"


def test_an_adapter_with_too_little_room_is_told_in_numbers(
    gpu: NativeGpu, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = gpu.gpu_bytes
    room = 9_000_000  # enough to stage a piece, not for the buffers made next
    monkeypatch.setattr(gpu, "info", dataclasses.replace(gpu.info, max_buffer_bytes=room))
    monkeypatch.setattr("voxtab.nn.upload.PIECE_BYTES", room + 1_000_000)
    with pytest.raises(VoxtabError) as caught:
        loaded(gpu, model)
    assert caught.value.code == "adapter-too-small"
    assert "10 MB" in str(caught.value)
    assert "9 MB" in str(caught.value)
    assert gpu.gpu_bytes == before


def test_a_freed_session_and_model_leave_the_gpu_as_it_was(
    gpu: NativeGpu, model: Path, audio: Floats
) -> None:
    engine = loaded(gpu, model)
    transcribe(engine, audio, AsrOptions())
    engine.unload()
    before = gpu.gpu_bytes
    for _ in range(3):
        engine = loaded(gpu, model)
        transcribe(engine, audio, AsrOptions())
        engine.unload()
    assert gpu.gpu_bytes == before
