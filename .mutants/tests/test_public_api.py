"""The names and signatures that applications use are those of public_api.txt, so that a review shows a change.

To write the file again: `make api`, which is `pytest tests/test_public_api.py --clock-update`.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import re
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Any, ForwardRef

import pytest

HERE = Path(__file__).parent
FILE = HERE / "public_api.txt"

#: The public modules, and the names in each; None: those of its `__all__`.
PUBLIC: dict[str, list[str] | None] = {
    "clock": None,
    "clock.api": None,
    "clock.errors": None,
    "clock.job": None,
    "clock.job.cursors": ["lines", "queryset", "select", "sequence"],
    "clock.flask": ["Clock"],
    "clock.fastapi": ["Push", "clock_lifespan", "pusher"],
    "clock.contrib.celery_names": ["CeleryTask", "shared_task"],
    "clock.contrib.opentelemetry": ["ClockInstrumentor"],
    "clock.contrib.sentry": ["ClockIntegration"],
    "clock.job.function_jobs": ["FunctionJob", "job"],
    "clock.job.after_commit": ["django_commit", "sqlalchemy_commit"],
    "clock.django": ["database_events"],
    "clock.job.registry": ["forget", "lookup"],
    "clock.log": ["JobFields"],
    "clock.testing": None,
    "clock.ticker": ["Signature", "Ticker"],
    # The words of a declaration: `every().day.at(...)`, `cron(...)`
    "clock.timetable.clock_file.written_forms": ["WrittenJob"],
    "clock.timetable.clock_file.fluent": ["FluentJob"],
    "clock.web": None,
}


def test_the_public_api_is_that_of_the_file(request: pytest.FixtureRequest) -> None:
    found = "\n".join(described())
    if request.config.getoption("--clock-update"):
        FILE.write_text(found)

    known = FILE.read_text()

    changes = difflib.unified_diff(known.splitlines(), found.splitlines(), "public_api.txt", "now", lineterm="")
    assert known == found, "the public API has changed; if it is meant, run: make api\n" + "\n".join(changes)


def test_what_the_docs_import_is_public() -> None:
    texts = [path.read_text() for path in (HERE.parent / "docs").glob("*.md")]
    lines = re.findall(r"^from (clock(?:\.\w+)*) import ([\w, ]+)", "\n".join(texts), re.MULTILINE)
    named = {(module, name.strip()) for module, names in lines for name in names.split(",")}

    unknown = named - public()
    assert len(named) > 15
    assert {f"{module}.{name}" for module, name in unknown} <= PUBLIC.keys()


def public() -> set[tuple[str, str]]:
    """(module, name) of all that is public."""
    return {(module, name) for module in PUBLIC for name in names_of(importlib.import_module(module))}


def names_of(module: ModuleType) -> list[str]:
    names = PUBLIC[module.__name__] or getattr(module, "__all__", None)
    if names is None:
        own = module.__name__
        names = [name for name, value in vars(module).items() if getattr(value, "__module__", "") == own]
    return sorted(name for name in names if not name.startswith("_"))


def described() -> Iterator[str]:
    """The lines of the file."""
    for module in map(importlib.import_module, PUBLIC):
        yield f"# {module.__name__}"
        for name in names_of(module):
            yield from lines_of(name, getattr(module, name))
        yield ""


def lines_of(name: str, value: Any) -> Iterator[str]:
    if isinstance(value, ModuleType):
        yield f"module {name}"
    elif inspect.isclass(value):
        bases = ", ".join(base.__name__ for base in value.__bases__ if base is not object)
        yield f"class {name}({bases})" + _made_by(value)
        yield from (f"    {line}" for line in sorted(_members(value)))
    elif inspect.isfunction(value):
        yield f"{_kind(value)} {name}{signature(value)}"
    else:
        yield f"{name}: {type(value).__name__}"


def _made_by(cls: type[Any]) -> str:
    """How an instance is made, where that is the package's own rule."""
    made = next((base for base in cls.__mro__ if "__init__" in vars(base)), object)
    if issubclass(cls, Enum) or not made.__module__.startswith("clock"):
        return ""
    return f", made by {signature(vars(made)['__init__'], skip=1)}"


def _members(cls: type[Any]) -> Iterator[str]:
    seen: set[str] = set()
    for base in cls.__mro__:
        if not base.__module__.startswith("clock"):
            continue
        for name, value in {**dict.fromkeys(inspect.get_annotations(base)), **vars(base)}.items():
            if name not in seen and not name.startswith("_"):
                seen.add(name)
                yield from _member(base, name, value)


def _member(base: type[Any], name: str, value: Any) -> Iterator[str]:
    if isinstance(value, (classmethod, staticmethod)):
        word = type(value).__name__
        yield f"{word} {name}{signature(value.__func__, skip=int(word == 'classmethod'))}"
    elif inspect.isfunction(value):
        yield f"{_kind(value)} {name}{signature(value, skip=1)}"
    elif isinstance(value, property) and value.fget:
        yield f"property {name}: {_text(inspect.signature(value.fget).return_annotation)}"
    elif isinstance(value, Enum):
        yield f"{name} = {value.value!r}"
    else:
        yield f"{name}: {_text(inspect.get_annotations(base).get(name, type(value).__name__))}"


def _kind(function: Any) -> str:
    return "async def" if inspect.iscoroutinefunction(function) else "def"


def signature(function: Any, *, skip: int = 0) -> str:
    """Parameters and result as they are written, without the first `skip`."""
    found = inspect.signature(function, follow_wrapped=False)
    own = list(found.parameters.values())[skip:]
    parts: list[str] = []
    for place, one in enumerate(own):
        if one.kind is one.KEYWORD_ONLY and not any(
            before.kind in (one.KEYWORD_ONLY, one.VAR_POSITIONAL) for before in own[:place]
        ):
            parts.append("*")
        star = "*" if one.kind is one.VAR_POSITIONAL else "**" if one.kind is one.VAR_KEYWORD else ""
        annotation = "" if one.annotation is one.empty else f": {_text(one.annotation)}"
        default = "" if one.default is one.empty else f" = {_default(one.default)}"
        parts.append(f"{star}{one.name}{annotation}{default}")
        if one.kind is one.POSITIONAL_ONLY and (
            place + 1 == len(own) or own[place + 1].kind is not one.POSITIONAL_ONLY
        ):
            parts.append("/")
    result = "" if found.return_annotation is found.empty else f" -> {_text(found.return_annotation)}"
    return f"({', '.join(parts)}){result}"


def _text(annotation: object) -> str:
    if isinstance(annotation, ForwardRef):  # of a TypedDict
        return annotation.__forward_arg__
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def _default(value: object) -> str:
    """A default as text that is the same in each process and Python."""
    text = repr(value)
    return "..." if " at 0x" in text or text.startswith("<") else text
