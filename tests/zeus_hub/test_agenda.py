"""When what is looked at again."""

from zeus_hub.agenda import Agenda

ONE, OTHER = ("acme", "n1"), ("acme", "n2")


def test_what_is_due_is_told_once() -> None:
    agenda = Agenda()
    agenda.put(ONE, 5)
    agenda.put(OTHER, 7)

    assert agenda.due(4) == set()
    assert agenda.due(6) == {ONE}
    assert agenda.due(7) == {OTHER}
    assert agenda.due(100) == set()


def test_the_last_word_counts() -> None:
    agenda = Agenda()
    for at in (5, 9, 9, 3, 8):
        agenda.put(ONE, at)

    assert agenda.due(7) == set()
    assert agenda.due(8) == {ONE}
    assert agenda.due(9) == set()
