"""voxtab-shards quantize for speech: what is in the GGUF, according to gguf-py, safetensors, torch and golden files."""

import json
import shutil
import struct
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType, GGUFValueType, quants
from typer.testing import CliRunner

from shard_tools.cli import app
from shard_tools.gguf_header import read_header
from shard_tools.quantize import Names, TensorTypes, WeightType, quantize_checkpoint
from shard_tools.quantize_blocks import to_bfloat16
from shard_tools.tts_sizes import VOXTRAL_TTS_4B, SpeechSizes
from tests.checkpoints import WEIGHTS, copy_checkpoint, read_weights
from voxtab.errors import VoxtabError
from voxtab.formats.tekken import Tekken
from voxtab.models.codec_config import CodecConfig
from voxtab.models.tts_config import TtsConfig
from voxtab.models.tts_names import short_name

GOLDEN = Path(__file__).parents[1] / "data" / "tts-tiny"
META = json.loads((GOLDEN / "meta.json").read_text())
TOKENS = "mm_audio_embeddings.tok_embeddings.weight"
CODES = "mm_audio_embeddings.audio_codebook_embeddings.embeddings.weight"
HEAD = "acoustic_transformer.semantic_codebook_output.weight"
CODEC_WQ = "audio_tokenizer.decoder_blocks.1.layers.0.attention.wq.weight"
PROJECTION = "acoustic_transformer.input_projection.weight"
CODEBOOK = "audio_tokenizer.quantizer.semantic_codebook.embedding_sum"
VOICES = {"neutral_female": 19, "casual_male": 13}


@pytest.fixture(scope="module")
def q4_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("quantize") / "tiny.gguf"
    quantize_checkpoint(GOLDEN, path, "q4_0", "absmax")
    return path


@pytest.fixture(scope="module")
def q4(q4_path: Path) -> gguf.GGUFReader:
    return gguf.GGUFReader(q4_path)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    copy = copy_checkpoint(GOLDEN, tmp_path / "checkpoint")
    shutil.copytree(GOLDEN / "voice_embedding", copy / "voice_embedding")
    return copy


def _tensors(reader: gguf.GGUFReader) -> dict[str, gguf.ReaderTensor]:
    return {tensor.name: tensor for tensor in reader.tensors}


def _values(tensor: gguf.ReaderTensor) -> Any:
    shape = [int(dim) for dim in reversed(tensor.shape)]
    return quants.dequantize(tensor.data, tensor.tensor_type).reshape(shape)


def _types(path: Path) -> dict[str, str]:
    return {tensor.name: tensor.tensor_type.name for tensor in gguf.GGUFReader(path).tensors}


@pytest.mark.parametrize("names", ["short", "mistral"])
@pytest.mark.parametrize("kind", ["f32", "bf16", "f16", "q8_0", "q4_0"])
def test_gguf_py_reads_every_weight_as_its_own_quantizer_would_give_it(
    names: Names, kind: WeightType, tmp_path: Path
) -> None:
    quantize_checkpoint(GOLDEN, tmp_path / "m.gguf", kind, "absmax", names)
    found = _tensors(gguf.GGUFReader(tmp_path / "m.gguf"))
    weights = read_weights(GOLDEN)
    assert len(found) == len(weights) + len(VOICES)
    kept_exact = 0
    for name, expected in weights.items():
        tensor = found[short_name(name) if names == "short" else name]
        wanted = GGMLQuantizationType[kind.upper()]
        if kind == "f32" or "norm" in name or name.endswith("_scale"):
            wanted = GGMLQuantizationType.F32
        elif (name in META["kept_in_q4_0"] and name != PROJECTION) or (
            name == PROJECTION and kind in ("q4_0", "q8_0")
        ):
            wanted = GGMLQuantizationType.BF16
        assert tensor.tensor_type == wanted, name
        lossy = quants.dequantize(quants.quantize(expected, wanted), wanted)
        stored = _values(tensor)
        assert stored.shape == (expected.shape if "original0" not in name else expected.shape[:1])
        np.testing.assert_array_equal(
            stored.reshape(expected.shape), lossy.reshape(expected.shape), err_msg=name
        )
        kept_exact += bool((stored.reshape(-1) == expected.reshape(-1)).all())
    assert kept_exact >= len(META["kept_in_q4_0"])


def test_exactly_the_tensors_of_the_golden_files_are_quantized(tmp_path: Path) -> None:
    quantize_checkpoint(GOLDEN, tmp_path / "m.gguf", names="mistral")
    types = _types(tmp_path / "m.gguf")
    assert {name for name, kind in types.items() if kind == "Q4_0"} == set(META["quantized_in_q4_0"])
    kept = {name for name, kind in types.items() if kind != "Q4_0"}
    assert kept == {*META["kept_in_q4_0"], *(f"voice.{name}" for name in VOICES)}


def test_voices_have_the_bits_that_torch_reads(q4: gguf.GGUFReader) -> None:
    found = _tensors(q4)
    for name, rows in VOICES.items():
        tensor = found[f"voice.{name}"]
        expected = torch.load(GOLDEN / "voice_embedding" / f"{name}.pt", weights_only=True)
        assert tensor.tensor_type == GGMLQuantizationType.BF16
        assert [int(dim) for dim in tensor.shape] == [128, rows]  # innermost first
        assert tensor.data.tobytes() == expected.view(torch.int16).numpy().tobytes()


def test_voice_rows_are_those_of_the_golden_prompt(q4: gguf.GGUFReader) -> None:
    with np.load(GOLDEN / "expected.npz") as expected:
        first, rows = expected["voice_span"]
        prompt = expected["f32/prompt_embeds"][first : first + rows]
    np.testing.assert_array_equal(_values(_tensors(q4)[f"voice.{META['voice']}"]), prompt)


def test_our_reader_and_gguf_py_agree_on_every_key_and_place(q4_path: Path, q4: gguf.GGUFReader) -> None:
    ours = read_header(q4_path)
    assert ours.metadata == {
        key: field.contents() for key, field in q4.fields.items() if not key.startswith("GGUF.")
    }
    assert {name: (tensor.offset, tensor.nbytes, tensor.shape) for name, tensor in ours.tensors.items()} == {
        tensor.name: (tensor.data_offset, tensor.n_bytes, tuple(int(dim) for dim in reversed(tensor.shape)))
        for tensor in q4.tensors
    }


def test_metadata_says_what_params_json_says(q4: gguf.GGUFReader) -> None:
    params = json.loads((GOLDEN / "params.json").read_text())
    audio = params["multimodal"]["audio_model_args"]
    head = audio["acoustic_transformer_args"]
    codec = params["multimodal"]["audio_tokenizer_args"]

    def told(key: str) -> Any:
        return q4.fields[f"voxtral_tts.{key}"].contents()

    for prefix, section, keys in (
        ("backbone", params, "dim n_layers n_heads n_kv_heads head_dim hidden_dim norm_eps rope_theta"),
        ("acoustic", head, "dim n_layers n_heads n_kv_heads head_dim hidden_dim"),
        ("codec", codec, "dim n_heads head_dim hidden_dim semantic_dim norm_eps qk_norm_eps"),
    ):
        for key in keys.split():
            value = section[key]
            assert told(f"{prefix}.{key}") == (np.float32(value) if isinstance(value, float) else value)
    assert q4.fields["general.architecture"].contents() == "voxtral_tts"
    assert told("vocab_size") == params["vocab_size"]
    assert told("backbone.max_position") == params["max_position_embeddings"]
    assert told("acoustic.norm_eps") == np.float32(1e-5)
    assert (told("acoustic.n_codebooks"), told("acoustic.levels")) == (36, 21)
    assert (told("acoustic.n_steps"), told("acoustic.cfg_alpha")) == (7, np.float32(META["cfg_alpha"]))
    assert (told("semantic.codebook_size"), told("semantic.head_rows")) == (256, 384)
    assert told("codec.windows") == META["codec_windows"]
    assert told("codec.n_layers") == [2, 2, 2, 2]
    assert (told("codec.patch_size"), told("codec.sample_rate")) == (240, 24000)
    assert told("codec.samples_per_frame") == META["samples_per_frame"]
    tokens = ("bos", "audio", "begin_audio", "repeat_audio_text", "next_audio_text")
    assert [told(f"token.{name}") for name in tokens] == [1, 24, 25, 35, 36]
    assert told("voice.names") == list(VOICES)
    assert told("voice.rows") == list(VOICES.values())
    assert told("voice.languages") == ["en", "en"]
    assert told("voice.license") == "CC-BY-NC-4.0"
    for key in ("voice.names", "voice.languages"):
        assert q4.fields[f"voxtral_tts.{key}"].types == [GGUFValueType.ARRAY, GGUFValueType.STRING]


def test_the_engine_reads_its_sizes_from_it(q4_path: Path) -> None:
    metadata = read_header(q4_path).metadata
    config, codec = TtsConfig.from_gguf(metadata), CodecConfig.from_gguf(metadata)
    assert [(voice.name, voice.rows) for voice in config.voices] == list(VOICES.items())
    assert (config.semantic_rows, config.code_table_rows) == (384, 1152)
    assert codec.samples_per_frame == META["samples_per_frame"]


def test_the_tokenizer_keeps_the_entries_that_the_model_uses(q4_path: Path) -> None:
    tekken = Tekken.from_gguf(read_header(q4_path).metadata)
    entries = json.loads((GOLDEN / "tekken.json").read_text())["vocab"]
    assert tekken.vocab_size == 2048 < 1000 + len(entries)
    for case in json.loads((GOLDEN / "tokenizer_cases.json").read_text()):
        if "\ufffd" not in case["text"]:
            assert tekken.decode(case["ids"]) == case["text"]


def test_the_4b_model_is_the_one_of_the_specification() -> None:
    shapes = VOXTRAL_TTS_4B.tensor_shapes()
    assert len(shapes) == 386
    assert sum(int(np.prod(shape)) for shape in shapes.values()) == 4_002_353_392
    for name, shape in {
        TOKENS: (131072, 3072),
        CODES: (9088, 3072),
        "layers.25.attention.wo.weight": (3072, 4096),
        "layers.25.feed_forward.w2.weight": (3072, 9216),
        PROJECTION: (3072, 36),
        HEAD: (8320, 3072),
        "acoustic_transformer.acoustic_codebook_output.weight": (36, 3072),
        "acoustic_transformer.layers.2.attention.wk.weight": (1024, 3072),
        CODEBOOK: (8192, 256),
        "audio_tokenizer.decoder_blocks.0.conv.parametrizations.weight.original1": (1024, 292, 3),
        "audio_tokenizer.decoder_blocks.6.conv.parametrizations.weight.original1": (1024, 1024, 4),
        "audio_tokenizer.output_proj.conv.parametrizations.weight.original0": (240, 1, 1),
        "audio_tokenizer.decoder_blocks.7.layers.1.attention.k_norm.weight": (1024,),
        "audio_tokenizer.decoder_blocks.7.layers.1.feed_forward.w2.weight": (1024, 4096),
    }.items():
        assert shapes[name] == shape, name
    stored = [short_name(name) for name in shapes]
    assert len(set(stored)) == len(stored)
    assert max(map(len, stored)) < 64
    assert VOXTRAL_TTS_4B.codec.windows == (2, 4, 8, 16)
    assert VOXTRAL_TTS_4B.codec.frame_samples == 1920
    with pytest.raises(ValueError, match=r"output\.weight"):
        short_name("output.weight")


def test_params_json_is_read_back_as_it_was_written() -> None:
    params = json.loads((GOLDEN / "params.json").read_text())
    voices = params["multimodal"]["audio_tokenizer_args"].pop("voice")  # indices that nothing uses
    assert set(voices) == set(VOICES)
    assert SpeechSizes.from_params(params).to_params() == params
    assert SpeechSizes.from_params(VOXTRAL_TTS_4B.to_params()) == VOXTRAL_TTS_4B


def test_each_part_of_the_model_can_have_a_type_of_its_own(tmp_path: Path) -> None:
    types = TensorTypes("q4_0", backbone="q8_0", acoustic="f16", codec="bf16", embedding="f32")
    quantize_checkpoint(GOLDEN, tmp_path / "m.gguf", types, names="mistral")
    found = _types(tmp_path / "m.gguf")
    wanted = {
        "layers.0.attention.wq.weight": "Q8_0",
        HEAD: "F16",
        CODEC_WQ: "BF16",
        TOKENS: "F32",
        CODES: "F32",
    }
    wanted |= {PROJECTION: "F16", CODEBOOK: "BF16", "norm.weight": "F32"}
    assert {name: found[name] for name in wanted} == wanted
    quantize_checkpoint(GOLDEN, tmp_path / "n.gguf", TensorTypes("q4_0", codec="f32"), names="mistral")
    codec = {
        kind for name, kind in _types(tmp_path / "n.gguf").items() if name.startswith("audio_tokenizer.")
    }
    assert codec == {"F32"}


def test_bfloat16_is_rounded_as_by_torch() -> None:
    values = np.random.default_rng(0).standard_normal(10_000).astype(np.float32) * np.float32(1e3)
    ties = np.array([0x3F808000, 0x3F818000, 0x3F80FFFF, 0, 0x80000000, 0x7F7F0000], np.uint32).view(
        np.float32
    )
    values = np.concatenate([values, ties])
    expected = torch.from_numpy(values).to(torch.bfloat16).view(torch.int16).numpy()
    assert to_bfloat16(values).tobytes() == expected.tobytes()


def _set_dtype(directory: Path, dtype: str) -> None:
    """Rewrite the checkpoint in another type of numbers, as another author might publish it."""
    numpy_type = {"F32": np.float32, "F16": np.float16}[dtype]
    header: dict[str, Any] = {}
    parts: list[bytes] = []
    end = 0
    for name, values in read_weights(directory).items():
        data = values.astype(numpy_type).tobytes()
        header[name] = {"dtype": dtype, "shape": list(values.shape), "data_offsets": [end, end + len(data)]}
        parts.append(data)
        end += len(data)
    text = json.dumps(header).encode()
    (directory / WEIGHTS).write_bytes(struct.pack("<Q", len(text)) + text + b"".join(parts))


def test_what_is_kept_exact_stays_so_if_the_checkpoint_is_not_in_bfloat16(checkpoint: Path) -> None:
    out = checkpoint.parent / "m.gguf"
    _set_dtype(checkpoint, "F32")
    quantize_checkpoint(checkpoint, out, names="mistral")
    types = _types(out)
    assert (types[PROJECTION], types[CODEBOOK], types[HEAD]) == ("F32", "F32", "Q4_0")
    np.testing.assert_array_equal(
        _values(_tensors(gguf.GGUFReader(out))[CODEBOOK]), read_weights(GOLDEN)[CODEBOOK]
    )


@pytest.mark.parametrize(
    ("model", "option", "words"),
    [
        (GOLDEN, "--encoder", "Voxtral TTS has no part encoder."),
        (GOLDEN, "--decoder", "Voxtral TTS has no part decoder."),
        (GOLDEN.parent / "asr-tiny", "--backbone", "Voxtral Realtime has no part backbone."),
        (GOLDEN.parent / "asr-tiny", "--acoustic", "Voxtral Realtime has no part acoustic."),
        (GOLDEN.parent / "asr-tiny", "--codec", "Voxtral Realtime has no part codec."),
    ],
)
def test_types_for_parts_of_another_model_are_refused(
    model: Path, option: str, words: str, tmp_path: Path
) -> None:
    command = ["quantize", str(model), "-o", str(tmp_path / "m.gguf"), option, "f16"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 2
    assert f"error[option-invalid]: {words}" in result.stderr
    assert not list(tmp_path.iterdir())


def test_the_command_takes_the_options_of_the_documentation(tmp_path: Path) -> None:
    out = tmp_path / "m.gguf"
    command = ["quantize", str(GOLDEN), "-o", str(out), "--type", "q8_0", "--backbone", "q4_0"]
    command += ["--acoustic", "f16", "--codec", "bf16", "--embedding", "f32", "--names", "mistral"]
    result = CliRunner().invoke(app, [*command, "--name", "Voxtral 4B TTS"])
    assert result.exit_code == 0, result.output
    found = _types(out)
    assert (found["layers.2.attention.wk.weight"], found[HEAD]) == ("Q4_0", "F16")
    assert (found[CODEC_WQ], found[TOKENS]) == ("BF16", "F32")
    assert read_header(out).metadata["general.name"] == "Voxtral 4B TTS"


def test_the_licence_is_that_of_the_voices_unless_the_card_or_the_caller_says_otherwise(
    checkpoint: Path,
) -> None:
    out = checkpoint.parent / "m.gguf"

    def licences() -> tuple[str, str]:
        metadata = read_header(out).metadata
        return metadata["general.license"], metadata["voxtral_tts.voice.license"]

    quantize_checkpoint(checkpoint, out)
    assert licences() == ("CC-BY-NC-4.0", "CC-BY-NC-4.0")
    quantize_checkpoint(checkpoint, out, licence="MIT")
    assert licences() == ("MIT", "CC-BY-NC-4.0")
    (checkpoint / "README.md").write_text("---\nlicense: cc0-1.0\n---\n")
    quantize_checkpoint(checkpoint, out)
    assert licences() == ("cc0-1.0", "cc0-1.0")


def test_voices_are_part_of_the_checkpoint_and_never_replaced(checkpoint: Path) -> None:
    voice = checkpoint / "voice_embedding" / "casual_male.pt"
    before = voice.read_bytes()
    with pytest.raises(VoxtabError, match="one of the files to read"):
        quantize_checkpoint(checkpoint, voice)
    result = CliRunner().invoke(app, ["quantize", str(checkpoint), "-o", str(voice), "--force"])
    assert result.exit_code == 2
    assert voice.read_bytes() == before
