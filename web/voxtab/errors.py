"""The one exception a user can meet: a code for programs, a sentence on what happened, a sentence on what to do."""


class VoxtabError(Exception):
    """`code` is kebab-case and stable; `message` says what happened; `hint` says what to do about it."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(f"{message} {hint}".strip())
        self.code = code
        self.message = message
        self.hint = hint

    def to_json(self) -> dict[str, str]:
        return {"code": self.code, "message": self.message, "hint": self.hint}
