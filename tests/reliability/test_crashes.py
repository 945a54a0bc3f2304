"""A process is killed at a request or an fsync; the same command then finishes the work.

The kills are real: the server ends the client's process before or after it does the work of
the n-th request, and a start-up file ends it at the n-th fsync.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import Run
from tests.reliability import harness
from tests.reliability.conftest import Make
from tests.reliability.harness import Moment

if TYPE_CHECKING:
    from mypy_boto3_mturk.client import MTurkClient

Count = Callable[[int], None]
Kill = Callable[..., bool]

SMALL, LARGE = 3, 60
SEED = 4
MOMENTS: tuple[Moment, ...] = ("before", "after")
CREATE, RESUME, REVIEW = "create-batch", "resume-batch", "review-batch"
SAVE, EXPIRE, DELETE = "save-batch", "expire-batch", "delete-batch"
COMMANDS = (CREATE, RESUME, REVIEW, SAVE, EXPIRE, DELETE)
STATES = {REVIEW: "worked", SAVE: "approved", EXPIRE: "published", DELETE: "saved"}
"""What a batch must have gone through for a command to have the most to do."""


@dataclasses.dataclass
class Scene:
    """A server, and the batches that commands are tried on, one after the other."""

    run: Run
    served: harness.KillingService
    client: MTurkClient
    make: Make
    definition: Path
    path: Path
    number: int = 0

    def crash(self, command: str, rows: int, kill: Kill) -> bool:
        """Kill a command, run it again, and compare; tell whether it was killed."""
        self.served.store.reset()
        self.number += 1
        name = f"b{self.number}"
        data = harness.write_rows(self.path / f"{name}.jsonl", rows)
        batch = self.path / f"batch-{name}"
        create = (CREATE, self.definition, data, self.path, "--batch-id", name, "--yes")
        if command in STATES:
            self.make(name, rows=rows, state=STATES[command])
            arguments: tuple[object, ...] = (command, batch)
            if command == REVIEW:
                arguments += ("--approve-all", "--yes")
        else:
            arguments = create
        killed = kill(*arguments)
        if command == RESUME:
            # What is to be resumed must be there: kills before that are create-batch's.
            if batch.exists():
                self.run(RESUME, batch)
            else:
                self.run(*create)
        else:
            self.run(*arguments)
        self.check(command, batch, data)
        return killed

    def check(self, command: str, batch: Path, data: Path) -> None:
        if command in {CREATE, RESUME}:
            harness.check_created(self.served, self.client, batch, data)
        elif command == REVIEW:
            harness.check_approved(self.served, self.client, batch)
        elif command == SAVE:
            harness.check_saved(self.client, batch)
        elif command == EXPIRE:
            harness.check_expired(self.client, batch)
        else:
            harness.check_deleted(self.client, batch)

    def at_request(self, command: str, number: int, moment: Moment, rows: int = SMALL) -> bool:
        def kill(*arguments: object) -> bool:
            return harness.killed_at_request(self.served, number, moment, *arguments)

        return self.crash(command, rows, kill)

    def at_fsync(self, command: str, number: int, moment: Moment, rows: int = SMALL) -> bool:
        def kill(*arguments: object) -> bool:
            return harness.killed_at_fsync(number, moment, *arguments)

        return self.crash(command, rows, kill)


@pytest.fixture
def scene(
    run: Run,
    served: harness.KillingService,
    client: MTurkClient,
    published: Make,
    definition: Path,
    tmp_path: Path,
) -> Scene:
    return Scene(run, served, client, published, definition, tmp_path)


@pytest.mark.parametrize(
    ("command", "number", "moment"),
    [
        (CREATE, 1, "after"),
        (CREATE, 2, "after"),
        (CREATE, 3, "before"),
        (CREATE, 3, "after"),
        (CREATE, 4, "after"),
        (CREATE, 5, "after"),
        (RESUME, 4, "before"),
        (RESUME, 5, "before"),
        (REVIEW, 4, "before"),
        (REVIEW, 6, "after"),
        (REVIEW, 10, "after"),
        (SAVE, 2, "after"),
        (SAVE, 4, "before"),
        (EXPIRE, 2, "after"),
        (EXPIRE, 4, "before"),
        (DELETE, 2, "after"),
        (DELETE, 4, "before"),
    ],
)
def test_a_command_killed_at_a_request_is_finished_by_the_same_command(
    scene: Scene, count_points: Count, command: str, number: int, moment: Moment
) -> None:
    assert scene.at_request(command, number, moment), "there were fewer requests"
    count_points(1)


@pytest.mark.parametrize(
    ("command", "number", "moment"),
    [
        (CREATE, 2, "before"),
        (CREATE, 12, "after"),
        (CREATE, 16, "before"),
        (CREATE, 19, "after"),
        (REVIEW, 2, "before"),
        (REVIEW, 3, "after"),
        (SAVE, 3, "before"),
        (SAVE, 5, "after"),
        (DELETE, 1, "after"),
    ],
)
def test_a_command_killed_at_an_fsync_is_finished_by_the_same_command(
    scene: Scene, count_points: Count, command: str, number: int, moment: Moment
) -> None:
    assert scene.at_fsync(command, number, moment), "there were fewer fsyncs"
    count_points(1)


@pytest.mark.soak
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_may_be_killed_at_any_request_of_a_small_batch(
    scene: Scene, count_points: Count, command: str, moment: Moment
) -> None:
    number = 1
    while scene.at_request(command, number, moment):
        number += 1
    count_points(number - 1)
    assert number > SMALL


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("command", [CREATE, REVIEW, SAVE, EXPIRE, DELETE])
def test_a_command_may_be_killed_at_any_fsync_of_a_small_batch(
    scene: Scene, count_points: Count, command: str, moment: Moment
) -> None:
    number = 1
    while scene.at_fsync(command, number, moment):
        number += 1
    count_points(number - 1)
    # Threads share an fsync, so a batch of three rows may need but one; never none.
    assert number > 1


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("command", "points"), [(CREATE, 16), (RESUME, 8), (REVIEW, 10), (SAVE, 6), (DELETE, 6)]
)
def test_a_command_may_be_killed_at_any_request_of_a_large_batch(
    scene: Scene, count_points: Count, command: str, points: int
) -> None:
    chance = random.Random(f"{SEED} {command}")
    for _ in range(points):
        number = chance.randint(3, LARGE)
        assert scene.at_request(command, number, chance.choice(MOMENTS), LARGE)
    count_points(points)


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("command", "points"), [(CREATE, 10), (REVIEW, 5), (SAVE, 5)])
def test_a_command_may_be_killed_at_any_fsync_of_a_large_batch(
    scene: Scene, count_points: Count, command: str, points: int
) -> None:
    chance = random.Random(f"{SEED} {command}")
    done = 0
    for _ in range(points):
        done += scene.at_fsync(command, chance.randint(2, LARGE // 2), "before", LARGE)
    count_points(done)
    assert done > points // 2


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_an_upload_killed_over_and_over_ends_with_one_hit_a_row(
    scene: Scene, count_points: Count
) -> None:
    data = harness.write_rows(scene.path / "often.jsonl", LARGE)
    command = (CREATE, scene.definition, data, scene.path, "--batch-id", "often", "--yes")
    chance = random.Random(SEED)
    kills = 0
    while harness.killed_at_request(
        scene.served, chance.randint(4, 12), chance.choice(MOMENTS), *command
    ):
        kills += 1
    scene.run(*command)
    harness.check_created(scene.served, scene.client, scene.path / "batch-often", data)
    count_points(kills)
    assert kills > 3
