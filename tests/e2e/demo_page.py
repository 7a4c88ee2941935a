"""The page as a user sees it, by the data-testid of its controls."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Locator, Page, expect

# A software adapter on a busy machine takes its time; what never ends must end the test all the same.
PATIENCE_MS = 240_000


class DemoPage:
    """voxtab's own page, opened and, unless said otherwise, waited for until it is ready."""

    def __init__(self, page: Page, url: str, wait: bool = True) -> None:
        self.page = page
        page.goto(url)
        if wait:
            self.wait_until_ready()

    def __getitem__(self, testid: str) -> Locator:
        return self.page.get_by_test_id(testid)

    def wait_until_ready(self) -> None:
        """Python and the GPU are there, and the models are listed."""
        expect(self["engine-state"]).to_have_attribute("data-state", "ready", timeout=PATIENCE_MS)
        expect(self["model-load"]).to_be_enabled()

    def choose_model(self, model: str) -> None:
        """`model`: its id."""
        self["model-select"].select_option(model)

    def load(self, model: str) -> None:
        """Choose it, press Load, wait until it is loaded."""
        self.choose_model(model)
        self["model-load"].click()
        self.wait_until_idle()
        self.expect_no_error()
        expect(self["model-state"]).to_have_attribute("data-state", "loaded")

    def transcribe(self, recording: Path) -> None:
        """Choose the file as a recording and wait for the whole text."""
        self["audio-file"].set_input_files(recording)
        self.wait_until_idle()
        self.expect_no_error()
        expect(self["transcript"]).to_have_attribute("data-state", "done")

    def sample(self, file: str) -> Locator:
        """The button of a recorded sample."""
        return self.page.locator(f'[data-testid="sample"][data-file="{file}"]')

    def try_sample(self, file: str) -> None:
        """Click on its button and wait for the whole text."""
        self.sample(file).click()
        self.wait_until_idle()
        self.expect_no_error()
        expect(self["transcript"]).to_have_attribute("data-state", "done")

    def wait_until_idle(self) -> None:
        """The file picker is off from the moment an action starts until it ends."""
        expect(self["audio-file"]).to_be_enabled(timeout=PATIENCE_MS)

    def tokens(self) -> list[int]:
        """Ids of the last transcript."""
        return [int(word) for word in (self["tokens"].text_content() or "").split()]

    def words(self) -> list[str]:
        """The words on screen."""
        return self["word"].all_inner_texts()

    def expect_status(self, text: str) -> None:
        expect(self["status"]).to_have_text(text)

    def expect_no_error(self) -> None:
        expect(self["error"]).to_be_hidden()

    def expect_error(self, code: str) -> None:
        """The banner shows this error, with a sentence on what happened and one on what to do."""
        expect(self["error"]).to_be_visible(timeout=PATIENCE_MS)
        expect(self["error"]).to_have_attribute("data-code", code)
        expect(self["error-message"]).to_be_visible()
        expect(self["error-message"]).not_to_be_empty()
        expect(self["error-hint"]).not_to_be_empty()
