"""What of the system the corpus needs, and which versions are there."""

import ctypes
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from shard_tools.demo.foreign import DICTIONARY
from voxtab.errors import VoxtabError

_FESTIVAL_VOICES: Final = Path("/usr/share/festival/voices")
_LIBRARIES: Final[Mapping[str, tuple[str, ...]]] = {
    "espeak-ng": ("libespeak-ng.so.1",),
    "flite": tuple(f"libflite_cmu_us_{voice}.so.1" for voice in ("slt", "awb", "kal", "kal16", "rms")),
}
_FILES: Final[Mapping[str, Path]] = {
    "festvox-kallpc16k": _FESTIVAL_VOICES / "english" / "kal_diphone",
    "festvox-kdlpc16k": _FESTIVAL_VOICES / "english" / "ked_diphone",
    "festvox-us-slt-hts": _FESTIVAL_VOICES / "us" / "cmu_us_slt_arctic_hts",
    "wamerican": DICTIONARY,
}


def check_tools() -> dict[str, str]:
    """Versions of the packages, "unknown" where Debian's package tool does not tell them.

    Raises VoxtabError tool-missing that names all that is missing.
    """
    missing = [package for package, names in _LIBRARIES.items() if not all(map(_loads, names))]
    missing += ["festival"] * (shutil.which("festival") is None)
    missing += [package for package, path in _FILES.items() if not path.exists()]
    if missing:
        raise VoxtabError(
            "tool-missing",
            f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed.",
            f"Install {'it' if len(missing) == 1 else 'them'}: apt install {' '.join(missing)}",
        )
    return {package: _version(package) for package in (*_LIBRARIES, "festival", *_FILES)}


def _loads(name: str) -> bool:
    try:
        ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)
    except OSError:
        return False
    return True


def _version(package: str) -> str:
    try:
        answer = subprocess.run(
            ["dpkg-query", "-W", "-f", "${Version}", package],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return answer.stdout.strip() or "unknown"
