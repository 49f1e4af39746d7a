"""Stands in, inside the sandbox's machine, for what a node's neighbours tell: wazuh-db and tailscaled."""

import json
import os
import shutil
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path

AGENTS = [{"connection_status": "active", "agents": 3}, {"connection_status": "disconnected", "agents": 1}]
STATUS = {
    "Version": "1.80.2",
    "BackendState": "Running",
    "TailscaleIPs": ["100.64.0.7"],
    "Self": {"HostName": "acme-1", "DNSName": "acme-1.tail.example.", "Online": True},
    "Health": [],
}


def database(line: socket.socket) -> None:
    (length,) = struct.unpack("<I", line.recv(4))
    asked = line.recv(length)
    told = b"ok " + json.dumps(AGENTS).encode() if asked.startswith(b"global sql select") else b"err"
    line.sendall(struct.pack("<I", len(told)) + told)


def tailnet(line: socket.socket) -> None:
    asked = line.recv(4096)
    good = asked.startswith(b"GET /localapi/v0/status") and b"\r\nHost: local-tailscaled.sock\r\n" in asked
    body = json.dumps(STATUS).encode()
    line.sendall(b"HTTP/1.1 %d x\r\nContent-Length: %d\r\n\r\n%b" % (200 if good else 403, len(body), body))


def serve(path: Path, answer: Callable[[socket.socket], None], mode: int, group: str | None) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    path.chmod(mode)
    if group is not None:
        shutil.chown(path, group=group)
    listener.listen()

    def loop() -> None:
        while True:
            line, _ = listener.accept()
            with line:
                answer(line)

    threading.Thread(target=loop).start()


if __name__ == "__main__":
    serve(Path("/var/ossec/queue/db/wdb"), database, 0o660, "wazuh")
    serve(Path("/run/tailscale/tailscaled.sock"), tailnet, 0o666, None)
    if notify := os.environ.get("NOTIFY_SOCKET"):
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"READY=1", notify)
