"""Plans Voxtral Realtime: directory -> checked shapes -> buffers, and the pieces of the file that fill them."""

from voxtab.formats.gguf_split import MergedGguf
from voxtab.gpu.base import Gpu
from voxtab.models.asr import AsrModel, AudioEncoder, TextDecoder
from voxtab.models.asr_config import AsrConfig
from voxtab.models.log_mel import FREQUENCIES, WINDOW, mel_filters, mel_spans, windowed_dft
from voxtab.models.tensor_loader import TensorLoader
from voxtab.models.tensor_names import ADAPTER, ENCODER, TOKEN_EMBEDDING, short_name
from voxtab.nn.upload import Upload
from voxtab.nn.weights import Linear, Segment, Weight


def plan_asr(gpu: Gpu, directory: MergedGguf) -> tuple[AsrModel, Upload]:
    """The model with its buffers made and empty, and what is to fill them. On failure nothing stays allocated."""
    config = AsrConfig.from_gguf(directory.metadata)
    upload = Upload(gpu)
    try:
        return asr_of(TensorLoader(directory, upload, short_name, "Voxtral Realtime"), config), upload
    except BaseException:
        upload.abandon()
        raise


def asr_of(loader: TensorLoader, config: AsrConfig) -> AsrModel:
    """The model of the loader's tensors, to be used when its upload is filled."""
    return AsrModel(loader.upload.gpu, config, _encoder(loader, config), _decoder(loader, config))


def _encoder(loader: TensorLoader, config: AsrConfig) -> AudioEncoder:
    e, d = config.encoder.dim, config.decoder.dim
    constant = loader.upload.constant
    filters = mel_filters(config.num_mel_bins)
    rows = 2 * FREQUENCIES
    conv = ENCODER + "conv_layers."
    return AudioEncoder(
        dft=Linear(Weight("f32", rows, WINDOW, (Segment(0, rows, constant(windowed_dft(), "dft"), None),))),
        mel_filters=constant(filters, "mel filters"),
        mel_spans=constant(mel_spans(filters, config.num_mel_bins), "mel spans"),
        conv0=loader.convolution(f"{conv}0.conv.", e, config.num_mel_bins, 3),
        conv1=loader.convolution(f"{conv}1.conv.", e, e, 3),
        blocks=tuple(
            loader.block(f"{ENCODER}transformer.layers.{i}.", config.encoder, biases=True)
            for i in range(config.encoder.n_layers)
        ),
        norm=loader.norm(ENCODER + "transformer.norm.weight", e, config.encoder.norm_eps),
        adapter0=loader.linear(ADAPTER + "0.", d, e * config.downsample_factor),
        adapter2=loader.linear(ADAPTER + "2.", d, d),
    )


def _decoder(loader: TensorLoader, config: AsrConfig) -> TextDecoder:
    d = config.decoder.dim
    layers = range(config.decoder.n_layers)
    ada = [f"layers.{i}.ada_rms_norm_t_cond." for i in layers]
    return TextDecoder(
        embedding=loader.linear(TOKEN_EMBEDDING.removesuffix("weight"), config.vocab_size, d),
        blocks=tuple(loader.block(f"layers.{i}.", config.decoder) for i in layers),
        ada0=tuple(loader.linear(f"{name}0.", config.ada_dim, d) for name in ada),
        ada2=tuple(loader.linear(f"{name}2.", d, config.ada_dim) for name in ada),
        norm=loader.norm("norm.weight", d, config.decoder.norm_eps),
    )
