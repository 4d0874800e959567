"""What the measurements say: a line that begins with `=` is a result, a JSON object with "what" was measured and of whose "gateway"."""

import json


def tell(what, gateway, **values):
    print("=", json.dumps({"what": what, "gateway": gateway, **values}), flush=True)


def warn(text):
    print(f"warning: {text}", flush=True)
