"""voxtab-shards quantize: what is in the GGUF, according to gguf-py and the safetensors library."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from gguf import GGMLQuantizationType, GGUFValueType, quants
from transformers.audio_utils import mel_filter_bank

from shard_tools.gguf_header import read_header
from shard_tools.quantize import Names, TensorTypes, WeightType, quantize_checkpoint
from shard_tools.sizes import VOXTRAL_REALTIME_4B, ModelSizes, StackSizes
from shard_tools.synth import synth_checkpoint
from tests.checkpoints import copy_checkpoint, edit_json, edit_value, read_weights
from voxtab.errors import VoxtabError
from voxtab.formats.tekken import Tekken
from voxtab.models.tensor_names import short_name

EMBEDDING = "mm_streams_embeddings.embedding_module.tok_embeddings.weight"
WQ = "layers.0.attention.wq.weight"
ENCODER_W1 = (
    "mm_streams_embeddings.embedding_module.whisper_encoder.transformer.layers.0.feed_forward.w1.weight"
)
CONV = "mm_streams_embeddings.embedding_module.whisper_encoder.conv_layers.0.conv.weight"


@pytest.fixture(scope="module")
def q4_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("quantize") / "tiny.gguf"
    quantize_checkpoint(DATA / "asr-tiny", path, "q4_0", "absmax")
    return path


@pytest.fixture(scope="module")
def q4(q4_path: Path) -> gguf.GGUFReader:
    return gguf.GGUFReader(q4_path)


DATA = Path(__file__).parents[1] / "data"


def _tensors(reader: gguf.GGUFReader) -> dict[str, gguf.ReaderTensor]:
    return {tensor.name: tensor for tensor in reader.tensors}


def _values(tensor: gguf.ReaderTensor) -> Any:
    shape = [int(dim) for dim in reversed(tensor.shape)]
    return quants.dequantize(tensor.data, tensor.tensor_type).reshape(shape)


@pytest.mark.parametrize("model", ["asr-tiny", "asr-window", "asr-words"])
@pytest.mark.parametrize("names", ["short", "mistral"])
@pytest.mark.parametrize("kind", ["f32", "f16", "q8_0", "q4_0"])
def test_gguf_py_reads_every_weight_as_its_own_quantizer_would_give_it(
    model: str, names: Names, kind: WeightType, tmp_path: Path
) -> None:
    quantize_checkpoint(DATA / model, tmp_path / "m.gguf", kind, "absmax", names)
    found = _tensors(gguf.GGUFReader(tmp_path / "m.gguf"))
    weights = read_weights(DATA / model)
    assert len(found) == len(weights) + 1  # and the mel filters
    for name, expected in weights.items():
        tensor = found[short_name(name) if names == "short" else name]
        wanted = GGMLQuantizationType[kind.upper()]
        if expected.ndim == 1 or kind == "f32":
            wanted = GGMLQuantizationType.F32
        elif expected.ndim == 3:
            wanted = GGMLQuantizationType.F16
        assert tensor.tensor_type == wanted, name
        lossy = quants.dequantize(quants.quantize(expected, wanted), wanted).reshape(expected.shape)
        np.testing.assert_array_equal(_values(tensor), lossy, err_msg=name)


@pytest.mark.parametrize("model", ["asr-tiny", "asr-window"])
def test_exactly_the_tensors_of_the_golden_files_are_quantized(model: str, tmp_path: Path) -> None:
    quantize_checkpoint(DATA / model, tmp_path / "m.gguf", "q4_0", names="mistral")
    reader = gguf.GGUFReader(tmp_path / "m.gguf")
    quantized = {tensor.name for tensor in reader.tensors if tensor.tensor_type == GGMLQuantizationType.Q4_0}
    assert quantized == set(json.loads((DATA / model / "expected.json").read_text())["q4_0_tensors"])


def test_convolutions_in_float16_lose_nothing_of_the_golden_checkpoints(q4: gguf.GGUFReader) -> None:
    stored = _values(_tensors(q4)["enc.conv0.weight"])
    difference = np.abs(stored - read_weights(DATA / "asr-tiny")[CONV])
    assert difference.max() <= 2.0**-25


def test_our_reader_and_gguf_py_agree_on_every_key_and_place(q4_path: Path, q4: gguf.GGUFReader) -> None:
    ours = read_header(q4_path)
    theirs = {key: field.contents() for key, field in q4.fields.items() if not key.startswith("GGUF.")}
    assert ours.metadata == theirs
    assert {
        name: (tensor.offset, tensor.nbytes, tensor.type.value, tensor.shape)
        for name, tensor in ours.tensors.items()
    } == {
        tensor.name: (
            tensor.data_offset,
            tensor.n_bytes,
            tensor.tensor_type.value,
            tuple(int(dim) for dim in reversed(tensor.shape)),
        )
        for tensor in q4.tensors
    }


def test_metadata_has_the_keys_and_types_of_the_public_converter(q4: gguf.GGUFReader) -> None:
    kinds = {
        GGUFValueType.INT32: """
            voxtral.format_version voxtral.vocab_size voxtral.ada_rms_norm_t_cond_dim
            voxtral.decoder.dim voxtral.decoder.n_layers voxtral.decoder.n_heads voxtral.decoder.head_dim
            voxtral.decoder.hidden_dim voxtral.decoder.n_kv_heads voxtral.decoder.sliding_window
            voxtral.encoder.dim voxtral.encoder.n_layers voxtral.encoder.n_heads voxtral.encoder.head_dim
            voxtral.encoder.hidden_dim voxtral.encoder.n_kv_heads voxtral.encoder.sliding_window
            voxtral.audio.sample_rate voxtral.audio.num_mel_bins voxtral.audio.hop_length voxtral.audio.window_size
            voxtral.audio.downsample_factor voxtral.audio.n_delay_tokens voxtral.audio.n_left_pad_tokens
            voxtral.audio.n_right_pad_tokens voxtral.token.bos voxtral.token.eos voxtral.token.streaming_pad
            voxtral.token.begin_audio voxtral.token.audio voxtral.tokenizer.num_special_tokens""",
        GGUFValueType.FLOAT32: """
            voxtral.decoder.norm_eps voxtral.decoder.rope_theta voxtral.encoder.norm_eps voxtral.encoder.rope_theta
            voxtral.audio.frame_rate voxtral.audio.global_log_mel_max""",
        GGUFValueType.BOOL: "voxtral.ada_rms_norm_t_cond voxtral.encoder.causal voxtral.decode.offline",
        GGUFValueType.STRING: """
            general.architecture general.name voxtral.tokenizer.pattern voxtral.audio.mel_filters_tensor
            voxtral.audio.mel_filters_sha256 voxtral.encoder.norm_type voxtral.encoder.ffn_type""",
        GGUFValueType.UINT32: "general.file_type",
        GGUFValueType.INT64: "voxtral.params.dim voxtral.params.multimodal.whisper_model_args.encoder_args.dim",
        GGUFValueType.FLOAT64: "voxtral.params.norm_eps",
    }
    for kind, keys in kinds.items():
        for key in keys.split():
            assert q4.fields[key].types == [kind], key
    arrays = {
        GGUFValueType.STRING: """
            voxtral.tokenizer.vocab_token_bytes_b64 voxtral.tokenizer.special_token_strings voxtral.tensor_name.src
            voxtral.tensor_name.dst voxtral.verify.checksum.names voxtral.verify.checksum.sha256""",
        GGUFValueType.INT32: "voxtral.tokenizer.special_token_ranks",
    }
    for kind, keys in arrays.items():
        for key in keys.split():
            assert q4.fields[key].types == [GGUFValueType.ARRAY, kind], key


def test_metadata_says_what_params_json_says(q4: gguf.GGUFReader) -> None:
    params = json.loads((DATA / "asr-tiny" / "params.json").read_text())
    encoder = params["multimodal"]["whisper_model_args"]["encoder_args"]
    for prefix, section in (("voxtral.decoder.", params), ("voxtral.encoder.", encoder)):
        for key in ("dim", "n_layers", "n_heads", "head_dim", "hidden_dim", "n_kv_heads", "sliding_window"):
            assert q4.fields[prefix + key].contents() == section[key]
        assert q4.fields[prefix + "rope_theta"].contents() == section["rope_theta"]
        assert q4.fields[prefix + "norm_eps"].contents() == np.float32(section["norm_eps"])
    assert q4.fields["general.architecture"].contents() == "voxtral_realtime"
    assert q4.fields["voxtral.audio.n_delay_tokens"].contents() == 6
    assert q4.fields["voxtral.audio.n_left_pad_tokens"].contents() == 32
    assert q4.fields["voxtral.audio.n_right_pad_tokens"].contents() == 17
    assert [q4.fields[f"voxtral.token.{name}"].contents() for name in ("bos", "eos", "streaming_pad")] == [
        1,
        2,
        32,
    ]


def test_the_tokenizer_in_the_gguf_decodes_as_the_golden_file_says(q4_path: Path) -> None:
    tekken = Tekken.from_gguf(read_header(q4_path).metadata)
    for case in json.loads((DATA / "asr-tiny" / "detok.json").read_text()):
        assert tekken.decode(case["ids"]) == case["text"]


def test_the_name_map_is_complete_and_names_fit_ggmls_63_characters(q4: gguf.GGUFReader) -> None:
    source = q4.fields["voxtral.tensor_name.src"].contents()
    stored = q4.fields["voxtral.tensor_name.dst"].contents()
    assert set(source) == set(read_weights(DATA / "asr-tiny"))
    assert set(stored) == {tensor.name for tensor in q4.tensors} - {"audio.mel_filters"}
    full = [short_name(name) for name in VOXTRAL_REALTIME_4B.tensor_shapes()]
    assert len(full) == len(set(full)) == 711
    assert max(map(len, full)) < 64
    assert short_name(EMBEDDING) == "tok_embeddings.weight"
    assert short_name("layers.25.ada_rms_norm_t_cond.2.weight") == "dec.blk.25.ada2.weight"
    assert short_name(ENCODER_W1) == "enc.blk.0.ffn_w1.weight"
    with pytest.raises(ValueError, match=r"output\.weight"):
        short_name("output.weight")


def test_the_checksums_are_of_the_float32_values(q4: gguf.GGUFReader) -> None:
    weights = read_weights(DATA / "asr-tiny")
    names = q4.fields["voxtral.verify.checksum.names"].contents()
    assert len(names) == 5
    expected = [hashlib.sha256(weights[name].tobytes()).hexdigest() for name in names]
    assert q4.fields["voxtral.verify.checksum.sha256"].contents() == expected


def test_the_mel_filters_are_those_of_transformers(q4: gguf.GGUFReader) -> None:
    tensor = _tensors(q4)["audio.mel_filters"]
    assert [int(dim) for dim in tensor.shape] == [128, 201]  # innermost first
    expected = mel_filter_bank(201, 128, 0.0, 8000.0, 16000, norm="slaney", mel_scale="slaney")
    np.testing.assert_allclose(_values(tensor), expected.astype(np.float32), rtol=2e-6, atol=1e-9)
    digest = hashlib.sha256(tensor.data.tobytes()).hexdigest()
    assert q4.fields["voxtral.audio.mel_filters_sha256"].contents() == digest


def test_each_part_of_the_model_can_have_a_type_of_its_own(tmp_path: Path) -> None:
    types = TensorTypes("q4_0", encoder="f16", decoder="q8_0", embedding="f32")
    quantize_checkpoint(DATA / "asr-tiny", tmp_path / "m.gguf", types, names="mistral")
    found = _tensors(gguf.GGUFReader(tmp_path / "m.gguf"))
    assert found[ENCODER_W1].tensor_type == GGMLQuantizationType.F16
    assert found[WQ].tensor_type == GGMLQuantizationType.Q8_0
    assert found[EMBEDDING].tensor_type == GGMLQuantizationType.F32


def test_rows_that_are_no_whole_number_of_blocks_stay_float32(tmp_path: Path) -> None:
    sizes = ModelSizes(
        encoder=StackSizes(dim=36, layers=1, heads=2, kv_heads=2, head_dim=10, ffn=50, window=8),
        decoder=StackSizes(dim=44, layers=1, heads=4, kv_heads=2, head_dim=16, ffn=70, window=9),
        vocab_size=1300,
        ada_dim=7,
    )
    synth_checkpoint(tmp_path / "odd", sizes)
    quantize_checkpoint(tmp_path / "odd", tmp_path / "m.gguf", names="mistral")
    weights = read_weights(tmp_path / "odd")
    for name, tensor in _tensors(gguf.GGUFReader(tmp_path / "m.gguf")).items():
        if name in weights and weights[name].ndim == 2:
            divisible = weights[name].shape[1] % 32 == 0
            assert tensor.tensor_type == GGMLQuantizationType[("F32", "Q4_0")[divisible]]
            if not divisible:
                np.testing.assert_array_equal(_values(tensor), weights[name])


def test_the_model_cards_licence_is_kept(tmp_path: Path) -> None:
    checkpoint = copy_checkpoint(DATA / "asr-window", tmp_path / "card")
    (checkpoint / "README.md").write_text(
        "---\nlanguage: en\nlicense: apache-2.0\n---\nText\nlicense: not-this\n"
    )
    quantize_checkpoint(checkpoint, tmp_path / "m.gguf")
    assert read_header(tmp_path / "m.gguf").metadata["general.license"] == "apache-2.0"
    quantize_checkpoint(checkpoint, tmp_path / "m.gguf", licence="MIT", model_name="Another")
    assert read_header(tmp_path / "m.gguf").metadata["general.license"] == "MIT"
    assert read_header(tmp_path / "m.gguf").metadata["general.name"] == "Another"


def test_params_json_is_read_back_as_it_was_written() -> None:
    for model in ("asr-tiny", "asr-window", "asr-words"):
        params = json.loads((DATA / model / "params.json").read_text())
        assert ModelSizes.from_params(params).to_params() == params


def test_memory_does_not_grow_with_the_checkpoint(tmp_path: Path) -> None:
    """One matrix of 64M weights: 128 MB as BF16, 256 MB as float32, and the process stays below that."""
    stack = StackSizes(dim=64, layers=1, heads=2, kv_heads=2, head_dim=32, ffn=64, window=8)
    wide = StackSizes(dim=1024, layers=1, heads=2, kv_heads=2, head_dim=32, ffn=64, window=8)
    synth_checkpoint(tmp_path / "big", ModelSizes(encoder=stack, decoder=wide, vocab_size=1 << 16))
    # ru_maxrss starts at what the process that started it had at most, which would hide all growth; Linux tells the
    # process's own peak.
    program = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from shard_tools.quantize import quantize_checkpoint\n"
        "def peak():\n"
        "    if sys.platform != 'linux':\n"
        "        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "    return int(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0]) * 1024\n"
        "before = peak()\n"
        "quantize_checkpoint(Path(sys.argv[1]), Path(sys.argv[2]), 'q4_0', 'absmax')\n"
        "print(peak() - before)\n"
    )
    arguments = [sys.executable, "-c", program, str(tmp_path / "big"), str(tmp_path / "big.gguf")]
    grown = subprocess.run(arguments, check=True, capture_output=True, text=True, timeout=120).stdout
    # Nothing at all would mean that the measurement is blind.
    assert 1_000_000 < int(grown) < 250_000_000


def test_an_interrupted_run_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    out = tmp_path / "m.gguf"
    out.write_bytes(b"the old one")

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        quantize_checkpoint(DATA / "asr-tiny", out, progress=interrupt)
    assert out.read_bytes() == b"the old one"
    assert list(tmp_path.iterdir()) == [out]


def test_progress_ends_at_the_size_of_the_weights(tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    quantize_checkpoint(DATA / "asr-tiny", tmp_path / "m.gguf", progress=lambda *step: steps.append(step))
    total = 2 * sum(tensor.size for tensor in read_weights(DATA / "asr-tiny").values())
    assert steps == sorted(steps)
    assert steps[-1] == (total, total)


@pytest.mark.parametrize(
    ("bits", "kind"),
    [(0x7FC0, "f32"), (0x7F80, "q4_0"), (0xFF80, "q8_0"), (0x4880, "f16"), (0x4980, "q4_0")],
    ids=["nan", "inf", "minus-inf", "262144", "1048576"],
)
def test_values_that_a_type_cannot_hold_are_refused_with_the_tensors_name(
    bits: int, kind: WeightType, tmp_path: Path
) -> None:
    checkpoint = copy_checkpoint(DATA / "asr-tiny", tmp_path / "bad")
    edit_value(checkpoint, WQ, bits)
    with pytest.raises(VoxtabError, match=rf"{WQ} holds") as caught:
        quantize_checkpoint(checkpoint, tmp_path / "m.gguf", kind)
    assert caught.value.code == "checkpoint-invalid"
    assert [path.name for path in tmp_path.iterdir()] == ["bad"]


def test_a_full_disk_is_told_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        f_bavail = 10
        f_frsize = 4096

    monkeypatch.setattr("os.statvfs", lambda path: Full)
    with pytest.raises(VoxtabError, match="GB are needed") as caught:
        quantize_checkpoint(DATA / "asr-tiny", tmp_path / "m.gguf")
    assert caught.value.code == "quota-full"
    assert not list(tmp_path.iterdir())


def test_edited_sizes_are_held_against_the_weights(tmp_path: Path) -> None:
    checkpoint = copy_checkpoint(DATA / "asr-tiny", tmp_path / "edited")
    edit_json(checkpoint / "params.json", lambda params: params.update(hidden_dim=321))
    with pytest.raises(VoxtabError, match=r"params\.json implies") as caught:
        quantize_checkpoint(checkpoint, tmp_path / "m.gguf")
    assert caught.value.code == "checkpoint-invalid"
