"""The recorded samples: what is said of them holds, and the server hands them to the page and nothing else."""

import json
import re
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from server.app import create_app
from server.engine_build import WEB
from server.run import serving
from server.security import SECURITY_HEADERS
from shard_tools.demo.words import WORDS
from tests.unit.server_site import Site

FOLDER = WEB / "samples"
SAMPLES: list[dict[str, Any]] = json.loads((FOLDER / "samples.json").read_text())["samples"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    outside = tmp_path_factory.mktemp("outside")
    with serving(create_app([])) as url:
        yield Site(url, WEB, outside, outside)


def test_there_are_three_and_no_others() -> None:
    names = [sample["file"] for sample in SAMPLES]
    assert len(names) == len(set(names)) == 3
    assert {path.name for path in FOLDER.iterdir()} == {*names, "samples.json", "README.md"}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample["file"])
def test_a_sample_is_a_short_recording_of_words_that_the_demo_model_knows(sample: dict[str, Any]) -> None:
    with wave.open(str(FOLDER / sample["file"])) as sound:
        assert (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) == (1, 2, 16000)
        assert 2 <= sound.getnframes() / sound.getframerate() <= 6
    assert set(sample["text"].split()) <= set(WORDS)


def test_the_readmes_commands_speak_the_texts() -> None:
    commands = re.findall(r'flite -voice (\w+) -t "(.+)" (\S+)', (FOLDER / "README.md").read_text())
    spoken = {file: (voice, re.sub(r"[.,]", "", text)) for voice, text, file in commands}
    assert spoken == {
        sample["file"]: (Path(sample["file"]).stem.partition("-")[2], sample["text"]) for sample in SAMPLES
    }


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample["file"])
def test_the_server_sends_its_sound_as_sound(site: Site, sample: dict[str, Any]) -> None:
    url, content = f"/samples/{sample['file']}", (FOLDER / sample["file"]).read_bytes()
    reply = site.ask(url, accept_encoding="gzip")
    assert (reply.status, reply.headers["content-type"], reply.body) == (200, "audio/wav", content)
    assert reply.headers.items() >= SECURITY_HEADERS.items()
    part = site.ask(url, range="bytes=44-1043")
    assert (part.status, part.body) == (206, content[44:1044])
    assert site.ask(url, if_none_match=reply.headers["etag"]).status == 304


def test_the_list_is_sent_and_what_is_no_sample_is_not(site: Site) -> None:
    reply = site.ask("/samples/samples.json")
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    assert reply.json()["samples"] == SAMPLES
    for name in ("README.md", "", "../app/main.js", "..%2fREADME.md", "other.wav"):
        assert site.ask(f"/samples/{name}").status == 404
