"""What Spark makes of Delta tables and deltalake does not: deletion vectors and mapped columns."""

import base64
import json
import struct
from pathlib import Path

#: The digits of Z85, in which vectors are written, in the place of those of Python's base 85.
PYTHONS = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"
Z85 = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
#: Of an array of bitmaps, of a bitmap without runs, and where its first container begins.
MAGIC, COOKIE, FIRST = 1681511377, 12346, 16


def vector_of(rows):
    """Return a deletion vector that stands in the log itself; rows: their places in the file."""
    places = sorted(rows)
    head = struct.pack("<II", COOKIE, 1) + struct.pack("<HH", 0, len(places) - 1)
    bitmap = head + struct.pack("<I", FIRST) + struct.pack(f"<{len(places)}H", *places)
    data = struct.pack("<I", MAGIC) + struct.pack("<Q", 1) + struct.pack("<I", 0) + bitmap
    padded = data + b"\0" * (-len(data) % 4)
    digits = base64.b85encode(padded).translate(bytes.maketrans(PYTHONS, Z85))
    return {
        "storageType": "i",
        "pathOrInlineDv": digits.decode(),
        "sizeInBytes": len(data),
        "cardinality": len(places),
    }


def commit(path, *actions):
    """Write the next entry of the log of a table."""
    log = Path(path) / "_delta_log"
    text = "".join(json.dumps(one) + "\n" for one in actions)
    (log / f"{len(list(log.glob('*.json'))):020d}.json").write_text(text)


def actions_of(path, kind):
    """Return what the log of a table says under a name, in order."""
    files = sorted((Path(path) / "_delta_log").glob("*.json"))
    entries = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    return [entry[kind] for entry in entries if kind in entry]


def protocol(feature):
    """Return the protocol of tables that only those read who know a feature."""
    features = {"readerFeatures": [feature], "writerFeatures": [feature]}
    return {"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, **features}}


def delete_by_vector(path, rows):
    """Delete rows of the one file of a table, which keeps them."""
    [added] = actions_of(path, "add")
    kept = added | {"deletionVector": vector_of(rows), "dataChange": True}
    removed = {"path": added["path"], "dataChange": True, "deletionTimestamp": 0}
    features = protocol("deletionVectors")
    settings = actions_of(path, "metaData")[-1]
    settings["configuration"] = {"delta.enableDeletionVectors": "true"}
    commit(path, features, {"metaData": settings}, {"remove": removed}, {"add": kept})


def rename_by_mapping(path, names):
    """Rename columns of a table, of which files keep the names; names: new ones by the old.

    Readers of version 2 say nothing of it by their protocol.
    """
    settings = actions_of(path, "metaData")[-1]
    schema = json.loads(settings["schemaString"])
    for number, field in enumerate(schema["fields"], 1):
        field["metadata"] = {
            "delta.columnMapping.id": number,
            "delta.columnMapping.physicalName": field["name"],
        }
        field["name"] = names.get(field["name"], field["name"])
    settings["schemaString"] = json.dumps(schema)
    settings["configuration"] = {
        "delta.columnMapping.mode": "name",
        "delta.columnMapping.maxColumnId": str(len(schema["fields"])),
    }
    readers = {"protocol": {"minReaderVersion": 2, "minWriterVersion": 5}}
    commit(path, readers, {"metaData": settings})
