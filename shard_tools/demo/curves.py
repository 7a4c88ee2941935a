"""A run's losses and word errors as a picture."""

import json
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt


def draw_curves(folder: Path) -> Path:
    """Reads log.jsonl of the run in `folder` and writes curves.png beside it."""
    entries = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    losses = [entry for entry in entries if "text" in entry]
    errors = [entry for entry in entries if "wer" in entry]
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    for name, label in (("text", "text"), ("phones", "phonemes (helper)"), ("ended", "word ended (helper)")):
        left.semilogy(
            [entry["step"] for entry in losses], [entry[name] for entry in losses], label=label, lw=1
        )
    left.set(xlabel="step", ylabel="loss", title="Training")
    for name in sorted({name for entry in errors for name in entry["wer"]}):
        split, delay = name.split("@")
        voices = "trained voices" if split == "valid" else "voices never heard"
        style = {"480": "-", "240": ":", "960": "--"}[delay]
        colour = "tab:blue" if split == "valid" else "tab:orange"
        points = [(entry["step"], 100 * entry["wer"][name]) for entry in errors if name in entry["wer"]]
        right.semilogy(*zip(*points, strict=True), style, color=colour, label=f"{voices}, {delay} ms")
    right.set(xlabel="step", ylabel="word error rate, %", title="New phrases, clean")
    for axes in (left, right):
        axes.grid(alpha=0.3, which="both")
        axes.legend(fontsize=8)
    path = folder / "curves.png"
    figure.savefig(path, dpi=110)
    plt.close(figure)
    return path
