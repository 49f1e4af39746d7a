from artemis_agent import counters
from artemis_agent.counters import Counters
from socme.v1.vitals_pb2 import SourceVitals


def test_addition_adds_every_count() -> None:
    one = Counters(1, 2, 3, 4, 5, 6, 7, {"a": 1, "b": 2})

    assert one + one == Counters(2, 4, 6, 8, 10, 12, 14, {"a": 2, "b": 4})
    assert one + Counters() == one


def test_counters_survive_as_a_note() -> None:
    one = Counters(1, 2, 3, 4, 5, 6, 7, {"a": 1})
    message = counters.message(one, name="eve.json", kind="suricata")

    assert counters.parse(message.SerializeToString()) == one
    assert (message.name, message.kind) == ("eve.json", "suricata")


def test_no_note_and_a_damaged_one_begin_at_zero() -> None:
    assert counters.parse(None) == Counters()
    assert counters.parse(b"\xff\xff") == Counters()


def test_what_a_newer_agent_wrote_is_read_as_far_as_it_is_known() -> None:
    newer = SourceVitals(bytes=5).SerializeToString() + b"\xa2\x06\x03abc"

    assert counters.parse(newer) == Counters(bytes=5)
