"""Wazuh agents that report, by the manager's API: for a Wazuh in containers, whose socket is not here."""

import base64
import json
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from artemis_agent.probes import connections, outside, web
from artemis_agent.probes.outside import Answer, UnknownError
from artemis_agent.values import mapping, text
from socme.trust import trusting
from socme.v1.vitals_pb2 import Vitals, WazuhAgents

TOKEN_SECONDS = 600.0  # for which a token is used; Wazuh's last 900. Each login counts against its limit
_OK, _UNAUTHORISED = 200, 401


def parse(body: bytes) -> WazuhAgents:
    """Return how many agents there are, from the answer of /agents/summary/status; one is the manager."""
    try:
        told = mapping(json.loads(body))
    except (ValueError, RecursionError) as error:
        raise UnknownError("the Wazuh API answers something else than JSON") from error
    found = connections.counts(mapping(mapping(told.get("data")).get("connection")))
    if told.get("error") or "active" not in found:
        raise UnknownError(f"the Wazuh API: {text(told.get('message')) or 'an answer without agents'}")
    return WazuhAgents(**found)


@dataclass(slots=True)
class WazuhApi:
    """An API and how to log in to it; keeps the token for as long as it is good."""

    url: str
    user: str
    password_file: Path
    certificate: Path | None
    """Of the API, or of whoever issued it; its name is not looked at then. None: what this system trusts."""
    clock: Callable[[], float] = time.monotonic
    _token: str = field(default="", repr=False)
    _until: float = float("-inf")
    _refused_until: float = float("-inf")

    def ask(self) -> Vitals:
        """Return the agents."""
        if self.clock() < self._refused_until:
            raise UnknownError(self._refusal)
        if self.clock() >= self._until:
            self._log_in()
        answer = self._fetch("GET", "/agents/summary/status", f"Bearer {self._token}")
        if answer.status == _UNAUTHORISED:  # the manager was restarted
            self._log_in()
            answer = self._fetch("GET", "/agents/summary/status", f"Bearer {self._token}")
        if answer.status != _OK:
            raise UnknownError(f"the Wazuh API answers {answer.status}")
        vitals = Vitals()
        vitals.wazuh.agents.CopyFrom(parse(answer.body))
        return vitals

    def _log_in(self) -> None:
        password = outside.read(self.password_file)
        if password is None:
            raise UnknownError(f"there is no password file {self.password_file}")
        pair = base64.b64encode(f"{self.user}:{password.strip()}".encode()).decode()
        answer = self._fetch("POST", "/security/user/authenticate?raw=true", f"Basic {pair}")
        if answer.status == _UNAUTHORISED:
            self._refused_until = self.clock() + TOKEN_SECONDS  # 50 wrong logins would block the user
            raise UnknownError(self._refusal)
        token = answer.body.decode(errors="replace").strip()
        if answer.status != _OK or not token.isascii() or not token.isprintable() or " " in token:
            raise UnknownError(f"the Wazuh API answers {answer.status} to a login")
        self._token, self._until = token, self.clock() + TOKEN_SECONDS

    @property
    def _refusal(self) -> str:
        return f"the Wazuh API refuses the user {self.user}"

    def _fetch(self, method: str, path: str, authorization: str) -> Answer:
        line = web.connection(self.url, self._trust())
        return web.fetch(line, path, {"Authorization": authorization}, method=method)

    def _trust(self) -> ssl.SSLContext:
        try:
            context = trusting(self.certificate)
        except OSError as error:  # an SSLError as well
            raise UnknownError(f"cannot read {self.certificate}: {error.strerror or error}") from error
        if self.certificate is not None:
            # Wazuh makes its own, for a name that no manager has and without what RFC 5280 asks for.
            context.check_hostname = False
            context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # Python sets it since 3.13
        return context
