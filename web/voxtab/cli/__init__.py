"""The native command `voxtab`: the same engine on wgpu-py, with files and libraries that a browser does not have."""

from voxtab.cli.main import app

__all__ = ["app"]
