"""Long lists of jobs in short steps."""

import pytest

from clock.store.jobs.steps import PageSize, in_steps

MEGABYTE = 1_000_000


def lengths(*sizes: int) -> list[list[int]]:
    return list(in_steps(sizes, lambda size: size))


def test_a_step_has_200_jobs_at_most_and_all_jobs_are_in_one() -> None:
    steps = list(in_steps(range(401), lambda _: 1))

    assert [len(step) for step in steps] == [200, 200, 1]
    assert [job for step in steps for job in step] == list(range(401))


def test_a_step_has_a_megabyte_at_most_unless_one_job_has_more() -> None:
    assert lengths(MEGABYTE - 1, 1, 1) == [[MEGABYTE - 1, 1], [1]]
    assert lengths(1, MEGABYTE + 5, MEGABYTE - 1, 1, 2) == [
        [1],
        [MEGABYTE + 5],
        [MEGABYTE - 1, 1],
        [2],
    ]
    assert lengths(MEGABYTE + 5) == [[MEGABYTE + 5]]
    assert lengths() == []


def pages(*largest: int, most: int = 200) -> list[int]:
    """The sizes of the pages, if the largest job of each page has so many bytes."""
    size = PageSize(most)
    found = [size.jobs]
    for length in largest:
        size.note([b"", b"x" * length])
        found.append(size.jobs)
    return found


def test_pages_of_small_jobs_grow_to_the_most() -> None:
    assert pages(1, 1, 1) == [16, 64, 200, 200]
    assert pages(1, most=100) == [16, 64]
    assert pages(1, most=5) == [5, 5]


@pytest.mark.parametrize(("length", "jobs"), [(0, 64), (MEGABYTE // 20, 20), (MEGABYTE, 1), (MEGABYTE + 1, 1)])
def test_a_page_of_large_jobs_has_about_a_megabyte_and_one_job_at_least(length: int, jobs: int) -> None:
    assert pages(length) == [16, jobs]


def test_pages_grow_again_after_large_jobs_and_an_empty_page_changes_nothing() -> None:
    size = PageSize()
    size.note([b"x" * MEGABYTE])
    size.note([])
    assert size.jobs == 1

    size.note([b"x"])
    assert size.jobs == 4
