"""The one error that a person is meant to read."""


class OperatorError(Exception):
    """Something that the person at the keyboard can mend.

    The message says what is wrong and where; `mend` says what to do. Commands print both without a
    traceback and exit with 1.
    """

    def __init__(self, message: str, mend: str = "") -> None:
        super().__init__(message)
        self.mend = mend

    def __str__(self) -> str:
        """Return the message and, on a line of its own, the mend."""
        message = super().__str__()
        return f"{message}\n  {self.mend}" if self.mend else message
