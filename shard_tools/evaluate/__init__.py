"""How well and how fast a speech-to-text model writes down recordings whose text is known.

    loaded = load_engine(Path("words.gguf"))
    report = evaluate(loaded.engine, [Item(Path("a.wav"), "turn on the lights")], AsrOptions(delay_ms=480))
    print(report.total.wer, report.total.rtf)

`voxtab-shards eval` is `command.py`; `data_set.py` finds the recordings and texts it is given.
"""

from shard_tools.evaluate.items import Item
from shard_tools.evaluate.measure import LoadedEngine, evaluate, load_engine, measure
from shard_tools.evaluate.report import FileResult, Report, Totals
from shard_tools.evaluate.score import Counts

__all__ = [
    "Counts",
    "FileResult",
    "Item",
    "LoadedEngine",
    "Report",
    "Totals",
    "evaluate",
    "load_engine",
    "measure",
]
