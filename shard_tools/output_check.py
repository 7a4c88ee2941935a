"""What a command may write to: no folder in place of a file, never its own input, nothing else without --force."""

from collections.abc import Iterable
from pathlib import Path

from voxtab.errors import VoxtabError


def check_output(path: Path, inputs: Iterable[Path] = (), force: bool = False) -> None:
    """Raises VoxtabError option-invalid unless the file `path` is new or, with `force`, may be replaced."""
    if path.is_dir():
        raise VoxtabError(
            "option-invalid", f"{path} is a folder.", f"Give -o a file, such as {path / 'model.gguf'}."
        )
    check_not_input(path, inputs)
    if path.exists() and not force:
        raise VoxtabError(
            "option-invalid",
            f"{path} exists already.",
            "Choose another -o, or replace that file with --force.",
        )


def check_folder(folder: Path, names: Iterable[str], force: bool) -> None:
    """Raises VoxtabError option-invalid unless `folder` can take files of these names, replacing with `force` only."""
    if folder.exists() and not folder.is_dir():
        raise VoxtabError(
            "option-invalid", f"{folder} is a file.", "Give -o a folder, or a file ending in .gguf."
        )
    for name in names:
        check_output(folder / name, force=force)


def check_not_input(path: Path, inputs: Iterable[Path]) -> None:
    """Raises VoxtabError option-invalid if `path` is one of the files read, also by a link."""
    for read in inputs:
        if path.exists() and read.exists() and path.samefile(read):
            raise VoxtabError(
                "option-invalid",
                f"{path} is one of the files to read{'' if path == read else f' ({read})'}.",
                "Choose another -o; this one would destroy its own source.",
            )
