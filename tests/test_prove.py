from pathlib import Path

import pytest

from app.cli.prove_command import command
from app.prove import promises
from app.prove.promises import TRIALS, Trial

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "trial", [trial for trial in TRIALS if trial is not promises.killed], ids=lambda trial: trial.__name__
)
async def test_a_promise_is_kept(tmp_path: Path, trial: Trial) -> None:
    assert await trial(tmp_path)


def test_every_promise_is_a_sentence_and_the_command_tells_them() -> None:
    for trial in TRIALS:
        assert trial.__doc__
        assert "\n" not in trial.__doc__
    assert command.params
