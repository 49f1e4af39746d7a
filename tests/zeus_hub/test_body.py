from socme import compression
from tests.zeus_hub.kit import alert
from zeus_hub import body


def test_an_alert_comes_back_as_it_went_in_and_takes_less_room() -> None:
    made = alert(1)
    made.raw = b'{"event_type":"alert","payload":"\xff\x00"}' * 50
    packed = body.encode(made)

    assert body.decode(packed) == made
    assert len(packed) < made.ByteSize() / 2


def test_many_are_encoded_as_each_would_be() -> None:
    alerts = [alert(number, url="u" * number) for number in range(compression.MANY)]

    for count in (0, 1, compression.MANY):
        assert body.encode_all(alerts[:count]) == [body.encode(made) for made in alerts[:count]]
