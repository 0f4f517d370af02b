from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from app.cli import cli
from app.config import Config, parse_config
from app.node import configured_plugins
from app.privacy.article30 import days_told, record
from app.privacy.ladder import KIND, fields_of, ladder, setting_days
from plugins.ladder import KINDS, DataKind, RetentionPolicy, strictest
from plugins.loading import PluginProblems
from plugins.manager import load_plugins
from store.fields import FIELDS

LEARNING = {"privacy": {"learned": "exact"}}
days = st.none() | st.floats(0.01, 1000)
policies = st.lists(st.builds(RetentionPolicy, days, days, days, st.booleans()), min_size=1, max_size=5)


def in_force(**tables: dict[str, object]) -> dict[DataKind, RetentionPolicy]:
    config = parse_config({**LEARNING, **tables})
    return ladder(config, configured_plugins(config, Path("personalize.toml")))


@given(policies)
def test_no_policy_can_lengthen_what_another_one_shortens(asked: list[RetentionPolicy]) -> None:
    together = strictest(asked)
    for policy in asked:
        for step in ("keep_days", "anonymize_days"):
            wish = getattr(policy, step)
            if wish is not None:
                ends = min(day for day in (getattr(together, step), together.keep_days) if day is not None)
                assert ends <= wish
        if policy.nothing_stays:
            assert together.aggregate_days is None
    assert strictest([*asked, RetentionPolicy()]) == together


def test_the_settings_hold_and_a_plugin_can_only_shorten_them() -> None:
    assert in_force()["events"].keep_days == 30
    kept = {"days": {"events": 14, "vault.searches": 9000, "people": 1}}
    policies = in_force(plugins={"keep_for": kept})
    assert [policies[kind].keep_days for kind in ("events", "vault.searches", "people")] == [14, 730, 1]
    assert policies["visits"].keep_days == pytest.approx(30 / 1440)


def test_events_are_counted_then_cut_off_then_gone() -> None:
    policy = in_force(plugins={"anonymize": {"days": {"events": 7}}, "aggregate": {"after_days": 3}})["events"]
    assert (policy.aggregate_days, policy.anonymize_days, policy.keep_days) == (3, 7, 30)


def test_nothing_is_counted_where_one_policy_or_the_dial_says_so() -> None:
    assert in_force(plugins={"delete": {"kinds": ["events"]}})["events"].aggregate_days is None
    assert in_force(privacy={"learned": "off"})["events"].aggregate_days is None
    assert in_force()["events"].aggregate_days == 2


def test_a_kind_that_does_not_exist_is_named_with_its_path() -> None:
    with pytest.raises(PluginProblems) as wrong:
        load_plugins({"keep_for": {"days": {"evnts": 3}}, "anonymize": {"days": {"people": 3}}}, None)
    assert len(wrong.value.problems) == 2
    assert "plugins.keep_for.days" in wrong.value.problems[0]
    assert "plugins.anonymize.days" in wrong.value.problems[1]


@pytest.mark.parametrize("answer", ["1 / 0", "{'keep_days': 3}"])
def test_a_policy_that_fails_or_answers_nonsense_keeps_the_node_from_starting(tmp_path: Path, answer: str) -> None:
    folder = tmp_path / "plugins.d"
    folder.mkdir()
    (folder / "odd.py").write_text(
        "from dataclasses import dataclass\nfrom plugins.contract import hookimpl\n\n\n@dataclass(frozen=True)\n"
        f"class Plugin:\n    @hookimpl\n    def retention(self, kind):\n        return {answer}\n"
    )
    (tmp_path / "personalize.toml").write_text("[plugins.odd]\n")
    done = CliRunner().invoke(cli, ["-c", str(tmp_path / "personalize.toml"), "check"])
    assert done.exit_code != 0
    assert "plugins.odd: retention" in str(done.exception) + done.output or "plugins.odd: " in str(done.exception)


def test_every_personal_field_ends_with_a_kind_that_the_sweep_looks_at() -> None:
    swept = {field.name for kind in KINDS for field in fields_of(kind)}
    assert {field.name for field in FIELDS} - swept == set()
    assert set(KIND) == set(KINDS)


def test_every_time_limit_of_the_registry_is_a_setting_there_is() -> None:
    assert {field.ttl_setting for field in FIELDS if setting_days(Config(), field.ttl_setting) <= 0} == set()


def test_the_record_of_processing_names_every_field_kind_and_time_limit() -> None:
    config = parse_config({"shop": {"name": "Alder & Birch"}, "retention": {"vault_days": 100}})
    told = record(config, configured_plugins(config, Path("personalize.toml")))
    assert "Alder & Birch" in told
    for field in FIELDS:
        where = f"{field.file}: {field.table}.{field.column}"
        assert f"| {field.name} | {field.category} | {field.source} | {where} |" in told
    for kind in KINDS:
        assert f"| {kind} | {KIND[kind].what} |" in told
    assert "100 days (retention.vault_days)" in told
    assert "frequency_cap: " in told


def test_the_record_of_processing_is_printed_by_check(tmp_path: Path) -> None:
    (tmp_path / "personalize.toml").write_text('[shop]\nname = "Alder"\n')
    done = CliRunner().invoke(cli, ["-c", str(tmp_path / "personalize.toml"), "check", "--article30"])
    assert done.exit_code == 0
    assert done.output.startswith("# Record of processing activities (Art. 30 GDPR): Alder")


def test_times_are_told_as_people_say_them() -> None:
    told = {365 / 12: "30.42 days", 1.0: "1 day", 0.5: "12 hours", 1 / 48: "30 minutes", 1e-5: "0.864 seconds"}
    assert {days: days_told(days) for days in told} == told
