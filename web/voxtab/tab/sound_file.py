"""WAV files, read here so that their samples are exactly the file's."""

from array import array
from typing import Any

from voxtab.formats.wav import read_wav
from voxtab.tab.answers import answer

_samples = array("f")


def decode_wav(data: Any) -> str:
    """Read a WAV file's bytes; ok: {sample_rate, samples}. The samples are fetched with `take_pcm`."""

    def work() -> dict[str, Any]:
        global _samples
        wav = read_wav(bytes(data.to_bytes()))
        _samples = wav.samples
        return {"sample_rate": wav.sample_rate, "samples": len(wav.samples)}

    return answer(work)


def take_pcm() -> Any:
    """The samples of the last `decode_wav`, as a buffer of float32; they are Python's no longer."""
    global _samples
    taken, _samples = _samples, array("f")
    return taken
