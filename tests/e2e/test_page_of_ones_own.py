"""The whole example of web/README.md, word for word, where it says to put it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from playwright.sync_api import ConsoleMessage, Page, expect

from server.app import create_app
from server.engine_build import WEB, build_engine
from server.run import serving
from tests.e2e.conftest import publish
from tests.e2e.demo_page import PATIENCE_MS


def _example(language: str) -> str:
    """The first in this language: those behind it are pieces."""
    blocks = re.findall(rf"```{language}\n(.*?)```", (WEB / "README.md").read_text(), re.DOTALL)
    return str(blocks[0])


def test_the_readmes_page_loads_the_demo_model_and_writes_what_it_hears(
    page: Page, data: Path, tmp_path: Path
) -> None:
    build_engine(WEB)
    web, models = tmp_path / "web", tmp_path / "models"
    for folder in ("app", "worker", "node_modules/pyodide", "build"):
        shutil.copytree(WEB / folder, web / folder, ignore=shutil.ignore_patterns("models"))
    (web / "app" / "mine.html").write_text(_example("html"))
    (web / "app" / "mine.js").write_text(_example("js"))
    models.mkdir()
    publish(data / "asr-words", "q4_0", models).rename(models / "demo-asr")
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error" and not message.location["url"].endswith("/favicon.ico"):
            complaints.append(message.text)

    page.on("console", note)
    with serving(create_app([models], web=web)) as url:
        page.goto(f"{url}app/mine.html")
        text, recording = page.locator("#text"), page.locator("#recording")
        expect(recording).to_be_enabled(timeout=PATIENCE_MS)
        expect(text).to_have_text(re.compile(r"^(\d+) of \1$"))
        with page.expect_console_message(lambda message: message.type == "log", timeout=PATIENCE_MS):
            recording.set_input_files(data / "asr-words" / "kal.wav")
        assert text.inner_text().split() == ["seven", "eight", "nine", "ten", "stop", "the", "music"]
        assert complaints == []
