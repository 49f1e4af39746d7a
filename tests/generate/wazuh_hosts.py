"""What Wazuh tells of the machines themselves. All texts are invented."""

from datetime import timedelta
from hashlib import md5, sha1, sha256

from tests.generate.wazuh_shapes import (
    BRUTE,
    DATABASE,
    DELETION,
    DUMPING,
    GATEWAY,
    ITSELF,
    LAPTOP,
    MANAGER,
    PCI,
    SHELL,
    SUDO,
    TAMPERING,
    WEB,
    WORKSTATION,
    Event,
    Moment,
    Object,
    Rule,
)


def _hashes(part: str, content: str) -> Object:
    plain = content.encode()
    return {
        f"md5_{part}": md5(plain).hexdigest(),
        f"sha1_{part}": sha1(plain).hexdigest(),
        f"sha256_{part}": sha256(plain).hexdigest(),
    }


def file_modified(moment: Moment) -> Event:
    """Tell that a watched file has another content."""
    path = moment.rng.choice(("/etc/ssh/sshd_config", "/etc/passwd", "/usr/local/bin/deploy"))
    before, after = moment.rng.randrange(2000, 9000), moment.rng.randrange(2000, 9000)
    syscheck = {
        "path": path,
        "mode": "whodata",
        "size_before": str(before),
        "size_after": str(after),
        "perm_after": "rw-r--r--",
        "uid_after": "0",
        "gid_after": "0",
        **_hashes("before", f"{path}{before}"),
        **_hashes("after", f"{path}{after}"),
        "uname_after": "root",
        "gname_after": "root",
        "mtime_before": f"{moment.at - timedelta(days=3):%Y-%m-%dT%H:%M:%S}",
        "mtime_after": f"{moment.at:%Y-%m-%dT%H:%M:%S}",
        "inode_before": moment.rng.randrange(10**5, 10**6),
        "inode_after": moment.rng.randrange(10**5, 10**6),
        "changed_attributes": ["size", "mtime", "inode", "md5", "sha1", "sha256"],
        "event": "modified",
        "diff": "1c1\n< allow no\n---\n> allow yes\n",
        "audit": {
            "user": {"id": "0", "name": "root"},
            "process": {"id": str(moment.rng.randrange(300, 9000)), "name": "/usr/bin/ed", "ppid": "1"},
        },
    }
    return Event(
        Rule(
            7,
            "100301",
            "File integrity: content changed.",
            ("syscheck", "syscheck_file"),
            TAMPERING,
            extra=PCI,
        ),
        DATABASE,
        {
            "full_log": f"File '{path}' modified\nMode: whodata\nSize changed from '{before}' to '{after}'\n",
            "syscheck": syscheck,
            "decoder": {"name": "syscheck_integrity_changed"},
            "location": "syscheck",
        },
    )


def file_added(moment: Moment) -> Event:
    """Tell that a watched folder has a new file."""
    path = f"/srv/uploads/{moment.rng.randbytes(4).hex()}.php"
    return Event(
        Rule(
            8,
            "100302",
            "File integrity: a script was added to an upload folder.",
            ("syscheck", "syscheck_file"),
        ),
        WEB,
        {
            "full_log": f"File '{path}' added\nMode: realtime\n",
            "syscheck": {
                "path": path,
                "mode": "realtime",
                "size_after": "118",
                **_hashes("after", path),
                "uname_after": "www",
                "mtime_after": f"{moment.at:%Y-%m-%dT%H:%M:%S}",
                "inode_after": moment.rng.randrange(10**5, 10**6),
                "event": "added",
            },
            "decoder": {"name": "syscheck_new_entry"},
            "location": "syscheck",
        },
    )


def file_deleted(moment: Moment) -> Event:
    """Tell that a watched file is gone, on Windows."""
    path = "c:\\programdata\\audit\\trail.log"
    return Event(
        Rule(7, "100303", "File integrity: file deleted.", ("syscheck", "syscheck_file"), DELETION),
        WORKSTATION,
        {
            "full_log": f"File '{path}' deleted\nMode: scheduled\n",
            "syscheck": {
                "path": path,
                "mode": "scheduled",
                "size_after": str(moment.rng.randrange(100, 9000)),
                "win_perm_after": [{"name": "Operators", "allowed": ["DELETE", "READ_CONTROL"]}],
                "event": "deleted",
            },
            "decoder": {"name": "syscheck_deleted"},
            "location": "syscheck",
        },
    )


def _windows(moment: Moment, rule: Rule, number: str, data: Object, agent: Object = WORKSTATION) -> Event:
    channel = "Microsoft-Windows-Sysmon/Operational" if "sysmon" in rule.groups else "Security"
    system = {
        "providerName": channel.partition("/")[0],
        "eventID": number,
        "level": "4",
        "systemTime": f"{moment.at:%Y-%m-%dT%H:%M:%S.%f}0Z",
        "eventRecordID": str(moment.rng.randrange(10**5, 10**6)),
        "channel": channel,
        "computer": f"{agent['name']}.acme.example",
        "severityValue": "INFORMATION",
        "message": f'"Event {number} of {channel}\r\nTold by the laboratory"',
    }
    rest = {
        "decoder": {"name": "windows_eventchannel"},
        "data": {"win": {"system": system, "eventdata": data}},
        "location": "EventChannel",
    }
    return Event(rule, agent, rest)


def windows_logon(moment: Moment) -> Event:
    """Tell that a logon failed."""
    rule = Rule(5, "100401", "Windows: logon failed.", ("windows", "authentication_failed"), BRUTE, extra=PCI)
    user = moment.rng.choice(("svc_backup", "jo", "Administrator"))
    data = {
        "targetUserName": user,
        "targetDomainName": "ACME",
        "logonType": "3",
        "ipAddress": moment.attacker(),
    }
    return _windows(moment, rule, "4625", data | {"ipPort": str(moment.rng.randrange(1024, 65000))})


def powershell(moment: Moment) -> Event:
    """Tell that a shell was started with a hidden command."""
    rule = Rule(
        moment.rng.choice((12, 13)), "100402", "Sysmon: encoded command line.", ("windows", "sysmon"), SHELL
    )
    data = {
        "image": "C:\\\\Windows\\\\System32\\\\WindowsPowerShell\\\\v1.0\\\\powershell.exe",
        "commandLine": "powershell -nop -enc " + moment.rng.randbytes(30).hex(),
        "user": "ACME\\\\jo",
        "processId": str(moment.rng.randrange(300, 9000)),
        "parentImage": "C:\\\\Office\\\\writer.exe",
    }
    return _windows(moment, rule, "1", data, moment.rng.choice((WORKSTATION, LAPTOP)))


def memory_read(moment: Moment) -> Event:
    """Tell that a program read the memory that holds passwords."""
    rule = Rule(15, "100403", "Sysmon: password memory was read.", ("windows", "sysmon"), DUMPING)
    data = {
        "sourceImage": "C:\\\\Temp\\\\k.exe",
        "targetImage": "C:\\\\Windows\\\\System32\\\\lsass.exe",
        "grantedAccess": "0x1010",
        "sourceUser": "ACME\\\\jo",
    }
    return _windows(moment, rule, "10", data)


def configuration_check(moment: Moment) -> Event:
    """Tell what a configuration check gave; its rule has keys that no other has."""
    passed = moment.rng.random() < 0.5
    check = {
        "id": str(moment.rng.randrange(40000, 41000)),
        "title": "A banner is shown before login.",
        "rationale": "People should know where they are about to log in.",
        "compliance": {"cis": "1.7.2", "mitre_techniques": "T1082,T1592"},
        "file": ["/etc/banner"],
        "result": "passed" if passed else "failed",
    }
    extra = {
        "cis": ["1.7.2"],
        "mitre_mitigations": ["M1028"],
        "mitre_tactics": ["TA0007"],
        "mitre_techniques": ["T1082", "T1592"],
    }
    return Event(
        Rule(3 if passed else 7, "100501", f"Laboratory benchmark: {check['title']}", ("sca",), extra=extra),
        DATABASE,
        {
            "decoder": {"name": "sca"},
            "data": {
                "sca": {
                    "type": "check",
                    "scan_id": str(moment.rng.randrange(10**8, 10**9)),
                    "policy": "Laboratory benchmark",
                    "check": check,
                }
            },
            "location": "sca",
        },
    )


def audit(moment: Moment) -> Event:
    """Tell what the kernel's audit saw."""
    number = str(moment.rng.randrange(100, 999))
    return Event(
        Rule(
            10,
            "100601",
            "Audit: an interface began to listen to everybody's traffic.",
            ("audit",),
            extra={"gpg13": ["4.14"]},
        ),
        GATEWAY,
        {
            "full_log": f"type=ANOM_PROMISCUOUS msg=audit({moment.at.timestamp():.3f}:{number}): dev=lan0",
            "decoder": {"parent": "auditd", "name": "auditd"},
            "data": {
                "audit": {
                    "type": "ANOM_PROMISCUOUS",
                    "id": number,
                    "dev": "lan0",
                    "auid": "1000",
                    "exe": "/usr/bin/sniff",
                }
            },
            "location": "/var/log/audit/audit.log",
        },
    )


def sudo(moment: Moment) -> Event:
    """Tell that somebody became root."""
    return Event(
        Rule(3, "100602", "Sudo: a command was run as root.", ("syslog", "sudo"), SUDO),
        DATABASE,
        {
            "full_log": f"{moment.stamp()} db-1 sudo: jo : TTY=pts/1 ; USER=root ; COMMAND=/usr/bin/id",
            "predecoder": {"program_name": "sudo", "timestamp": moment.stamp(), "hostname": "db-1"},
            "decoder": {"parent": "sudo", "name": "sudo"},
            "data": {
                "srcuser": "jo",
                "dstuser": "root",
                "tty": "pts/1",
                "pwd": "/home/jo",
                "command": "/usr/bin/id",
            },
            "location": "/var/log/auth.log",
        },
    )


def rootkit(moment: Moment) -> Event:
    """Tell that the rootkit check found something."""
    title = f"Process '{moment.rng.randrange(300, 9000)}' is hidden from the list of processes."
    return Event(
        Rule(14, "100701", "Host: possible rootkit.", ("rootcheck",)),
        WEB,
        {
            "full_log": title,
            "decoder": {"name": "rootcheck"},
            "data": {"title": title},
            "location": "rootcheck",
        },
    )


def weakness(moment: Moment) -> Event:
    """Tell that a package has a known weakness."""
    year, number = moment.rng.randrange(2021, 2027), moment.rng.randrange(1000, 9999)
    cve = f"CVE-{year}-{number}"
    return Event(
        Rule(
            moment.rng.choice((5, 10, 13)),
            "100801",
            f"{cve} affects libexample",
            ("vulnerability-detector",),
            extra={"cve": cve, "info": "https://advisories.example/"},
        ),
        LAPTOP,
        {
            "decoder": {"name": "json"},
            "data": {
                "vulnerability": {
                    "cve": cve,
                    "package": {"name": "libexample", "version": "1.2-3", "architecture": "amd64"},
                    "score": {"base": "7.500000", "version": "3.1"},
                    "status": "Active",
                }
            },
            "location": "vulnerability-detector",
        },
    )


def disk_full(moment: Moment) -> Event:
    """Tell of the manager itself, by a line that no decoder knew."""
    return Event(
        Rule(3, "101001", "Manager: a disk fills up.", ("local",)),
        ITSELF,
        {
            "full_log": f"{moment.stamp()} {MANAGER} store: 91 % of /var is used",
            "predecoder": {"program_name": "store", "timestamp": moment.stamp(), "hostname": MANAGER},
            "decoder": {},
            "location": "/var/log/syslog",
        },
    )
