"""Enrolment tokens as people see them: one line to paste on a node or a screen.

`socme1.<payload>`, where the payload is an EnrollmentToken message and the CRC-32 of it, base64url
without padding. The checksum tells a token that was cut while it was pasted from one that is wrong.
"""

import base64
import binascii
import struct

from google.protobuf.message import DecodeError

from socme.errors import OperatorError
from socme.v1.enrollment_pb2 import EnrollmentToken

PREFIX = "socme1."
_CRC = struct.Struct(">I")


def encode(token: EnrollmentToken) -> str:
    """Return the line for a token."""
    plain = token.SerializeToString()
    sealed = plain + _CRC.pack(binascii.crc32(plain))
    return PREFIX + base64.urlsafe_b64encode(sealed).decode().rstrip("=")


def decode(line: str) -> EnrollmentToken:
    """Return the token that a line holds; raise OperatorError where it holds none."""
    text = "".join(line.split())  # a terminal may have wrapped it
    again = "Copy the whole line that `zeus token create` printed."
    if not text.startswith(PREFIX):
        raise OperatorError("this is not an enrolment token: it does not begin with socme1.", again)
    body = text.removeprefix(PREFIX)
    try:
        sealed = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
        plain, crc = sealed[: -_CRC.size], sealed[-_CRC.size :]
        if len(crc) != _CRC.size or _CRC.unpack(crc)[0] != binascii.crc32(plain):
            raise OperatorError("the token is damaged: was it cut while it was pasted?", again)
        return EnrollmentToken.FromString(plain)
    except (ValueError, DecodeError) as error:
        raise OperatorError("the token is damaged: was it cut while it was pasted?", again) from error
