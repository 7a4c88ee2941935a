"""Downloads a checkpoint, a GGUF or a set of shards from the Hugging Face hub; what a cut left is continued.

huggingface_hub knows the hub's API, tokens and errors. It deletes what an interrupted run has downloaded, though,
so hub_download keeps the part files.
"""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi, get_hf_file_metadata, hf_hub_url
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HFValidationError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils.tqdm import disable_progress_bars

from shard_tools.hub_download import download
from shard_tools.hub_files import HubFile, choose_files, local_path
from shard_tools.progress import Progress, silent
from voxtab.errors import VoxtabError

DEFAULT_ENDPOINT = "https://huggingface.co"
_TIMEOUT_S = 20.0


@dataclass(frozen=True)
class HubModel:
    """A repository at one commit, with the files that will be fetched. `licence` is what its model card says."""

    repo: str
    commit: str
    licence: str | None
    files: tuple[HubFile, ...]
    endpoint: str

    @property
    def bytes(self) -> int:
        return sum(file.bytes or 0 for file in self.files)


def find_model(repo: str, file: str | None = None, revision: str | None = None) -> HubModel:
    """Ask the hub (HF_ENDPOINT, or huggingface.co) for `repo` and choose what to fetch; `file` may be a pattern.

    Without `file`: a Mistral checkpoint's files with its voices, else manifest and shards, else the only GGUF. Raises
    VoxtabError: model-missing, model-unreachable, option-invalid.
    """
    endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/") or DEFAULT_ENDPOINT
    with _hub_errors(repo, endpoint):
        info = HfApi(endpoint=endpoint).model_info(
            repo, revision=revision, timeout=_TIMEOUT_S, files_metadata=True
        )
    files = [
        HubFile(sibling.rfilename, sibling.size, sibling.lfs.sha256 if sibling.lfs else None)
        for sibling in info.siblings or []
    ]
    card = info.card_data.get("license") if info.card_data else None
    tagged = [tag.removeprefix("license:") for tag in info.tags or [] if tag.startswith("license:")]
    licence = card if isinstance(card, str) else next(iter(tagged), None)
    return HubModel(
        repo, info.sha or revision or "main", licence, tuple(choose_files(repo, files, file)), endpoint
    )


def fetch_model(model: HubModel, directory: Path, progress: Progress = silent) -> list[Path]:
    """Download the files that are not in `directory` yet, complete and right. Returns their paths.

    An interrupted call leaves .part files, which the next one continues. Raises VoxtabError: model-missing,
    model-unreachable, shard-altered (a download whose hash is wrong, twice), option-invalid, quota-full.
    """
    disable_progress_bars()
    done = 0
    paths: list[Path] = []
    for file in model.files:
        before = done

        def report(of_file: int, before: int = before) -> None:
            progress(before + of_file, model.bytes)

        path = local_path(directory, file.name)
        with _hub_errors(model.repo, model.endpoint):
            _fetch_file(model, file, path, report)
        paths.append(path)
        done += file.bytes or 0
        progress(done, model.bytes)
    return paths


def _fetch_file(model: HubModel, file: HubFile, path: Path, report: Callable[[int], None]) -> None:
    url = hf_hub_url(model.repo, file.name, revision=model.commit, endpoint=model.endpoint)
    metadata = get_hf_file_metadata(url, timeout=_TIMEOUT_S, endpoint=model.endpoint)
    size = file.bytes if metadata.size is None else metadata.size
    download(url, path, size, file.sha256 or metadata.etag or "", report)


@contextmanager
def _hub_errors(repo: str, endpoint: str) -> Iterator[None]:
    """Everything that can go wrong with the hub, in the project's terms."""
    try:
        yield
    except VoxtabError:
        raise
    except GatedRepoError as error:
        raise VoxtabError(
            "model-unreachable",
            f"{repo} is gated: its licence has to be accepted first.",
            f"Accept it at {endpoint}/{repo}, then run: hf auth login",
        ) from error
    except RepositoryNotFoundError as error:
        raise VoxtabError(
            "model-missing",
            f"{endpoint} has no public model {repo}.",
            "Check the spelling; for a private one run: hf auth login",
        ) from error
    except RevisionNotFoundError as error:
        raise VoxtabError(
            "model-missing", f"{repo} has no such revision.", "Leave --revision out."
        ) from error
    except EntryNotFoundError as error:
        raise VoxtabError(
            "model-missing", f"{repo} lists a file it does not have.", "Try again later."
        ) from error
    except HFValidationError as error:
        raise VoxtabError(
            "option-invalid",
            f"{repo!r} is no repository name.",
            "Names look like mistralai/Voxtral-Mini-4B-Realtime-2602.",
        ) from error
    except Exception as error:  # the hub's HTTP library, and with it its errors, changes between versions
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise VoxtabError(
                "quota-full", "The disk is full.", "Free some space, then fetch again."
            ) from error
        if isinstance(error, PermissionError):
            raise VoxtabError(
                "option-invalid", f"{error.filename} cannot be written.", "Choose another -o."
            ) from error
        raise VoxtabError(
            "model-unreachable",
            f"{endpoint} could not be reached, or broke off: {type(error).__name__}: {str(error)[:200]}.",
            "Check the connection and run the same command again; it continues where it stopped.",
        ) from error
