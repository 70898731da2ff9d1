"""Writes values, texts and bytes as the fields of a line."""

import base64
import datetime
import json
import math
import re
from urllib.parse import urlencode

CBOR = "smithy-rpc-v2-cbor"

# Whether a field may say that it is the same as another.
share = True


def plain(value):
    """JSON has neither bytes nor times."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode()
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, datetime.datetime):
        value = value.astimezone(datetime.timezone.utc)
        form = "%Y-%m-%dT%H:%M:%S.%f" if value.microsecond else "%Y-%m-%dT%H:%M:%S"
        return value.strftime(form)[:23] + "Z"
    return value


def to_json(value):
    return json.dumps(plain(value))


def field(value, **same):
    """Writes a text or bytes so that it holds no tab and no line break."""
    if value is None or value == "" or value == b"":
        return ""
    if isinstance(value, (bytes, bytearray)):
        try:
            text = bytes(value).decode()
        except UnicodeDecodeError:
            return "x:" + bytes(value).hex()
    else:
        text = value
    for name, other in same.items():
        if share and text == other:
            return "=" + name
    if re.search(r"[\x00-\x1f\x7f\u0085\u2028\u2029]", text):
        return "j:" + json.dumps(text)
    return "t:" + text


def row(*fields):
    return "\t".join(str(f) for f in fields)


def read_field(text, same):
    if text.startswith("="):
        return same
    if text.startswith("j:"):
        return json.loads(text[2:])
    return text[2:] if text.startswith("t:") else None


def wire_name(shape, name):
    return shape.serialization.get("name", name)


def body_bytes(body):
    """What goes over the wire for a serializer's body."""
    if isinstance(body, dict):
        body = urlencode(body, doseq=True)
    if hasattr(body, "read"):
        body.seek(0)
        body = body.read()
    return body.encode() if isinstance(body, str) else bytes(body or b"")
