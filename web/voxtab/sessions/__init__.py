"""What a user does with a model: transcribe."""
