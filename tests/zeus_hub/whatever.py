"""Any message of a type: made from its descriptor, so that a field that is new is filled in as well."""

import math
from typing import Any, TypeVar, cast

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import strategies as st

Made = TypeVar("Made", bound=Message)

INT32, INT64 = st.integers(-(2**31), 2**31 - 1), st.integers(-(2**63), 2**63 - 1) | st.integers(-5, 5)
UINT32, UINT64 = st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1) | st.integers(0, 5)
TEXTS = st.text(max_size=20)
# What a sum, a product or a conversion fails at comes seldom by chance.
FLOATS = st.sampled_from([math.nan, math.inf, -math.inf, 1e306, -1e306, 0.5]) | st.floats()
TIMES = st.builds(Timestamp, seconds=INT64, nanos=INT32)
_SCALARS: dict[int, st.SearchStrategy[Any]] = {
    FieldDescriptor.TYPE_DOUBLE: FLOATS,
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    FieldDescriptor.TYPE_BYTES: st.binary(max_size=20),
    FieldDescriptor.TYPE_ENUM: st.integers(0, 8) | INT32,
    FieldDescriptor.TYPE_INT32: INT32,
    FieldDescriptor.TYPE_INT64: INT64,
    FieldDescriptor.TYPE_STRING: TEXTS,
    FieldDescriptor.TYPE_UINT32: UINT32,
    FieldDescriptor.TYPE_UINT64: UINT64,
}


def messages(kind: type[Made]) -> st.SearchStrategy[Made]:
    """Return a strategy for messages of a type, in which every field may be there or not."""
    return cast("st.SearchStrategy[Made]", _messages(kind))


def _messages(kind: type[Message]) -> st.SearchStrategy[Message]:
    if kind is Timestamp:
        return TIMES
    fields = {field.name: _field(field) for field in kind.DESCRIPTOR.fields}
    return st.fixed_dictionaries({}, optional=fields).map(lambda given: kind(**given))


def _field(field: Any) -> st.SearchStrategy[Any]:  # noqa: ANN401 - a FieldDescriptor of either of two kinds
    inside = field.message_type
    if inside is not None and inside.GetOptions().map_entry:
        return st.dictionaries(*(_field(part) for part in inside.fields), max_size=2)
    one = _SCALARS[field.type] if inside is None else _messages(GetMessageClass(inside))
    return st.lists(one, max_size=2) if field.is_repeated else one
