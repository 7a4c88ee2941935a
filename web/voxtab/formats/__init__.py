"""Readers for what a model or a recording arrives in: GGUF, shard manifests, Tekken vocabularies, WAV.

Everything here is stdlib only and runs in Pyodide. All input is hostile until checked.
"""
