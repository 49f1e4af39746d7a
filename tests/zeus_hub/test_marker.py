"""What is noted in a database to which a hub is moved."""

from pathlib import Path

import pytest

from socme.errors import OperatorError
from tests.zeus_hub.engines import blank, opened, url
from zeus_hub import marker
from zeus_hub.database import open_database, reading, writing
from zeus_hub.marker import Mark
from zeus_hub.proof import Proof

pytestmark = pytest.mark.usefixtures("both")

PROOFS = {"alert": Proof(3, "ab")}


def test_where_nothing_was_moved_nothing_is_noted(tmp_path: Path) -> None:
    with reading(opened(tmp_path)) as connection:
        assert marker.read(connection) is None


def test_half_a_hub_is_opened_by_nothing_until_it_is_whole(tmp_path: Path) -> None:
    engine = opened(tmp_path)
    with writing(engine) as connection:
        marker.make(connection, b"j", 1)
    for create in (True, False):
        with pytest.raises(OperatorError, match=r"holds only a part of a hub.*\n.*`zeus migrate --to` again"):
            open_database(url(tmp_path), tmp_path, create=create)
    with writing(engine) as connection:
        assert marker.read(connection) == Mark(b"j", None, {})
        marker.finish(connection, PROOFS, 2)
    open_database(url(tmp_path), tmp_path, create=False).dispose()
    with reading(engine) as connection:
        assert marker.read(connection) == Mark(b"j", 2, PROOFS)


def test_it_is_refused_before_anything_is_made_in_it(tmp_path: Path) -> None:
    where = blank(tmp_path)

    def admit(engine: object) -> None:
        raise OperatorError("not this one")

    with pytest.raises(OperatorError, match="not this one"):
        open_database(where, tmp_path, admit=admit)
    with pytest.raises(OperatorError, match="there is no hub"):
        open_database(where, tmp_path, create=False)
