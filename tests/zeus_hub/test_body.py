import pytest

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
