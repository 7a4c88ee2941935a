"""Serves the page, the engine and the model shards over HTTPS."""
