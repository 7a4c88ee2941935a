"""Voice files: what torch wrote is read bit for bit without torch; all else is refused and nothing is carried out."""

import io
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shard_tools.tts_voices import PUBLISHED, Voice, read_voices
from shard_tools.voice_file import VoiceRows, read_voice, write_voice
from voxtab.errors import VoxtabError

GOLDEN = Path(__file__).parents[1] / "data" / "tts-tiny"
ROWS = {"neutral_female": 19, "casual_male": 13}
VOICE = (GOLDEN / "voice_embedding" / "casual_male.pt").read_bytes()


def _saved(value: object) -> bytes:
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


def _refused(file: bytes) -> str:
    with pytest.raises(VoxtabError) as caught:
        read_voice(file, "the file")
    assert caught.value.code == "checkpoint-invalid"
    assert caught.value.message.startswith("the file is no voice of Voxtral TTS: ")
    return caught.value.message


def _read_or_refused(file: bytes) -> VoiceRows | None:
    try:
        return read_voice(file, "the file")
    except VoxtabError as error:
        if error.code != "checkpoint-invalid":
            raise
    return None


def _bits(tensor: torch.Tensor) -> bytes:
    return tensor.contiguous().view(torch.int16).numpy().tobytes()


def _rebuilt(change: Callable[[str, bytes], bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """The golden voice with other contents."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(VOICE)) as source, zipfile.ZipFile(file, "w", method) as target:
        for name in source.namelist():
            target.writestr(name, change(name, source.read(name)))
    return file.getvalue()


def _with_pickle(change: Callable[[bytes], bytes]) -> bytes:
    return _rebuilt(lambda name, data: change(data) if name.endswith("data.pkl") else data)


@pytest.mark.parametrize("name", ROWS)
def test_golden_voices_have_the_bits_that_torch_reads(name: str) -> None:
    path = GOLDEN / "voice_embedding" / f"{name}.pt"
    voice = read_voice(path.read_bytes(), name)
    expected = torch.load(path, weights_only=True)
    assert (voice.rows, voice.dim) == tuple(expected.shape)
    assert voice.data == _bits(expected)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 300), st.integers(1, 300))
@example(1, 1)
@example(255, 1)
@example(256, 256)
@example(1, 70_000)
def test_what_torch_saves_is_read_and_what_is_written_torch_loads(rows: int, dim: int) -> None:
    values = torch.arange(rows * dim, dtype=torch.float32).reshape(rows, dim).to(torch.bfloat16)
    voice = read_voice(_saved(values), "saved")
    assert voice == VoiceRows(rows, dim, _bits(values))
    written = torch.load(io.BytesIO(write_voice(voice)), weights_only=True)
    assert torch.equal(written, values)
    assert read_voice(write_voice(voice), "written") == voice


def test_a_voice_without_checksums_or_byte_order_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    values = torch.ones(3, 4, dtype=torch.bfloat16)
    torch.serialization.set_crc32_options(False)
    try:
        assert read_voice(_saved(values), "saved").data == _bits(values)
    finally:
        torch.serialization.set_crc32_options(True)
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(VOICE)) as source, zipfile.ZipFile(file, "w") as target:
        for name in ("archive/data.pkl", "archive/data/0"):
            target.writestr(name, source.read(name))
    assert read_voice(file.getvalue(), "bare") == read_voice(VOICE, "golden")


MATRIX = torch.ones(4, 6, dtype=torch.bfloat16)


@pytest.mark.parametrize(
    "value",
    [
        MATRIX.float(),
        MATRIX.half(),
        MATRIX.to(torch.int16),
        MATRIX[0],
        MATRIX[None],
        MATRIX[1:],
        MATRIX.t(),
        MATRIX[:, :3],
        MATRIX[:, ::2],
        torch.zeros(0, 6, dtype=torch.bfloat16),
        torch.nn.Parameter(MATRIX),
        {"voice": MATRIX},
        [MATRIX],
        (MATRIX, MATRIX),
        "text",
        None,
        7,
    ],
    ids=lambda value: f"{type(value).__name__}-{tuple(getattr(value, 'shape', ()))}",
)
def test_other_things_that_torch_saves_are_refused(value: object) -> None:
    _refused(_saved(value))


def test_an_old_torch_file_and_a_bare_pickle_are_refused() -> None:
    old = io.BytesIO()
    torch.save(MATRIX, old, _use_new_zipfile_serialization=False)
    assert "no zip file" in _refused(old.getvalue())
    assert "no zip file" in _refused(pickle.dumps([1, 2, 3]))


def test_a_pickle_that_runs_code_is_refused_and_not_run(tmp_path: Path) -> None:
    marker = tmp_path / "ran"

    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(marker),)

    evil = pickle.dumps(Evil(), protocol=2)
    for change in (lambda data: evil, lambda data: data[:-1] + evil[2:], lambda data: evil[:-1] + data[2:]):
        assert "pickle describes something other" in _refused(_with_pickle(change))
    assert not marker.exists()
    pickle.loads(evil)
    assert marker.exists()  # it would have run


PICKLES: dict[str, tuple[bytes, bytes]] = {
    "storage": (b"BFloat16Storage", b"HalfStorage"),
    "function": (b"_rebuild_tensor_v2", b"_rebuild_parameter"),
    "module": (b"torch._utils", b"torch.utils"),
    "member": (b"X\x01\0\0\x000", b"X\x01\0\0\x001"),
    "device": (b"X\x03\0\0\0cpu", b"X\x04\0\0\0cuda"),
    "count": (b"M\x80\x06", b"M\x81\x06"),
    "offset": (b"QK\0", b"QK\1"),
    "rows": (b"K\rK\x80\x86", b"K\x0eK\x80\x86"),
    "rows-and-count": (b"M\x80\x06", b"M\x00\x07"),
    "stride": (b"K\x80K\1\x86", b"K\x81K\1\x86"),
    "inner-stride": (b"K\x80K\1\x86", b"K\x80K\2\x86"),
    "gradient": (b"\x89c", b"\x88c"),
    "negative": (b"K\rK\x80\x86", b"J\xf3\xff\xff\xffK\x80\x86"),
    "huge": (b"K\rK\x80\x86", b"J\xff\xff\xff\x7fK\x80\x86"),
    "hooks": (b")R", b"(tR"),
    "stop": (b"q\x0b.", b"q\x0b.."),
    "protocol": (b"\x80\x02", b"\x80\x03"),
    "long": (b"q\x0b.", b"q\x0b" * 2000 + b"."),
}


@pytest.mark.parametrize("case", PICKLES)
def test_a_pickle_that_differs_in_anything_is_refused(case: str) -> None:
    old, new = PICKLES[case]

    def change(data: bytes) -> bytes:
        assert data.count(old) == 1
        return data.replace(old, new)

    _refused(_with_pickle(change))


def test_rows_of_another_length_than_the_pickle_says_are_refused() -> None:
    rows = read_voice(VOICE, "golden").data
    for other in (rows[:-2], rows + b"\0\0", b""):
        assert "13 x 128" in _refused(write_voice(VoiceRows(13, 128, other)))


@pytest.mark.parametrize("bits", [0x7F80, 0xFF80, 0x7FC0, 0xFFFF])
def test_infinite_numbers_are_refused(bits: int) -> None:
    rows = np.zeros((2, 3), "<u2")
    rows[1, 1] = bits
    assert "infinite" in _refused(write_voice(VoiceRows(2, 3, rows.tobytes())))


def test_big_endian_compressed_and_damaged_files_are_refused() -> None:
    assert "little-endian" in _refused(
        _rebuilt(lambda name, data: b"big" if name.endswith("byteorder") else data)
    )
    assert "compressed" in _refused(_rebuilt(lambda _, data: data, zipfile.ZIP_DEFLATED))
    damaged = bytearray(VOICE)
    damaged[1000] ^= 1
    assert "checksum" in _refused(bytes(damaged))


def test_missing_and_doubled_members_are_refused() -> None:
    for names in ([], ["a/data.pkl"], ["a/data/0"], ["a/data.pkl", "b/data.pkl", "a/data/0"]):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            for name in names:
                archive.writestr(name, zipfile.ZipFile(io.BytesIO(VOICE)).read("archive/data.pkl"))
        _refused(file.getvalue())
    # Two entries of one name: which is meant?
    directory = VOICE.index(b"PK\1\2")
    end = VOICE.rindex(b"PK\5\6")
    first = VOICE[directory : VOICE.index(b"PK\1\2", directory + 4)]
    twice = VOICE[:end] + first + VOICE[end:]
    record = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 8, 8, end - directory + len(first), directory, 0)
    assert "directory is damaged" in _refused(twice[: -len(record)] + record)


@pytest.mark.parametrize("length", [0, 1, 21, 22, 500, len(VOICE) - 1])
def test_a_cut_file_is_refused(length: int) -> None:
    _refused(VOICE[:length])


@settings(deadline=None, max_examples=400)
@given(st.integers(0, len(VOICE) - 1), st.integers(1, 255))
def test_a_changed_byte_is_refused_or_changes_nothing(place: int, change: int) -> None:
    """Checksums cover the contents; what is left is dates, padding and members that are not looked at."""
    altered = bytearray(VOICE)
    altered[place] ^= change
    assert _read_or_refused(bytes(altered)) in (None, read_voice(VOICE, "golden"))


@settings(deadline=None, max_examples=400)
@given(st.binary(max_size=400), st.binary(max_size=120))
def test_any_bytes_are_refused_without_another_error(start: bytes, end: bytes) -> None:
    record = b"PK\5\6"
    for file in (start, start + record + end, VOICE[: len(VOICE) - 22 - len(end)] + end + VOICE[-22:]):
        assert _read_or_refused(file) in (None, read_voice(VOICE, "golden"))


def _copy(tmp_path: Path) -> Path:
    folder = tmp_path / "voice_embedding"
    folder.mkdir()
    for name in ROWS:
        (folder / f"{name}.pt").write_bytes((GOLDEN / "voice_embedding" / f"{name}.pt").read_bytes())
    return tmp_path


def test_voices_come_in_the_order_of_the_list_with_their_language(tmp_path: Path) -> None:
    voices = read_voices(_copy(tmp_path), 128, ROWS)
    assert [(voice.name, voice.rows, voice.language) for voice in voices] == [
        ("neutral_female", 19, "en"),
        ("casual_male", 13, "en"),
    ]
    languages = [Voice(name, rows, b"").language for name, rows in PUBLISHED.items()]
    assert len(languages) == 20
    assert set(languages) == {"ar", "de", "en", "es", "fr", "hi", "it", "nl", "pt"}
    assert languages.count("en") == 5


@pytest.mark.parametrize(
    ("dim", "rows", "words"),
    [
        (128, ROWS | {"casual_male": 14}, "13 rows, tekken.json lists 14"),
        (96, ROWS, "rows of 128 numbers, the model has 96"),
        (128, ROWS | {"fr_male": 97}, "lacks the voice 'fr_male'"),
        (128, {"casual_male": 13}, "does not know the voice 'neutral_female'"),
        (128, {}, "does not know the voice"),
    ],
)
def test_voices_that_do_not_match_the_model_are_refused(
    dim: int, rows: dict[str, int], words: str, tmp_path: Path
) -> None:
    with pytest.raises(VoxtabError, match=words) as caught:
        read_voices(_copy(tmp_path), dim, rows)
    assert caught.value.code == "checkpoint-invalid"


def test_a_model_without_voices_and_voices_with_unspeakable_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(VoxtabError, match="has no voices"):
        read_voices(tmp_path, 128, {})
    name = "a\x1b[2J"
    (_copy(tmp_path) / "voice_embedding" / f"{name}.pt").write_bytes(VOICE)
    with pytest.raises(VoxtabError) as caught:
        read_voices(tmp_path, 128, ROWS | {name: 13})
    assert caught.value.code == "checkpoint-invalid"
    assert "is no name for a voice" in caught.value.message
    assert "\x1b" not in caught.value.message
