"""Plans Voxtral TTS: directory -> checked shapes -> buffers, and the pieces of the file that fill them."""

from voxtab.formats.gguf_split import MergedGguf
from voxtab.gpu.base import Gpu
from voxtab.models.codec_config import CodecConfig
from voxtab.models.flow import AcousticHead
from voxtab.models.load_codec import load_codec
from voxtab.models.tensor_loader import TensorLoader
from voxtab.models.tts import Backbone, TtsModel
from voxtab.models.tts_config import MODEL, TtsConfig
from voxtab.models.tts_names import ACOUSTIC, CODE_EMBEDDING, TOKEN_EMBEDDING, VOICE, short_name
from voxtab.models.voices import Voice
from voxtab.nn.upload import Upload


def plan_tts(gpu: Gpu, directory: MergedGguf) -> tuple[TtsModel, Upload]:
    """The model with its buffers made and empty, and what is to fill them. On failure nothing stays allocated."""
    config = TtsConfig.from_gguf(directory.metadata)
    codec_config = CodecConfig.from_gguf(directory.metadata)
    upload = Upload(gpu)
    try:
        return tts_of(TensorLoader(directory, upload, _short_name, MODEL), config, codec_config), upload
    except BaseException:
        upload.abandon()
        raise


def tts_of(loader: TensorLoader, config: TtsConfig, codec_config: CodecConfig) -> TtsModel:
    """The model of the loader's tensors, to be used when its upload is filled."""
    backbone, head = _backbone(loader, config), _head(loader, config)
    codec = load_codec(loader, codec_config)
    return TtsModel(loader.upload.gpu, config, backbone, head, codec, _voices(loader, config))


def _backbone(loader: TensorLoader, config: TtsConfig) -> Backbone:
    sizes = config.backbone
    text = loader.linear(TOKEN_EMBEDDING.removesuffix("weight"), config.vocab_size, sizes.dim)
    codes = loader.linear(CODE_EMBEDDING.removesuffix("weight"), config.code_table_rows, sizes.dim)
    return Backbone(
        token_embedding=text.weight,
        code_embedding=codes.weight,
        blocks=tuple(loader.block(f"layers.{i}.", sizes) for i in range(sizes.n_layers)),
        norm=loader.norm("norm.weight", sizes.dim, sizes.norm_eps),
    )


def _head(loader: TensorLoader, config: TtsConfig) -> AcousticHead:
    sizes = config.acoustic
    return AcousticHead(
        input_projection=loader.linear(ACOUSTIC + "input_projection.", sizes.dim, config.n_codebooks),
        time_projection=loader.linear(ACOUSTIC + "time_projection.", sizes.dim, sizes.dim),
        llm_projection=loader.linear(ACOUSTIC + "llm_projection.", sizes.dim, config.backbone.dim),
        # The last layer's queries are for fewer rows than its keys and values: see models/flow.py.
        blocks=tuple(
            loader.block(f"{ACOUSTIC}layers.{i}.", sizes, queries_apart=0 < i == sizes.n_layers - 1)
            for i in range(sizes.n_layers)
        ),
        norm=loader.norm(ACOUSTIC + "norm.weight", sizes.dim, sizes.norm_eps),
        semantic_output=loader.linear(
            ACOUSTIC + "semantic_codebook_output.", config.semantic_rows, sizes.dim
        ),
        acoustic_output=loader.linear(ACOUSTIC + "acoustic_codebook_output.", config.n_codebooks, sizes.dim),
    )


def _voices(loader: TensorLoader, config: TtsConfig) -> dict[str, Voice]:
    found = {}
    for entry in config.voices:
        tensor = loader.find(VOICE + entry.name, (entry.rows, config.backbone.dim))
        buffer = loader.upload.vector(*tensor)
        found[entry.name] = Voice(entry.name, entry.language, entry.rows, buffer)
    return found


def _short_name(name: str) -> str:
    return name if name.startswith(VOICE) else short_name(name)
