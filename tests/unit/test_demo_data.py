"""voxtab-shards demo-asr data, with voices made here instead of the synthesizers: seeded, resumable, never half."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from shard_tools.demo import data as data_module
from shard_tools.demo import part as part_module
from shard_tools.demo import tools
from shard_tools.demo.cli import app
from shard_tools.demo.corpus import AUDIO, INFO, PHRASES, Corpus, read_info
from shard_tools.demo.data import make_corpus
from shard_tools.demo.foreign import Foreign
from shard_tools.demo.part import make_part, part_paths, read_tally
from shard_tools.demo.phrases import kept_for_tests
from shard_tools.demo.plan import Part, plan_parts
from shard_tools.demo.spoken import Spoken
from shard_tools.demo.voices import ESPEAK_HELD_OUT, ESPEAK_VARIANTS, Manner, Say, Voice
from shard_tools.demo.words import WORDS
from voxtab.errors import VoxtabError

HOURS = 0.02
FOREIGN = Foreign(tuple(f"train{i}" for i in range(40)), tuple(f"test{i}" for i in range(40)))
ONE_VOICE = Part("train-one", "train", (Voice("flite", "slt"),), 20, "seconds")


def hum(text: str, generator: np.random.Generator) -> Spoken:
    """A quarter of a second of noise for each word."""
    words = tuple(text.replace(",", "").split())
    starts = tuple(0.1 + 0.3 * index for index in range(len(words)))
    samples = np.zeros(round((starts[-1] + 0.4) * 16000), np.int16)
    for start in starts:
        first = round(start * 16000)
        samples[first : first + 4000] = generator.integers(-9000, 9000, 4000)
    return Spoken(samples, 16000, words, starts, tuple(start + 0.3 for start in starts))


def voices(say: Say) -> Callable[[Voice, Manner], object]:
    @contextmanager
    def speaking(voice: Voice, manner: Manner) -> Iterator[Say]:
        del voice, manner
        yield say

    return speaking


class InThisProcess(ThreadPoolExecutor):
    """Runs parts one by one where the fakes are."""

    def __init__(self, processes: int, context: object, max_tasks_per_child: int) -> None:
        assert processes == 2
        assert max_tasks_per_child == 1
        assert context is not None
        super().__init__(1)


def replace_voices(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(part_module, "speaking", voices(hum))
    patch.setattr(part_module, "pronounce", lambda word: tuple(word))
    patch.setattr(data_module, "ProcessPoolExecutor", InThisProcess)
    patch.setattr(data_module, "check_tools", lambda: {"espeak-ng": "0"})
    patch.setattr(data_module, "read_dictionary", lambda: [])
    patch.setattr(data_module, "choose_foreign", lambda dictionary, pronounce: FOREIGN)


@pytest.fixture(autouse=True)
def fake_voices(monkeypatch: pytest.MonkeyPatch) -> None:
    replace_voices(monkeypatch)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        replace_voices(patch)
        folder = tmp_path_factory.mktemp("made") / "corpus"
        assert make_corpus(folder, seed=1, hours=HOURS)
        return folder


def bytes_of(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in (AUDIO, PHRASES, INFO)]


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(VoxtabError) as caught:
        call()
    return caught.value.code


class TestPlan:
    PARTS = plan_parts(11)

    def test_held_out_voices_are_heard_in_tests_alone(self) -> None:
        seen = {
            str(voice)
            for part in self.PARTS
            if part.split in ("train", "valid", "test")
            for voice in part.voices
        }
        assert not any(voice.endswith(("rms", "ked_diphone")) for voice in seen)
        assert not any(voice.endswith(f"+{variant}") for voice in seen for variant in ESPEAK_HELD_OUT)
        assert set(ESPEAK_HELD_OUT) & set(ESPEAK_VARIANTS) == set()
        unseen = {
            str(voice) for part in self.PARTS if part.split.endswith("_unseen") for voice in part.voices
        }
        assert seen & unseen == set()
        assert len(unseen) == 2 + 2 * 6

    def test_training_has_the_hours_asked_for(self) -> None:
        for hours in (0.3, 11, 40):
            seconds = sum(part.amount for part in plan_parts(hours) if part.split == "train")
            assert seconds == pytest.approx(hours * 3600)

    def test_no_part_takes_long(self) -> None:
        assert max(part.amount for part in self.PARTS if part.unit == "seconds") <= 1800

    def test_every_trained_voice_is_of_one_part_of_espeaks_training(self) -> None:
        names = [
            str(voice) for part in self.PARTS if part.name.startswith("train-espeak") for voice in part.voices
        ]
        assert len(names) == len(set(names)) == 8 * len(ESPEAK_VARIANTS)

    def test_tests_have_1500_words_and_every_held_out_voice_as_many(self) -> None:
        for split in ("test", "test_unseen"):
            assert sum(part.amount for part in self.PARTS if part.split == split) >= 1700
        assert len({part.amount for part in self.PARTS if part.split == "test_unseen"}) == 1
        espeak = sum(part.amount for part in self.PARTS if part.split == "test" and "espeak" in part.name)
        assert espeak == sum(part.amount for part in self.PARTS if part.split == "test") / 2

    def test_names_are_unique(self) -> None:
        assert len({part.name for part in self.PARTS}) == len(self.PARTS)


class TestPart:
    def test_a_part_has_the_amount_asked_for(self, tmp_path: Path) -> None:
        make_part(tmp_path, ONE_VOICE, FOREIGN, 1)
        samples = part_paths(tmp_path, ONE_VOICE)[0].stat().st_size // 2
        assert 20 <= samples / 16000 < 25
        assert read_tally(part_paths(tmp_path, ONE_VOICE)[2]).samples == samples

    def test_the_same_seed_gives_the_same_bytes_and_another_gives_others(self, tmp_path: Path) -> None:
        made = []
        for name, seed in (("a", 1), ("b", 1), ("c", 2)):
            (tmp_path / name).mkdir()
            make_part(tmp_path / name, ONE_VOICE, FOREIGN, seed)
            made.append(part_paths(tmp_path / name, ONE_VOICE)[0].read_bytes())
        assert made[0] == made[1] != made[2]

    def test_a_phrase_said_with_other_words_is_dropped_and_counted(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def mumbling(text: str, generator: np.random.Generator) -> Spoken | None:
            spoken = hum(text, generator)
            if generator.random() < 0.3:
                return None
            if generator.random() < 0.3:
                return Spoken(
                    spoken.samples, 16000, ("what", *spoken.words[1:-1], "ever"), *spoken_times(spoken)
                )
            return spoken

        monkeypatch.setattr(part_module, "speaking", voices(mumbling))
        make_part(tmp_path, ONE_VOICE, FOREIGN, 1)
        assert read_tally(part_paths(tmp_path, ONE_VOICE)[2]).dropped["flite/slt"] > 3
        assert b"ever" not in part_paths(tmp_path, ONE_VOICE)[1].read_bytes()

    def test_a_voice_that_never_says_anything_is_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(part_module, "speaking", voices(lambda text, generator: None))
        with pytest.raises(VoxtabError, match="flite/slt") as caught:
            make_part(tmp_path, ONE_VOICE, FOREIGN, 1)
        assert caught.value.code == "voice-silent"
        assert not part_paths(tmp_path, ONE_VOICE)[2].exists()


def spoken_times(spoken: Spoken) -> tuple[tuple[float, ...], tuple[float, ...]]:
    return spoken.starts, spoken.latest_ends


class TestCorpus:
    def test_splits_are_as_planned(self, finished: Path) -> None:
        corpus = Corpus.open(finished)
        assert corpus.info["hours"]["train"] == pytest.approx(HOURS, rel=0.3)
        assert len(corpus.split("valid")) == 200
        assert len(corpus.split("valid_unseen")) == 150
        for split in ("test", "test_unseen"):
            assert sum(len(phrase.words) for phrase in corpus.split(split)) >= 1700

    def test_test_phrases_are_new_and_of_the_vocabulary(self, finished: Path) -> None:
        for phrase in Corpus.open(finished).phrases:
            if phrase.split == "train":
                assert not kept_for_tests(phrase.words)
            elif phrase.split == "test_foreign":
                assert set(phrase.words) <= set(FOREIGN.test)
            else:
                assert set(phrase.words) <= set(WORDS)
                assert len(phrase.words) == 1 or kept_for_tests(phrase.words)

    def test_every_phrase_lies_where_its_line_says(self, finished: Path) -> None:
        corpus = Corpus.open(finished)
        for phrase in corpus.phrases[:: len(corpus.phrases) // 50]:
            samples = corpus.samples(phrase).astype(int)
            assert 0.29 < np.abs(samples).max() / 32767 < 0.91
            for start, end in zip(phrase.starts, phrase.ends, strict=True):
                assert np.abs(samples[start:end]).mean() > 1000
            for end, start in zip(phrase.ends, phrase.starts[1:], strict=False):
                assert not samples[end:start].any()

    def test_corpus_json_counts_what_is_there(self, finished: Path) -> None:
        corpus = Corpus.open(finished)
        assert sum(entry["phrases"] for entry in corpus.info["voices"].values()) == len(corpus.phrases)
        assert sum(corpus.info["hours"].values()) == pytest.approx(
            sum(phrase.samples for phrase in corpus.phrases) / 16000 / 3600, rel=0.01
        )
        assert corpus.info["words"] == list(WORDS)
        assert corpus.info["voices"]["flite/rms"]["split"] == ["valid_unseen", "test_unseen", "test_foreign"]

    def test_nothing_else_is_left_in_the_folder(self, finished: Path) -> None:
        assert {path.name for path in finished.iterdir()} == {AUDIO, PHRASES, INFO}

    def test_a_finished_corpus_is_left_alone(self, finished: Path) -> None:
        before = (finished / INFO).stat().st_mtime_ns
        assert not make_corpus(finished, seed=1, hours=HOURS)
        assert (finished / INFO).stat().st_mtime_ns == before

    def test_another_seed_or_length_is_refused_without_force(self, finished: Path) -> None:
        assert code_of(lambda: make_corpus(finished, seed=2, hours=HOURS)) == "option-invalid"
        assert code_of(lambda: make_corpus(finished, seed=1, hours=0.03)) == "option-invalid"

    def test_an_interrupted_run_goes_on_and_gives_the_same_bytes(
        self, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made: list[str] = []

        def failing(folder: Path, part: Part, foreign: Foreign, seed: int) -> None:
            if len(made) == 20:
                raise VoxtabError("voice-silent", "Stopped.", "")
            made.append(part.name)
            make_part(folder, part, foreign, seed)

        monkeypatch.setattr(data_module, "make_part", failing)
        assert code_of(lambda: make_corpus(tmp_path, seed=1, hours=HOURS)) == "voice-silent"
        assert read_info(tmp_path) is None
        first = list(made)

        def remembering(folder: Path, part: Part, foreign: Foreign, seed: int) -> None:
            made.append(part.name)
            make_part(folder, part, foreign, seed)

        monkeypatch.setattr(data_module, "make_part", remembering)
        counts: list[tuple[int, int]] = []
        assert make_corpus(tmp_path, seed=1, hours=HOURS, progress=lambda *count: counts.append(count))
        assert sorted(made) == sorted(part.name for part in plan_parts(HOURS))
        assert len(first) == 20
        assert counts[0] == (20, len(made))
        assert counts[-1] == (len(made), len(made))
        assert bytes_of(tmp_path) == bytes_of(finished)

    def test_parts_of_another_seed_are_not_used(self, tmp_path: Path) -> None:
        (tmp_path / ".parts").mkdir()
        (tmp_path / ".parts" / "plan.json").write_text("[2]", "utf-8")
        for part in plan_parts(HOURS):
            for path in part_paths(tmp_path / ".parts", part):
                path.write_text("{}", "utf-8")
        assert make_corpus(tmp_path, seed=1, hours=HOURS)
        Corpus.open(tmp_path)

    def test_a_damaged_part_is_told_and_made_again_with_force(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def cutting(folder: Path, part: Part, foreign: Foreign, seed: int) -> None:
            make_part(folder, part, foreign, seed)
            if part.name == "test-espeak":
                part_paths(folder, part)[0].write_bytes(b"12")

        monkeypatch.setattr(data_module, "make_part", cutting)
        with pytest.raises(VoxtabError, match="test-espeak") as caught:
            make_corpus(tmp_path, seed=1, hours=HOURS)
        assert caught.value.code == "corpus-invalid"
        assert "--force" in caught.value.hint
        assert read_info(tmp_path) is None
        monkeypatch.setattr(data_module, "make_part", make_part)
        assert make_corpus(tmp_path, seed=1, hours=HOURS, force=True)
        Corpus.open(tmp_path)

    def test_a_folder_with_other_files_is_not_touched(self, tmp_path: Path) -> None:
        (tmp_path / "thesis.txt").write_text("mine", "utf-8")
        assert code_of(lambda: make_corpus(tmp_path, seed=1, hours=HOURS)) == "option-invalid"
        assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]

    @pytest.mark.parametrize("force", [False, True])
    def test_a_file_is_no_folder(self, tmp_path: Path, force: bool) -> None:
        (tmp_path / "file").touch()
        call = lambda: make_corpus(tmp_path / "file", seed=1, hours=HOURS, force=force)  # noqa: E731
        assert code_of(call) == "option-invalid"

    def test_a_full_disk_is_told(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(folder: Path, part: Part, foreign: Foreign, seed: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(data_module, "make_part", full)
        assert code_of(lambda: make_corpus(tmp_path, seed=1, hours=HOURS)) == "quota-full"

    @pytest.mark.parametrize(
        ("seed", "hours", "processes"), [(-1, 1, 2), (1, 0, 2), (1, float("nan"), 2), (1, 1e6, 2), (1, 1, 0)]
    )
    def test_impossible_numbers_are_refused(
        self, tmp_path: Path, seed: int, hours: float, processes: int
    ) -> None:
        call = lambda: make_corpus(tmp_path, seed=seed, hours=hours, processes=processes)  # noqa: E731
        assert code_of(call) == "option-invalid"


class TestCommand:
    def test_it_makes_a_corpus_and_says_so_and_then_that_there_is_nothing_to_do(self, tmp_path: Path) -> None:
        arguments = ["data", str(tmp_path / "c"), "--hours", str(HOURS)]
        first = CliRunner().invoke(app, arguments)
        assert (first.exit_code, "finished" in first.output) == (0, True)
        again = CliRunner().invoke(app, arguments)
        assert (again.exit_code, "nothing to do" in again.output) == (0, True)

    def test_an_error_is_one_line_and_exit_code_2(self, tmp_path: Path) -> None:
        result = CliRunner().invoke(app, ["data", str(tmp_path), "--hours", "0"])
        assert result.exit_code == 2
        assert "error[option-invalid]" in result.output


def test_all_missing_packages_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str, mode: int = 0) -> None:
        raise OSError(name)

    monkeypatch.setattr("ctypes.CDLL", absent)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(VoxtabError, match=r"apt install espeak-ng flite festival") as caught:
        tools.check_tools()
    assert caught.value.code == "tool-missing"
    assert "are not installed" in caught.value.message
