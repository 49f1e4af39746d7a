from tests.zeus_hub.kit import alert
from zeus_hub import body


def test_an_alert_comes_back_as_it_went_in_and_takes_less_room() -> None:
    made = alert(1)
    made.raw = b'{"event_type":"alert","payload":"\xff\x00"}' * 50
    packed = body.encode(made)

    assert body.decode(packed) == made
    assert len(packed) < made.ByteSize() / 2
