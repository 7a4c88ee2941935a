"""Text from a file or a server, made safe for a terminal."""


def printable(text: str) -> str:
    """The same on one line, with escapes for what is not printable: control characters, lone surrogates, bidi marks."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
