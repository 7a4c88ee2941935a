"""Answers with mistral-common's tokens: runs in the environment that mistral_reference.py makes.

First a line with the path of the full vocabulary. Then for each line [path of a tekken.json, texts] that comes
in, a line with the tokens of each text goes out.
"""

from __future__ import annotations

import json
import sys
from functools import cache
from pathlib import Path

import mistral_common
from mistral_common.tokens.tokenizers.tekken import Tekkenizer

FULL_VOCABULARY = Path(mistral_common.__file__).parent / "data" / "tekken_240911.json"


def main() -> None:
    tokenizer = cache(Tekkenizer.from_file)
    answer(str(FULL_VOCABULARY))
    for line in sys.stdin:
        vocabulary, texts = json.loads(line)
        answer([tokenizer(vocabulary).encode(text, bos=False, eos=False) for text in texts])


def answer(value: object) -> None:
    print(json.dumps(value), flush=True)


if __name__ == "__main__":
    main()
