"""What the browser's worker calls. Answers are JSON, {"ok": ...} or {"error": {code, message, hint}}; nothing is raised.

`gpu` is the object of web/worker/gpu.js, `source` the one of web/worker/source.js, `call` the worker's number for a call
that takes long: `cancel(call)` ends that one. Transcriptions, speeches and streams may run side by side on one device,
taking turns where they wait for it; the worker sees to it that no model is loaded or unloaded meanwhile.
"""

from voxtab.tab.calls import cancel
from voxtab.tab.captions import captions
from voxtab.tab.listening import close_stream, feed, listen, set_delay, step
from voxtab.tab.loading import check_manifest, forget_device, gpu_bytes, load, loaded_tasks, unload
from voxtab.tab.sound_file import decode_wav, take_pcm
from voxtab.tab.speaking import speak
from voxtab.tab.transcribing import transcribe

__all__ = [
    "cancel",
    "captions",
    "check_manifest",
    "close_stream",
    "decode_wav",
    "feed",
    "forget_device",
    "gpu_bytes",
    "listen",
    "load",
    "loaded_tasks",
    "set_delay",
    "speak",
    "step",
    "take_pcm",
    "transcribe",
    "unload",
]
