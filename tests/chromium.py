"""Which Chromium the tests drive, and how it is started."""

from __future__ import annotations

import shutil
from pathlib import Path

from playwright.sync_api import Browser, Playwright

# WebGPU without a graphics card: the same software adapter on every machine.
FLAGS = ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader")
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find(playwright: Playwright) -> Path | None:
    """Playwright's own Chromium where it is installed, else the first on PATH."""
    own = Path(playwright.chromium.executable_path)
    if own.is_file():
        return own
    found = next(filter(None, map(shutil.which, NAMES)), None)
    return Path(found) if found else None


def launch(playwright: Playwright, *flags: str) -> Browser:
    """A headless Chromium with WebGPU; `flags` come on top of FLAGS. RuntimeError when there is none."""
    executable = find(playwright)
    if executable is None:
        raise RuntimeError("No Chromium was found. `make test` installs one, or says how.")
    return playwright.chromium.launch(executable_path=executable, args=[*FLAGS, *flags])
