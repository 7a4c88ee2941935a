"""What a model file is for."""

from typing import Literal

from voxtab.formats.gguf_split import MergedGguf
from voxtab.models import asr_config, tts_config

Task = Literal["speech-to-text", "text-to-speech"]


def task_of(directory: MergedGguf) -> Task:
    """By the architecture that the header names; loading says what is wrong with any other."""
    named = directory.metadata.get("general.architecture", asr_config.ARCHITECTURE)
    return "text-to-speech" if named == tts_config.ARCHITECTURE else "speech-to-text"
