"""Records answers and errors, and what botocore's parsers make of them."""

import base64
import json
from types import SimpleNamespace
from xml.etree import ElementTree

import botocore.compat
from botocore.awsrequest import HeadersDict
from botocore.handlers import parse_get_bucket_location
from botocore.parsers import create_parser
from botocore.serialize import SERIALIZERS
from botocore.utils import is_json_value_header
from moto.core import serialize
from moto.core.model import ServiceModel

from fields import CBOR, field, plain, row, to_json, wire_name
from fixed import REQUEST_ID
from samples import Sampler


# operation, writer, status, headers, body, result


def stamp(shape, moment, form):
    form = shape.serialization.get("timestampFormat", form).lower()
    if form == "iso8601":
        return plain(moment)
    if form == "rfc822":
        return botocore.compat.formatdate(moment.timestamp(), usegmt=True)
    seconds = moment.timestamp()
    return int(seconds) if seconds == int(seconds) else seconds


def to_wire_json(shape, value):
    kind = shape.type_name
    if kind == "structure" and not shape.is_document_type:
        return {
            wire_name(shape.members[k], k): to_wire_json(shape.members[k], v)
            for k, v in value.items()
        }
    if kind == "list":
        return [to_wire_json(shape.member, v) for v in value]
    if kind == "map":
        return {k: to_wire_json(shape.value, v) for k, v in value.items()}
    if kind == "timestamp":
        return stamp(shape, value, "unixtimestamp")
    return plain(value)


def to_text(shape, value, form):
    kind = shape.type_name
    if kind == "timestamp":
        return str(stamp(shape, value, form))
    if kind == "boolean":
        return "true" if value else "false"
    if is_json_value_header(shape):
        value = json.dumps(value).encode()
    if kind == "list":
        return ", ".join(to_text(shape.member, v, form) for v in value)
    return str(plain(value))


def to_xml(node, name, shape, value):
    kind = shape.type_name
    flat = shape.serialization.get("flattened")
    if kind == "list":
        if not flat:
            node = ElementTree.SubElement(node, name)
            name = wire_name(shape.member, "member")
        else:
            name = wire_name(shape.member, name)
        for item in value:
            to_xml(node, name, shape.member, item)
        return
    if kind == "map":
        if not flat:
            node, name = ElementTree.SubElement(node, name), "entry"
        for key, item in value.items():
            entry = ElementTree.SubElement(node, name)
            to_xml(entry, wire_name(shape.key, "key"), shape.key, key)
            to_xml(entry, wire_name(shape.value, "value"), shape.value, item)
        return
    node = ElementTree.SubElement(node, name)
    if kind == "structure":
        fill_xml(node, shape, value)
    else:
        node.text = to_text(shape, value, "iso8601")


def fill_xml(node, shape, value):
    space = shape.serialization.get("xmlNamespace")
    if isinstance(space, dict):
        prefix = ":" + space["prefix"] if space.get("prefix") else ""
        node.set("xmlns" + prefix, space["uri"])
    for key, item in value.items():
        member = shape.members[key]
        if member.serialization.get("xmlAttribute"):
            node.set(wire_name(member, key), str(item))
        else:
            to_xml(node, wire_name(member, key), member, item)


def xml_text(root):
    return ElementTree.tostring(root, encoding="unicode")


def to_cbor(shape, value):
    body = bytearray()
    SERIALIZERS[CBOR]()._serialize_data_item(body, value, shape)
    return bytes(body)


def own_answer(operation, protocol, value):
    """Writes an answer by the model: status, headers, body."""
    shape, service = operation.output_shape, operation.service_model
    status = operation.http.get("responseCode", 200)
    space = service.metadata.get("xmlNamespace")
    root = ElementTree.Element(operation.name + "Response", {"xmlns": space} if space else {})
    if protocol == CBOR:
        return 200, {"smithy-protocol": "rpc-v2-cbor"}, to_cbor(shape, value)
    if protocol == "json":
        kind = "application/x-amz-json-" + str(service.metadata.get("jsonVersion", "1.0"))
        return 200, {"Content-Type": kind}, json.dumps(to_wire_json(shape, value))
    if protocol == "query":
        wrapper = shape.serialization.get("resultWrapper")
        fill_xml(ElementTree.SubElement(root, wrapper) if wrapper else root, shape, value)
        metadata = ElementTree.SubElement(root, "ResponseMetadata")
        ElementTree.SubElement(metadata, "RequestId").text = REQUEST_ID
        return 200, {"Content-Type": "text/xml"}, xml_text(root)
    if protocol == "ec2":
        ElementTree.SubElement(root, "requestId").text = REQUEST_ID
        fill_xml(root, shape, value)
        return 200, {"Content-Type": "text/xml"}, xml_text(root)

    headers, rest = {}, {}
    payload = shape.serialization.get("payload")
    for key, item in value.items():
        member = shape.members[key]
        place = member.serialization.get("location")
        if place == "header":
            headers[wire_name(member, key)] = to_text(member, item, "rfc822")
        elif place == "headers":
            for k, v in item.items():
                headers[member.serialization.get("name", "") + k] = str(v)
        elif not place:
            rest[key] = item
    if payload and payload in value:
        inner = shape.members[payload]
        if inner.type_name in ("blob", "string"):
            return status, headers, value[payload]
        shape, rest = inner, value[payload]
        root.tag = wire_name(inner, inner.name)
    elif payload or not any("location" not in m.serialization for m in shape.members.values()):
        return status, headers, ""
    if protocol == "rest-json":
        headers.setdefault("Content-Type", "application/json")
        return status, headers, json.dumps(to_wire_json(shape, rest))
    fill_xml(root, shape, rest)
    headers.setdefault("Content-Type", "application/xml")
    return status, headers, xml_text(root)


class Moto:
    """moto's serializers over its own kind of model."""

    def __init__(self, description, service):
        self.model = ServiceModel(description, service)
        self.context = serialize.SerializationContext(request_id=REQUEST_ID)

    def answer(self, operation, protocol, value):
        if protocol not in serialize.SERIALIZERS:
            return None
        serializer = serialize.get_serializer_class(self.model.service_name, protocol)
        made = serializer(self.model.operation_model(operation.name), self.context).serialize(value)
        body = made["body"]
        if isinstance(body, str):
            body = body.replace("?>\n", "?>", 1)
        return made["status_code"], {k: str(v) for k, v in made["headers"].items()}, body


def parse(parser, answer, shape):
    status, headers, body = answer
    response = {
        "status_code": status,
        "headers": HeadersDict(headers),
        "body": body.encode() if isinstance(body, str) else body,
        "context": {},
    }
    return parser.parse(response, shape)


def without_nodes(value):
    """botocore leaves XML nodes in members that share a name with a list."""
    if isinstance(value, list):
        return [without_nodes(v) for v in value]
    if not isinstance(value, dict):
        return value
    return {
        k: without_nodes(v)
        for k, v in value.items()
        if not isinstance(v[0] if isinstance(v, list) and v else v, ElementTree.Element)
    }


def result_of(parser, answer, shape):
    made = parse(parser, answer, shape)
    made = without_nodes(made)
    made.pop("ResponseMetadata", None)
    payload = shape.serialization.get("payload")
    if payload and shape.members[payload].type_name == "blob":
        if isinstance(made.get(payload), str):
            made[payload] = made[payload].encode()
    return made


def answer_row(operation, protocol, moto):
    shape = operation.output_shape
    if shape is None or operation.has_event_stream_output:
        return None
    service = operation.service_model.service_name
    parser = create_parser(protocol)
    value = Sampler(True, True, operation.http.get("responseCode", 200)).sample(shape)
    writer, answer, got = "own", None, None
    try:
        answer = moto.answer(operation, protocol, value)
        got = answer and result_of(parser, answer, shape)
        writer = "moto"
    except Exception:
        answer = None
    if answer is None or plain(got) != plain(value):
        answer = own_answer(operation, protocol, value)
        got, writer = result_of(parser, answer, shape), "own"
    if operation.name == "GetBucketLocation":
        # The model cannot say what S3 answers; botocore's client reads it apart.
        name, text = next(iter(value.items()))
        answer = 200, {}, f'<{name} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{text}</{name}>'
        got, writer = {}, "own"
        parse_get_bucket_location(got, SimpleNamespace(raw=True, content=answer[2]))
    # "odd" marks a result that is not what was put in.
    if plain(got) != plain(value):
        writer = "odd"
    status, headers, body = answer
    known = "x-amz-request-id" if service == "s3" else "x-amzn-RequestId"
    text = field(body)
    return row(
        operation.name,
        writer,
        status,
        json.dumps({known: REQUEST_ID, **headers}),
        text,
        field(to_json(got), body=text[2:]),
    )


# --- errors
# shape, status, headers, body, code, message, members


def error_answer(service, protocol, shape, index):
    """Writes a modelled error, its code in one of the places where AWS puts it."""
    meta = shape.metadata.get("error", {})
    status = meta.get("httpStatusCode", 500 if shape.metadata.get("fault") else 400)
    code, message = shape.error_code, f"The reason of {shape.name} é & <so>."
    value = Sampler(True, True, status).sample(shape)
    for name in list(value):
        if name.lower() == "message" or (
            protocol in ("query", "ec2", "rest-xml") and name.lower() in ("code", "type")
        ):
            del value[name]
    headers = {"x-amzn-RequestId": REQUEST_ID}
    for name in list(value):
        place = shape.members[name].serialization.get("location")
        if place == "header":
            key = wire_name(shape.members[name], name)
            headers[key] = to_text(shape.members[name], value.pop(name), "rfc822")
        elif place:
            del value[name]
    prefix = service.metadata.get("targetPrefix", "com.amazonaws")
    said = ("message", "Message")[index % 2]
    if protocol == CBOR:
        name = SERIALIZERS[CBOR]()
        head = bytearray()
        name._serialize_type_string(head, "__type", None, None)
        name._serialize_type_string(head, f"{prefix}#{shape.name}", None, None)
        name._serialize_type_string(head, "message", None, None)
        name._serialize_type_string(head, message, None, None)
        rest = bytearray(to_cbor(shape, value))
        count = (rest[0] & 31) if rest[0] < 0xB8 else rest[1]
        rest = rest[1:] if rest[0] < 0xB8 else rest[2:]
        if rest and rest[-1] == 0xFF:
            rest = rest[:-1]
        count += 2
        start = bytes([0xA0 | count]) if count < 24 else bytes([0xB8, count])
        headers["smithy-protocol"] = "rpc-v2-cbor"
        body = start + bytes(head) + bytes(rest)
    elif protocol in ("json", "rest-json"):
        body = {said: message, **to_wire_json(shape, value)}
        where = index % (4 if protocol == "rest-json" else 3)
        if where == 0:
            body = {"__type": f"{prefix}#{shape.name}", **body}
        elif where == 1:
            body = {"__type": shape.name, **body}
        elif where == 2:
            headers["x-amzn-errortype"] = f"{shape.name}:http://internal.amazon.com/coral/"
        else:
            body = {"code": shape.name, **body}
        if service.metadata.get("awsQueryCompatible") is not None and protocol == "json":
            fault = "Sender" if status < 500 else "Receiver"
            headers["x-amzn-query-error"] = f"{code};{fault}"
        body = json.dumps(body)
    else:
        error = ElementTree.Element("Error")
        if protocol != "ec2" and service.service_name != "s3":
            ElementTree.SubElement(error, "Type").text = "Sender"
        ElementTree.SubElement(error, "Code").text = code
        ElementTree.SubElement(error, "Message").text = message
        fill_xml(error, shape, value)
        space = service.metadata.get("xmlNamespace")
        spaced = {"xmlns": space} if space and index % 2 else {}
        if protocol == "ec2":
            root = ElementTree.Element("Response")
            ElementTree.SubElement(root, "Errors").append(error)
            ElementTree.SubElement(root, "RequestID").text = REQUEST_ID
        elif service.service_name == "s3":
            root = error
            ElementTree.SubElement(root, "RequestId").text = REQUEST_ID
        else:
            root = ElementTree.Element("ErrorResponse", spaced)
            root.append(error)
            ElementTree.SubElement(root, "RequestId").text = REQUEST_ID
        body = xml_text(root)
    return status, headers, body


# Errors of the way, which no model declares: a load balancer's page, an answer
# without a body (HEAD), a bare message, a code that the model does not know.
FOREIGN = {
    "dynamodb": "json",
    "lambda": "rest-json",
    "s3": "rest-xml",
    "iam": "query",
    "ec2": "ec2",
    "cloudwatch": CBOR,
}


def foreign_errors(protocol):
    page = "<html><body><b>Http/1.1 Service Unavailable</b></body></html>"
    yield 503, {"content-type": "text/html"}, page
    yield 502, {}, ""
    yield 500, {"x-amzn-requestid": REQUEST_ID}, ""
    if protocol in ("rest-xml", "rest-json", "json"):
        yield 404, {"x-amzn-requestid": REQUEST_ID}, ""
        yield 403, {"x-amzn-requestid": REQUEST_ID}, ""
    if protocol in ("json", "rest-json"):
        yield 400, {}, '{"__type": "com.amazon.coral.service#UnknownThing"}'
        yield 403, {}, '{"message": "Forbidden"}'
        yield 429, {"x-amzn-errortype": "TooManyRequestsException"}, "{}"
        yield 400, {"x-amzn-errortype": "ns#A:http://x/"}, '{"Message": "m", "code": "B"}'
    if protocol == "query":
        yield 400, {}, (
            "<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code>"
            "<Message>Rate exceeded</Message></Error><RequestId>r</RequestId></ErrorResponse>"
        )
    if protocol == "ec2":
        yield 503, {}, (
            "<Response><Errors><Error><Code>RequestLimitExceeded</Code><Message>Slow.</Message>"
            "</Error></Errors><RequestID>r</RequestID></Response>"
        )
    if protocol == "rest-xml":
        yield 503, {}, (
            "<Error><Code>SlowDown</Code><Message>Reduce your rate.</Message>"
            "<RequestId>r</RequestId><HostId>h</HostId></Error>"
        )


def error_row(service, protocol, name, answer, shape):
    parser = create_parser(protocol)
    made = parse(parser, answer, service.operation_model(service.operation_names[0]).output_shape)
    members = {}
    if shape is not None:
        members = {k: v for k, v in parse(parser, answer, shape).items() if k != "ResponseMetadata"}
    status, headers, body = answer
    return row(
        name,
        status,
        json.dumps(headers),
        field(body),
        field(made["Error"]["Code"]),
        field(made["Error"].get("Message", "")),
        to_json(members),
    )


def error_rows(service, protocol):
    shapes = sorted(service.error_shapes, key=lambda shape: shape.name)[:12]
    for index, shape in enumerate(shapes):
        yield error_row(
            service, protocol, shape.name, error_answer(service, protocol, shape, index), shape
        )
    if FOREIGN.get(service.service_name) == protocol:
        for answer in foreign_errors(protocol):
            yield error_row(service, protocol, "-", answer, None)
