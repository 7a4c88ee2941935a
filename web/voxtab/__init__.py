"""Voxtral in pure Python and WGSL: one engine for the browser (Pyodide) and for native wgpu."""

__version__ = "0.1.0"
