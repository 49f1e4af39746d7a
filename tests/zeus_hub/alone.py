"""For a test that is about one kind of database, in a module whose tests run on both (conftest.py)."""

import pytest

from tests.zeus_hub.engines import POSTGRESQL, SQLITE

sqlite_alone = pytest.mark.parametrize("both", [SQLITE], indirect=True)
postgresql_alone = pytest.mark.parametrize("both", [POSTGRESQL], indirect=True)
