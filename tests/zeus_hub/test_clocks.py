"""What tells the time."""

from datetime import UTC

from zeus_hub.clocks import Clocks


def test_the_clock_on_the_wall_knows_its_zone_and_the_other_only_goes_on() -> None:
    clocks = Clocks()

    assert clocks.wall().tzinfo is UTC
    assert clocks.monotonic() <= clocks.monotonic()
