"""Asks a running server over REST; nothing but Python's standard library.

python client_rest.py sentiment "A joy from start to end." "I want my evening back."
python client_rest.py answers --question "When does the ferry leave?" \
    --context "The ferry leaves at half past nine from the old pier."
"""

import argparse
import json
import urllib.request


def request_body(inputs, signature="serving_default"):
    """What to post: columns of inputs, each a list with one item for each example."""
    return {"signature_name": signature, "inputs": inputs}


def ask(host, model, inputs, signature="serving_default"):
    """The outputs of a model: name -> a list with one item for each example.

    With a single output the server leaves its name away.
    """
    request = urllib.request.Request(
        f"http://{host}/v1/models/{model}:predict",
        json.dumps(request_body(inputs, signature)).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as response:
        return json.load(response)["outputs"]


def main(arguments):
    if arguments.question is not None:
        inputs = {"question": [arguments.question], "context": [arguments.context]}
    else:
        inputs = {"text": arguments.texts}
    print(json.dumps(ask(arguments.host, arguments.model, inputs), ensure_ascii=False, indent=2))


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="the model's name in models.config")
    parser.add_argument("texts", nargs="*")
    parser.add_argument("--question")
    parser.add_argument("--context", default="")
    parser.add_argument("--host", default="localhost:8501")
    return parser.parse_args()


if __name__ == "__main__":
    main(parse())
