"""The architectures: configuration from GGUF metadata, weights, and the programs they run."""
