"""Runs scenarios inside the guest, one line for each; its arguments come from `run` as JSON."""

import fnmatch
import json
import os
import pathlib
import sys
import time
import traceback

import scenarios
import scenarios_ciphers  # noqa: F401  (registers its scenarios)
import scenarios_controls  # noqa: F401
from lab import Lab
from netns import Failure


def chosen(patterns, kind):
    """Names of the scenarios that patterns (names, groups, shell patterns) mean for this kind of gateway."""
    names = []
    for pattern in patterns or ["all"]:
        found = scenarios.GROUPS.get(pattern) or fnmatch.filter(scenarios.ALL, pattern)
        if not found:
            sys.exit(f"no scenario is called {pattern}; there are: {' '.join(scenarios.ALL)}; groups: {' '.join(scenarios.GROUPS)}")
        names += [name for name in found if scenarios.ALL[name].only in (None, kind) and name not in names]
    return names


def attempt(lab, name, folder, keep):
    """Runs one scenario; its complaint, or None."""
    lab.fresh()
    try:
        scenarios.ALL[name](lab)
        complaint = None
    except Failure as failure:
        complaint = str(failure)
    except Exception as error:
        complaint = f"{type(error).__name__}: {error}"
        (lab.world["gw"].log("traceback")).write_text(traceback.format_exc())
    if complaint or keep:
        lab.diagnose(folder)
    return complaint


def main():
    options = json.loads(sys.argv[1])
    out, kernel = pathlib.Path(os.environ["OUT"]), options["kernel"]
    names = chosen(options["scenarios"], options["gateway"])
    (out / "planned").write_text("".join(f"{name}\n" for name in names * options["repeat"]))
    lab = Lab(options["gateway"], options["build"])
    if options["demo"]:
        import demo
        return demo.run(lab, kernel)
    for turn in range(options["repeat"]):
        for name in names:
            label = name if options["repeat"] == 1 else f"{name}.{turn + 1}"
            started = time.monotonic()
            complaint = attempt(lab, name, out / label, options["keep"])
            seconds = round(time.monotonic() - started)
            verdict = f"FAIL {kernel} {label} ({seconds} s): {complaint}" if complaint else f"ok   {kernel} {label} ({seconds} s)"
            print(" ".join(verdict.splitlines()), flush=True)
    lab.fresh()


main()
