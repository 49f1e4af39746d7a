"""The part of CEL that a matcher may be written in, as a tree with positions.

What CEL has beyond that (maps, bytes, unsigned and floating numbers, optional values) no field has a use for.
"""

from functools import cache

from lark import Lark, Token, Tree, UnexpectedInput
from lark.exceptions import UnexpectedCharacters, UnexpectedToken

from socme.errors import OperatorError

LONGEST = 4000  # characters of an expression
DEEPEST = 24  # nodes from the top of a tree to its leaves

_GRAMMAR = r"""
?start: choice
?choice: either | either "?" either ":" choice
?either: both ("||" both)*
?both: relation ("&&" relation)*
?relation: sum | relation (EQUAL | ORDER | IN) sum
?sum: product | sum (PLUS | MINUS) product
?product: unary | product (TIMES | DIVIDED | MODULO) unary
?unary: member | "!" unary -> negation | MINUS unary -> minus
?member: primary
    | member "." NAME -> field
    | member "." NAME "(" [arguments] ")" -> method
    | member "[" choice "]" -> entry
?primary: "(" choice ")"
    | NAME -> name
    | NAME "(" [arguments] ")" -> call
    | "[" [_entries [","]] "]" -> list
    | STRING -> text
    | INTEGER -> number
    | FRACTION -> fraction
    | TRUE -> truth
    | FALSE -> truth
    | NULL -> null
arguments: _entries
_entries: choice | _entries "," choice

EQUAL: "==" | "!="
ORDER: "<=" | ">=" | "<" | ">"
IN: "in"
PLUS: "+"
MINUS: "-"
TIMES: "*"
DIVIDED: "/"
MODULO: "%"
TRUE: "true"
FALSE: "false"
NULL: "null"
NAME: /[A-Za-z_][A-Za-z0-9_]*/
FRACTION.2: /\d+\.\d+([eE][+-]?\d+)?/ | /\d+[eE][+-]?\d+/ | /(0x[0-9a-fA-F]+|\d+)[uU]/
INTEGER: /0x[0-9a-fA-F]+|\d+/
STRING: /[rR]("[^"\n]*"|'[^'\n]*')/ | /"(\\[^\n]|[^"\\\n])*"|'(\\[^\n]|[^'\\\n])*'/
%ignore /[ \t\r\n\f]+/
%ignore /\/\/[^\n]*/
"""


class MatcherError(OperatorError):
    """A matcher cannot be what was meant; `line` and `column`, from 1 on, say where in it."""

    def __init__(self, reason: str, line: int = 1, column: int = 1) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line
        self.column = column


def parse(text: str) -> Tree[Token]:
    """Return the tree of an expression; raise MatcherError where it is none."""
    if len(text) > LONGEST:
        raise MatcherError(f"it is longer than {LONGEST} characters; make several routes of it")
    try:
        tree = _parser().parse(text)
    except UnexpectedCharacters as error:
        raise MatcherError(f"CEL knows no {error.char!r} here", error.line, error.column) from error
    except UnexpectedInput as error:
        raise MatcherError(*_unexpected(text, error)) from error
    _check_depth(tree)
    return tree


def source(text: str, node: Tree[Token]) -> str:
    """Return the part of an expression that a node stands for, without brackets around it."""
    return text[node.meta.start_pos : node.meta.end_pos]


def conjuncts(tree: Tree[Token]) -> list[Tree[Token]]:
    """Return the parts that all have to hold, in their order; one where there is no && at the top."""
    if tree.data == "both":
        return [child for child in tree.children if isinstance(child, Tree)]
    return [tree]


def _check_depth(tree: Tree[Token]) -> None:
    """Refuse a tree that is deep: the engine, and who reads it, go down by recursion."""
    nodes, depth = [tree], 0
    while nodes:
        depth += 1
        if depth > DEEPEST:
            meta = nodes[0].meta
            raise MatcherError(f"it is nested more than {DEEPEST} deep", meta.line, meta.column)
        nodes = [child for node in nodes for child in node.children if isinstance(child, Tree)]


def _unexpected(text: str, error: UnexpectedInput) -> tuple[str, int, int]:
    """Return why there is no tree, with line and column; at the end of the text lark knows neither."""
    token = error.token if isinstance(error, UnexpectedToken) else None
    if token is None or token.type == "$END":
        lines = text.split("\n")
        return "something is missing at the end", len(lines), len(lines[-1]) + 1
    return f"{str(token)[:40]!r} does not belong here", error.line, error.column


@cache
def _parser() -> Lark:
    return Lark(_GRAMMAR, parser="lalr", propagate_positions=True, maybe_placeholders=False)
