"""Transcripts as files: subtitles and text."""
