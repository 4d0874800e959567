"""Runs scenarios inside the guest, one line for each; its arguments come from `run` as JSON."""

import json
import os
import pathlib
import sys
import time
import traceback

import catalogue
import demo
from lab import Lab
from netns import Failure


def attempt(lab, scenario, folder, options):
    """Runs one scenario; its complaint, or None, and what it has to tell."""
    lab.fresh()
    if options["capture"]:
        lab.capture()
    complaint = remark = None
    try:
        remark = scenario(lab)
    except Failure as failure:
        complaint = str(failure)
    except Exception as error:
        complaint = f"{type(error).__name__}: {error}"
        (lab.world["gw"].log("traceback")).write_text(traceback.format_exc())
    if complaint and lab.running and lab.running.casualties() not in complaint:
        complaint += f" ({lab.running.casualties()})"
    if complaint or options["keep"] or options["capture"]:
        lab.diagnose(folder)
    return complaint, remark


def main():
    options = json.loads(sys.argv[1])
    out, kernel = pathlib.Path(os.environ["OUT"]), options["kernel"]
    catalogue.load()
    names = options["scenarios"]
    (out / "planned").write_text("".join(f"{name}\n" for name in names * options["repeat"]))
    lab = Lab(options["gateway"], options["build"], options["libreswan"], options["gateway_nat"])
    if options["demo"]:
        complaint, _ = attempt(lab, lambda lab: demo.run(lab, kernel), out / "demo", options)
        return f"the demo failed: {complaint}" if complaint else 0
    for turn in range(options["repeat"]):
        for name in names:
            label = name if options["repeat"] == 1 else f"{name}.{turn + 1}"
            started = time.monotonic()
            complaint, remark = attempt(lab, catalogue.ALL[name], out / label, options)
            took = f"({round(time.monotonic() - started)} s)"
            verdict = f"FAIL {kernel} {label} {took}: {complaint}" if complaint else f"ok   {kernel} {label} {took} {remark or ''}"
            print(" ".join(verdict.split("\n")).rstrip(), flush=True)
    return 0


sys.exit(main())
