"""The peers that do the same work, as Debian and PyPI ship them, and how each is told what to do.

They are taken from where they are installed, or from `bench/.peers`, into which `bench/peers.sh` unpacks
packages without installing anything. A peer that is in neither place is left out, and named.
Configurations are the fastest ones that keep what is claimed, by their documentation: rsyslog 8.2302 (imfile,
omfile, imrelp), syslog-ng 3.38 (file, network, disk-buffer), NATS 2.15 (JetStream).
"""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

UNPACKED = Path(__file__).resolve().parent / ".peers"
_LIBRARIES = UNPACKED / "usr/lib" / f"{os.uname().machine}-linux-gnu"
_PLACES = [UNPACKED / "usr/bin", UNPACKED / "usr/sbin", Path("/usr/bin"), Path("/usr/sbin")]
_MATCH = '\\"event_type\\":\\"alert\\"'


@dataclass(frozen=True, slots=True)
class Command:
    """How a peer is started."""

    arguments: Sequence[str]
    environment: Mapping[str, str]


MakePair = Callable[[Path, Path, int], tuple[Command, Command]]
"""Returns a sender and a receiver, of a folder, a file for what arrives, and a port."""


def find(program: str) -> Path | None:
    """Return where a peer's program is; None where it is not."""
    found = next((place / program for place in _PLACES if (place / program).exists()), None)
    return found or (Path(other) if (other := shutil.which(program)) else None)


def environment(program: Path) -> Mapping[str, str]:
    """Return what a program needs that was unpacked and not installed."""
    if UNPACKED not in program.parents:
        return dict(os.environ)
    folders = (_LIBRARIES, UNPACKED / "lib" / _LIBRARIES.name, UNPACKED / "usr/lib/syslog-ng")
    return os.environ | {"LD_LIBRARY_PATH": ":".join(map(str, folders))}


def rsyslog(folder: Path, configuration: str, name: str = "rsyslog") -> Command:
    """Return how rsyslog is started with a configuration; everything of its lies in the folder."""
    program = _must_be("rsyslogd")
    file = folder / f"{name}.conf"
    file.write_text(configuration)
    modules = _LIBRARIES / "rsyslog"
    told = ["-M", str(modules)] if modules.is_dir() else []
    return Command(
        [str(program), "-n", *told, "-f", str(file), "-i", str(folder / f"{name}.pid")], environment(program)
    )


def syslog_ng(folder: Path, configuration: str, name: str = "syslog-ng") -> Command:
    """Return how syslog-ng is started with a configuration; everything of its lies in the folder."""
    program = _must_be("syslog-ng")
    file = folder / f"{name}.conf"
    file.write_text(configuration)
    modules = UNPACKED / "usr/lib/syslog-ng/3.38"
    told = ["--module-path", str(modules)] if UNPACKED in program.parents else []
    places = [
        ("-f", file),
        ("-R", folder / f"{name}.persist"),
        ("-p", folder / f"{name}.pid"),
        ("-c", folder / f"{name}.ctl"),
    ]
    flags = [part for flag, path in places for part in (flag, str(path))]
    return Command([str(program), "--foreground", "--no-caps", *told, *flags], environment(program))


def rsyslog_filter(folder: Path, log: Path, output: Path, *, decoding: bool) -> Command:
    """Return an rsyslog that copies alerts of a log into a file, found as text or by decoding every line."""
    action = f'action(type="omfile" file="{output}" template="raw" ioBufferSize="64k" flushOnTXEnd="on")'
    if decoding:
        module = 'module(load="mmjsonparse")'
        rule = f'action(type="mmjsonparse" cookie="")\nif $!event_type == "alert" then {{ {action} }}'
    else:
        module, rule = "", f'if $msg contains "{_MATCH}" then {{ {action} }}'
    return rsyslog(
        folder,
        f"""global(workDirectory="{folder}" maxMessageSize="256k")
module(load="imfile" mode="inotify")
{module}
main_queue(queue.type="LinkedList" queue.size="200000" queue.dequeueBatchSize="1024")
template(name="raw" type="string" string="%msg%\\n")
input(type="imfile" file="{log}" tag="eve" freshStartTail="off" reopenOnTruncate="off")
{rule}
""",
    )


def syslog_ng_filter(folder: Path, log: Path, output: Path, *, decoding: bool) -> Command:
    """Return a syslog-ng that copies alerts of a log into a file, found as text or by decoding every line."""
    if decoding:
        parser, chain = 'parser p { json-parser(prefix(".e.")); };', "parser(p); filter(f);"
        condition = 'match("alert" value(".e.event_type") type("string"))'
    else:
        parser, chain = "", "filter(f);"
        condition = f'message("{_MATCH}" type("string") flags("substring"))'
    return syslog_ng(
        folder,
        f"""@version: 3.38
options {{ stats-freq(0); log-msg-size(262144); use-dns(no); keep-hostname(yes); threaded(yes); }};
source s {{ file("{log}" flags(no-parse) follow-freq(0.05) log-fetch-limit(1000) log-iw-size(20000)); }};
{parser}
filter f {{ {condition}; }};
destination d {{ file("{output}" template("$MSG\\n")); }};
log {{ source(s); {chain} destination(d); flags(flow-control); }};
""",
    )


def rsyslog_pair(folder: Path, output: Path, port: int, *, durable: bool) -> tuple[Command, Command]:
    """Return a sender that follows eve.json in the folder, and a receiver, which speak RELP over TLS.

    `durable`: the receiver acknowledges what it has written and synced; else what it holds in memory.
    """
    queue = 'queue.type="Direct"' if durable else 'queue.type="LinkedList" queue.size="100000"'
    window = "" if durable else ' windowSize="1000"'
    receiver = f"""global(workDirectory="{folder}" maxMessageSize="64k")
module(load="imrelp" tls.tlslib="openssl")
template(name="raw" type="string" string="%msg%\\n")
ruleset(name="r" {queue}) {{
  action(type="omfile" file="{output}" template="raw" sync="on" flushOnTXEnd="on" ioBufferSize="256k")
}}
input(type="imrelp" port="{port}" address="127.0.0.1" ruleset="r" maxDataSize="64k"
      {_relp_tls(folder, "receiver")})
"""
    sender = f"""global(workDirectory="{folder}" maxMessageSize="64k")
module(load="imfile" mode="inotify")
module(load="omrelp" tls.tlslib="openssl")
input(type="imfile" file="{folder}/eve.json" tag="eve" ruleset="f" freshStartTail="off")
ruleset(name="f" queue.type="LinkedList" queue.size="100000" queue.dequeueBatchSize="1024"
        queue.filename="waiting" queue.saveOnShutdown="on" queue.maxDiskSpace="2g") {{
  if $msg contains "{_MATCH}" then {{
    action(type="omrelp" target="127.0.0.1" port="{port}" template="RSYSLOG_ForwardFormat"
           action.resumeRetryCount="-1" action.resumeInterval="1"{window}
           {_relp_tls(folder, "sender")})
  }}
}}
"""
    return rsyslog(folder, sender, "sender"), rsyslog(folder, receiver, "receiver")


def syslog_ng_pair(folder: Path, output: Path, port: int) -> tuple[Command, Command]:
    """Return a sender that follows eve.json in the folder, and a receiver that syncs; nothing is acked."""
    options = "@version: 3.38\noptions { stats-freq(0); log-msg-size(65536); use-dns(no); threaded(yes); };\n"
    limits = "flags(no-parse) log-fetch-limit(1000) log-iw-size(10000)"
    receiver = f"""{options}
source s {{
  network(ip("127.0.0.1") port({port}) transport("tls") {limits} {_syslog_ng_tls(folder, "receiver")});
}};
destination d {{ file("{output}" template("$MSG\\n") fsync(yes)); }};
log {{ source(s); destination(d); flags(flow-control); }};
"""
    sender = f"""{options}
source s {{ file("{folder}/eve.json" follow-freq(0.01) {limits}); }};
filter f {{ message("{_MATCH}" type("string") flags("substring")); }};
destination d {{
  network("127.0.0.1" port({port}) transport("tls") template("$MSG\\n")
    disk-buffer(reliable(yes) disk-buf-size(1073741824) dir("{folder}")) {_syslog_ng_tls(folder, "sender")});
}};
log {{ source(s); filter(f); destination(d); flags(flow-control); }};
"""
    return syslog_ng(folder, sender, "sender"), syslog_ng(folder, receiver, "receiver")


def pairs() -> Iterator[tuple[str, MakePair]]:
    """Yield the pairs of senders and receivers that are here, by what their acknowledgement is worth."""
    if find("rsyslogd"):
        yield "rsyslog, durable ack", partial(rsyslog_pair, durable=True)
        yield "rsyslog, ack from memory", partial(rsyslog_pair, durable=False)
    if find("syslog-ng"):
        yield "syslog-ng, no ack", syslog_ng_pair


def rsyslog_receiver(folder: Path, output: Path, port: int) -> Command:
    """Return an rsyslog that takes messages over RELP and acknowledges each once it is written and synced."""
    return rsyslog(
        folder,
        f"""global(workDirectory="{folder}" maxMessageSize="64k")
module(load="imrelp")
template(name="raw" type="string" string="%msg%\\n")
ruleset(name="r" queue.type="Direct") {{
  action(type="omfile" file="{output}" template="raw" sync="on" flushOnTXEnd="on" ioBufferSize="256k")
}}
input(type="imrelp" port="{port}" address="127.0.0.1" ruleset="r" maxDataSize="64k")
""",
    )


def nats(folder: Path, port: int) -> Command:
    """Return a NATS with JetStream in files that syncs each message before it acknowledges it."""
    program = _must_be("nats-server")
    file = folder / "nats.conf"
    file.write_text(
        f"""listen: "127.0.0.1:{port}"
jetstream {{ store_dir: "{folder / "jetstream"}", sync_interval: always }}
"""
    )
    return Command([str(program), "-c", str(file)], environment(program))


def _relp_tls(folder: Path, side: str) -> str:
    files = (
        f'tls.caCert="{folder}/ca.pem" tls.myCert="{folder}/{side}.pem" tls.myPrivKey="{folder}/{side}.key"'
    )
    return f'tls="on" {files} tls.authMode="certvalid"'


def _syslog_ng_tls(folder: Path, side: str) -> str:
    files = f'key-file("{folder}/{side}.key") cert-file("{folder}/{side}.pem") ca-file("{folder}/ca.pem")'
    return f"tls({files} peer-verify(required-trusted))"


def _must_be(program: str) -> Path:
    found = find(program)
    if found is None:
        raise FileNotFoundError(f"{program} is not here: run bench/peers.sh, or install it")
    return found
