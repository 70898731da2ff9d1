"""Makes inputs and outputs of an operation from its model."""

import datetime
import zlib

from botocore.utils import is_json_value_header

from fields import wire_name
from fixed import TOKEN


class Sampler:
    """Makes a value of a shape: of its required members, or of all."""

    DEPTH = 3
    LEAVES = 160
    # What a client checks before it sends must be a value that it takes.
    NAMED = {
        "accountid": "123456789012",
        "bucket": "bucket-name",
        "copysource": "bucket-name/source key",
        "checksumalgorithm": "SHA256",
    }
    SHAPED = {
        "StreamARN": "arn:aws:kinesis:eu-west-1:123456789012:stream/name",
        "ConsumerARN": "arn:aws:kinesis:eu-west-1:123456789012:stream/name/consumer/name:1",
        "KvsARN": "arn:aws:cloudfront::123456789012:key-value-store/name",
        "VipURL": "https://realtime.machinelearning.eu-west-1.amazonaws.com",
    }

    def __init__(self, full, output=False, status=200):
        self.full, self.output, self.status = full, output, status
        self.leaves = 0

    def sample(self, shape):
        return self.structure(shape, "", 0, ())

    def pick(self, path, n):
        return zlib.crc32(path.encode()) % n if self.full else 0

    def value(self, shape, name, path, depth, stack):
        kind = shape.type_name
        if kind in ("structure", "list", "map"):
            return getattr(self, kind)(shape, path, depth, stack)
        self.leaves += 1
        return getattr(self, kind, self.string)(shape, name, path)

    def structure(self, shape, path, depth, stack):
        if shape.is_document_type:
            return {"text": "é", "list": [1, True, {"deep": 0.5}]}
        members = [
            (n, m) for n, m in shape.members.items() if not m.serialization.get("eventstream")
        ]
        if self.output:
            # S3 has members that share a name on the wire: the list is the one in use.
            last = {wire_name(m, n): n for n, m in sorted(members, key=lambda x: x[0])}
            members = [(n, m) for n, m in members if last[wire_name(m, n)] == n]
        if shape.is_tagged_union:
            flat = [x for x in members if not self.recurs(x[1], stack + (shape.name,))]
            members = flat or members
            members = [members[self.pick(path, len(members))]]
            required = {members[0][0]}
        else:
            required = set(shape.required_members)
        made = {}
        for name, member in members:
            if name not in required and not self.wanted(member, shape, depth, stack):
                continue
            if self.output and member.serialization.get("location") == "statusCode":
                made[name] = self.status
                continue
            made[name] = self.value(
                member, name, f"{path}.{name}", depth + 1, stack + (shape.name,)
            )
        return made

    def wanted(self, member, parent, depth, stack):
        if not self.full or self.recurs(member, stack + (parent.name,)):
            return False
        if member.type_name in ("structure", "list", "map"):
            inner = member
            while inner.type_name in ("list", "map"):
                inner = inner.member if inner.type_name == "list" else inner.value
            if inner.type_name == "structure":
                return depth + 1 < self.DEPTH and self.leaves < self.LEAVES
        return depth < 1 or self.leaves < self.LEAVES

    def recurs(self, shape, stack):
        while shape.type_name in ("list", "map"):
            shape = shape.member if shape.type_name == "list" else shape.value
        return shape.name in stack

    def list(self, shape, path, depth, stack):
        scalar = shape.member.type_name not in ("structure", "list", "map")
        n = max(shape.metadata.get("min", 0), 2 if scalar and self.full else 1)
        n = min(n, shape.metadata.get("max", n) or n)
        return [
            self.value(shape.member, "", f"{path}[{i}]", depth, stack) for i in range(n)
        ]

    def map(self, shape, path, depth, stack):
        n = max(shape.metadata.get("min", 0), 1)
        made = {}
        for i in range(n):
            if shape.key.enum:
                key = shape.key.enum[i % len(shape.key.enum)]
            else:
                key = self.fit(shape.key, f"key{i + 1}")
            made[key] = self.value(shape.value, "", f"{path}{{{i}}}", depth, stack)
        return made

    def fit(self, shape, text):
        least, most = shape.metadata.get("min", 0), shape.metadata.get("max")
        text += "x" * (least - len(text))
        if most and len(text) > most:
            text = text[: most - 1] + "x"
        return text

    def string(self, shape, name, path):
        place = shape.serialization.get("location")
        if is_json_value_header(shape):
            return {"key": ["value", 1]}
        if shape.metadata.get("enum"):
            return shape.enum[self.pick(path, len(shape.enum))]
        if shape.serialization.get("hostLabel"):
            return self.fit(shape, self.NAMED.get(name.lower(), "label-1"))
        if shape.name in self.SHAPED:
            return self.SHAPED[shape.name]
        if name.lower() in self.NAMED:
            return self.fit(shape, self.NAMED[name.lower()])
        if shape.serialization.get("idempotencyToken") or shape.metadata.get("idempotencyToken"):
            return TOKEN
        if shape.name.lower().endswith("arn") or name.lower().endswith("arn"):
            return self.fit(shape, "arn:aws:service:eu-west-1:123456789012:type/name")
        word = name or shape.name
        if self.full and not place:
            word += ("", " é&<\"'>", "/+%~*=", " a\\b\u20ac")[self.pick(path, 4)]
        elif self.full and place in ("uri", "querystring"):
            word += ("", " é&", "/+%~*=:@")[self.pick(path, 3)]
        elif self.full and place == "header":
            word += ("", ' "a", b')[self.pick(path, 2)]
        return self.fit(shape, word)

    def character(self, shape, name, path):
        return "c"

    def boolean(self, shape, name, path):
        return self.pick(path, 2) == 0

    def integer(self, shape, name, path):
        least = shape.metadata.get("min", 1)
        most = shape.metadata.get("max", max(least, 0) + 96)
        return int(least) + self.pick(path, max(1, min(97, int(most) - int(least) + 1)))

    def long(self, shape, name, path):
        # More than a float64 can hold, where the model allows it.
        if self.full and "max" not in shape.metadata and self.pick(path, 4) == 0:
            if not shape.serialization.get("location"):
                return 2**53 + 1
        return self.integer(shape, name, path)

    def float(self, shape, name, path):
        least, most = shape.metadata.get("min", 0), shape.metadata.get("max")
        value = least + (0.5, 0.25, 1.0)[self.pick(path, 3)]
        return float(value if most is None or value <= most else most)

    double = float

    def bigdecimal(self, shape, name, path):
        return "0.5"

    def timestamp(self, shape, name, path):
        moment = datetime.datetime(2015, 1, 25, 8, 0, 1, tzinfo=datetime.timezone.utc)
        whole = shape.serialization.get("location") == "header" or (
            shape.serialization.get("timestampFormat", "").lower() == "rfc822"
        )
        if self.full and not whole and self.pick(path, 2):
            moment = moment.replace(microsecond=678000)
        return moment

    def blob(self, shape, name, path):
        # botocore gives a payload as text, so that one is ASCII in answers.
        return b"blob " + (name or shape.name).encode() + (b"" if self.output else b" \x00\xff")


class Edge(Sampler):
    """Makes a value of a shape with the odd values that it allows."""

    DEPTH = 2

    def __init__(self):
        super().__init__(True)

    def empty(self, shape, path):
        return not shape.metadata.get("min") and self.pick(path + "!", 2) == 0

    def structure(self, shape, path, depth, stack):
        if shape.is_document_type:
            return [{"none": None, "empty": {}, "list": []}, "", -0.5, False]
        if depth and not shape.required_members and not shape.is_tagged_union:
            if self.empty(shape, path):
                return {}
        return super().structure(shape, path, depth, stack)

    def list(self, shape, path, depth, stack):
        return [] if self.empty(shape, path) else super().list(shape, path, depth, stack)

    def map(self, shape, path, depth, stack):
        return {} if self.empty(shape, path) else super().map(shape, path, depth, stack)

    def string(self, shape, name, path):
        named = shape.serialization.get("location") in ("uri", "header")
        named = named or shape.name in self.SHAPED
        if shape.metadata.get("enum") or named or shape.serialization.get("hostLabel"):
            return super().string(shape, name, path)
        texts = ("", " a ", "line\nbreak\ttab", "\U0001f600 \u2028", "]]>&#10;", "=&+%20;")
        return self.fit(shape, texts[self.pick(path, len(texts))])

    def integer(self, shape, name, path):
        least, most = shape.metadata.get("min"), shape.metadata.get("max")
        if least is None and most is None:
            return (0, -1, 2**31 - 1)[self.pick(path, 3)]
        ends = [int(end) for end in (least, most) if end is not None]
        return ends[self.pick(path, len(ends))]

    def float(self, shape, name, path):
        if "min" in shape.metadata or "max" in shape.metadata:
            return super().float(shape, name, path)
        odd = (float("nan"), float("inf"), float("-inf"), -0.5, 1e21, 1e-7)
        return odd[self.pick(path, len(odd))]

    double = float

    def timestamp(self, shape, name, path):
        year = (1970, 1969, 2100)[self.pick(path, 3)]
        return datetime.datetime(year, 1, 1, 0, 0, 0, tzinfo=datetime.timezone.utc)

    def blob(self, shape, name, path):
        return (b"", bytes(range(256)))[self.pick(path, 2)]


def inputs(operation, edge=False):
    shape = operation.input_shape
    samplers = {"required": Sampler(False), "all": Sampler(True)}
    if edge and shape is not None and zlib.crc32(operation.name.encode()) % 8 == 0:
        samplers["edge"] = Edge()
    for name, sampler in samplers.items():
        yield name, {} if shape is None else sampler.sample(shape)


def needs_stream(operation):
    """Says whether the input cannot be made: it has a required event stream."""
    shape = operation.input_shape
    return shape is not None and any(
        member.serialization.get("eventstream") and name in shape.required_members
        for name, member in shape.members.items()
    )
