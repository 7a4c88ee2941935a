"""voxtab-shards: from a checkpoint to the shards a browser loads."""

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ParamSpec, cast, get_args

import typer
from rich.console import Console

from shard_tools.checkpoint import checkpoint_files
from shard_tools.demo.cli import app as demo_asr
from shard_tools.fetch import fetch_model, find_model
from shard_tools.inspect import describe, print_tables
from shard_tools.join import join_shards
from shard_tools.output_check import check_folder, check_output
from shard_tools.printable import printable
from shard_tools.progress import progress_bar
from shard_tools.quantize import Names, TensorTypes, WeightType, quantize_checkpoint
from shard_tools.quantize_blocks import Scales
from shard_tools.split import split_gguf
from shard_tools.synth import PRESETS, SPEECH_PRESETS, AnySizes, synth_checkpoint, synth_files, synth_gguf
from shard_tools.verify import verify_shards
from voxtab.errors import VoxtabError
from voxtab.formats.manifest import MAX_SHARD_BYTES

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(demo_asr, name="demo-asr")

P = ParamSpec("P")
_TYPES = ", ".join(get_args(WeightType))
_PRESETS: Mapping[str, AnySizes] = {**PRESETS, **SPEECH_PRESETS}
_CANCELLED = 130


def _command(run: Callable[P, None]) -> Callable[P, None]:
    """Registers a command whose errors become one line on stderr and exit code 2."""

    @functools.wraps(run)
    def reporting(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            run(*args, **kwargs)
        except VoxtabError as error:
            typer.echo(printable(f"error[{error.code}]: {error}"), err=True)
            raise typer.Exit(2) from error
        except KeyboardInterrupt as error:
            typer.echo("cancelled", err=True)
            raise typer.Exit(_CANCELLED) from error

    return app.command()(reporting)


Output = Annotated[Path, typer.Option("-o", "--output")]
PartType = Annotated[str | None, typer.Option(help=f"Another type for this part: {_TYPES}.")]
SpeechPartType = Annotated[str | None, typer.Option(help="Likewise, in a text-to-speech model.")]
ScalesOption = Annotated[str, typer.Option(help=f"How Q4_0 scales are found: {', '.join(get_args(Scales))}.")]
NamesOption = Annotated[str, typer.Option(help=f"Tensor names: {', '.join(get_args(Names))}.")]
Force = Annotated[bool, typer.Option("--force", help="Replace what is there.")]


@_command
def quantize(
    checkpoint_dir: Path,
    output: Output,
    type_: Annotated[str, typer.Option("--type", help=f"Type of all matrices: {_TYPES}.")] = "q4_0",
    encoder: PartType = None,
    decoder: PartType = None,
    backbone: SpeechPartType = None,
    acoustic: SpeechPartType = None,
    codec: SpeechPartType = None,
    embedding: PartType = None,
    scales: ScalesOption = "search",
    names: NamesOption = "short",
    name: Annotated[str | None, typer.Option(help="The model's name; default: the folder's.")] = None,
    licence: Annotated[str | None, typer.Option(help="Default: what the model card says.")] = None,
    force: Force = False,
) -> None:
    """Make a GGUF from Mistral's params.json, consolidated.safetensors, tekken.json and, for speech, voices."""
    check_output(output, checkpoint_files(checkpoint_dir), force)
    parts = {"encoder": encoder, "decoder": decoder, "embedding": embedding}
    parts |= {"backbone": backbone, "acoustic": acoustic, "codec": codec}
    types = _types(type_, **parts)
    with progress_bar("quantizing") as progress:
        quantize_checkpoint(
            checkpoint_dir, output, types, cast(Scales, scales), cast(Names, names), progress, name, licence
        )
    _wrote(output)


@_command
def split(
    gguf: Path,
    output: Output,
    shard_bytes: Annotated[int, typer.Option(help="At most 536870912.")] = MAX_SHARD_BYTES,
    force: Force = False,
    name: Annotated[str | None, typer.Option(help="The model's name; default: the GGUF's.")] = None,
    licence: Annotated[str | None, typer.Option(help="Default: what the GGUF says.")] = None,
    source: Annotated[str | None, typer.Option(help="Where the weights come from.")] = None,
    description: Annotated[str | None, typer.Option(help="One line about the model.")] = None,
) -> None:
    """Cut a GGUF into shard-aa, shard-ab, ... and write manifest.json."""
    with progress_bar("splitting") as progress:
        manifest = split_gguf(gguf, output, shard_bytes, force, progress, source, description, name, licence)
    typer.echo(f"{output}: {len(manifest.shards)} shards, {manifest.file.bytes:,} bytes, and manifest.json")


@_command
def join(directory: Path, output: Output, force: Force = False) -> None:
    """Make the GGUF again from its shards, verifying them on the way."""
    with progress_bar("joining") as progress:
        verified = join_shards(directory, output, force, progress)
    _wrote(output)
    if not verified:
        typer.echo("There was no manifest.json: the content is not verified.", err=True)


@_command
def verify(directory: Path) -> None:
    """Hold shards against their manifest. Exit code 1 if they differ."""
    with progress_bar("verifying") as progress:
        faults = verify_shards(directory, progress)
    for fault in faults:
        typer.echo(printable(f"error[{fault.code}]: {fault.message}"), err=True)
    if faults:
        raise typer.Exit(1)
    typer.echo(f"{directory}: every chunk matches its SHA-256")


@_command
def inspect(
    path: Annotated[Path, typer.Argument(help="A GGUF, or a folder with a GGUF or shards.")],
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
    whole_lists: Annotated[bool, typer.Option(help="With --json: lists of any length.")] = False,
) -> None:
    """Show metadata, tensors and types of a model."""
    description = describe(path, whole_lists)
    if as_json:
        typer.echo(json.dumps(description, indent=1, allow_nan=False))
    else:
        print_tables(description, Console())


@_command
def synth(
    output: Annotated[Path, typer.Option("-o", "--output", help="A folder, or a file ending in .gguf.")],
    preset: Annotated[str, typer.Option(help=f"Sizes: {', '.join(_PRESETS)}.")] = "tiny",
    seed: int = 0,
    type_: Annotated[
        str | None, typer.Option("--type", help=f"For a .gguf: {_TYPES}.", show_default="q4_0")
    ] = None,
    scales: Annotated[
        str | None,
        typer.Option(help=f"For a .gguf: {', '.join(get_args(Scales))}.", show_default="search"),
    ] = None,
    names: Annotated[
        str | None, typer.Option(help=f"For a .gguf: {', '.join(get_args(Names))}.", show_default="short")
    ] = None,
    force: Force = False,
) -> None:
    """Make a checkpoint (or its GGUF) of random weights with the real names and shapes."""
    sizes = _PRESETS.get(preset)
    if sizes is None:
        raise VoxtabError(
            "option-invalid", f"{preset!r} is no preset.", f"Choose from {', '.join(_PRESETS)}."
        )
    if output.suffix == ".gguf":
        check_output(output, force=force)
        types = _types(type_ or "q4_0")
        with progress_bar("making up weights") as progress:
            synth_gguf(
                output,
                sizes,
                seed,
                types,
                cast(Scales, scales or "search"),
                cast(Names, names or "short"),
                progress,
            )
    else:
        for option, given in (("--type", type_), ("--scales", scales), ("--names", names)):
            if given is not None:
                raise VoxtabError(
                    "option-invalid",
                    f"{option} is for a GGUF; the checkpoint in a folder is always BF16, with Mistral's names.",
                    f"Give -o a file such as {output}.gguf, or leave {option} out.",
                )
        check_folder(output, synth_files(sizes), force)
        with progress_bar("making up weights") as progress:
            synth_checkpoint(output, sizes, seed, progress)
    _wrote(output, () if output.suffix == ".gguf" else synth_files(sizes))


@_command
def fetch(
    repo: Annotated[str, typer.Argument(help="As in mistralai/Voxtral-Mini-4B-Realtime-2602.")],
    output: Output,
    file: Annotated[
        str | None, typer.Option(help="This file only; may be a pattern such as 'shard-*'.")
    ] = None,
    revision: Annotated[str | None, typer.Option(help="A branch, tag or commit.")] = None,
) -> None:
    """Download a checkpoint, a GGUF or shards from the Hugging Face hub; run again to continue."""
    model = find_model(repo, file, revision)
    typer.echo(f"{repo} at {printable(model.commit[:12])}: {len(model.files)} file(s), {model.bytes:,} bytes")
    licence = printable(model.licence or "")[:100]
    typer.echo(f"Licence: {licence or 'not stated; see ' + model.endpoint + '/' + repo}")
    with progress_bar("downloading") as progress:
        paths = fetch_model(model, output, progress)
    for path in paths:
        typer.echo(str(path))


@_command
def eval(  # noqa: A001  (the command's name)
    model: Annotated[Path, typer.Argument(help="A .gguf file, or a folder of shards.")],
    data: Annotated[Path, typer.Argument(help="A table of recordings and texts, or a folder of both.")],
    delay_ms: Annotated[
        int, typer.Option(help="How far the text lags: 80..1200 in steps of 80, or 2400.")
    ] = 480,
    normalize_peak: Annotated[
        bool, typer.Option("--normalize-peak", help="Scale each recording to a peak of 0.95 first.")
    ] = False,
    kv_cache: Annotated[str, typer.Option(help="Storage of keys and values: f16 or f32.")] = "f16",
    language_normaliser: Annotated[
        str,
        typer.Option(
            help="What texts go through before they are compared. english: Whisper's rules, numbers as digits."
            " basic: case and punctuation off, any language. letters: basic, each letter a word (Chinese, Japanese)."
            " none: as they are."
        ),
    ] = "basic",
    text_column: Annotated[str | None, typer.Option(help="The table's column with the texts.")] = None,
    audio: Annotated[Path | None, typer.Option(help="The folder of the table's recordings.")] = None,
    limit: Annotated[int | None, typer.Option(help="The first so many recordings only.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The report as JSON on stdout.")] = False,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write the report here too.")] = None,
    force: Force = False,
) -> None:
    """Measure a speech-to-text model on recordings whose text is known: WER, CER, real-time factor.

    DATA is one of these:

    - a TSV, CSV or JSON lines with the columns path and text, and perhaps group

    - a table of FLEURS or Common Voice as it comes, the recordings unpacked beside it

    - a folder with metadata.csv, such as Hugging Face's

    - LibriSpeech's folders, or any with a .txt beside each recording

    A recording without text is silence: words written there are counted per minute.

    Ctrl-C reports what there is. Exit code: 0, 1 if a recording could not be read, 2 on errors, 130 if cancelled.
    """
    from shard_tools.evaluate.command import EvalOptions, run_eval  # its imports take a second

    options = EvalOptions(
        delay_ms=delay_ms,
        normalize_peak=normalize_peak,
        kv_cache=kv_cache,
        normaliser=language_normaliser,
        audio=audio,
        text_column=text_column,
        limit=limit,
        as_json=as_json,
        output=output,
        force=force,
    )
    code = run_eval(model, data, options)
    if code:
        raise typer.Exit(code)


def _types(overall: str, **parts: str | None) -> TensorTypes:
    given: dict[str, Any] = {"overall": overall, **parts}
    return TensorTypes(**given)


def _wrote(path: Path, names: Sequence[str] = ()) -> None:
    """Tell the size of a file, or of these files in a folder."""
    files = [path / name for name in names] or [path]
    typer.echo(f"{path}: {sum(file.stat().st_size for file in files):,} bytes")
