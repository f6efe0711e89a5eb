"""What pydantic finds wrong with a message, as the one sentence that people read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar, get_args

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from cdsp_core.settings.fields import shown
from cdsp_core.wire.messages import commands
from cdsp_core.wire.messages.fields import Message, Says
from cdsp_core.wire.messages.vocabulary import COMMAND_KINDS

M = TypeVar("M", bound=Message)

COMMANDS: Final[Mapping[str, type[commands.CommandFields]]] = {
    get_args(each.model_fields["type"].annotation)[0]: each for each in commands.CommandFields.__subclasses__()
}
"""The model of every kind of command."""


class MessageError(ValueError):
    """A message is none; the text is one sentence that names the field, what it must be and what was found."""


def read_command(raw: Mapping[str, Any]) -> commands.Command:
    """A command with every field checked. Raises MessageError."""
    kind = raw.get("type")
    if not isinstance(kind, str) or kind not in COMMANDS:
        raise MessageError(f"type must be one of {', '.join(COMMAND_KINDS)}. Found {shown(kind)}.")
    own = [name for name in COMMANDS[kind].model_fields if name not in ("command_id", "type", "base_revision")]
    known = ["command_id", "type", "base_revision", *own]
    found: Any = read(COMMANDS[kind], raw, called=f"a {kind} command", known=known)
    command: commands.Command = found
    return command


def read(model: type[M], raw: Mapping[str, Any], *, called: str, known: list[str] | None = None) -> M:
    """`raw` as a message, `called` so in sentences, with the fields `known`. Raises MessageError."""
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise MessageError(_sentence(model, error, called, known or list(model.model_fields))) from None


def read_text(adapter: TypeAdapter[Any], text: str | bytes) -> Any:
    """A message of a worker or of its backend, from JSON. Raises MessageError."""
    try:
        return adapter.validate_json(text)
    except ValidationError as error:
        raise MessageError(first_problem(error)) from None


def first_problem(error: ValidationError) -> str:
    """What is wrong first, in one sentence, where nobody has written one."""
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "a message"
    return f"{where}: {first['msg']}. Found {shown(first['input'])}."


def _sentence(model: type[BaseModel], error: ValidationError, called: str, known: list[str]) -> str:
    """One sentence: of unknown fields first, then of the first field in the model's order."""
    problems = error.errors(include_url=False)
    for problem in problems:
        if problem["type"] == "extra_forbidden":
            unknown = shown(problem["loc"][0])
            return f"{called} has no field {unknown}. It has {', '.join(known)}."
    first = problems[0]
    if first["type"] == "value_error":
        return str(first["ctx"]["error"])
    name = str(first["loc"][0])
    return _about(name, says(model.model_fields[name]), first)


def _about(name: str, wanted: Says | None, problem: ErrorDetails) -> str:
    missing = problem["type"] == "missing"
    if missing and wanted is not None and wanted.when_missing is not None:
        return wanted.when_missing
    found = shown(None if missing else problem["input"])
    what = wanted.wanted if wanted is not None else f"valid ({problem['msg']})"
    return f"{name} must be {what}. Found {found}."


def says(field: Any) -> Says | None:
    """What a field, or a type, says that it must be; None for one that says nothing."""
    metadata: Any = getattr(field, "metadata", None) or getattr(field, "__metadata__", ())
    for each in metadata:
        if isinstance(each, Says):
            return each
    annotation = getattr(field, "annotation", None)
    inner = (annotation, *get_args(annotation or field))
    return next((found for each in inner if each not in (None, field) and (found := says(each))), None)
