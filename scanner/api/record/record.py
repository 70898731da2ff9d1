#!/usr/bin/env python3
"""Records what botocore makes of every AWS operation there is.

The recordings in ../testdata are the oracle of the dynamic client in
scanner/api: tests compare the client with them, so that CI needs no Python.
Nothing is ever sent; requests are caught where botocore would send them.

What is recorded, as lines of tab-separated fields in *.tsv.zst:

  requests   what the serializer makes of two inputs of each operation:
             "required" has the required members only, "all" every member to
             a depth of 3. An eighth of the operations has a third, "edge",
             with what is empty, infinite, negative or long ago.
  wire       whole requests of a botocore client, signed, with a fixed time,
             fixed credentials and a fixed idempotency token: "required" in
             eu-west-1, cn-north-1 and us-gov-west-1, "all" in eu-west-1.
  answers    an answer with every member of the output to a depth of 3, and
             what the parser makes of it.
  errors     errors that the models declare, at most 12 of a service, and a
             few that no model declares.
  endpoints  all services x 6 regions x FIPS x dual stack, and buckets of S3.

A line that starts with "#" opens a section: service and protocol. Services
that can also speak CBOR have a second section of requests, answers and errors,
with CBOR forced. The fields of the other lines are listed above the functions
that make them, here, in wire.py and in answers.py. A field with a text is
empty, "=X" (the same as what X names), "t:" and the text as it is, "j:" and
the text as a JSON string, or "x:" and bytes in hex. Inputs and results are
JSON of the model's members: blobs in base64, timestamps in ISO 8601, and
NaN and Infinity as strings. manifest.json counts the rows and holds checksums.

Left out are the two operations whose input is an event stream that is
required, and the answers of those whose output is an event stream or nothing.

How to run, with Python 3.11 or newer:

  python3 -m venv .tools/record
  .tools/record/bin/pip install -r scanner/api/record/requirements.txt
  .tools/record/bin/python scanner/api/record/record.py           # records
  .tools/record/bin/python scanner/api/record/record.py --check   # compares
  .tools/record/bin/python scanner/api/record/record.py --explain s3 PutObject

With --only and --kinds, only these services and kinds are recorded or compared.

Two runs make the same bytes. It takes some three minutes of one core.

Versions are pinned in requirements.txt. botocore and moto are under the
Apache License 2.0. Only values that they made when run are recorded, none of
their code. moto serialises an answer where botocore reads back what was put
in; elsewhere answers.py does, by the model.
"""

import argparse
import hashlib
import json
import sys
from itertools import zip_longest
from pathlib import Path

import fixed  # first, since it fixes what botocore takes when it is loaded

import zstandard
from botocore.serialize import create_serializer
from botocore.utils import percent_encode_sequence

import fields
from answers import Moto, answer_row, error_rows
from fields import CBOR, body_bytes, field, read_field, row, to_json
from samples import inputs, needs_stream
from wire import bucket_rows, clients_of, endpoint_rows, new_session, wire_rows

HERE = Path(__file__).resolve().parent
DATA = HERE.parent / "testdata"
KINDS = ("requests", "wire", "answers", "errors", "endpoints")


# operation, sample, input, method, host prefix, path, query, headers, body


def query_text(query):
    return query if isinstance(query, str) else percent_encode_sequence(query)


def request_rows(operation, protocol):
    serializer = create_serializer(protocol)
    for name, value in inputs(operation, edge=True):
        made = serializer.serialize_to_request(value, operation)
        body = body_bytes(made["body"])
        text = to_json(value)
        yield row(
            operation.name,
            name,
            text,
            made["method"],
            made.get("host_prefix", ""),
            field(made["url_path"]),
            field(query_text(made["query_string"])),
            json.dumps({k: str(v) for k, v in made["headers"].items()}),
            field(body, input=text),
        )


class Recording:
    """The lines of each kind."""

    def __init__(self):
        self.lines = {kind: [] for kind in KINDS}

    def section(self, kind, service, protocol):
        self.lines[kind].append(row("#", service, protocol))

    def add(self, kind, rows):
        self.lines[kind].extend(rows)

    def read(self, folder):
        for kind in KINDS:
            packed = (folder / f"{kind}.tsv.zst").read_bytes()
            text = zstandard.ZstdDecompressor().decompress(packed).decode()
            self.lines[kind] = text.split("\n")[:-1]
        return self

    def services(self, kind):
        """The lines of each service, with those that open its sections."""
        made = {}
        for line in self.lines[kind]:
            if line.startswith("#\t"):
                name = line.split("\t")[1]
            made.setdefault(name, []).append(line)
        return made

    def replace(self, other):
        """Takes what the other holds of a service instead of what is here."""
        for kind in KINDS:
            made = {**self.services(kind), **other.services(kind)}
            self.lines[kind] = [line for name in sorted(made) for line in made[name]]

    def counts(self):
        made = {}
        for kind, lines in self.lines.items():
            for line in lines:
                fields = line.split("\t")
                if fields[0] == "#":
                    group = fields[2]
                    if kind == "endpoints":
                        group = group if group == "buckets" else "rules"
                    continue
                keys = [kind, f"{kind}/{group}"]
                if kind == "requests":
                    keys.append(f"{kind}/{fields[1]}")
                for key in keys:
                    made[key] = made.get(key, 0) + 1
        return dict(sorted(made.items()))

    def write(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        files = {}
        level = zstandard.ZstdCompressionParameters.from_level(
            19, window_log=27, enable_ldm=True, write_checksum=True, write_content_size=True
        )
        for kind, lines in self.lines.items():
            text = ("\n".join(lines) + "\n").encode()
            packed = zstandard.ZstdCompressor(compression_params=level).compress(text)
            (folder / f"{kind}.tsv.zst").write_bytes(packed)
            files[kind] = {
                "bytes": len(text),
                "packed": len(packed),
                "sha256": hashlib.sha256(text).hexdigest(),
            }
        manifest = {
            "versions": dict(
                line.split("==") for line in (HERE / "requirements.txt").read_text().split()
            ),
            "time": fixed.NOW.isoformat(),
            "key": fixed.KEY,
            "secret": fixed.SECRET,
            "token": fixed.TOKEN,
            "counts": self.counts(),
            "files": files,
        }
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")


def record_service(to, session, service, kinds, only=None):
    loader = session.get_component("data_loader")
    model = session.get_service_model(service)
    protocols = [model.resolved_protocol]
    if CBOR in model.metadata.get("protocols", []) and CBOR not in protocols:
        protocols.append(CBOR)
    main = protocols[0]
    operations = [
        model.operation_model(name)
        for name in sorted(model.operation_names)
        if only in (None, name)
    ]
    moto = None
    if "answers" in kinds:
        moto = Moto(loader.load_service_model(service, "service-2"), service)
    for protocol in protocols:
        if "requests" in kinds or "wire" in kinds:
            to.section("requests", service, protocol)
            start = len(to.lines["requests"])
            for operation in operations:
                if not needs_stream(operation):
                    to.add("requests", request_rows(operation, protocol))
            if protocol == main:
                made = (line.split("\t") for line in to.lines["requests"][start:])
                bodies = {(f[0], f[1]): read_field(f[8], f[2]) for f in made}
        if "answers" in kinds:
            to.section("answers", service, protocol)
            rows = (answer_row(operation, protocol, moto) for operation in operations)
            to.add("answers", [r for r in rows if r is not None])
        if "errors" in kinds:
            to.section("errors", service, protocol)
            to.add("errors", error_rows(model, protocol))
    if "wire" in kinds:
        to.section("wire", service, main)
        clients = clients_of(session, service)
        for operation in operations:
            to.add("wire", wire_rows(clients, operation, bodies))
    if "endpoints" in kinds:
        to.section("endpoints", service, main)
        to.add("endpoints", endpoint_rows(session, service, model))
        if service == "s3":
            to.section("endpoints", service, "buckets")
            to.add("endpoints", bucket_rows(session))


def record(services, kinds, say=True):
    to = Recording()
    session = new_session()
    for index, service in enumerate(services):
        if say:
            print(f"{index + 1}/{len(services)} {service}", file=sys.stderr)
        # A session keeps every model it has read, which is a gigabyte.
        if index % 20 == 19:
            session = new_session()
        record_service(to, session, service, kinds)
    return to


def explain(service, operation):
    fields.share = False
    to = Recording()
    record_service(to, new_session(), service, ("requests", "wire", "answers"), operation)
    names = {
        "requests": "operation sample input method prefix path query headers body",
        "wire": "operation sample region result method url headers body scheme service region "
        "signed signature",
        "answers": "operation writer status headers body result",
    }
    for kind, lines in to.lines.items():
        for line in lines:
            if line.startswith("#"):
                print(f"\n{kind}: {line[2:]}")
                continue
            print()
            for name, text in zip(names[kind].split(), line.split("\t")):
                print(f"  {name:10}{text}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", help="these services, by comma")
    parser.add_argument("--kinds", default=",".join(KINDS), help="these kinds, by comma")
    parser.add_argument("--out", type=Path, default=DATA)
    parser.add_argument("--check", action="store_true", help="compare with what is recorded")
    parser.add_argument("--explain", nargs=2, metavar=("SERVICE", "OPERATION"))
    arguments = parser.parse_args()
    if arguments.explain:
        return explain(*arguments.explain)
    services = new_session().get_available_services()
    if arguments.only:
        services = arguments.only.split(",")
    made = record(sorted(services), arguments.kinds.split(","))
    if not arguments.check:
        if arguments.only or arguments.kinds != ",".join(KINDS):
            some, made = made, Recording().read(DATA)
            made.replace(some)
        return made.write(arguments.out)
    known = Recording().read(DATA)
    for kind in arguments.kinds.split(","):
        want = known.services(kind)
        for service, lines in made.services(kind).items():
            for got, wanted in zip_longest(lines, want.get(service, [])):
                if got != wanted:
                    sys.exit(f"{kind} of {service} are now\n{got}\nand were\n{wanted}")


if __name__ == "__main__":
    main()
