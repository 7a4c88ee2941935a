"""Names of raw byte shards, in an order that `cat shard-*` keeps: shard-aa, shard-ab, ..., shard-zz."""

from itertools import islice, product
from string import ascii_lowercase


def shard_names(count: int) -> list[str]:
    """Two letters as long as they suffice (676 shards), else three for all."""
    letters = product(ascii_lowercase, repeat=2 if count <= 26**2 else 3)
    return ["shard-" + "".join(pair) for pair in islice(letters, count)]
