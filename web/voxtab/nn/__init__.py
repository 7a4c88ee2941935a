"""Layers: what a model is written in. Calling one records dispatches into the program being built."""
