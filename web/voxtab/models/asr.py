"""Voxtral Realtime: sound in, one text token each 80 ms out.

    PCM 16 kHz -> 8 log-mel frames (10 ms) -> conv stem -> 4 positions (20 ms) -> encoder
      -> 4 positions side by side -> adapter -> 1 audio embedding (80 ms) + token embedding -> decoder -> 1 token

The 4B model: encoder 32 x 1280 (32 heads x 64, FFN 5120, window 750), adapter 5120 -> 3072 -> 3072, decoder 26 x 3072
(32 heads x 128, 8 kv heads, FFN 9216, window 8192), vocabulary 131072, embedding tied to the head.
Facts and their sources: web/voxtab/README.md.
"""

from dataclasses import dataclass, replace

from voxtab.gpu.base import Buffer, Gpu, Program
from voxtab.models.asr_config import AsrConfig
from voxtab.models.asr_state import MAX_CHUNK_TOKENS, AsrState
from voxtab.models.log_mel import FREQUENCIES, HOP, WINDOW
from voxtab.nn.block import TransformerBlock
from voxtab.nn.recorder import Epilogue, Recorder, Workspace
from voxtab.nn.weights import Linear, Norm, Tensor


@dataclass(frozen=True)
class AudioEncoder:
    """Mel tables, causal conv stem, transformer stack, adapter."""

    dft: Linear
    mel_filters: Buffer
    mel_spans: Buffer
    conv0: Linear
    conv1: Linear
    blocks: tuple[TransformerBlock, ...]
    norm: Norm
    adapter0: Linear
    adapter2: Linear


@dataclass(frozen=True)
class TextDecoder:
    """Token embedding (also the head), transformer stack, and per layer the two ada matrices."""

    embedding: Linear
    blocks: tuple[TransformerBlock, ...]
    ada0: tuple[Linear, ...]
    ada2: tuple[Linear, ...]
    norm: Norm


class AsrModel:
    """Weights on a GPU, and the recording of its three programs for the state of one session."""

    def __init__(self, gpu: Gpu, config: AsrConfig, encoder: AudioEncoder, decoder: TextDecoder) -> None:
        self.gpu = gpu
        self.config = config
        self.encoder = encoder
        self.decoder = decoder
        # Buffers of weights and tables, for free().
        self.owned: list[Buffer] = []
        self._frame_scratch = Workspace(gpu, MAX_CHUNK_TOKENS * config.frames_per_token)
        self._encoder_scratch = Workspace(gpu, MAX_CHUNK_TOKENS * config.downsample_factor)
        self._decoder_scratch = Workspace(gpu, MAX_CHUNK_TOKENS)

    def free(self) -> None:
        """Give back weights and scratch; sessions of this model must be freed before."""
        for buffer in self.owned:
            self.gpu.free(buffer)
        self.owned.clear()
        self._frame_scratch.free()
        self._encoder_scratch.free()
        self._decoder_scratch.free()

    def conv_out(self) -> Tensor:
        """[4 n, encoder dim] of the last chunk: what a trace reads."""
        return self._encoder_scratch("conv_out", self.config.encoder.dim)

    def enc_out(self) -> Tensor:
        return self._encoder_scratch("enc_out", self.config.encoder.dim)

    def adapter_out(self) -> Tensor:
        return self._encoder_scratch("adapter_out", self.config.decoder.dim)

    def record_encode(self, state: AsrState, n: int) -> Program:
        """n tokens (80 ms each) of sound, from `state.pcm` to n rows in the ring of audio embeddings."""
        config, encoder = self.config, self.encoder
        record = Recorder(self.gpu, state.encoder_position, self._encoder_scratch)
        scratch = self._encoder_scratch
        frames = n * config.frames_per_token
        positions = n * config.downsample_factor
        dim = config.encoder.dim
        bins = config.num_mel_bins

        pcm = Tensor(state.pcm, WINDOW)
        spectrum = self._frame_scratch("spectrum", 2 * FREQUENCIES)
        record.linear(encoder.dft, pcm, spectrum, frames, x_stride=HOP)
        mel = Tensor(state.mel.buffer, bins, row=2)
        top, gain = config.global_log_mel_max, state.options.gain
        record.log_mel(spectrum, encoder.mel_filters, encoder.mel_spans, top, gain, mel, frames)

        # Kernel 3: a row of input is three frames end to end, one frame further on (stride 1), then two (stride 2).
        first = Tensor(state.conv0.buffer, dim, row=1)
        record.linear(encoder.conv0, state.mel, first, frames, Epilogue.GELU, x_stride=bins)
        x = self.conv_out()
        record.linear(encoder.conv1, state.conv0, x, positions, Epilogue.GELU, x_stride=2 * dim)
        record.shift_rows(state.mel, 2, frames)
        record.shift_rows(state.conv0, 1, frames)

        # The trace wants the stem's output, and the stack works in place: it gets a copy when traced.
        if state.trace:
            x = scratch("encoder stream", dim)
            record.copy_rows(self.conv_out(), x, positions)
        for block, cache in zip(encoder.blocks, state.encoder_caches, strict=True):
            block(record, x, positions, cache, state.encoder_rope)
        out = record.rms_norm(x, encoder.norm, self.enc_out(), positions)

        # Four positions end to end are one row of the adapter's input: the same memory, read four times as wide.
        wide = Tensor(out.buffer, dim * config.downsample_factor)
        hidden = record.linear(
            encoder.adapter0, wide, scratch("adapter", config.decoder.dim), n, Epilogue.GELU
        )
        embeddings = record.linear(encoder.adapter2, hidden, self.adapter_out(), n)
        record.ring_store(embeddings, state.audio, state.audio_slots, config.downsample_factor, n)
        record.advance(positions)
        return record.finish()

    def record_decode(self, state: AsrState, n: int, head: bool) -> Program:
        """n positions from the rings of tokens and audio embeddings; with `head`, the last row's token."""
        config, decoder = self.config, self.decoder
        record = Recorder(self.gpu, state.decoder_position, self._decoder_scratch)
        scratch = self._decoder_scratch
        slots = (state.token_slots, state.audio_slots)
        x = scratch("x", config.decoder.dim)
        record.embed(decoder.embedding.weight, state.tokens, state.audio, slots, x, n)
        for i, (block, cache) in enumerate(zip(decoder.blocks, state.decoder_caches, strict=True)):
            conditioned = replace(block.ffn_norm, gain=state.ffn_gains.buffer, offset=i * config.decoder.dim)
            block(record, x, n, cache, state.decoder_rope, conditioned)
        if head:
            last = Tensor(x.buffer, x.width, row=n - 1)
            h = record.normed(last, decoder.norm, 1)
            logits = record.linear(decoder.embedding, h, state.logits, 1)
            options = state.options
            record.choose_token(
                logits,
                state.tokens.buffer,
                state.token_slots,
                n,
                options.temperature,
                options.seed,
            )
        record.advance(n)
        return record.finish()

    def record_time_conditioning(self, state: AsrState) -> Program:
        """ffn_gains[i] = gain_i (1 + W2_i gelu(W0_i t)): constant for a session, as the delay is."""
        record = Recorder(self.gpu, state.decoder_position, self._decoder_scratch)
        decoder, dim = self.decoder, self.config.decoder.dim
        time = Tensor(state.time, dim)
        for i, (block, first, second) in enumerate(
            zip(decoder.blocks, decoder.ada0, decoder.ada2, strict=True)
        ):
            gain = block.ffn_norm.gain
            hidden = record.linear(
                first, time, self._decoder_scratch("ada", first.weight.rows), 1, Epilogue.GELU
            )
            row = replace(state.ffn_gains, row=i)
            record.copy_rows(Tensor(gain, dim), row, 1)
            record.linear(Linear(second.weight, scale=gain), hidden, row, 1, Epilogue.ADD)
        return record.finish()
