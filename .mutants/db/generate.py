"""Writes `db/assignments.csv`: 360 invented assignments, always the same ones.

python -m db.generate
"""

from __future__ import annotations

import csv
import random
from pathlib import Path

CSV = Path(__file__).parent / "assignments.csv"
COUNT = 360

FIRST_NAMES = """
Ada Alan Amara Bao Carmen Chidi Dara Elif Emre Fatima Goran Hana Ines Jonas Keiko Lena Luis Mara Mei Nils Noor
Olga Omar Priya Quinn Rosa Sami Tariq Uma Vera Wen Yara Zoe
""".split()
LAST_NAMES = """
Abebe Andersson Bauer Costa Dubois Eriksen Fischer Garcia Haddad Ito Jansen Kaya Kowalski Lopez Meyer Nguyen
Okafor Patel Quispe Rossi Sato Silva Tanaka Umar Varga Weber Yilmaz Zhang
""".split()
LESSONS = (
    "Fractions and Decimals",
    "Photosynthesis",
    "The French Revolution",
    "Reading a Sonnet",
    "Linear Equations",
    "Plate Tectonics",
    "Past Tense in Spanish",
    "Supply and Demand",
    "Electric Circuits",
    "The Periodic Table",
    "Writing an Argument",
    "Introduction to Probability",
)
ZONES = (
    "America/Indiana/Indianapolis",
    "America/New_York",
    "America/Sao_Paulo",
    "Europe/Berlin",
    "Europe/London",
    "Africa/Lagos",
    "Asia/Kolkata",
    "Asia/Tokyo",
    "Australia/Lord_Howe",
)
#: Days from the base date; those in front are what the reminders look for, and come up more often.
DUE_IN_DAYS = (7, 1, -1, -7) * 5 + tuple(range(-10, 15))


def rows() -> list[dict[str, object]]:
    """The assignments, in order of their ids."""
    chance = random.Random(2026)  # noqa: S311  # invented data, the same each time
    found = []
    for number in range(1, COUNT + 1):
        first, last = chance.choice(FIRST_NAMES), chance.choice(LAST_NAMES)
        found.append(
            {
                "id": number,
                "learner": f"{first} {last}",
                "email": f"{first}.{last}.{number}@example.{chance.choice(['com', 'org'])}".lower(),
                "lesson": chance.choice(LESSONS),
                "due_in_days": chance.choice(DUE_IN_DAYS),
                "completed": int(chance.random() < 0.3),
                "zone": chance.choice(ZONES),
            }
        )
    return found


def write(path: Path = CSV) -> None:
    """Write the file."""
    found = rows()
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(found[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(found)


if __name__ == "__main__":
    write()
