"""The machine's zone, read from a folder that stands in for /."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from clock.errors import ConfigurationError
from clock.timetable.clock_file import machine_zone as zones
from clock.timetable.clock_file.machine_zone import machine_zone

ZONES = "/usr/share/zoneinfo"
WINTER, SUMMER = datetime(2026, 1, 15, 12), datetime(2026, 7, 15, 12)
BERLIN = (1.0, 2.0)  # hours before UTC in winter and in summer
Machine = Callable[..., Path]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Make the root folder of a machine: `link` and `content` (a zone's name) are its /etc/localtime."""

    def make(
        *,
        link: str | None = None,
        content: str | None = None,
        timezone: str | None = None,
        zones: Mapping[str, str] | None = None,
    ) -> Path:
        (tmp_path / "etc").mkdir()
        for name, of in (zones or {}).items():
            copy(of, tmp_path / ZONES[1:] / name)
        if link:
            (tmp_path / "etc/localtime").symlink_to(link)
        if content:
            copy(content, tmp_path / "etc/localtime")
        if timezone:
            (tmp_path / "etc/timezone").write_text(f"{timezone}\n")
        return tmp_path

    return make


def copy(zone: str, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(Path(ZONES) / zone, to)


def hours(zone: tzinfo) -> tuple[float, float]:
    """The zone's offsets in winter and in summer."""
    winter, summer = (zone.utcoffset(at) or timedelta() for at in (WINTER, SUMMER))
    return winter / timedelta(hours=1), summer / timedelta(hours=1)


@pytest.mark.parametrize(
    "link",
    [
        "/usr/share/zoneinfo/Europe/Berlin",
        "../usr/share/zoneinfo/Europe/Berlin",
        "/var/db/timezone/zoneinfo/Europe/Berlin",
        "/usr/share/zoneinfo.default/Europe/Berlin",
        "/usr/share/zoneinfo/posix/Europe/Berlin",
        "/usr/share/zoneinfo/right/Europe/Berlin",
        "/usr/share/zoneinfo/uclibc/Europe/Berlin",
        "/nix/store/abc-tzdata-2026a/share/zoneinfo/Europe/Berlin",
    ],
)
@pytest.mark.parametrize("exists", [True, False])
def test_a_link_names_the_zone(machine: Machine, link: str, exists: bool) -> None:
    root = machine(link=link if link.startswith(".") else f"..{link}")
    if exists:
        copy("Europe/Berlin", root / link.removeprefix("..")[1:])

    found = machine_zone({}, root)

    assert (found.zone, found.source) == (ZoneInfo("Europe/Berlin"), "from /etc/localtime")


def test_the_links_name_is_kept_where_it_leads_on_to_another(machine: Machine) -> None:
    root = machine(link=f"{ZONES}/US/Eastern", zones={"America/New_York": "America/New_York"})
    (root / ZONES[1:] / "US").mkdir()
    (root / ZONES[1:] / "US/Eastern").symlink_to("../America/New_York")

    assert machine_zone({}, root).zone == ZoneInfo("US/Eastern")


@pytest.mark.parametrize("timezone", [None, "Etc/UTC", "Europe/Berlin", "Nowhere/Atall"])
def test_a_copied_file_is_the_zone_whose_content_it_has(machine: Machine, timezone: str | None) -> None:
    root = machine(content="Europe/Berlin", timezone=timezone, zones={"Europe/Berlin": "Europe/Berlin"})

    assert machine_zone({}, root).zone == ZoneInfo("Europe/Berlin")


def test_etc_timezone_chooses_among_zones_of_one_content(machine: Machine) -> None:
    same = {"Europe/Berlin": "Europe/Berlin", "Europe/Oslo": "Europe/Berlin"}

    assert machine_zone({}, machine(content="Europe/Berlin", timezone="Europe/Oslo", zones=same)).zone == ZoneInfo(
        "Europe/Oslo"
    )


def test_a_file_that_no_zone_has_is_read_and_named_by_its_rule(machine: Machine) -> None:
    root = machine(content="Europe/Berlin", zones={"Europe/Berlin": "Europe/Berlin"})
    file = root / "etc/localtime"
    file.write_bytes(file.read_bytes().replace(b"LMT", b"XYZ"))

    zones = [machine_zone({}, root).zone for _ in range(2)]

    assert [str(zone) for zone in zones] == ["CET-1CEST,M3.5.0,M10.5.0/3"] * 2
    assert hours(zones[0]) == BERLIN


def test_a_bind_mount_onto_the_file_that_the_link_names_does_not_pass_for_that_zone(machine: Machine) -> None:
    root = machine(link=f"..{ZONES}/Etc/UTC", timezone="Etc/UTC", zones={"Etc/UTC": "Europe/Berlin"})
    (root / ZONES[1:] / "UTC").symlink_to("Etc/UTC")

    assert hours(machine_zone({}, root).zone) == BERLIN


@pytest.mark.parametrize("name", ["UTC", "Etc/UTC", "Etc/UCT", "Zulu", "Etc/Universal", "GMT", "Etc/GMT-0"])
def test_utc_is_one_zone_by_whatever_name(machine: Machine, name: str) -> None:
    assert machine_zone({"TZ": name}).zone == UTC
    assert machine_zone({}, machine(link=f"{ZONES}/{name}", zones={name: name})).zone == UTC


def test_a_copy_of_utc_and_no_localtime_at_all_are_utc(machine: Machine) -> None:
    root = machine(content="UTC", timezone="Etc/UTC")
    assert machine_zone({}, root).zone == UTC

    (root / "etc/localtime").unlink()
    found = machine_zone({}, root)
    assert (found.zone, found.source) == (UTC, "/etc/localtime is missing")


@pytest.mark.parametrize(
    "value",
    [
        "Europe/Berlin",
        ":Europe/Berlin",
        "posix/Europe/Berlin",
        ":right/Europe/Berlin",
        ":/usr/share/zoneinfo/Europe/Berlin",
        "/usr/share/zoneinfo/Europe/Berlin",
        "/etc/localtime",
        ":/etc/localtime",
        "localtime",
        "/opt/copied",
        "CET-1CEST,M3.5.0,M10.5.0/3",
        "<+01>-1<+02>,M3.5.0,M10.5.0/3",
    ],
)
def test_tz_is_a_name_a_path_or_a_posix_string(machine: Machine, value: str) -> None:
    root = machine(content="Europe/Berlin", zones={"Europe/Berlin": "Europe/Berlin"})
    copy("Europe/Berlin", root / "opt/copied")

    found = machine_zone({"TZ": value}, root)

    assert hours(found.zone) == BERLIN
    assert found.source == "from the environment variable TZ"


@pytest.mark.parametrize(
    ("value", "expected"),
    [("UTC0", 0), ("GMT0", 0), ("JST-9", 9), ("UTC+2", -2), ("<+0530>-5:30", 5.5), ("MST7", -7)],
)
def test_a_posix_string_without_a_summer_time(value: str, expected: float) -> None:
    assert hours(machine_zone({"TZ": value}).zone) == (expected, expected)


def test_a_posix_string_without_an_offset_is_utc_and_other_strings_are_not() -> None:
    assert machine_zone({"TZ": "UTC0"}).zone is UTC
    assert hours(machine_zone({"TZ": "WET0WEST,M3.5.0/1,M10.5.0"}).zone) == (0, 1)


def test_a_file_of_utc_that_no_zone_has_is_utc(machine: Machine) -> None:
    root = machine(content="UTC")
    file = root / "etc/localtime"
    file.write_bytes(file.read_bytes().replace(b"UTC\0", b"ABC\0"))

    assert machine_zone({}, root).zone is UTC


def test_a_file_of_version_1_is_read_without_a_rule(machine: Machine) -> None:
    root = machine(content="Europe/Berlin")
    file = root / "etc/localtime"
    first, _, _ = file.read_bytes()[4:].partition(b"TZif")
    file.write_bytes(b"TZif\0" + first[1:])

    zone = machine_zone({}, root).zone

    assert (str(zone), hours(zone)) == ("localtime", BERLIN)


def test_of_zones_with_one_content_the_one_that_is_no_alias_is_chosen(machine: Machine) -> None:
    zones = dict.fromkeys(("Arctic/Longyearbyen", "Europe/Berlin", "Europe/Oslo"), "Europe/Berlin")

    assert machine_zone({}, machine(content="Europe/Berlin", zones=zones)).zone == ZoneInfo("Europe/Berlin")


def test_a_posix_string_changes_its_clocks_by_its_rule() -> None:
    zone = machine_zone({"TZ": "CET-1CEST,M3.5.0,M10.5.0/3"}).zone
    hour = timedelta(hours=1)

    for at in (datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)):
        for step in range(4):
            expected = (at + step * hour).astimezone(ZoneInfo("Europe/Berlin")).utcoffset()
            assert (at + step * hour).astimezone(zone).utcoffset() == expected


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("Mars/Phobos", "TZ is 'Mars/Phobos', which is not in the tz database; set TZ to the machine's zone"),
        ("europe/berlin", "not in the tz database (did you mean 'Europe/Berlin'?); set TZ"),
        ("CET-1CEST", "not in the tz database"),  # says no day on which clocks change
        ("../Europe/Berlin", "not in the tz database"),
        ("/opt/nothing", "/opt/nothing points to /opt/nothing, which is missing"),
        ("/etc", "/etc cannot be read: Is a directory"),
        ("", "TZ is empty, which means UTC, but /etc/localtime is Europe/Berlin"),
        (":", "TZ is empty, which means UTC, but /etc/localtime is Europe/Berlin"),
    ],
)
def test_a_tz_that_cannot_be_read_is_refused(machine: Machine, value: str, message: str) -> None:
    root = machine(content="Europe/Berlin", zones={"Europe/Berlin": "Europe/Berlin"})

    with pytest.raises(ConfigurationError) as error:
        machine_zone({"TZ": value}, root)

    assert message in str(error.value)
    assert 'configure(tz="Europe/Berlin")' in str(error.value)


def test_an_empty_tz_is_utc_on_a_machine_in_utc(machine: Machine) -> None:
    assert machine_zone({"TZ": ""}, machine(link=f"{ZONES}/UTC", zones={"UTC": "UTC"})).zone == UTC


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "it is not a time zone file"), ("Europe/Berlin\n", "it is not a time zone file")],
)
def test_a_localtime_that_holds_no_zone_is_refused(machine: Machine, text: str, message: str) -> None:
    root = machine()
    (root / "etc/localtime").write_text(text)

    with pytest.raises(ConfigurationError, match=f"/etc/localtime cannot be read: {message}"):
        machine_zone({}, root)


@pytest.mark.parametrize("kept", [44, 60, 100, 400, -20, -1])
def test_a_truncated_localtime_is_refused(machine: Machine, kept: int) -> None:
    root = machine(content="Europe/Berlin")
    file = root / "etc/localtime"
    file.write_bytes(file.read_bytes()[:kept])

    with pytest.raises(ConfigurationError, match="/etc/localtime cannot be read: it is truncated or damaged"):
        machine_zone({}, root)


@pytest.mark.parametrize("kept", [20, 60, 100, 400])
def test_a_localtime_that_is_truncated_at_the_end_of_a_line_is_refused(machine: Machine, kept: int) -> None:
    root = machine(content="Europe/Berlin")
    file = root / "etc/localtime"
    file.write_bytes(file.read_bytes()[:kept] + b"\n")

    with pytest.raises(ConfigurationError, match="/etc/localtime cannot be read: "):
        machine_zone({}, root)


@pytest.fixture
def no_tzdata(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The tzdata package without its files, as some images strip it."""
    monkeypatch.setattr(zones, "files", lambda _: tmp_path / "no_tzdata")
    zones._table.cache_clear()
    yield
    zones._table.cache_clear()


@pytest.mark.usefixtures("no_tzdata")
def test_without_the_files_of_tzdata_the_machines_own_zones_are_compared(machine: Machine) -> None:
    root = machine(link=f"..{ZONES}/Europe/Berlin", zones={"Europe/Berlin": "Europe/Berlin"})
    assert machine_zone({}, root).zone == ZoneInfo("Europe/Berlin")

    (root / "etc/localtime").unlink()
    copy("Europe/Berlin", root / "etc/localtime")
    found = machine_zone({}, root).zone
    assert (str(found), hours(found)) == ("CET-1CEST,M3.5.0,M10.5.0/3", BERLIN)


def test_links_that_lead_nowhere_or_in_a_circle_are_refused(machine: Machine) -> None:
    root = machine(link="localtime")
    with pytest.raises(ConfigurationError, match="/etc/localtime is a circular link"):
        machine_zone({}, root)

    (root / "etc/localtime").unlink()
    (root / "etc/localtime").symlink_to("/usr/share/zoneinfo/Mars/Phobos")
    with pytest.raises(ConfigurationError, match="points to /usr/share/zoneinfo/Mars/Phobos, which is missing"):
        machine_zone({}, root)


def test_an_etc_timezone_without_a_localtime_is_refused_unless_it_says_utc(machine: Machine) -> None:
    root = machine(timezone="Europe/Berlin")
    with pytest.raises(
        ConfigurationError, match="/etc/localtime is missing, which means UTC, but /etc/timezone names"
    ):
        machine_zone({}, root)

    (root / "etc/timezone").write_text("Etc/UTC\n")
    assert machine_zone({}, root).zone == UTC


@pytest.mark.process
@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="a mount namespace needs root")
def test_a_container_with_the_hosts_localtime_mounted_has_the_hosts_zone(tmp_path: Path) -> None:
    """Docker's `-v /etc/localtime:/etc/localtime` mounts onto the file that the container's link leads to."""
    copy("Europe/Berlin", tmp_path / "berlin")
    module = "clock.timetable.clock_file.machine_zone"
    program = f"import os; from {module} import machine_zone; print(machine_zone(os.environ))"
    script = f"mount --bind {tmp_path}/berlin $(realpath /etc/localtime) && {sys.executable} -c '{program}'"
    environ = {name: value for name, value in os.environ.items() if name != "TZ"}

    ended = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script],  # noqa: S607  # of the machine that is tested
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )

    if "mount" in ended.stderr:
        pytest.skip("mounting is not allowed here")
    expected = "MachineZone(zone=zoneinfo.ZoneInfo(key='Europe/Berlin'), source='from /etc/localtime')\n"
    assert ended.stdout == expected, ended.stderr
