from pathlib import Path

from socme.apart import apart
from zeus_hub.config import plan
from zeus_hub.plan import Days, Limits, Plan, Retention

SETTINGS = """
state_dir = "state"
listen = "127.0.0.1:1"
public_address = "zeus.example:1"
routes_dir = "/etc/zeus/routes.d"
[store]
url = "postgresql://zeus@db/zeus"
[store.retention]
low = 30
critical = 3650
[store.retention.clients.acme]
low = 7
[journal]
keep_bytes = 2000000
[conditions]
spool_share = 0.5
hub_free_bytes = 1
"""


def test_it_is_what_the_settings_say_and_comes_whole_from_another_process(tmp_path: Path) -> None:
    config = tmp_path / "zeus.toml"
    config.write_text(SETTINGS)

    assert apart(lambda: plan(config)) == Plan(
        state_dir=tmp_path / "state",
        listen="127.0.0.1:1",
        enroll_listen=None,
        public_address="zeus.example:1",
        public_enroll_address=None,
        routes_dir=Path("/etc/zeus/routes.d"),
        database="postgresql://zeus@db/zeus",
        retention=Retention(low=30, critical=3650, clients={"acme": Days(low=7)}),
        keep_bytes=2_000_000,
        limits=Limits(
            sensor_silent_seconds=180,
            source_silent_seconds=21_600,
            no_traffic_seconds=180,
            drops_share=0.01,
            spool_share=0.5,
            lag_bytes=16 * 1024 * 1024,
            lag_seconds=300,
            clock_skew_seconds=5,
            certificate_days=14,
            sink_stuck_seconds=60,
            hub_free_bytes=1,
        ),
    )


def test_settings_in_place_of_others_are_read_as_if_they_stood_there(tmp_path: Path) -> None:
    """As those of a backup."""
    file = tmp_path / "backup" / "zeus.toml"
    file.parent.mkdir()
    file.write_text('state_dir = "state"\n')

    assert plan(tmp_path / "zeus.toml", file=file).state_dir == tmp_path / "state"
