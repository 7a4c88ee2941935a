"""A training run: what it leaves, that it goes on where it stopped, and what it begins with."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from shard_tools.demo.train import TrainSettings, train
from tests.unit.demo_site import small_corpus
from voxtab.errors import VoxtabError

SETTINGS = TrainSettings(steps=4, batch=1, warm_up=2, validate_every=4, save_every=2)


class StoppedError(Exception):
    pass


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_corpus(tmp_path_factory.mktemp("corpus"), phrases_a_voice=2)


@pytest.fixture(scope="module")
def whole(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An unbroken run."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    go(corpus, folder)
    return folder


def go(corpus: Path, folder: Path, settings: TrainSettings = SETTINGS, **options: Any) -> None:
    torch.set_num_threads(1)
    train(corpus, folder, settings, device="cpu", fuse=False, report=lambda entry: None, workers=0, **options)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    state: dict[str, Any] = torch.load(folder / "state.pt", weights_only=True)
    return {**state["net"], **state["helpers"]}


def test_a_run_leaves_weights_settings_a_log_and_a_picture(whole: Path) -> None:
    assert {path.name for path in whole.iterdir()} == {
        *("state.pt", "settings.json", "log.jsonl", "curves.png"),
    }
    (entry,) = [json.loads(line) for line in (whole / "log.jsonl").read_text().splitlines()]
    assert entry["step"] == 4
    assert set(entry["wer"]) == {
        f"{split}@{delay}" for split in ("valid", "valid_unseen") for delay in (480, 240, 960)
    }
    settings = json.loads((whole / "settings.json").read_text())
    assert (settings["seed"], settings["steps"], settings["initial"]) == (1, 4, None)


def test_a_run_that_was_stopped_ends_as_the_unbroken_one(
    corpus: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*arguments: object) -> None:
        raise StoppedError

    with monkeypatch.context() as patched:
        patched.setattr("shard_tools.demo.train._validate", stop)
        with pytest.raises(StoppedError):  # at step 4, whose weights are lost; those of step 2 are kept
            go(corpus, tmp_path)
    assert torch.load(tmp_path / "state.pt", weights_only=True)["step"] == 2
    go(corpus, tmp_path)
    for name, tensor in weights(whole).items():
        torch.testing.assert_close(weights(tmp_path)[name], tensor, rtol=0, atol=1e-5)


def test_other_settings_do_not_go_on_with_a_run(corpus: Path, whole: Path) -> None:
    before = (whole / "state.pt").read_bytes()
    with pytest.raises(VoxtabError, match="other settings: seed"):
        go(corpus, whole, TrainSettings(**{**vars(SETTINGS), "seed": 2}))
    assert (whole / "state.pt").read_bytes() == before


def test_a_run_can_begin_with_the_weights_of_another(corpus: Path, whole: Path, tmp_path: Path) -> None:
    still = TrainSettings(**{**vars(SETTINGS), "rate": 0.0})
    go(corpus, tmp_path, still, initial=whole)
    for name, tensor in weights(whole).items():
        torch.testing.assert_close(weights(tmp_path)[name], tensor)
    assert json.loads((tmp_path / "settings.json").read_text())["initial"]["steps"] == 4


def test_a_folder_without_a_run_is_refused_as_the_beginning(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(VoxtabError, match="holds no run"):
        go(corpus, tmp_path / "new", initial=tmp_path)
