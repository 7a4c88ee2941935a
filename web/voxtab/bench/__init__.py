"""Measures the engine on the adapter at hand, on made-up weights of the real shapes; natively and in a tab alike.

`voxtab bench` prints the results; tests/benchmarks/in_chromium.py has the same ones in a tab. Times are medians of
submits that take turns, so that a machine that drifts drifts for all of them; only ratios within one run mean much.
"""
