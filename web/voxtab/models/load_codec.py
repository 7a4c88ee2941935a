"""The speech codec's part of loading: checked shapes -> buffers and pieces, weight norm folded at the end."""

from array import array
from dataclasses import replace

from voxtab.gpu.base import Buffer
from voxtab.models.codec import Codec, CodecDecoder
from voxtab.models.codec_config import FIRST_TAPS, LAST_TAPS, UPSAMPLING_TAPS, CodecConfig, alibi_slopes
from voxtab.models.tensor_loader import TensorLoader
from voxtab.models.tts_names import CODEC, WEIGHT_DIRECTION, WEIGHT_LENGTH
from voxtab.nn.codec_block import CodecBlock
from voxtab.nn.weights import Linear


def load_codec(loader: TensorLoader, config: CodecConfig) -> Codec:
    """The codec, to be used when the loader's upload is filled; its buffers are among the upload's.

    Raises VoxtabError: not-voxtral, unsupported-type, adapter-too-small.
    """
    slopes = loader.upload.constant(array("f", alibi_slopes(config.layer.n_heads)), "slopes")
    dim, stages = config.layer.dim, len(config.stages)
    codebook = CODEC + "quantizer.semantic_codebook."
    table = loader.find(codebook + "embedding_sum", (config.codebook_size, config.semantic_dim))
    decoder = CodecDecoder(
        embedding_sum=loader.upload.vector(*table),
        cluster_usage=loader.vector(codebook + "cluster_usage", config.codebook_size),
        first=_convolution(loader, "decoder_blocks.0", dim, config.latent_dim, FIRST_TAPS),
        # Convolutions and stages take turns.
        stages=tuple(
            tuple(
                _block(loader, f"{CODEC}decoder_blocks.{2 * number + 1}.layers.{i}.", config, slopes)
                for i in range(stage.n_layers)
            )
            for number, stage in enumerate(config.stages)
        ),
        ups=tuple(_upsampling(loader, f"decoder_blocks.{2 * number}", dim) for number in range(1, stages)),
        last=_convolution(loader, "output_proj", config.patch_size, dim, LAST_TAPS),
    )
    return Codec(loader.upload.gpu, config, decoder)


def _convolution(loader: TensorLoader, name: str, outputs: int, inputs: int, taps: int) -> Linear:
    prefix = f"{CODEC}{name}.conv."
    weight = loader.upload.convolution(*loader.find(prefix + WEIGHT_DIRECTION, (outputs, inputs, taps)))
    loader.upload.weight_norm(weight, _gains(loader, prefix, outputs))
    return Linear(weight)


def _upsampling(loader: TensorLoader, name: str, dim: int) -> Linear:
    prefix = f"{CODEC}{name}.conv."
    shape = (dim, dim, UPSAMPLING_TAPS)
    weight = loader.upload.upsampling(*loader.find(prefix + WEIGHT_DIRECTION, shape))
    loader.upload.weight_norm(weight, _gains(loader, prefix, dim), upsampled_inputs=dim)
    return Linear(weight)


def _gains(loader: TensorLoader, prefix: str, size: int) -> Buffer:
    """One for each slice of the first axis, whichever it is; [size, 1, 1] in checkpoints."""
    return loader.vector(prefix + WEIGHT_LENGTH, size)


def _block(loader: TensorLoader, prefix: str, config: CodecConfig, slopes: Buffer) -> CodecBlock:
    sizes = config.layer
    layer = loader.block(prefix, sizes)
    width = sizes.n_heads * sizes.head_dim
    return CodecBlock(
        layer=replace(
            layer,
            wo=replace(layer.wo, scale=loader.vector(prefix + "attention_scale", sizes.dim)),
            w2=replace(layer.w2, scale=loader.vector(prefix + "ffn_scale", sizes.dim)),
        ),
        q_norm=loader.vector(prefix + "attention.q_norm.weight", width),
        k_norm=loader.vector(prefix + "attention.k_norm.weight", width),
        qk_norm_eps=config.qk_norm_eps,
        head_dim=sizes.head_dim,
        slopes=slopes,
    )
