"""Holds a plugin against the hooks: a misspelled hook, argument or decorator is an error with a suggestion."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping

import pluggy

from plugins import hookspecs
from plugins.loading import Found, did_you_mean


def hook_arguments() -> dict[str, tuple[str, ...]]:
    """Every hook with the arguments it offers, in order."""
    return {
        name: tuple(inspect.signature(function).parameters)
        for name, function in inspect.getmembers(hookspecs, inspect.isfunction)
        if hasattr(function, "personalize_spec")
    }


def verify_hooks(found: Found, hooks: Mapping[str, tuple[str, ...]]) -> list[str]:
    """What is wrong with a plugin's hook methods, one line each; nothing wrong = an empty list."""
    problems: list[str] = []
    used: list[str] = []
    for name, method in inspect.getmembers(type(found.plugin), callable):
        marked = getattr(method, "personalize_impl", None)
        path = f"plugins.{found.name}"
        if marked is None:
            if name in hooks:
                problems.append(f"{path}: {name} is the name of a hook but lacks @hookimpl")
            continue
        hook = marked.get("specname") or name
        if hook not in hooks:
            problems.append(f"{path}: no hook is called {hook!r}{did_you_mean(hook, hooks)}")
            continue
        used.append(hook)
        problems += [f"{path}.{hook}: {problem}" for problem in _wrong_with(method, marked, hooks[hook])]
    if not used and not problems:
        problems.append(
            f"plugins.{found.name}: `Plugin` in {found.module.__file__} has no @hookimpl method"
            f"; known hooks: {', '.join(sorted(hooks))}"
        )
    if ("personal_data" in used) != ("person_erased" in used):
        problems.append(
            f"plugins.{found.name}: personal_data and person_erased come together: what is kept must be erasable, "
            "and what is erased must be named"
        )
    return problems


def _wrong_with(method: Callable[..., object], marked: Mapping[str, object], offered: tuple[str, ...]) -> list[str]:
    problems = []
    if inspect.iscoroutinefunction(method) or inspect.isasyncgenfunction(method):
        problems.append("must be a plain function, not async")
    if marked.get("wrapper") or marked.get("hookwrapper"):
        problems.append("wrappers are not supported; implement the hook itself")
    taken = [name for name in inspect.signature(method).parameters if name != "self"]
    problems += [f"there is no argument {name!r}{did_you_mean(name, offered)}" for name in taken if name not in offered]
    return problems


def register(plugin_manager: pluggy.PluginManager, plugins: list[Found]) -> None:
    """Register in reverse: pluggy calls the last registered first, and the order of the TOML is the order of calls."""
    for found in reversed(plugins):
        plugin_manager.register(found.plugin, found.name)
    plugin_manager.check_pending()
