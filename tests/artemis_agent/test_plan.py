from pathlib import Path

from artemis_agent.config import plan
from artemis_agent.plan import Api, BreakGlass, Burst, Follow, MailServer, Neighbours, Plan
from socme.apart import apart

SETTINGS = """
state_dir = "state"
hub_address = ["zeus:8443", "10.0.0.1:8443"]
vitals_interval_seconds = 30
[[source]]
kind = "suricata"
path = "eve.json"
start = "beginning"
[[source]]
kind = "wazuh"
path = "/var/ossec/logs/alerts/alerts.json"
[filter]
min_severity = "high"
keep_both = true
[rollup]
burst = 5
window_seconds = 10
[spool]
max_bytes = 2000000
max_age_days = 2
when_full = "drop-lowest"
[canary]
interval_seconds = 20
[probes]
wazuh_manager_unit = "docker-wazuh.service"
wazuh_dir = "ossec"
[probes.wazuh_api]
user = "reader"
password_file = "password"
[break_glass]
after_minutes = 5
min_severity = "high"
to = ["it@client.example"]
sender = "artemis@client.example"
host = "mail.client.example"
user = "artemis"
password_file = "mail-password"
"""


def test_it_is_what_the_settings_say_and_comes_whole_from_another_process(tmp_path: Path) -> None:
    config = tmp_path / "artemis.toml"
    config.write_text(SETTINGS)

    assert apart(lambda: plan(config)) == Plan(
        state_dir=tmp_path / "state",
        hub_addresses=("zeus:8443", "10.0.0.1:8443"),
        follows=(
            Follow(tmp_path / "eve.json", "suricata", "beginning"),
            Follow(Path("/var/ossec/logs/alerts/alerts.json"), "wazuh", "end"),
        ),
        vitals_seconds=5,
        canary_seconds=20,
        min_severity="high",
        keep_both=True,
        rollup=Burst(5, 10),
        spool_bytes=2_000_000,
        spool_days=2,
        drops_lowest=True,
        neighbours=Neighbours(
            wazuh_manager_unit="docker-wazuh.service",
            wazuh_indexer_unit="wazuh-indexer.service",
            wazuh_dashboard_unit="wazuh-dashboard.service",
            suricata_unit="suricata.service",
            thehive_unit="thehive.service",
            wazuh_dir=tmp_path / "ossec",
            wazuh_api=Api(
                url="https://127.0.0.1:55000",
                user="reader",
                password_file=tmp_path / "password",
                certificate=None,
            ),
            suricata_config=Path("/etc/suricata/suricata.yaml"),
            thehive_url=None,
        ),
        break_glass=BreakGlass(
            after_seconds=300,
            min_severity="high",
            recipients=("it@client.example",),
            sender="artemis@client.example",
            server=MailServer(
                host="mail.client.example",
                port=587,
                security="starttls",
                user="artemis",
                password_file=tmp_path / "mail-password",
                ca_file=None,
            ),
        ),
    )


def test_without_them_it_is_as_shipped(tmp_path: Path) -> None:
    config = tmp_path / "artemis.toml"
    config.write_text('[[source]]\nkind = "suricata"\npath = "eve.json"\n')

    made = plan(config)

    assert (made.hub_addresses, made.rollup, made.drops_lowest) == ((), None, False)
    assert (made.vitals_seconds, made.canary_seconds) == (15, 60)
