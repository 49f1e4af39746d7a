"""Servers that answer as they are told."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def tcp(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """Serve one connection after the other."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def loop() -> None:
            while True:
                try:
                    line, _ = server.accept()
                except OSError:
                    return
                with line:
                    answer(line)

        thread = threading.Thread(target=loop)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def saying(told: bytes) -> Callable[[socket.socket], None]:
    """Return what hears a question and says this, whatever it was."""

    def answer(line: socket.socket) -> None:
        line.recv(4096)
        line.sendall(told)

    return answer


def hold(until: threading.Event) -> None:
    """Hear nothing and say nothing."""
    until.wait()
