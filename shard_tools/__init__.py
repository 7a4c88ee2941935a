"""Quantizes checkpoints, splits them into shards, checks, downloads and makes them up."""
