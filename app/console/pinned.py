"""Pinned or automatic: what is told of a pin beside its rule, and the click that writes down the experiment to know."""

from __future__ import annotations

from app.console.asked import Answer, Asked, Go, Notice
from app.experiments.pinned import PinComparison, compare, design_for, in_force
from app.problem import Problem
from app.routes.experiments import Handlers
from app.rules.model import Rule
from store.experiments import Experiment, ExperimentChanged


async def of_rule(asked: Asked, rule: Rule) -> PinComparison | None:
    """What is known of a pin; None for any other rule. Of one that is in force as it is written there, whatever the
    draft says."""
    published = next((each for each in in_force(asked.node) if each.id == rule.id), rule)
    found = await compare(asked.node, [published])
    return found[0] if found and rule.then.do == "pin" else None


async def of_experiment(asked: Asked, experiment: Experiment) -> list[PinComparison]:
    """Every pin in force, from this experiment's arms; nothing where it does not compare."""
    if experiment.design.sides is None or not experiment.number:
        return []
    return await compare(asked.node, in_force(asked.node), experiment)


async def write_down(asked: Asked, rule: Rule, desk: Handlers) -> Answer:
    """The draft of an experiment that would tell what the pin is worth."""
    node = asked.node
    if len(node.experiments.all()) >= node.config.experiments.kept_at_most:
        raise Problem(409, "Too many experiments", "delete some first")
    design = design_for(rule, {each.key for each in node.experiments.all()})
    desk.check(design)
    try:
        made = await node.experiments.add(design, node.clock.now())
    except ExperimentChanged:
        raise Problem(409, "There is one already", "somebody else wrote it down just now; look again") from None
    await node.staff.note(asked.actor, "experiment created", made.key)
    told = "Written down: half of the visitors will see these lists without boosts and pins. Look at it, then start it."
    return Go(f"/console/experiments/{made.key}", Notice(told))
