"""voxtab-shards fetch against a local stand-in for the hub."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from shard_tools.cli import app
from shard_tools.fetch import fetch_model, find_model
from tests.hub_stub import HubStub, Repository
from voxtab.errors import VoxtabError

WEIGHTS = np.random.default_rng(0).bytes(3_000_000)
CHECKPOINT = {
    "README.md": b"---\nlicense: apache-2.0\n---\n",
    "params.json": b'{"dim": 3072}',
    "consolidated.safetensors": WEIGHTS,
    "tekken.json": b"{}",
    "model-00001-of-00002.safetensors": b"another layout",
    "assets/picture.png": b"png",
}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubStub]:
    repositories = {
        "mistral/realtime": Repository(CHECKPOINT),
        "someone/gguf": Repository(
            {"Q4_0.gguf": b"GGUF" * 9, "Q8_0.gguf": b"GGUF" * 10, "README.md": b"card"}
        ),
        "someone/one": Repository({"model.gguf": b"GGUF" * 9, "tekken.json": b"{}"}, card={}),
        "someone/split": Repository(
            {"m-00001-of-00002.gguf": b"GGUF1", "m-00002-of-00002.gguf": b"GGUF2", "notes.txt": b"no"}
        ),
        "someone/shards": Repository(
            {"shard-ab": b"b" * 9, "shard-aa": b"a" * 10, "manifest.json": b"{}", "shard-list.txt": b"no"}
        ),
        "someone/gated": Repository({"model.gguf": b"GGUF"}, gated=True),
        "someone/photos": Repository({"cat.png": b"cat"}),
        "someone/evil": Repository({"../evil.gguf": b"GGUF"}),
        "someone/escape": Repository({"\x1b[2Jm.gguf": b"GGUF", "fine.txt": b"text"}),
        "someone/dots": Repository(
            {"a.gguf": b"GGUF", ".gitattributes": b"*", "sub/.ssh/config": b"Host", ".bashrc": b"evil"}
        ),
        "someone/red": Repository({"model.gguf": b"GGUF"}, card={"license": "mit\x1b[31m\r\u202eevil"}),
        "someone/brackets": Repository({"m[1].gguf": b"GGUF" * 50_000}),
        "someone/empty": Repository({"shard-aa": b""}),
    }
    monkeypatch.setenv("HF_TOKEN", "")
    # What arrived of a block that a cut interrupts is lost; blocks of 10 MiB would make this a test of 60 MB.
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1 << 16)
    with HubStub(repositories) as stub:
        monkeypatch.setenv("HF_ENDPOINT", stub.url)
        yield stub


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_checkpoint_brings_its_three_files_and_the_card(hub: HubStub, tmp_path: Path) -> None:
    model = find_model("mistral/realtime")
    assert model.licence == "apache-2.0"
    fetch_model(model, tmp_path)
    wanted = ("params.json", "consolidated.safetensors", "tekken.json", "README.md")
    assert _contents(tmp_path) == {name: CHECKPOINT[name] for name in wanted}


@pytest.mark.parametrize(
    ("repo", "names"),
    [
        ("someone/one", ["model.gguf", "tekken.json"]),
        ("someone/split", ["m-00001-of-00002.gguf", "m-00002-of-00002.gguf"]),
        ("someone/shards", ["manifest.json", "shard-aa", "shard-ab"]),
    ],
)
def test_ready_models_bring_what_belongs_to_them(
    repo: str, names: list[str], hub: HubStub, tmp_path: Path
) -> None:
    fetch_model(find_model(repo), tmp_path)
    assert sorted(_contents(tmp_path)) == names
    assert _contents(tmp_path) == {name: hub.repositories[repo].files[name] for name in names}


def test_one_file_or_a_pattern_can_be_asked_for(hub: HubStub, tmp_path: Path) -> None:
    fetch_model(find_model("someone/gguf", "Q8_0.gguf"), tmp_path)
    assert sorted(_contents(tmp_path)) == ["Q8_0.gguf"]
    fetch_model(find_model("mistral/realtime", "assets/*"), tmp_path)
    assert (tmp_path / "assets" / "picture.png").read_bytes() == b"png"


def test_a_connection_cut_twice_is_continued_by_range(hub: HubStub, tmp_path: Path) -> None:
    hub.cut_after, hub.cuts = 1_000_000, 2
    steps: list[tuple[int, int]] = []
    fetch_model(
        find_model("mistral/realtime", "consolidated.safetensors"), tmp_path, lambda *s: steps.append(s)
    )
    assert _contents(tmp_path) == {"consolidated.safetensors": WEIGHTS}
    ranges = hub.ranges("consolidated.safetensors")
    assert ranges[0] is None
    starts = [int((asked or "bytes=0-").removeprefix("bytes=").removesuffix("-")) for asked in ranges]
    assert len(starts) == 3
    assert 900_000 < starts[1] <= 1_000_000
    assert starts[1] + 900_000 < starts[2] <= starts[1] + 1_000_000
    assert steps[-1] == (len(WEIGHTS), len(WEIGHTS))


class Interrupt:
    """Progress that presses Ctrl-C."""

    def __init__(self, limit: int) -> None:
        self.limit = limit

    def __call__(self, done: int, total: int) -> None:
        if done > self.limit:
            raise KeyboardInterrupt


def test_an_interrupted_run_is_continued_by_the_next(hub: HubStub, tmp_path: Path) -> None:
    model = find_model("mistral/realtime", "consolidated.safetensors")
    hub.cut_after, hub.cuts = 1_000_000, 1
    with pytest.raises(KeyboardInterrupt):
        fetch_model(model, tmp_path, Interrupt(900_000))
    (part,) = _contents(tmp_path)
    assert part.endswith(".part")
    have = (tmp_path / part).stat().st_size
    assert 0 < have < len(WEIGHTS)
    hub.cuts = 0
    hub.requests.clear()
    fetch_model(model, tmp_path)
    assert _contents(tmp_path) == {"consolidated.safetensors": WEIGHTS}
    assert hub.ranges("consolidated.safetensors") == [f"bytes={have}-"]


def test_a_server_that_ignores_range_is_read_from_the_start(hub: HubStub, tmp_path: Path) -> None:
    hub.cut_after, hub.cuts, hub.ignore_range = 1_000_000, 1, True
    fetch_model(find_model("mistral/realtime", "consolidated.safetensors"), tmp_path)
    assert _contents(tmp_path) == {"consolidated.safetensors": WEIGHTS}


def test_what_is_there_and_right_is_not_fetched_again_and_what_is_wrong_is(
    hub: HubStub, tmp_path: Path
) -> None:
    model = find_model("mistral/realtime")
    fetch_model(model, tmp_path)
    hub.requests.clear()
    fetch_model(model, tmp_path)
    assert not [request for request in hub.requests if request[0] == "GET"]
    damaged = bytearray(WEIGHTS)
    damaged[1234] ^= 1
    (tmp_path / "consolidated.safetensors").write_bytes(damaged)
    (tmp_path / "params.json").write_bytes(b'{"dim": 3073}')
    fetch_model(model, tmp_path)
    assert (tmp_path / "consolidated.safetensors").read_bytes() == WEIGHTS
    assert (tmp_path / "params.json").read_bytes() == CHECKPOINT["params.json"]


def test_a_part_of_another_version_is_not_continued(hub: HubStub, tmp_path: Path) -> None:
    hub.repositories["someone/one"].files["model.gguf"] = WEIGHTS
    with pytest.raises(KeyboardInterrupt):
        fetch_model(find_model("someone/one", "model.gguf"), tmp_path, Interrupt(100_000))
    newer = np.random.default_rng(1).bytes(2_000_000)
    hub.repositories["someone/one"].files["model.gguf"] = newer
    hub.requests.clear()
    fetch_model(find_model("someone/one", "model.gguf"), tmp_path)
    assert _contents(tmp_path) == {"model.gguf": newer}
    assert hub.ranges("model.gguf") == [None]


@pytest.mark.parametrize("name", ["consolidated.safetensors", "params.json"])
def test_content_whose_hash_is_wrong_is_never_kept(name: str, hub: HubStub, tmp_path: Path) -> None:
    hub.spoil.add(name)
    with pytest.raises(VoxtabError, match="arrived twice with the wrong content") as caught:
        fetch_model(find_model("mistral/realtime", name), tmp_path)
    assert caught.value.code == "shard-altered"
    assert _contents(tmp_path) == {}


def test_an_empty_file_arrives_empty(hub: HubStub, tmp_path: Path) -> None:
    fetch_model(find_model("someone/empty"), tmp_path)
    assert _contents(tmp_path) == {"shard-aa": b""}


@pytest.mark.parametrize(
    ("repo", "file", "revision", "code", "words"),
    [
        ("nobody/nothing", None, None, "model-missing", "has no public model"),
        ("mistral/realtime", "absent.gguf", None, "model-missing", "has no file absent.gguf"),
        ("mistral/realtime", None, "v9", "model-missing", "has no such revision"),
        ("someone/photos", None, None, "model-missing", "neither a Mistral checkpoint"),
        ("someone/gguf", None, None, "option-invalid", "holds 2 GGUF files"),
        ("someone/evil", "*", None, "option-invalid", "not safe to write"),
        (
            "someone/escape",
            None,
            None,
            "option-invalid",
            r"named '\x1b[2Jm.gguf', which is not safe to write",
        ),
        ("someone/escape", "*", None, "option-invalid", "not safe to write"),
        ("someone/dots", ".bashrc", None, "option-invalid", "not safe to write"),
        ("someone/dots", "sub/.ssh/config", None, "option-invalid", "not safe to write"),
        ("someone/gated", None, None, "model-unreachable", "is gated"),
        ("not a name", None, None, "option-invalid", "is no repository name"),
    ],
)
def test_what_cannot_be_fetched_says_why_with_a_code(
    repo: str, file: str | None, revision: str | None, code: str, words: str, hub: HubStub, tmp_path: Path
) -> None:
    with pytest.raises(VoxtabError, match=re.escape(words)) as caught:
        fetch_model(find_model(repo, file, revision), tmp_path / "out")
    assert caught.value.code == code
    assert not list(tmp_path.rglob("*"))


def test_without_a_network_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(VoxtabError, match="could not be reached") as caught:
        find_model("mistral/realtime")
    assert caught.value.code == "model-unreachable"


def test_the_command_shows_licence_and_size_and_reports_errors(hub: HubStub, tmp_path: Path) -> None:
    run = CliRunner().invoke
    result = run(app, ["fetch", "mistral/realtime", "-o", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert "Licence: apache-2.0" in result.stdout
    assert f"4 file(s), {3_000_000 + 13 + 2 + 28:,} bytes" in result.stdout
    unstated = run(app, ["fetch", "someone/one", "--file", "model.gguf", "-o", str(tmp_path)])
    assert f"Licence: not stated; see {hub.url}/someone/one" in unstated.stdout
    missing = run(app, ["fetch", "nobody/nothing", "-o", str(tmp_path)])
    assert missing.exit_code == 2
    assert "error[model-missing]: " in missing.stderr


def test_a_pattern_does_not_mean_hidden_files(hub: HubStub, tmp_path: Path) -> None:
    fetch_model(find_model("someone/dots", "*"), tmp_path)
    assert _contents(tmp_path) == {"a.gguf": b"GGUF"}


def test_what_a_repository_says_reaches_the_terminal_without_escapes(hub: HubStub, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["fetch", "someone/red", "-o", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert "Licence: mit\\x1b[31m\\r\\u202eevil\n" in result.stdout
    assert "\x1b" not in result.stdout
    refused = CliRunner().invoke(app, ["fetch", "someone/escape", "-o", str(tmp_path)])
    assert refused.exit_code == 2
    assert "error[option-invalid]: " in refused.stderr
    assert "\x1b[2J" not in refused.stderr


def test_brackets_in_a_name_are_no_pattern_for_stale_parts(hub: HubStub, tmp_path: Path) -> None:
    stale, of_another = tmp_path / "m[1].gguf.old.part", tmp_path / "m1.gguf.old.part"
    for path in (stale, of_another):
        path.write_bytes(b"part")
    fetch_model(find_model("someone/brackets"), tmp_path)
    assert sorted(_contents(tmp_path)) == ["m1.gguf.old.part", "m[1].gguf"]
