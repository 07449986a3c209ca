"""PyPI cyclonedx-python-lib and packageurl-python as the other side of bills of materials.

peer_bom.py check FILE...            says for each whether it is CycloneDX 1.6, strictly, and what it lists
peer_bom.py write VERSION FILE SPEC  writes one with the components of SPEC (JSON: type, name, version,
                                     purl, sha256), in SPEC's nesting
peer_bom.py purl TEXT...             prints the normal form of each package URL, or no
Prints "missing" where the packages are not installed.
"""

import json
import pathlib
import sys

try:
    from cyclonedx.model import HashAlgorithm, HashType
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.output.json import BY_SCHEMA_VERSION
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator
    from packageurl import PackageURL
except ImportError:
    print("missing")
    sys.exit(0)


def check(name):
    text = pathlib.Path(name).read_text(encoding="utf-8")
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if error is not None:
        return f"no: {str(error)[:500]}"
    read = Bom.from_json(json.loads(text))
    listed = sorted(f"{one.type.value} {one.name}" for one in read.components)
    references = {one.bom_ref.value for one in read.components}
    if read.metadata.component is not None:
        references.add(read.metadata.component.bom_ref.value)
    for dependency in read.dependencies:
        for ref in [dependency.ref, *(inner.ref for inner in dependency.dependencies)]:
            assert ref.value in references, f"{ref.value} leads nowhere"
    return "yes: " + ", ".join(listed)


def component(spec):
    made = Component(type=ComponentType(spec["type"]), name=spec["name"], version=spec.get("version"))
    made.bom_ref.value = spec["name"]
    if "purl" in spec:
        made.purl = PackageURL.from_string(spec["purl"])
    if "sha256" in spec:
        made.hashes = [HashType(alg=HashAlgorithm.SHA_256, content=spec["sha256"])]
    made.components = [component(inner) for inner in spec.get("components", [])]
    return made


def write(version, name, spec):
    bom = Bom(components=[component(one) for one in json.loads(spec)])
    schema = SchemaVersion.from_version(version)
    text = BY_SCHEMA_VERSION[schema](bom).output_as_string(indent=1)
    pathlib.Path(name).write_text(text, encoding="utf-8")


def normal(text):
    try:
        return PackageURL.from_string(text).to_string()
    except ValueError:
        return "no"


act, *rest = sys.argv[1:]
if act == "write":
    write(*rest)
else:
    for one in rest:
        print(check(one) if act == "check" else normal(one))
