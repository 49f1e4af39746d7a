from artemis_agent.gone import GoneSource


def test_it_gives_nothing_and_stays_where_it_is() -> None:
    """The day on which it is followed again it goes on from there."""
    source = GoneSource("eve.json", "suricata", b"here")

    for reading in (source.read(), source.read()):
        assert (list(reading.records), reading.lines, reading.more) == ([], 0, False)
        assert reading.position == b"here"
    assert source.health().problem == ""
    source.close()
