"""Writes the TypeScript declarations of everything that the page receives and sends, from the messages' models.

usage: python scripts/page_types.py [--check]      --check writes nothing and fails when the file is not fresh
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import models_json_schema

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from cdsp_core.wire.messages import api, datasets, inspect, room, run, studies, viewer  # noqa: E402
from cdsp_core.wire.messages.commands import COMMAND  # noqa: E402
from cdsp_core.wire.messages.fields import config_schema  # noqa: E402
from cdsp_core.wire.messages.vocabulary import EventKind, Outcome, PhaseName, Status, StudyState  # noqa: E402

FILE = ROOT / "frontend" / "assets" / "lab" / "core" / "messages.d.ts"
RECEIVED = (
    viewer.Hello,
    viewer.RunMessage,
    viewer.ResetMessage,
    viewer.ErrorMessage,
    run.CommandResult,
    api.ListedRun,
    api.Checkpoint,
    api.Asker,
    api.Preset,
    api.Health,
    api.RecordedRuns,
    api.EntryHistory,
    inspect.ProbeAnswer,
    inspect.SampleImages,
    inspect.SurestPatches,
    inspect.LesionAnswer,
    datasets.OwnSets,
    datasets.OwnSetShown,
    api.FramesAsJson,
    api.ErrorAnswer,
    api.StaleAnswer,
    studies.StudyList,
    room.RoomLinks,
    room.RoomState,
    room.Predicted,
    room.RoomEnded,
)
SENT = (
    viewer.Ack,
    api.NewRun,
    datasets.NewOwnSet,
    api.NewFork,
    api.RunChange,
    room.Ask,
    room.Reveal,
    room.BringHere,
    room.Predict,
)
REF = "#/$defs/{model}"
ALIASES: dict[str, Any] = {
    "Status": Status,
    "EventKind": EventKind,
    "Outcome": Outcome,
    "PhaseName": PhaseName,
    "StudyState": StudyState,
}
"""names for the words that the page uses by themselves"""
HEAD = """// What the page receives and sends. Made by scripts/page_types.py from cdsp_core/wire/messages; do not edit.
// A number is a 64-bit float here: whole numbers are exact up to 2**53. null stands for NaN, that is for no value.

"""


CONFIGS = """/** A whole config: every field is there. */
export interface RunConfig {
  preset: string;
  model: ModelConfig;
  train: TrainConfig;
  controls: Controls;
}

/** Where a config differs from the preset that it names, by default `live`. */
export interface PartOfAConfig {
  preset?: string;
  model?: Partial<ModelConfig>;
  train?: Partial<TrainConfig>;
  controls?: Partial<Controls>;
}
"""
PARTLY_NAMED = {"RunConfig": "RunConfig", "Controls": "Partial<Controls>"}
"""objects that have a name, as the page gets or sends them"""


def declarations() -> str:
    """The whole file."""
    received, sent = _definitions(RECEIVED, "serialization"), _definitions(SENT, "validation")
    command = COMMAND.json_schema(ref_template=REF, mode="validation")
    sent |= command.pop("$defs")
    clash = {name for name in received.keys() & sent.keys() if _shape(received[name]) != _shape(sent[name])}
    assert not clash, f"{', '.join(sorted(clash))} would be two different types"
    sections = config_schema()["properties"]
    configs = [section for section in sections.values() if "title" in section]
    parts = [f"export type {name} = {_type(TypeAdapter(words).json_schema())};\n" for name, words in ALIASES.items()]
    known = {_type(TypeAdapter(words).json_schema()): name for name, words in ALIASES.items()}
    parts += [_interface(section["title"], section, known, all_required=True) for section in configs]
    parts.append(CONFIGS)
    for name, schema in sorted({**sent, **received}.items()):
        is_sent = name in sent and name not in received
        parts.append(_interface(name, schema, known, all_required=not is_sent))
    parts.append(f"/** Whatever people ask of a run. */\nexport type Command = {_union(command)};\n")
    texts = _union(TypeAdapter(viewer.ServerMessage).json_schema(ref_template=REF))
    parts.append(
        f"/** Every text message of the socket, told apart by `type`. */\nexport type ServerMessage = {texts};\n"
    )
    rooms: tuple[tuple[str, Any, str], ...] = (
        ("RoomMessage", room.RoomMessage, "that somebody in a room receives"),
        ("RoomSaid", room.RoomSaid, "that somebody in a room sends"),
    )
    for name, words, about in rooms:
        union = _union(TypeAdapter(words).json_schema(ref_template=REF))
        parts.append(f"/** Every message {about}, told apart by `type`. */\nexport type {name} = {union};\n")
    return HEAD + "\n".join(parts)


def _definitions(models: tuple[type[Any], ...], mode: Any) -> dict[str, Any]:
    _, found = models_json_schema([(model, mode) for model in models], ref_template=REF)
    definitions: dict[str, Any] = found["$defs"]
    return definitions


def _shape(schema: dict[str, Any]) -> str:
    return json.dumps(schema.get("properties"), sort_keys=True)


def _interface(name: str, schema: dict[str, Any], known: dict[str, str], *, all_required: bool) -> str:
    """One message; what is sent to the page always has every field, what the page sends may leave some out."""
    lines = [f"/** {schema['description'].splitlines()[0]} */"] if "description" in schema else []
    lines.append(f"export interface {name} {{")
    required = schema.get("required", [])
    for field, about in schema.get("properties", {}).items():
        mark = "" if all_required or field in required else "?"
        kind = _type(about) if all_required else _type(about).replace("RunConfig", "PartOfAConfig")
        lines.append(f"  {field}{mark}: {known.get(kind, kind)};")
    if schema.get("additionalProperties") is True:
        lines.append("  [further: string]: unknown;")
    return "\n".join([*lines, "}", ""])


def _union(schema: dict[str, Any]) -> str:
    return "".join(f"\n  | {_type(one)}" for one in schema["oneOf"])


def _type(schema: dict[str, Any]) -> str:
    """A JSON schema as a type of TypeScript, on one line."""
    if schema.get("title") in PARTLY_NAMED:
        return PARTLY_NAMED[schema["title"]]
    if "$ref" in schema:
        return str(schema["$ref"].rsplit("/", 1)[1])
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return " | ".join(dict.fromkeys(_type(one) for one in schema[several]))
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return " | ".join(json.dumps(word) for word in schema["enum"])
    match schema.get("type"):
        case "integer" | "number":
            return "number"
        case "string" | "boolean" | "null":
            return str(schema["type"])
        case "array":
            item = _type(schema.get("items", {}))
            return f"({item})[]" if " " in item else f"{item}[]"
        case "object":
            return _object(schema)
    return "unknown"


def _object(schema: dict[str, Any]) -> str:
    """An object without a name of its own: fields that all may be missing, or a dictionary."""
    if "properties" in schema:
        fields = "; ".join(f"{name}?: {_type(about)}" for name, about in schema["properties"].items())
        return f"{{ {fields} }}"
    further = schema.get("additionalProperties", True)
    return f"Record<string, {_type(further) if isinstance(further, dict) else 'unknown'}>"


def main() -> int:
    """Write the file, or say whether it is fresh."""
    wanted = declarations()
    if sys.argv[1:] == ["--check"]:
        if FILE.exists() and FILE.read_text() == wanted:
            return 0
        print(f"{FILE.relative_to(ROOT)} is not fresh: run python scripts/page_types.py.", file=sys.stderr)
        return 1
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
