"""How old what waits is, whatever is done to the clock."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from artemis_agent.age import Clocks, resumed

DAY = 24 * 3600 * 1_000_000
AGE = 30 * DAY


@dataclass
class Life:
    """An agent's clocks, and how long each of its entries really waited while it ran."""

    now: int = 100 * 365 * DAY
    ran: int = 0
    entries: list[tuple[int, int]] = field(default_factory=list)  # when appended, by the clock; truly waited
    clocks: Clocks | None = None
    noted: bytes | None = None

    def append(self) -> None:
        """Spool an entry, and look."""
        self.look()
        self.entries.append((self.now, 0))

    def pass_(self, days: int) -> None:
        """Let time pass."""
        self.now, self.ran = self.now + days * DAY, self.ran + days * DAY
        self.entries = [(at, waited + days * DAY) for at, waited in self.entries]

    def start(self) -> None:
        """Begin a run, by a stop-watch that begins anew."""
        self.ran = 7
        oldest = self.entries[0][0] if self.entries else None
        self.clocks = resumed(self.noted, self.now, self.ran, oldest)

    def look(self) -> int:
        """Look at the clocks, note them, and return before when entries are too old."""
        assert self.clocks is not None
        self.clocks = self.clocks.look(self.now, self.ran)
        self.noted = self.clocks.noted()
        return self.clocks.limit_us(AGE)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("pass"), st.integers(0, 20)),
        st.tuples(st.just("set"), st.sampled_from([-400, -31, 31, 400])),
        st.tuples(st.sampled_from(["append", "look", "stop"]), st.integers(0, 40)),
    ),
    max_size=15,
)


@given(STEPS)
def test_nothing_is_too_old_before_its_time(steps: list[tuple[str, int]]) -> None:
    """However the clock is set, before, while and after the agent runs."""
    life = Life()
    life.start()
    for what, days in [*steps, ("look", 0)]:
        match what:
            case "pass":
                life.pass_(days)
            case "set":
                life.now += days * DAY
            case "append":
                life.append()
            case "stop":  # for days of which nobody knows how many they were
                life.now += days * DAY
                life.start()
            case "look":
                limit = life.look()
                assert all(waited >= AGE for at, waited in life.entries if at < limit)


def test_by_a_clock_that_is_right_everything_is_too_old_in_time() -> None:
    life = Life()
    life.start()
    life.append()
    life.pass_(29)
    assert life.look() < life.entries[0][0]
    life.pass_(2)
    assert life.look() > life.entries[0][0]


def test_a_clock_that_is_set_forth_and_back_leaves_nothing_behind() -> None:
    clocks = Clocks(0, 0).look(31 * DAY, 0).look(0, 0)
    assert clocks.excess_us == 0


def test_when_nothing_waits_nothing_looks_older_than_it_is() -> None:
    clocks = Clocks(0, 0).look(31 * DAY, 0)
    assert (clocks.excess_us, clocks.emptied().excess_us) == (31 * DAY, 0)


def test_a_note_that_is_none_is_as_good_as_no_note() -> None:
    assert resumed(b"?", 5 * DAY, 0, 3 * DAY) == resumed(None, 5 * DAY, 0, 3 * DAY)
    assert resumed(None, 5 * DAY, 0, 3 * DAY).excess_us == 2 * DAY
    assert resumed(None, 5 * DAY, 0, None).excess_us == 0
