"""The difference between two clock files as text: for the terminal, as Markdown for a pull request, as JSON."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta

from clock.clocks import from_ms
from clock.diff.comparison import Change, Difference
from clock.printable import counted

LEFT_OUT = ("schedules put at run time",)  # they are in Redis, which is not read
_LEFT_OUT = f"Not compared: {', '.join(LEFT_OUT)}."
_SHOWN = 3  # firings of a kind that are named for an event


def to_text(difference: Difference) -> str:
    """For the terminal: `-` marks removed runs, `+` new runs, `~` moved runs."""
    lines = [_headline(difference)]
    for change in difference.changes:
        lines += ["", _title(change), *(f"  {line}" for line in _lines_of(change, difference))]
    warnings = [f"! {line}" for line in _warnings(difference)]
    return "\n".join([*lines, *(["", *warnings] if warnings else []), _LEFT_OUT]) + "\n"


def to_markdown(difference: Difference) -> str:
    """For a pull request: a table of the events, then the notes."""
    lines = [f"**{_headline(difference)}**"]
    if difference.changes:
        lines += ["", "| event | what changes |", "| --- | --- |"]
        lines += [
            f"| {_cell(_title(change))} | {'<br>'.join(_cell(line) for line in _lines_of(change, difference))} |"
            for change in difference.changes
        ]
    lines += ["", *(f"- :warning: {_cell(line)}" for line in _warnings(difference))]
    return "\n".join(lines).rstrip() + f"\n\n{_LEFT_OUT}\n"


def to_data(difference: Difference) -> dict[str, object]:
    """For programs, as JSON: instants in ISO 8601 with the new file's offset."""

    def show(seconds: int) -> str:
        return _local(seconds, difference).isoformat()

    return {
        "start": difference.new.start.isoformat(),
        "end": difference.new.end.isoformat(),
        "loses_firings": difference.loses_firings,
        "events": [
            {
                "event": change.name,
                "was": change.old.name if change.old else None,
                "keeps_state": change.keeps_state,
                "is_gone": change.new is None,
                "is_new": change.old is None,
                "schedule": [event.schedule if event else None for event in (change.old, change.new)],
                "action": [event.action if event else None for event in (change.old, change.new)],
                "gone": [show(at) for at in change.gone],
                "new": [show(at) for at in change.added],
                "moved": [[show(before), show(after)] for before, after in change.moved],
            }
            for change in difference.changes
        ],
        "collisions": [{**asdict(item), "first": show(item.first)} for item in difference.collisions],
        "hazards": [{"event": event, "text": text} for event, text in difference.hazards],
        "left_out": LEFT_OUT,
    }


def _local(seconds: int, difference: Difference) -> datetime:
    """An instant on the clocks of the new file's zone."""
    return from_ms(seconds * 1000).astimezone(difference.new.start.tzinfo)


def _words(seconds: int, difference: Difference) -> str:
    return f"{_local(seconds, difference):%a %Y-%m-%d %H:%M:%S}".removesuffix(":00")


def _headline(difference: Difference) -> str:
    before, after = (
        sum(len(event.fires) for event in side.events.values()) for side in (difference.old, difference.new)
    )
    span = f"{difference.new.start:%a %Y-%m-%d %H:%M} to {difference.new.end:%a %Y-%m-%d %H:%M}"
    if difference.is_empty:
        return f"Nothing changes: {after:,} runs from {span} ({difference.new.zone})."
    return f"{before:,} runs before, {after:,} after, from {span} ({difference.new.zone})."


def _title(change: Change) -> str:
    if change.new is None:
        return f"- {change.name}: removed"
    if change.old is None:
        return f"+ {change.name}: new: {change.new.schedule}"
    return f"~ {change.old.name} -> {change.name}" if change.is_renamed else f"~ {change.name}"


def _lines_of(change: Change, difference: Difference) -> Iterator[str]:
    if change.is_renamed and change.keeps_state:
        yield "renamed; it keeps its state"
    elif change.is_renamed and change.old:
        yield f"renamed, and starts without its state: was={change.old.name!r} would keep its state"
    if change.old and change.new:
        if change.old.schedule != change.new.schedule:
            yield f"{change.old.schedule} -> {change.new.schedule}"
        if change.does_otherwise:
            yield f"runs {change.new.action}, no longer {change.old.action}"
    for words, instants in (("gone", change.gone), ("new", change.added)):
        if instants:
            yield f"{counted(len(instants), 'run')} {words}: {_some([_words(at, difference) for at in instants])}"
    yield from _moves(change.moved, difference)


def _moves(moved: Sequence[tuple[int, int]], difference: Difference) -> Iterator[str]:
    """Firings that have moved, grouped by how far; with too many groups, all in one."""
    groups: dict[int, list[str]] = defaultdict(list)
    for before, after in moved:
        then = _local(after, difference)
        is_same_day = _local(before, difference).date() == then.date()
        shown = f"{then:%H:%M}" if is_same_day else _words(after, difference)
        groups[after - before].append(f"{_words(before, difference)} -> {shown}")
    if len(groups) > _SHOWN:
        moves = [words for group in groups.values() for words in group]
        span = f"{_length(min(groups))} to {_length(max(groups))}"
        yield f"{counted(len(moves), 'run')} moved by {span}: {_some(moves)}"
        return
    for by, moves in groups.items():
        yield f"{counted(len(moves), 'run')} moved by {_length(by)}: {_some(moves)}"


def _some(words: Sequence[str]) -> str:
    if len(words) <= _SHOWN:
        return ", ".join(words)
    return f"{', '.join(words[: _SHOWN - 1])} ... {words[-1]}"


def _length(seconds: int) -> str:
    sign = "-" if seconds < 0 else "+"
    return f"{sign}{timedelta(seconds=abs(seconds))}"


def _warnings(difference: Difference) -> Iterator[str]:
    for item in difference.collisions:
        times = f"{item.count} times, first {_words(item.first, difference)}"
        yield f"{', '.join(item.events)} now run together: {times}"
    yield from (f"{event}: {text}" for event, text in difference.hazards)


def _cell(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")
