"""Results by what they are of, and tables of them in Markdown."""


def of(results, what, **fixed):
    return [r for r in results if r["what"] == what and all(r.get(key) == value for key, value in fixed.items())]


def not_measured(aims):
    """Those of which there is no result: (what, aim, measured, reached)."""
    return [(what, "", "not measured", None) for what, results in aims.items() if not results]


def table(heads, rows):
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]) + "\n"


def ratio(number, to, digits=2):
    return f"×{number / to:.{digits}f}" if to else ""
