"""The embedded demo speech-to-text model: its data, training and export."""
