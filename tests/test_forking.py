import os
import socket
import sys
from collections.abc import Callable

import pytest

from clock.forking import child_ends_here, close_in_child, in_child, restart_in_child

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


def leave_by(action: Callable[[], object]) -> int:
    """The exit code of a child that is forked in the block and leaves it by `action`."""
    try:
        with child_ends_here():
            child = os.fork()
            if child == 0:
                action()
        if child:
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    finally:
        if child == 0:
            os._exit(99)  # it has left the block
    raise AssertionError


def end_by(error: BaseException) -> Callable[[], object]:
    def end() -> None:
        raise error

    return end


@pytest.mark.parametrize(
    ("action", "code", "told"),
    [
        (lambda: None, 0, ""),
        (end_by(SystemExit()), 0, ""),
        (end_by(SystemExit(3)), 3, ""),
        (end_by(SystemExit("no more")), 1, "no more\n"),
        (end_by(ValueError("of the child")), 1, "ValueError: of the child\n"),
        (end_by(KeyboardInterrupt()), 1, "KeyboardInterrupt\n"),
        (lambda: os._exit(5), 5, ""),
    ],
)
def test_a_forked_child_that_leaves_the_block_ends_as_python_would_have_ended_it(
    action: Callable[[], object], code: int, told: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert leave_by(action) == code

    stderr = capfd.readouterr().err
    assert stderr.endswith(told)
    assert bool(stderr) == bool(told)


def test_what_the_child_has_printed_is_written(capfd: pytest.CaptureFixture[str]) -> None:
    leave_by(lambda: sys.stdout.write("from the child"))

    assert capfd.readouterr().out == "from the child"


def test_the_parent_passes_through_with_its_own_error() -> None:
    def fork_and_fail() -> None:
        with child_ends_here():
            if os.fork() == 0:
                os._exit(0)
            os.wait()
            raise ValueError("its own")

    with pytest.raises(ValueError, match="its own"):
        fork_and_fail()


def test_a_child_of_a_child_ends_too() -> None:
    assert leave_by(lambda: end_by(SystemExit(7 if leave_by(lambda: None) == 0 else 8))()) == 7


def test_what_a_process_owns_is_closed_in_its_children_alone() -> None:
    here, there = socket.socketpair()
    close_in_child(here)

    assert leave_by(lambda: end_by(SystemExit(here.fileno() == -1))()) == 1
    assert here.fileno() != -1
    here.close()
    there.close()


def test_what_is_registered_is_called_in_a_child_before_anything_else() -> None:
    calls: list[int] = []
    in_child(lambda: calls.append(os.getpid()))

    assert leave_by(lambda: end_by(SystemExit(4 if calls == [os.getpid()] else 5))()) == 4
    assert calls == []


def test_what_has_threads_is_restarted_in_a_child_as_long_as_it_lives() -> None:
    class Owner:
        def __init__(self) -> None:
            self.restarts = 0

        def begin_in_child(self) -> None:
            self.restarts += 1

    owner = Owner()
    restart_in_child(owner)

    assert leave_by(lambda: end_by(SystemExit(4 + owner.restarts))()) == 5
    assert owner.restarts == 0
