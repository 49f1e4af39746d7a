import pytest
import zstandard

from socme.errors import OperatorError
from tests.zeus_hub.kit import alert
from zeus_hub import body


def test_an_alert_comes_back_as_it_went_in_and_takes_less_room() -> None:
    made = alert(1)
    made.raw = b'{"event_type":"alert","payload":"\xff\x00"}' * 50
    packed = body.encode(made)

    assert body.decode(packed) == made
    assert len(packed) < made.ByteSize() / 2


@pytest.mark.parametrize(
    ("count", "size"), [(0, 0), (1, 1), (500, 100), (3, body.TOGETHER), (7, body.TOGETHER // 3)]
)
def test_many_are_encoded_as_each_would_be(count: int, size: int) -> None:
    alerts = [alert(number, url="u" * size) for number in range(count)]

    assert body.encode_all(alerts) == [body.encode(made) for made in alerts]


def test_what_was_made_with_another_dictionary_is_told_with_what_to_do() -> None:
    """It names it by the number behind the magic number and the descriptor."""
    packed = bytearray(body.encode(alert(1)))
    packed[5:9] = (0x534F4301).to_bytes(4, "little")

    with pytest.raises(OperatorError, match=r"dictionary.*\n.*new one"):
        body.decode(bytes(packed))


@pytest.mark.parametrize(
    "damage", [b"", b"no frame", body.encode(alert(1))[:-1]], ids=["empty", "other", "cut"]
)
def test_what_is_damaged_is_not_taken_for_it(damage: bytes) -> None:
    with pytest.raises(zstandard.ZstdError) as told:
        body.decode(damage)

    assert not isinstance(told.value, OperatorError)
