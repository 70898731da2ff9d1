"""Records the whole requests of botocore's clients, and endpoints."""

import hashlib
import json
import re

import botocore.session
from botocore.config import Config
from botocore.tokens import FrozenAuthToken

from fields import body_bytes, field, row
from fixed import KEY, SECRET
from samples import inputs, needs_stream

WIRE_REGIONS = ("eu-west-1", "cn-north-1", "us-gov-west-1")
REGIONS = (
    "us-east-1",
    "eu-west-1",
    "cn-north-1",
    "us-gov-west-1",
    "us-iso-east-1",
    "eusc-de-east-1",
)


# operation, sample, region, result, method, URL, headers, body, scheme,
# signing service, signing region, signed headers, signature (8 bytes)
#
# The result is "sent", or the name of the error with which botocore refuses;
# with a slash and another operation where that one must be asked first. In
# headers, {sha256} stands for the body's hash and {length} for its length.
# "=requests" is the body that the serializer made, "=home" the field of
# eu-west-1 with the other region and its domain in it.


class Caught(BaseException):
    """Carries a request away from where it would have been sent."""

    def __init__(self, request, operation):
        self.request, self.operation = request, operation


def catch(request, event_name, **_):
    raise Caught(request, event_name.rsplit(".", 1)[1])


class Token:
    def load_token(self, signing_name=None, **_):
        return None if signing_name else FrozenAuthToken("TOKENEXAMPLE")


def new_session():
    session = botocore.session.Session()
    session.set_credentials(KEY, SECRET)
    session.register_component("token_provider", Token())
    return session


def new_client(session, service, region, **config):
    client = session.create_client(service, region_name=region, config=Config(**config))
    client.meta.events.register_last("before-send", catch)
    return client


def call(client, operation, value):
    """Returns the result, and the request and its body when one was made."""
    try:
        client._make_api_call(operation, value)
    except Caught as caught:
        request = caught.request
        result = "sent" if caught.operation == operation else f"sent/{caught.operation}"
        return result, request, body_bytes(request.body)
    except Exception as error:
        return type(error).__name__, None, b""
    return "nothing", None, b""


AUTHORIZATION = re.compile(
    r"(AWS4-\S+) Credential=[^/]+/\d+/([^/]+)/([^/]+)/aws4_request, "
    r"SignedHeaders=(\S+), Signature=([0-9a-f]+)$"
)


def text_of(value):
    return value.decode() if isinstance(value, bytes) else str(value)


def split_request(request, body):
    """Takes a request apart: URL, headers, and how it was signed."""
    headers = {k: text_of(v) for k, v in request.headers.items() if k.lower() != "user-agent"}
    scheme = service = region = signed = signature = ""
    for key in list(headers):
        if key.lower() != "authorization":
            continue
        match = AUTHORIZATION.match(headers[key])
        if match:
            scheme, region, service, signed, signature = match.groups()
            signature = signature[:16]
            del headers[key]
        else:
            scheme = headers[key].split(" ")[0]
    digest = hashlib.sha256(body).hexdigest()
    for key, value in headers.items():
        if value == digest:
            headers[key] = "{sha256}"
        elif key.lower() == "content-length" and value == str(len(body)):
            headers[key] = "{length}"
    return request.url, json.dumps(headers), scheme, service, region, signed, signature


def away(text, region, suffix):
    return text.replace("eu-west-1", region).replace("amazonaws.com", suffix)


def wire_rows(clients, operation, serialized):
    if needs_stream(operation):
        return
    for name, value in inputs(operation):
        home = None
        for region in WIRE_REGIONS if name == "required" else WIRE_REGIONS[:1]:
            client = clients[region]
            if isinstance(client, str):
                yield row(operation.name, name, region, client)
                continue
            result, request, body = call(client, operation.name, value)
            if request is None:
                yield row(operation.name, name, region, result)
                continue
            url, headers, *sign = split_request(request, body)
            suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
            there = {}
            if home:
                there = {k: away(v, region, suffix) for k, v in home.items()}
            yield row(
                operation.name,
                name,
                region,
                result,
                request.method,
                field(url, home=there.get("url")),
                field(headers, home=there.get("headers")),
                field(body, requests=serialized.get((operation.name, name))),
                *sign,
            )
            if region == WIRE_REGIONS[0]:
                home = {"url": url, "headers": headers}


def clients_of(session, service):
    made = {}
    for region in WIRE_REGIONS:
        try:
            made[region] = new_client(session, service, region)
        except Exception as error:
            made[region] = type(error).__name__
    return made


# --- endpoints ---
# operation, region, flags (f: FIPS, d: dual stack), result, URL, scheme,
# signing service, signing region, headers
#
# Of S3: "GetObject", region, flags, result, URL, scheme, service, region,
# bucket. Flags p: path style, a: accelerate. The result is as in wire.


def endpoint_rows(session, service, model):
    operation = next(
        model.operation_model(n)
        for n in model.operation_names
        if not needs_stream(model.operation_model(n))
    )
    value = dict(inputs(operation))["required"]
    for region in REGIONS:
        for flags in ("-", "f", "d", "fd"):
            config = {"use_fips_endpoint": "f" in flags, "use_dualstack_endpoint": "d" in flags}
            try:
                client = new_client(session, service, region, **config)
                resolver = client._ruleset_resolver
                made = resolver.construct_endpoint(operation, value, {})
                scheme, scope = "", {}
                if made.properties.get("authSchemes"):
                    scheme, scope = resolver.auth_schemes_to_signing_ctx(
                        made.properties["authSchemes"]
                    )
                signer = client._request_signer
                yield row(
                    operation.name,
                    region,
                    flags,
                    "sent",
                    made.url,
                    scheme,
                    scope.get("signing_name", signer.signing_name),
                    scope.get("region", signer.region_name),
                    json.dumps(made.headers) if made.headers else "",
                )
            except Exception as error:
                yield row(operation.name, region, flags, type(error).__name__)


def buckets():
    point = "arn:{partition}:s3:{region}:123456789012:accesspoint{sep}name"
    return (
        "bucket-name",
        "bucket.with.dots",
        "Bucket_Upper",
        "ab",
        point.replace("{sep}", "/"),
        point.replace("{sep}", ":"),
        "arn:{partition}:s3:us-west-2:123456789012:accesspoint/elsewhere",
        "arn:{partition}:s3-outposts:{region}:123456789012:outpost/op-01/accesspoint/name",
        "arn:{partition}:s3-object-lambda:{region}:123456789012:accesspoint/name",
        "arn:{partition}:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap",
        "bucket--use1-az4--x-s3",
    )


S3_CONFIGS = {
    "-": {},
    "p": {"s3": {"addressing_style": "path"}},
    "a": {"s3": {"use_accelerate_endpoint": True}},
    "d": {"use_dualstack_endpoint": True},
    "f": {"use_fips_endpoint": True},
}


def bucket_rows(session):
    partitions = {"cn": "aws-cn", "us-gov": "aws-us-gov", "us-iso": "aws-iso", "eusc": "aws-eusc"}
    for region in REGIONS:
        partition = next((p for k, p in partitions.items() if region.startswith(k)), "aws")
        for flags, config in S3_CONFIGS.items():
            client = new_client(session, "s3", region, **config)
            for form in buckets():
                name = form.replace("{region}", region).replace("{partition}", partition)
                result, request, body = call(client, "GetObject", {"Bucket": name, "Key": "a/k ey"})
                if request is None:
                    yield row("GetObject", region, flags, result, "", "", "", "", name)
                    continue
                url, _, scheme, service, scope, _, _ = split_request(request, body)
                yield row("GetObject", region, flags, result, url, scheme, service, scope, name)
