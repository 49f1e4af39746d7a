from dataclasses import replace

import msgspec

from tests.zeus_hub.noticed import notice
from zeus_hub.notice import Notice


def test_a_notice_comes_back_from_json_as_it_was() -> None:
    """It is kept so until it is told."""
    made = replace(notice(), client_name="Ünïcode \N{SNOWMAN}")
    assert msgspec.json.decode(msgspec.json.encode(made), type=Notice) == made
