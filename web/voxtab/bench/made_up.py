"""Models of the real shapes with made-up weights: what a benchmark needs of a file, without one."""

import binascii
import random
from array import array
from collections.abc import Callable
from typing import TypeVar

from voxtab.formats.gguf import GgmlType, GgufTensor
from voxtab.formats.gguf_split import MergedGguf
from voxtab.formats.tekken import Tekken
from voxtab.gpu.base import Gpu
from voxtab.models.asr import AsrModel
from voxtab.models.asr_config import AsrConfig
from voxtab.models.codec_config import CodecConfig
from voxtab.models.load_asr import asr_of
from voxtab.models.load_tts import tts_of
from voxtab.models.tensor_loader import TensorLoader
from voxtab.models.tts import TtsModel
from voxtab.models.tts_config import TtsConfig
from voxtab.nn.upload import PIECE_BYTES, Upload
from voxtab.nn.weights import Weight

# Which bytes a made-up tensor's pieces are filled with: the number of the file they claim to come from.
_Q4_0_FILE, _F32_FILE = 0, 1
_BLOCK = 18
# 131072 entries, as in the released models.
_ENTRIES = 130_072
_Model = TypeVar("_Model", AsrModel, TtsModel)


class MadeUpTensors(TensorLoader):
    """Has every tensor in every shape: matrices in Q4_0, the rest in F32."""

    def __init__(self, upload: Upload) -> None:
        super().__init__(MergedGguf({}, {}), upload, str, "made-up")

    def find(self, name: str, shape: tuple[int, ...]) -> tuple[int, GgufTensor]:
        count = 1
        for size in shape:
            count *= size
        if len(shape) == 2 and shape[1] % 32 == 0 and name.endswith("weight"):
            return _Q4_0_FILE, GgufTensor(name, GgmlType.Q4_0, shape, 0, count // 32 * _BLOCK)
        return _F32_FILE, GgufTensor(name, GgmlType.F32, shape, 0, count * 4)


async def made_up_asr(gpu: Gpu, config: AsrConfig) -> AsrModel:
    return await _made(gpu, lambda tensors: asr_of(tensors, config))


async def made_up_tts(gpu: Gpu, config: TtsConfig, codec: CodecConfig | None = None) -> TtsModel:
    """codec: its sizes; the released model's by default."""
    sizes = codec or CodecConfig.from_gguf({})
    return await _made(gpu, lambda tensors: tts_of(tensors, config, sizes))


async def made_up_matrix(gpu: Gpu, rows: int, cols: int) -> Weight:
    """Q4_0; whoever asks for it frees its buffers."""
    upload = Upload(gpu)
    weight = upload.matrix(*MadeUpTensors(upload).find("weight", (rows, cols)))
    await _fill(gpu, upload)
    return weight


def made_up_tekken() -> Tekken:
    """A vocabulary that any text can be written in, a byte a token; the others are
    bytes that no text has."""
    entries = [bytes([byte]) for byte in range(256)]
    entries += [bytes([0xFF, *number.to_bytes(3, "big")]) for number in range(_ENTRIES - 256)]
    return Tekken([binascii.b2a_base64(entry, newline=False).decode() for entry in entries])


async def _made(gpu: Gpu, build: Callable[[MadeUpTensors], _Model]) -> _Model:
    upload = Upload(gpu)
    try:
        model = build(MadeUpTensors(upload))
        await _fill(gpu, upload)
    except BaseException:
        upload.abandon()
        raise
    model.owned = list(upload.made)
    return model


async def _fill(gpu: Gpu, upload: Upload) -> None:
    await gpu.ready()
    fillings = {
        _Q4_0_FILE: memoryview(q4_0_bytes(PIECE_BYTES)),
        _F32_FILE: memoryview(_f32_bytes(PIECE_BYTES)),
    }
    for number, piece in enumerate(upload.ordered()):
        gpu.write(piece.buffer, piece.buffer_offset, fillings[piece.file][: -(-piece.nbytes // 4) * 4])
        if piece.program is not None:
            gpu.run(piece.program)
        if number % 8 == 7:
            await gpu.drain()
    for program in upload.closing:
        gpu.run(program)
    await gpu.drain()
    upload.finish()


def q4_0_bytes(size: int) -> bytes:
    """Blocks as a GGUF has them, with scales of about 0.01; the same bytes at each call."""
    drawn = bytearray(random.Random(0).randbytes(-(-size // _BLOCK) * _BLOCK))
    drawn[1::_BLOCK] = b"\x21" * (len(drawn) // _BLOCK)
    return bytes(drawn[:size])


def _f32_bytes(size: int) -> bytes:
    values = random.Random(1)
    row = array("f", [values.uniform(0.5, 1.5) for _ in range(4096)]).tobytes()
    return (row * (size // len(row) + 1))[:size]
