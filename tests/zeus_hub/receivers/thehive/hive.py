"""A strict TheHive 5 in memory: what CONTRACTS say it does with each request, and refuses."""

# ruff: noqa: D102 - names say it, as for functions

import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.zeus_hub.receivers.thehive import forms
from tests.zeus_hub.receivers.thehive.forms import Site
from tests.zeus_hub.receivers.thehive.queries import BadQueryError, Row, narrowed

KEY = "k" * 32
ALL = frozenset(
    {
        *("manageAlert/create", "manageAlert/update", "manageAlert/delete", "manageAlert/import"),
        *("manageCase/create", "manageCase/update", "manageObservable", "manageProcedure", "manageComment"),
    }
)
SITE = Site(
    types={
        **dict.fromkeys(("autonomous-system", "domain", "filename", "fqdn", "hash", "hostname", "ip"), False),
        **dict.fromkeys(("mail", "mail-subject", "other", "regexp", "registry", "uri_path"), False),
        **dict.fromkeys(("url", "user-agent"), False),
        "file": True,
    },
    fields={"alerts": "integer", "client": "string", "last-seen": "date"},
    patterns={
        "T1110.001": frozenset({"credential-access"}),
        "T1078": frozenset({"initial-access", "persistence"}),
    },
    statuses={
        "New": "New",
        "InProgress": "InProgress",
        "Pending": "InProgress",
        "Imported": "Imported",
        "Ignored": "Closed",
        "TruePositive": "Closed",
        "FalsePositive": "Closed",
        "Duplicate": "Closed",
    },
)
_LABELS = {1: "LOW", 2: "MEDIUM", 3: "HIGH", 4: "CRITICAL"}
_TLP = ("CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED")
_PAP = ("CLEAR", "GREEN", "AMBER", "RED")


@dataclass(frozen=True)
class Request:
    """What came in."""

    method: str
    target: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes = b""

    @property
    def told(self) -> Any:  # noqa: ANN401 - JSON
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """What goes out; `body` is JSON unless it is bytes."""

    status: int
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return b"" if self.body is None else json.dumps(self.body).encode()


def error(status: int, kind: str, message: str) -> Reply:
    return Reply(status, {"type": kind, "message": message})


class StopError(Exception):
    """A request that ends with an error."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.reply = error(status, kind, message)


def refuse(wrong: str) -> None:
    if wrong:
        raise StopError(400, "BadRequest", wrong)


@dataclass
class Hive:
    """A TheHive with one user, and all that it holds."""

    memberships: dict[str, frozenset[str]] = field(default_factory=lambda: {"acme": ALL, "globex": ALL})
    """What the user may do in its organisations; the first one is its default."""
    site: Site = SITE
    licence: dict[str, Any] = field(default_factory=lambda: {"plan": "Community", "isValid": True})
    read_only_status: int = 403
    """With which a write is refused where the licence is not valid; TheHive's own is not known."""
    replaces: bool = True
    """Whether an update removes custom fields that it does not name, as in TheHive 3; 5's way is unknown."""
    version: str = "5.7.3"
    now: int = 1_790_000_000_000
    """Milliseconds; each write takes one."""
    alerts: dict[str, Row] = field(default_factory=dict)
    cases: dict[str, Row] = field(default_factory=dict)
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(4096, 8))

    def answer(self, request: Request) -> Reply:
        parts = urlsplit(request.target)
        path = [unquote(part) for part in parts.path.split("/")[1:]]
        try:
            if self.version.startswith("4"):
                return self._as_4(path)
            if path == ["api", "v1", "status", "public"]:
                return Reply(200, {"version": self.version, "sso": False, "ssoProviders": [], "imports": []})
            return self._known(request, path, parse_qs(parts.query))
        except StopError as stop:
            return stop.reply

    def _as_4(self, path: list[str]) -> Reply:
        if path == ["api", "v1", "status"]:
            return Reply(200, {"versions": {"Scalligraph": "1.0", "TheHive": self.version}, "connectors": {}})
        return Reply(404, b"<html>Action not found</html>", {"Content-Type": "text/html"})

    def _known(self, request: Request, path: list[str], asked: Mapping[str, list[str]]) -> Reply:
        """Answer whoever has the key."""
        if request.headers.get("authorization") != f"Bearer {KEY}":
            raise StopError(401, "AuthenticationError", "Authentication failure")
        organisation = request.headers.get("x-organisation", next(iter(self.memberships)))
        if organisation not in self.memberships:
            raise StopError(403, "AuthorizationError", f"Organisation {organisation} is not permitted")
        desk = Desk(self, organisation)
        match request.method, path[2:] if path[:2] == ["api", "v1"] else []:
            case "GET", ["status"]:
                return Reply(200, {"version": self.version, "license": self.licence, "config": {}})
            case "GET", ["user", "current"]:
                return Reply(200, desk.user())
            case "GET", ["customField"]:
                return Reply(200, [{"name": name, "type": kind} for name, kind in self.site.fields.items()])
            case "POST", ["query"]:
                return Reply(200, desk.query(_json(request)))
            case method, [kind, *rest] if kind in ("alert", "case"):
                return desk.change(method, kind, rest, request)
            case _:
                raise StopError(404, "NotFoundError", "no such endpoint")

    def tick(self) -> int:
        self.now += 1
        return self.now

    def id(self) -> str:
        return f"~{next(self._numbers)}"

    def of(self, organisation: str) -> list[Row]:
        """Return the alerts of an organisation."""
        return [alert for alert in self.alerts.values() if alert["organisation"] == organisation]


@dataclass
class Desk:
    """A TheHive as its user sees it in one organisation."""

    hive: Hive
    organisation: str

    def user(self) -> Row:
        return {
            "_id": "~1",
            "_type": "User",
            "_createdBy": "admin@thehive.local",
            "_createdAt": 1,
            "login": "socme@acme",
            "name": "SOCme",
            "hasKey": True,
            "hasPassword": False,
            "hasMFA": False,
            "locked": False,
            "profile": "analyst",
            "type": "Service",
            "extraData": {},
            "permissions": sorted(self.hive.memberships[self.organisation]),
            "organisation": self.organisation,
            "organisations": [
                {"organisationId": "~2", "organisation": name, "profile": "analyst"}
                for name in self.hive.memberships
            ],
        }

    def change(self, method: str, kind: str, rest: list[str], request: Request) -> Reply:
        match method, kind, rest:
            case "GET", _, [name]:
                return Reply(200, shown(self.find(kind, name)))
            case "POST", "alert", []:
                return self._write("manageAlert/create", self.create, request)
            case "PATCH", "alert", [name]:
                alert = self.find("alert", name)
                return self._write("manageAlert/update", lambda body: self.update(alert, body), request)
            case "PATCH", "case", [name]:
                case = self.find("case", name)
                return self._write("manageCase/update", lambda body: self.update_case(case, body), request)
            case "DELETE", "alert", [name]:
                self._may("manageAlert/delete")
                del self.hive.alerts[self.find("alert", name)["_id"]]
                return Reply(204)
            case "POST", "alert", [name, what]:
                return self._add(self.find("alert", name), what, request)
            case _:
                raise StopError(404, "NotFoundError", "no such endpoint")

    def _add(self, alert: Row, what: str, request: Request) -> Reply:
        adders: Mapping[str, tuple[str, Callable[[Row, Any], Reply]]] = {
            "observable": ("manageObservable", self.add_observable),
            "procedure": ("manageProcedure", self.add_procedure),
            "comment": ("manageComment", self.add_comment),
            "case": ("manageAlert/import", self.promote),
        }
        if what not in adders:
            raise StopError(404, "NotFoundError", "no such endpoint")
        permission, adder = adders[what]
        return self._write(permission, lambda body: adder(alert, body), request)

    def _may(self, permission: str) -> None:
        if permission not in self.hive.memberships[self.organisation]:
            raise StopError(403, "AuthorizationError", f"You don't have permission {permission}")
        if not self.hive.licence["isValid"]:
            raise StopError(self.hive.read_only_status, "LicenseError", "The licence is not valid")

    def _write(self, permission: str, act: Callable[[Any], Reply], request: Request) -> Reply:
        self._may(permission)
        return act(_json(request))

    def find(self, kind: str, name: str) -> Row:
        held = self.hive.alerts if kind == "alert" else self.hive.cases
        words = name.split(";")
        for row in held.values():
            known = (
                [row[key] for key in ("type", "source", "sourceRef")] if kind == "alert" else [row["number"]]
            )
            named = words == known if kind == "alert" else name == str(row["number"])
            if row["organisation"] == self.organisation and (row["_id"] == name or named):
                return row
        raise StopError(404, "NotFoundError", f"{kind} {name} not found")

    def create(self, body: Any) -> Reply:  # noqa: ANN401 - JSON
        refuse(forms.alert(self.hive.site).problem(body))
        known = [body["type"], body["source"], body["sourceRef"]]
        for other in self.hive.of(self.organisation):
            if known == [other["type"], other["source"], other["sourceRef"]]:
                wrong = f"Alert {':'.join(known)} already exist in organisation {self.organisation}"
                raise StopError(400, "CreateError", wrong)
        at = self.hive.tick()
        kept = {
            key: value for key, value in body.items() if key not in ("observables", "procedures", "status")
        }
        alert: Row = {
            "_id": self.hive.id(),
            "_type": "Alert",
            "_createdBy": "socme@acme",
            "_createdAt": at,
            "severity": 2,
            "date": at,
            "tlp": 2,
            "pap": 2,
            "newDate": at,
            "timeToDetect": 0,
            "follow": True,
            "extraData": {},
            "organisation": self.organisation,
            **kept,
            "customFields": _fields({}, body.get("customFields", {})),
            "tags": list(dict.fromkeys(body.get("tags", []))),
            "status": body.get("status", "New"),
            "observables": [],
            "procedures": [],
            "comments": [],
        }
        for each in body.get("observables", []):
            self._observe(alert, each)
        alert["procedures"] += [self._procedure(each) for each in body.get("procedures", [])]
        self.hive.alerts[alert["_id"]] = self._settled(alert)
        return Reply(201, shown(alert))

    def update(self, alert: Row, body: Any) -> Reply:  # noqa: ANN401 - JSON
        refuse(forms.alert_update(self.hive.site).problem(body))
        tags = [*body.get("tags", alert["tags"]), *body.get("addTags", [])]
        removed = body.get("removeTags", [])
        inner = ("addTags", "removeTags", "customFields")
        alert.update({key: value for key, value in body.items() if key not in inner})
        alert["tags"] = [tag for tag in dict.fromkeys(tags) if tag not in removed]
        if "customFields" in body:
            held = {} if self.hive.replaces else alert["customFields"]
            alert["customFields"] = _fields(held, body["customFields"])
        self._settled(alert)["_updatedAt"] = self.hive.tick()
        return Reply(204)

    def update_case(self, case: Row, body: Any) -> Reply:  # noqa: ANN401 - JSON
        refuse(forms.case_update(self.hive.site).problem(body))
        case.update({key: value for key, value in body.items() if key not in ("addTags", "removeTags")})
        self._settled(case)["_updatedAt"] = self.hive.tick()
        return Reply(204)

    def add_observable(self, alert: Row, body: Any) -> Reply:  # noqa: ANN401 - JSON
        refuse(forms.observable(self.hive.site)(body))
        return Reply(201, self._observe(alert, body))

    def add_procedure(self, alert: Row, body: Any) -> Reply:  # noqa: ANN401 - JSON
        refuse(forms.procedure(self.hive.site)(body))
        made = self._procedure(body)
        alert["procedures"].append(made)
        return Reply(201, made)

    def add_comment(self, alert: Row, body: Any) -> Reply:  # noqa: ANN401 - JSON
        refuse(forms.COMMENT.problem(body))
        made = {
            "_id": self.hive.id(),
            "_type": "Comment",
            "createdBy": "socme@acme",
            "extraData": {},
            "createdAt": self.hive.tick(),
            "message": body["message"],
            "isEdited": False,
        }
        alert["comments"].append(made)
        return Reply(201, made)

    def promote(self, alert: Row, body: Any) -> Reply:  # noqa: ANN401 - JSON
        refuse(forms.promotion(self.hive.site).problem(body))
        refuse("Alert is already imported" if "caseId" in alert else "")
        at = self.hive.tick()
        inherited = {key: alert[key] for key in ("title", "description", "severity", "tlp", "pap", "tags")}
        case: Row = {
            "_id": self.hive.id(),
            "_type": "Case",
            "_createdBy": "ann@acme",
            "_createdAt": at,
            "number": len(self.hive.cases) + 1,
            "startDate": at,
            "flag": False,
            "newDate": at,
            "access": {},
            "extraData": {},
            "timeToDetect": 0,
            "organisation": self.organisation,
            **inherited,
            **body,
            "status": body.get("status", "New"),
        }
        self.hive.cases[case["_id"]] = self._settled(case)
        alert.update({"status": "Imported", "caseId": case["_id"], "importedDate": at})
        self._settled(alert)["_updatedAt"] = at
        return Reply(201, shown(case))

    def query(self, body: Any) -> object:  # noqa: ANN401 - JSON
        if not isinstance(body, dict) or not {"query"} <= body.keys() <= {"query", "excludeFields"}:
            raise StopError(400, "BadRequest", f"no query: {body}")
        if not isinstance(body["query"], list) or not body["query"]:
            raise StopError(400, "BadRequest", "an empty query")
        first, *steps = body["query"]
        rows = self._first(first)
        try:
            for step in steps:
                if step["_name"] == "count":
                    return len(rows)
                rows = self._step(rows, step)
        except (BadQueryError, KeyError, TypeError) as wrong:
            raise StopError(400, "BadRequest", f"no query: {wrong}") from wrong
        without = set(body.get("excludeFields", []))
        return [{key: value for key, value in shown(row).items() if key not in without} for row in rows]

    def _first(self, step: Mapping[str, Any]) -> list[Row]:
        listed: Mapping[str, Callable[[], list[Row]]] = {
            "listAlert": lambda: self.hive.of(self.organisation),
            "listCase": lambda: [
                c for c in self.hive.cases.values() if c["organisation"] == self.organisation
            ],
            "listObservableType": lambda: [
                {
                    "_id": f"~{name}",
                    "name": name,
                    "isAttachment": attachment,
                    "isCaseSensitive": name not in self.hive.site.insensitive,
                }
                for name, attachment in self.hive.site.types.items()
            ],
        }
        name = str(step.get("_name"))
        if name in listed and len(step) == 1:
            return listed[name]()
        if name in ("getAlert", "getCase") and step.keys() == {"_name", "idOrName"}:
            return [self.find(name[3:].lower(), step["idOrName"])]
        raise StopError(400, "BadRequest", f"no query begins with {step}")

    def _step(self, rows: list[Row], step: Mapping[str, Any]) -> list[Row]:
        name = step["_name"]
        if name in ("observables", "procedures", "comments") and len(step) == 1:
            return [each for row in rows for each in row[name]]
        if name == "alerts" and len(step) == 1:
            cases = {row["_id"] for row in rows}
            return [alert for alert in self.hive.alerts.values() if alert.get("caseId") in cases]
        found = narrowed(rows, step)
        if "caseNumber" in step.get("extraData", []):
            found = [
                {**row, "extraData": {"caseNumber": self.hive.cases[row["caseId"]]["number"]}}
                if "caseId" in row
                else row
                for row in found
            ]
        return found

    def _settled(self, row: Row) -> Row:
        row["stage"] = self.hive.site.statuses[row["status"]]
        return row

    def _observe(self, alert: Row, body: Row) -> list[Row]:
        same = self.hive.site.same
        has = {same(each["dataType"], each["data"]) for each in alert["observables"]}
        refuse(
            "Observable already exists"
            if has & {same(body["dataType"], d) for d in forms.data_of(body)}
            else ""
        )
        made: list[Row] = [
            {
                "_id": self.hive.id(),
                "_type": "Observable",
                "_createdBy": "socme@acme",
                "_createdAt": 1,
                "tlp": 2,
                "pap": 2,
                "ioc": False,
                "sighted": False,
                "ignoreSimilarity": False,
                "tags": [],
                "startDate": self.hive.now,
                "reports": {},
                "extraData": {},
                **body,
                "data": data,
            }
            for data in forms.data_of(body)
        ]
        alert["observables"] += made
        return made

    def _procedure(self, body: Row) -> Row:
        return {"_id": self.hive.id(), "_createdAt": self.hive.tick(), "extraData": {}, **body}


def shown(row: Row) -> Row:
    """Return an object as TheHive shows it."""
    if row.get("_type") not in ("Alert", "Case"):
        return row
    inner = ("organisation", "observables", "procedures", "comments")
    told = {key: value for key, value in row.items() if key not in inner}
    told["severityLabel"] = _LABELS[row["severity"]]
    told["tlpLabel"], told["papLabel"] = _TLP[row["tlp"]], _PAP[row["pap"]]
    if row["_type"] == "Alert":
        told["observableCount"] = len(row["observables"])
        told["customFields"] = [
            {"_id": f"~{name}", "name": name, "value": value, "order": 0}
            for name, value in row["customFields"].items()
        ]
    return told


def _fields(held: Row, told: Any) -> Row:  # noqa: ANN401 - JSON
    pairs = told if isinstance(told, dict) else {each["name"]: each["value"] for each in told}
    return {**held, **pairs}


def _json(request: Request) -> Any:  # noqa: ANN401 - JSON
    if request.headers.get("content-type") != "application/json":
        raise StopError(400, "BadRequest", "not JSON")
    try:
        return json.loads(request.body)
    except ValueError as wrong:
        raise StopError(400, "BadRequest", "not JSON") from wrong
