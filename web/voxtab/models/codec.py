"""The speech codec's decoder: 37 codes in, 1920 samples (80 ms at 24 kHz) out, causal from end to end.

    codes -> latent -> conv k3 -> stage -> up x2 -> stage -> up x2 -> stage -> up x2 -> stage -> conv k7 -> samples
    rows a frame:           1         1        2       2        4       4        8       8          8 x 240

The 4B model: latent 256 + 36, four stages of 2 layers of 1024 (8 heads x 128, FFN 4096), windows of 2, 4, 8 and 16 rows
before. At the start of a sound the first convolution sees its first row repeated, the last one rows 1 .. 6 mirrored, the
upsamplings nothing. Facts and their sources: web/voxtab/README.md.
"""

from dataclasses import dataclass

from voxtab.gpu.base import Buffer, Gpu, Program
from voxtab.models.codec_config import FIRST_TAPS, LAST_TAPS, CodecConfig
from voxtab.models.codec_state import MAX_CHUNK_FRAMES, CodecState
from voxtab.nn.codec_block import CodecBlock
from voxtab.nn.codec_recorder import CodecRecorder
from voxtab.nn.recorder import Workspace
from voxtab.nn.weights import Linear, Tensor


@dataclass(frozen=True)
class CodecDecoder:
    """`embedding_sum`: f32[codebook, semantic dim], `cluster_usage`: f32[codebook]. Convolutions take rows end to end;
    `ups` lead from each stage to the next."""

    embedding_sum: Buffer
    cluster_usage: Buffer
    first: Linear
    stages: tuple[tuple[CodecBlock, ...], ...]
    ups: tuple[Linear, ...]
    last: Linear


class Codec:
    """The decoder on a GPU, and the recording of its program. Whoever loaded it owns the weights.

    A session: after frames were queued, `run(record_decode(state, k))` turns the next k of them into samples at the
    front of `state.samples`, to be read before the next run. Chunks of any sizes give what one chunk gives: all the left
    context there is stays in the state, and nothing is computed twice.
    """

    def __init__(self, gpu: Gpu, config: CodecConfig, decoder: CodecDecoder) -> None:
        self.gpu = gpu
        self.config = config
        self.decoder = decoder
        context = FIRST_TAPS - 1
        self._scratch = Workspace(gpu, MAX_CHUNK_FRAMES * config.rows_per_frame + context)

    def free(self) -> None:
        """Give back scratch; sessions must be freed before."""
        self._scratch.free()

    def record_decode(self, state: CodecState, frames: int) -> Program:
        """The next `frames` frames (1 .. MAX_CHUNK_FRAMES) of the state's codes to samples; moves on by as many."""
        config, decoder, dim = self.config, self.decoder, self.config.layer.dim
        record = CodecRecorder(self.gpu, state.control, self._scratch)
        latent = self._scratch("latent", config.latent_dim)
        codebook = (decoder.embedding_sum, decoder.cluster_usage)
        sizes = (config.codebook_size, config.levels)
        record.codec_latent(state.codes, state.code_slots, codebook, sizes, latent, frames)
        context = FIRST_TAPS - 1
        self._keep(record, state, "quant", Tensor(latent.buffer, latent.width, row=context), frames)

        n = frames
        x = state.streams[0]
        record.linear(decoder.first, latent, x, n, x_stride=latent.width)
        self._keep(record, state, "block0", x, n)
        for number, (blocks, caches) in enumerate(zip(decoder.stages, state.caches, strict=True)):
            if number:
                # Two rows in, the earlier one first, are two rows out.
                pairs = Tensor(x.buffer, dim, row=x.row - 1)
                x = state.streams[number]
                wide = Tensor(x.buffer, 2 * dim, row=x.row // 2)
                record.linear(decoder.ups[number - 1], pairs, wide, n, x_stride=dim)
                record.shift_rows(pairs, 1, n)
                n *= 2
                self._keep(record, state, f"block{2 * number}", x, n)
            for block, cache in zip(blocks, caches, strict=True):
                block(record, x, n, cache)
            self._keep(record, state, f"block{2 * number + 1}", x, n)

        before = LAST_TAPS - 1
        record.reflect_rows(x, before)
        window = Tensor(x.buffer, dim, row=x.row - before)
        record.linear(decoder.last, window, state.samples, n, x_stride=dim)
        record.shift_rows(window, before, n)
        record.advance(frames)
        return record.finish()

    def _keep(self, record: CodecRecorder, state: CodecState, name: str, x: Tensor, n: int) -> None:
        if state.trace:
            record.copy_rows(x, state.keep(name, x.width, n), n)
