"""The one error that a person is meant to read, and the way to an error through the groups around it."""

from typing import TypeVar

Error = TypeVar("Error", bound=Exception)


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


def first(errors: BaseExceptionGroup[Error]) -> Error:
    """Return one error of a group, however deep it stands; a TaskGroup wraps each, and one is told."""
    found = errors.exceptions[0]
    return first(found) if isinstance(found, BaseExceptionGroup) else found
