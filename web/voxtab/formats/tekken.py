"""Tekken, Mistral's byte-level vocabulary: token ids to text, and text to token ids.

Ids below the number of special tokens (1000) write nothing; id 1000 + k is entry k of the vocabulary, raw
bytes in base64. The text of a run is the bytes of all its ids joined, and only then decoded as UTF-8: a
character may be split over tokens, with special tokens between its bytes.

The real tekken.json lists 150000 entries and the model uses the first 130072 of them. They stay base64 until
somebody asks, so that opening a vocabulary costs no more than reading its JSON. Encoding asks for all of them,
once: about 0.1 s in a browser.
"""

import binascii
import codecs
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from voxtab.errors import VoxtabError
from voxtab.formats.json_nesting import check_nesting
from voxtab.formats.tekken_encode import TekkenEncoder
from voxtab.formats.tekken_split import PATTERN

__all__ = ["GGUF_VOCAB_KEY", "StreamDecoder", "Tekken", "TekkenAudio", "TokenizerError"]

GGUF_VOCAB_KEY: Final = "voxtral.tokenizer.vocab_token_bytes_b64"
DEFAULT_SPECIAL_TOKENS: Final = 1000
MAX_JSON_BYTES: Final = 32 << 20  # 150000 entries take about 100 bytes each
MAX_VOCAB: Final = 1 << 24
_BASE64: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="


class TokenizerError(VoxtabError):
    """Code `tokenizer-invalid`."""


@dataclass(frozen=True, slots=True)
class TekkenAudio:
    """How sound becomes the model's input, as the checkpoint's tokenizer file says it."""

    sampling_rate: int  # Hz
    frame_rate: float  # audio tokens per second
    num_mel_bins: int
    hop_length: int  # samples
    window_size: int  # samples
    delay_ms: int  # the recommended transcription delay
    left_pad_tokens: int


class Tekken:
    """The vocabulary of a checkpoint. Ids run from 0 to `vocab_size` - 1."""

    def __init__(
        self,
        vocab_base64: list[str],
        *,
        vocab_size: int | None = None,
        special_tokens: int = DEFAULT_SPECIAL_TOKENS,
        audio: TekkenAudio | None = None,
        pattern: str = PATTERN,
    ) -> None:
        """`vocab_size` counts special tokens too. Absent, or more than the entries: all entries are used.

        `pattern` says how a text is split before it is encoded. Only one way is known here.
        """
        available = special_tokens + len(vocab_base64)
        self.vocab_size = available if vocab_size is None else min(vocab_size, available)
        self.special_tokens = special_tokens
        self.audio = audio
        self._base64 = vocab_base64[: max(0, self.vocab_size - special_tokens)]
        self._bytes: dict[int, bytes] = {}
        self._pattern = pattern
        self._encoder: TekkenEncoder | None = None
        _check_base64(self._base64)

    @classmethod
    def from_json(cls, data: bytes) -> "Tekken":
        """From the bytes of tekken.json. Raises TokenizerError."""
        if len(data) > MAX_JSON_BYTES:
            _fail(f"tekken.json has {len(data)} bytes; at most {MAX_JSON_BYTES} are accepted")
        try:
            check_nesting(data)
            root = json.loads(data.decode("utf-8"))
        except ValueError as error:
            _fail(f"tekken.json is not JSON ({error})")
        if not isinstance(root, dict) or not isinstance(root.get("config"), dict):
            _fail("tekken.json has no config object")
        config = root["config"]
        return cls(
            _vocab_entries(root.get("vocab")),
            vocab_size=_integer(config, "default_vocab_size", 1, MAX_VOCAB),
            special_tokens=_integer(
                config, "default_num_special_tokens", 0, MAX_VOCAB, DEFAULT_SPECIAL_TOKENS
            ),
            audio=_audio_of_json(root.get("audio")),
            pattern=_pattern(config, "pattern"),
        )

    @classmethod
    def from_gguf(cls, metadata: Mapping[str, Any]) -> "Tekken":
        """From the keys `voxtral.tokenizer.*` and `voxtral.audio.*` of a GGUF. Raises TokenizerError."""
        vocab = metadata.get(GGUF_VOCAB_KEY)
        if vocab is None:
            _fail(f"the GGUF holds no vocabulary ({GGUF_VOCAB_KEY})")
        if not isinstance(vocab, list) or not all(isinstance(token, str) for token in vocab):
            _fail(f"{GGUF_VOCAB_KEY} is not an array of strings")
        special = _integer(
            metadata, "voxtral.tokenizer.num_special_tokens", 0, MAX_VOCAB, DEFAULT_SPECIAL_TOKENS
        )
        available = special + len(vocab)
        return cls(
            vocab,
            vocab_size=_integer(metadata, "voxtral.vocab_size", 1, MAX_VOCAB, available),
            special_tokens=special,
            audio=_audio_of_gguf(metadata),
            pattern=_pattern(metadata, "voxtral.tokenizer.pattern"),
        )

    def token_bytes(self, token: int) -> bytes:
        """The bytes that a token writes, none if special. Raises TokenizerError outside the vocabulary."""
        if not 0 <= token < self.vocab_size:
            _fail(f"token {token} is outside the vocabulary of {self.vocab_size}")
        if token < self.special_tokens:
            return b""
        data = self._bytes.get(token)
        if data is None:
            try:
                data = binascii.a2b_base64(self._base64[token - self.special_tokens], strict_mode=True)
            except ValueError:
                _fail(f"the bytes of token {token} are not base64")
            self._bytes[token] = data
        return data

    def decode(self, tokens: Iterable[int]) -> str:
        """The text of a run of tokens, with U+FFFD for what is not UTF-8. Transcripts start with a space."""
        return b"".join(map(self.token_bytes, tokens)).decode("utf-8", "replace")

    def encode(self, text: str) -> list[int]:
        """The tokens of a text, as mistral-common makes them: none of "", and no special ones however it is spelt.

        Raises TokenizerError if this vocabulary is not one that every text can be written in.
        """
        if self._encoder is None:
            if self._pattern != PATTERN:
                _fail("it splits a text in a way that is not known here")
            try:
                entries = [binascii.a2b_base64(entry, strict_mode=True) for entry in self._base64]
                self._encoder = TekkenEncoder(entries, special_tokens=self.special_tokens)
            except ValueError as error:
                _fail(f"a text cannot be written in its vocabulary: {error}")
        return self._encoder.encode(text)


class StreamDecoder:
    """Text as tokens come. A character whose bytes are not all there yet is held back.

    All that push() returns, and then flush(), joined, is Tekken.decode() of all the tokens.
    """

    def __init__(self, tekken: Tekken) -> None:
        self._tekken = tekken
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")

    def push(self, token: int) -> str:
        return self._utf8.decode(self._tekken.token_bytes(token))

    def flush(self) -> str:
        """The end of the run: U+FFFD if a character was left incomplete. The next push starts a new run."""
        text = self._utf8.decode(b"", final=True)
        self._utf8.reset()
        return text


def _fail(reason: str) -> NoReturn:
    raise TokenizerError(
        "tokenizer-invalid",
        f"The tokenizer cannot be used: {reason}.",
        "Use the tekken.json of the same checkpoint as the model.",
    )


def _check_base64(vocab: list[str]) -> None:
    """Most of what can be wrong, for the price of looking at the letters; decoding checks the padding."""
    text = "".join(vocab)
    if not text.isascii() or text.encode().translate(None, _BASE64) or any(len(token) % 4 for token in vocab):
        _fail("its vocabulary is not all base64")


def _vocab_entries(vocab: Any) -> list[str]:
    if not isinstance(vocab, list) or len(vocab) > MAX_VOCAB:
        _fail("tekken.json has no list of vocabulary entries")
    tokens = []
    for rank, entry in enumerate(vocab):
        token = entry.get("token_bytes") if isinstance(entry, dict) else None
        if not isinstance(token, str) or entry.get("rank", rank) != rank:
            _fail(f"entry {rank} of tekken.json's vocabulary is not that token's bytes")
        tokens.append(token)
    return tokens


def _audio_of_json(audio: Any) -> TekkenAudio | None:
    if audio is None:
        return None
    encoding = audio.get("audio_encoding_config") if isinstance(audio, dict) else None
    if not isinstance(encoding, dict):
        _fail("the audio settings of tekken.json are not the known ones")
    return TekkenAudio(
        sampling_rate=_integer(audio, "sampling_rate", 1, 1_000_000),
        frame_rate=_rate(audio, "frame_rate"),
        num_mel_bins=_integer(encoding, "num_mel_bins", 1, 4096),
        hop_length=_integer(encoding, "hop_length", 1, 65536),
        window_size=_integer(encoding, "window_size", 1, 65536),
        delay_ms=_integer(audio, "transcription_delay_ms", 0, 60_000, 480),
        left_pad_tokens=_integer(audio, "streaming_n_left_pad_tokens", 0, 4096, 32),
    )


def _audio_of_gguf(metadata: Mapping[str, Any]) -> TekkenAudio | None:
    prefix = "voxtral.audio."
    if prefix + "sample_rate" not in metadata:
        return None
    frame_rate = _rate(metadata, prefix + "frame_rate")
    delay_tokens = _integer(metadata, prefix + "n_delay_tokens", 0, 1000, 6)
    return TekkenAudio(
        sampling_rate=_integer(metadata, prefix + "sample_rate", 1, 1_000_000),
        frame_rate=frame_rate,
        num_mel_bins=_integer(metadata, prefix + "num_mel_bins", 1, 4096),
        hop_length=_integer(metadata, prefix + "hop_length", 1, 65536),
        window_size=_integer(metadata, prefix + "window_size", 1, 65536),
        delay_ms=round(delay_tokens * 1000 / frame_rate),
        left_pad_tokens=_integer(metadata, prefix + "n_left_pad_tokens", 0, 4096, 32),
    )


def _pattern(fields: Mapping[str, Any], key: str) -> str:
    """Also for files that say none, of which there is but one kind."""
    pattern = fields.get(key) or PATTERN
    if not isinstance(pattern, str):
        _fail(f"{key} is not a string")
    return pattern


def _integer(fields: Mapping[str, Any], key: str, least: int, most: int, default: int | None = None) -> int:
    value = fields.get(key)
    if value is None and default is not None:
        return default
    if type(value) is not int or not least <= value <= most:
        _fail(f"{key} is not an integer from {least} to {most}")
    return value


def _rate(fields: Mapping[str, Any], key: str) -> float:
    value = fields.get(key)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0.01 <= value <= 100_000:
        _fail(f"{key} is not a rate in hertz")
    return float(value)
