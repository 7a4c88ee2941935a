"""Makes the model that the page starts with: `python -m server.demo_model` fills web/build/models/words.

It is the small checkpoint of tests/data/asr-words, quantized and split as any other. It knows 107 words.
"""

import shutil
import tempfile
from pathlib import Path

from server.engine_build import WEB
from shard_tools.quantize import quantize_checkpoint
from shard_tools.split import split_gguf

CHECKPOINT = WEB.parent / "tests" / "data" / "asr-words"
FOLDER = WEB / "build" / "models" / "words"
NAME = "Demo: 107 words"
DESCRIPTION = "Numbers, days, months, colours, commands and greetings in English; for trying the page."
LICENCE = "Apache-2.0"


def build_demo_model(checkpoint: Path = CHECKPOINT, folder: Path = FOLDER) -> None:
    """Quantizes `checkpoint` to Q4_0; its shards and manifest replace whatever is in `folder`."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Beside its destination, so that it can be moved; hidden, so that a running server does not offer it.
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".words-") as temporary:
        gguf, shards = Path(temporary) / "words-q4_0.gguf", Path(temporary) / "shards"
        quantize_checkpoint(checkpoint, gguf, "q4_0", model_name=NAME, licence=LICENCE)
        split_gguf(gguf, shards, description=DESCRIPTION)
        if folder.exists():
            shutil.rmtree(folder)
        shards.rename(folder)


def main() -> None:
    build_demo_model()
    print(f"web/build/models/words: built, {NAME}")


if __name__ == "__main__":
    main()
