"""The copy of a model that the browser keeps: what lies in its private file system, and what is done with damage."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.e2e.demo_page import DemoPage
from tests.e2e.watch import Watch
from tests.server_process import ServerProcess

MODEL = "asr-words-q4_0"
SHARDS = f"/models/{MODEL}/shard-"

# Functions of the page, as the browser's developer tools would run them: {"KEY/NAME": bytes}, the end of all of them, and
# two ways to harm.
LIST = """async () => {
  const found = {};
  const root = await navigator.storage.getDirectory();
  const folder = await root.getDirectoryHandle("voxtab-models", { create: true });
  for await (const [key, model] of folder.entries())
    for await (const [name, file] of model.entries()) found[`${key}/${name}`] = (await file.getFile()).size;
  return found;
}"""
FORGET = """async () => {
  const root = await navigator.storage.getDirectory();
  await root.removeEntry("voxtab-models", { recursive: true }).catch(() => {});
}"""
FLIP = """async ([path, offset]) => {
  let folder = await (await navigator.storage.getDirectory()).getDirectoryHandle("voxtab-models");
  const [key, name] = path.split("/");
  const file = await (await folder.getDirectoryHandle(key)).getFileHandle(name);
  const bytes = new Uint8Array(await (await file.getFile()).arrayBuffer());
  const writable = await file.createWritable({ keepExistingData: true });
  await writable.write({ type: "write", position: offset, data: new Uint8Array([bytes[offset] ^ 1]) });
  await writable.close();
}"""
CUT = """async ([part, marker, size]) => {
  let folder = await (await navigator.storage.getDirectory()).getDirectoryHandle("voxtab-models");
  folder = await folder.getDirectoryHandle(part.split("/")[0]);
  const writable = await (await folder.getFileHandle(part.split("/")[1])).createWritable({ keepExistingData: true });
  await writable.truncate(size);
  await writable.close();
  await folder.removeEntry(marker.split("/")[1]);
}"""


class Visitor:
    """A profile of its own with the page open."""

    def __init__(self, browser: Browser, url: str) -> None:
        self.context = browser.new_context(ignore_https_errors=True)
        self.watch = Watch(self.context)
        self.url = url
        self.page = DemoPage(self.context.new_page(), url)

    def shards_asked(self) -> list[str]:
        """Names of the shards asked for since the last call."""
        asked = [path.rpartition("-")[2] for path in self.watch.paths(self.url, SHARDS)]
        self.watch.requests.clear()
        return asked

    def kept(self) -> dict[str, int]:
        files: dict[str, int] = self.page.page.evaluate(LIST)
        return files

    def part_and_marker(self) -> tuple[str, str]:
        part, marker = sorted(self.kept())
        assert part.endswith("/stream-0.part")
        assert marker.endswith("/verified.json")
        return part, marker

    def harm(self, script: str, argument: Any) -> None:
        self.page.page.evaluate(script, argument)


@pytest.fixture(scope="module")
def arrived(browser: Browser, site: ServerProcess) -> Iterator[Visitor]:
    visitor = Visitor(browser, site.url)
    yield visitor
    visitor.context.close()


@pytest.fixture
def visitor(arrived: Visitor) -> Visitor:
    """With no model kept."""
    arrived.page.page.evaluate(FORGET)
    arrived.shards_asked()
    return arrived


def test_damage_in_the_kept_copy_is_noticed_and_mended_from_the_server(visitor: Visitor) -> None:
    visitor.page.load(MODEL)
    assert visitor.shards_asked() == ["aa", "ab", "ac", "ad"]
    part, _ = visitor.part_and_marker()
    visitor.harm(FLIP, [part, visitor.kept()[part] // 2])
    visitor.page.load(MODEL)
    assert visitor.shards_asked() == ["ab"]
    visitor.page.load(MODEL)
    assert visitor.shards_asked() == []


def test_a_copy_left_unfinished_is_resumed_and_counts_only_when_finished(visitor: Visitor) -> None:
    visitor.page.load(MODEL)
    visitor.shards_asked()
    part, marker = visitor.part_and_marker()
    whole = visitor.kept()[part]
    visitor.harm(CUT, [part, marker, whole // 2])
    visitor.page.load(MODEL)
    assert visitor.shards_asked() == ["ab", "ac", "ad"]
    assert visitor.kept()[part] == whole
    visitor.part_and_marker()


def test_a_cancelled_load_leaves_nothing_behind(visitor: Visitor) -> None:
    held: list[Route] = []
    visitor.context.route(re.compile(r"/shard-ac$"), lambda route: held.append(route))
    visitor.page.choose_model(MODEL)
    visitor.page["model-load"].click()
    expect(visitor.page["model-percent"]).to_have_text("66%")
    visitor.page["model-cancel"].click()
    visitor.page.expect_error("cancelled")
    visitor.page.wait_until_idle()
    assert visitor.kept() == {}
    visitor.context.unroute_all()
    visitor.page.load(MODEL)
    visitor.part_and_marker()


def test_kept_models_can_be_deleted(visitor: Visitor) -> None:
    visitor.page.load(MODEL)
    expect(visitor.page["cache-size"]).to_have_text("2.3 MB")
    visitor.page.page.get_by_text("Get the 4B models, or open your own").click()
    visitor.page["cache-clear"].click()
    expect(visitor.page["cache-size"]).to_have_text("no model")
    assert visitor.kept() == {}
