"""What Wazuh tells of attacks that come over the network. All texts are invented."""

from tests.generate.wazuh_shapes import (
    ACCOUNT,
    BASTION,
    BRUTE,
    EXPLOIT,
    GATEWAY,
    GUESSING,
    PCI,
    WEB,
    Event,
    Moment,
    Rule,
)


def ssh_failure(moment: Moment) -> Event:
    """Tell that somebody guessed a password wrong."""
    user, source = moment.rng.choice(("root", "admin", "oracle", "backup")), moment.attacker()
    port = str(moment.rng.randrange(1024, 65000))
    return Event(
        Rule(
            5,
            "100101",
            "SSH: wrong password.",
            ("syslog", "sshd", "authentication_failed"),
            GUESSING,
            extra=PCI,
        ),
        BASTION,
        {
            "full_log": f"{moment.stamp()} bastion sshd[{moment.rng.randrange(900, 9000)}]: wrong password"
            f" for {user} from {source} port {port}",
            "predecoder": {"program_name": "sshd", "timestamp": moment.stamp(), "hostname": "bastion"},
            "decoder": {"parent": "sshd", "name": "sshd"},
            "data": {"srcip": source, "srcport": port, "dstuser": user},
            "location": "/var/log/auth.log",
        },
    )


def ssh_series(moment: Moment) -> Event:
    """Tell of many wrong passwords from one address; the earlier lines come with it."""
    source = moment.attacker()
    lines = [
        f"{moment.stamp()} bastion sshd[{moment.rng.randrange(900, 9000)}]: wrong password from {source}"
        for _ in range(8)
    ]
    return Event(
        Rule(
            10,
            "100102",
            "SSH: many wrong passwords from one address.",
            ("syslog", "sshd", "authentication_failures"),
            BRUTE,
            frequency=8,
            extra=PCI,
        ),
        BASTION,
        {
            "previous_output": "\n".join(lines[1:]),
            "full_log": lines[0],
            "predecoder": {"program_name": "sshd", "timestamp": moment.stamp(), "hostname": "bastion"},
            "decoder": {"parent": "sshd", "name": "sshd"},
            "data": {"srcip": source, "dstuser": "root"},
            "location": "/var/log/auth.log",
        },
    )


def login_by_night(moment: Moment) -> Event:
    """Tell of an unusual login, of a user whose name is not UTF-8."""
    source = moment.attacker()
    return Event(
        Rule(
            12,
            "100103",
            "SSH: login from an address of a known attacker.",
            ("sshd", "authentication_success"),
            ACCOUNT,
        ),
        GATEWAY,
        {
            "full_log": f"{moment.stamp()} gate sshd[77]: accepted key for ren\udce9 \udcff from {source}",
            "predecoder": {"program_name": "sshd", "timestamp": moment.stamp(), "hostname": "gate"},
            "decoder": {"parent": "sshd", "name": "sshd"},
            "data": {"srcip": source, "dstuser": "ren\udce9 \udcff"},
            "location": "/var/log/auth.log",
        },
    )


def web_attack(moment: Moment) -> Event:
    """Tell of a request that tries to break a terminal, a page and a parser."""
    source, code = moment.attacker(), moment.rng.choice(("200", "403", "404"))
    url = moment.rng.choice(
        (
            "/shop/item?id=1%27%20union%20select%20secret",
            "/search?q=<img src=x onerror=alert(1)>",
            "/cgi-bin/../../etc/passwd",
            "/log?line=\u001b[31mred\u001b[0m",
            '/api?body={"event_type":"alert"}',
        )
    )
    level = 12 if code == "200" else 6
    return Event(
        Rule(
            level,
            "100201" if code == "200" else "100202",
            f"Web: attack answered with {code}.",
            ("web", "attack"),
            EXPLOIT,
        ),
        WEB,
        {
            "full_log": f'{source} - - [{moment.at:%d/%b/%Y:%H:%M:%S} +0000] "GET {url} HTTP/1.1" {code} 181',
            "decoder": {"name": "web-accesslog"},
            "data": {"protocol": "GET", "srcip": source, "id": code, "url": url},
            "location": "/var/log/nginx/access.log",
        },
    )


def web_error(moment: Moment) -> Event:
    """Tell of a page that is not there."""
    source = f"198.51.100.{moment.rng.randrange(2, 200)}"
    return Event(
        Rule(4, "100203", "Web: page not found.", ("web", "accesslog")),
        WEB,
        {
            "full_log": f'{source} - - [{moment.at:%d/%b/%Y:%H:%M:%S} +0000] "GET /icon HTTP/1.1" 404 9',
            "decoder": {"name": "web-accesslog"},
            "data": {"protocol": "GET", "srcip": source, "id": "404", "url": "/icon"},
            "location": "/var/log/nginx/access.log",
        },
    )


def agentless(moment: Moment) -> Event:
    """Tell of a device that is looked at by SSH: such alerts have no agent."""
    host = "switch-1.acme.example"
    return Event(
        Rule(8, "100901", "Device: configuration changed.", ("agentless", "syscheck")),
        None,
        {
            "full_log": f"{moment.stamp()} {host}: running configuration differs",
            "decoder": {"name": "syscheck_integrity_changed"},
            "location": f"(ssh_configuration) admin@{host}->ssh_configuration",
            "agentless": {"host": host, "user": "admin", "script": "ssh_configuration"},
        },
    )
