"""In which line of a TOML file something stands."""

import pytest

from zeus_hub.routes.lines import first_line, line_of, syntax_line

TEXT = '''\
# rules
top = 1

[[route]]
name = "a"
match = """
true"""
group_by = [
  "client",
]

[[ route ]]
# match = "no"
name = "b"
"match" = "true"
  [[route.escalate]]
  after = "15m"
  [[route.escalate]]
  after = "30m"

[[mute]]
name = "night"

[receiver.mail]
kind = "smtp"
[receiver."two words"]
kind = "smtp"
'''


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (("top",), 2),
        (("route", 0), 4),
        (("route", 0, "match"), 6),
        (("route", 0, "group_by", 0), 8),
        (("route", 0, "receivers"), 4),
        (("route", 1), 12),
        (("route", 1, "match"), 15),
        (("route", 1, "escalate", 0, "after"), 17),
        (("route", 1, "escalate", 1, "after"), 19),
        (("route", 7), 1),
        (("mute", 0, "name"), 22),
        (("mute", 0, "zone"), 21),
        (("receiver", "mail"), 24),
        (("receiver", "mail", "kind"), 25),
        (("receiver", "two words", "kind"), 27),
        (("receiver", "none"), 1),
        (("nothing",), 1),
        ((), 1),
    ],
)
def test_a_place_has_a_line(place: tuple[str | int, ...], line: int) -> None:
    assert line_of(TEXT, place) == line


def test_text_behind_three_quotes_begins_in_the_next_line() -> None:
    assert first_line(TEXT, 6) == 7
    assert first_line(TEXT, 15) == 15
    assert first_line(TEXT, 999) == 999


def test_the_line_of_what_is_no_toml_is_in_its_message() -> None:
    assert syntax_line("Invalid value (at line 3, column 5)") == 3
    assert syntax_line("Unclosed array (at end of document)") == 1
