"""Makes the report of what `run` measured: Markdown, JSON and a plot for each question."""

import json
import pathlib
import sys

import report_clients
import report_crowds
import report_ike
from tables import table

INTRODUCTION = """# Measured: Sameroof beside what people use today

Sameroof is a gateway for L2TP/IPsec. Beside it, on the same kernels{in_the_same_run}: strongSwan (its daemon is charon), strongSwan
with its connmark plugin, and Libreswan (pluto), each with xl2tpd where L2TP is served. *One NAT*: all clients have one public address,
as in an office or a hotel. *Their own NATs*: each has its own. *×1.25*: a quarter more than what it is compared with. An empty cell was
not measured.

Except for IKE alone, everything runs in a guest with one processor whose clock counts instructions: all that any process or the kernel
executes, and 10⁹ of them are a second. So figures repeat and compare, on whatever machine they are taken, and say nothing about absolute
speed: a real processor executes several instructions a nanosecond, and waits for its memory. Two runs differ by some percent.
`report.json` has every figure.

{runs}"""


def in_short(aims):
    rows = [[what, wanted, got, {True: "yes", False: "**no**", None: ""}[reached]] for what, wanted, got, reached in aims]
    return table(["what", "aim", "measured", "reached"], rows) if rows else ""


def introduction(runs):
    """Of (commit, date, kernel release) → chapters."""
    same = len({run[:2] for run in runs}) == 1
    rows = [[*run, ", ".join(chapters)] for run, chapters in runs.items()]
    return INTRODUCTION.format(in_the_same_run=" and in the same run" if same else ", though not in the same run",
                               runs=table(["commit", "begun", "kernel", "measured"], rows))


def chapter(kernel, results, folder):
    parts = [*report_crowds.sections(results, folder, kernel), *report_clients.sections(results, folder, kernel)]
    return f"## Linux {kernel}\n\n" + "\n".join(f"### {title}\n\n{text}" for title, text in parts)


def order(console):
    """6.1 before 6.12."""
    return [int(part) if part.isdigit() else 0 for part in console.stem.split(".")[:2]]


def main():
    folder = pathlib.Path(sys.argv[1])
    host, kernels, runs, warnings = [], {}, {}, []
    for console in sorted(folder.glob("*.console"), key=order):
        lines = console.read_text().splitlines()
        begun = [tuple(line.split()[1:]) for line in lines if line.startswith("run ")]
        if not begun:
            warnings.append(f"- {console.stem}: left out, it does not say of which commit and kernel it is")
            continue
        runs.setdefault(begun[0], []).append(console.stem)
        results = [json.loads(line[2:]) for line in lines if line.startswith("= ")]
        warnings += [f"- {console.stem}: {line[9:]}" for line in lines if line.startswith("warning: ")]
        kernel = ".".join(console.stem.split(".")[:-1])
        (kernels.setdefault(kernel, []) if kernel else host).extend(results)
    for results in kernels.values():
        results.sort(key=lambda r: not r["gateway"].startswith("Sameroof"))  # ours first, the others as they were measured
    (folder / "report.json").write_text(json.dumps({"version": 2, "host": host, "kernels": kernels}, indent=1) + "\n")
    aims = report_ike.aims(host)
    for kernel, results in kernels.items():
        aims += [(f"Linux {kernel}: {what}", *more) for what, *more in report_crowds.aims(results) + report_clients.aims(results)]
    text = "\n".join([introduction(runs), "## In short\n", in_short(aims), *(["Warnings:\n", *warnings, ""] if warnings else []),
                      report_ike.chapter(host, folder), *(chapter(kernel, results, folder) for kernel, results in kernels.items())])
    (folder / "report.md").write_text(text)
    print(text)


main()
