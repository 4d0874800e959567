"""Runs scenarios inside the guest, one line for each; its arguments come from `run` as JSON."""

import fnmatch
import json
import os
import pathlib
import sys
import time
import traceback

import demo
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


def attempt(lab, scenario, folder, options):
    """Runs one scenario; its complaint, or None."""
    lab.fresh()
    if options["capture"]:
        lab.capture()
    complaint = None
    try:
        scenario(lab)
    except Failure as failure:
        complaint = str(failure)
    except Exception as error:
        complaint = f"{type(error).__name__}: {error}"
        (lab.world["gw"].log("traceback")).write_text(traceback.format_exc())
    if complaint and lab.running and lab.running.casualties() not in complaint:
        complaint += f" ({lab.running.casualties()})"
    if complaint or options["keep"] or options["capture"]:
        lab.diagnose(folder)
    return complaint


def main():
    options = json.loads(sys.argv[1])
    out, kernel = pathlib.Path(os.environ["OUT"]), options["kernel"]
    names = chosen(options["scenarios"], options["gateway"])
    (out / "planned").write_text("".join(f"{name}\n" for name in names * options["repeat"]))
    lab = Lab(options["gateway"], options["build"])
    if options["demo"]:
        complaint = attempt(lab, lambda lab: demo.run(lab, kernel), out / "demo", options)
        return f"the demo failed: {complaint}" if complaint else 0
    for turn in range(options["repeat"]):
        for name in names:
            label = name if options["repeat"] == 1 else f"{name}.{turn + 1}"
            started = time.monotonic()
            complaint = attempt(lab, scenarios.ALL[name], out / label, options)
            seconds = round(time.monotonic() - started)
            verdict = f"FAIL {kernel} {label} ({seconds} s): {complaint}" if complaint else f"ok   {kernel} {label} ({seconds} s)"
            print(" ".join(verdict.splitlines()), flush=True)
    return 0


sys.exit(main())
