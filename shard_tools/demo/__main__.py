"""python -m shard_tools.demo: the same as voxtab-shards demo-asr."""

from shard_tools.demo.cli import app

app()
