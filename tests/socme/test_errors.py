from socme.errors import OperatorError


def test_message_and_mend_stand_on_lines_of_their_own() -> None:
    assert str(OperatorError("it is broken", "Mend it.")) == "it is broken\n  Mend it."
    assert str(OperatorError("it is broken")) == "it is broken"
