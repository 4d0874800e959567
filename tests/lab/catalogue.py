"""Which scenarios there are: every scenarios*.py beside this file registers its own."""

import fnmatch
import importlib
import pathlib
import sys

from gateway_place import PLACES

ALL = {}      # name → function, in the order they run
GROUPS = {}   # name of a group → names

SECONDS_EACH = 150  # a generous mean


def scenario(*groups, only=None, seconds=SECONDS_EACH, places=PLACES, kernels="each"):
    """Registers a scenario. `groups`: "all" (the default) is the normal run, "long" what `tests/run --all` adds to it (such as
    what another scenario shows along with more), "basic" what must hold wherever the gateway stands; `only` names the gateway
    it is meant for; `seconds` is what a slow machine may need; `places`: behind which routers the gateway may stand
    (gateway_place.py); `kernels`: "one" where the kernels have no part of their own in what is shown, so that one of them
    does (run --share)."""

    def register(function):
        name = function.__name__
        if name in ALL:
            raise ValueError(f"two scenarios are called {name}")
        ALL[name] = function
        function.only, function.seconds, function.places, function.kernels = only, seconds, places, kernels
        for group in groups or ("all",):
            GROUPS.setdefault(group, []).append(name)
        return function

    return register


def load():
    folder = pathlib.Path(__file__).parent
    for file in sorted(folder.glob("scenarios*.py")):  # scenarios.py comes first
        importlib.import_module(file.stem)


def chosen(patterns, kind, place="none"):
    """Names of the scenarios that patterns (names, groups, shell patterns) mean for this kind of gateway in this place."""
    load()
    names = []
    for pattern in patterns or ["all"]:
        found = GROUPS.get(pattern) or fnmatch.filter(ALL, pattern)
        if not found:
            sys.exit(f"no scenario is called {pattern}; there are: {' '.join(ALL)}; groups: {' '.join(GROUPS)}")
        names += [name for name in found if ALL[name].only in (None, kind) and place in ALL[name].places and name not in names]
    return names


def share(names, kernels):
    """What each kernel runs when they share what one of them can show."""
    turns = iter(range(len(names)))
    lists = {kernel: [] for kernel in kernels}
    for name in names:
        if ALL[name].kernels == "one":
            lists[kernels[next(turns) % len(kernels)]].append(name)
        else:
            for each in lists.values():
                each.append(name)
    return lists


def seconds(names):
    """How long these may take, all in all."""
    return sum(ALL[name].seconds for name in names)
