"""Runs a SavedModel beside what it should answer. A program of its own: TensorFlow and numpy alone.

    python self_check.py DIRECTORY CASES.npz TOLERANCE

The arrays of `CASES.npz` are named `case/signature/in/name` and `case/signature/out/name`. Prints
the largest difference; what differs by more than the tolerance, or in its shape, ends it with 1.
"""

import collections
import sys

import numpy as np


def read_cases(path):
    """Signature, inputs and outputs of each case."""
    cases = collections.defaultdict(lambda: {"in": {}, "out": {}})
    with np.load(path) as arrays:
        for key in arrays.files:
            case, signature, side, name = key.split("/")
            cases[case, signature][side][name] = arrays[key]
    return [(signature, case["in"], case["out"]) for (_, signature), case in cases.items()]


def difference(found, wanted):
    """The largest difference of two arrays; infinite where the shapes differ."""
    found = np.asarray(found)
    if found.shape != wanted.shape:
        return np.inf
    return float(np.max(np.abs(found.astype("float64") - wanted), initial=0.0))


def check(directory, cases):
    """Pairs of what was compared and by how much it differs."""
    import tensorflow as tf

    loaded = tf.saved_model.load(directory)
    for signature, inputs, wanted in cases:
        outputs = loaded.signatures[signature](
            **{name: tf.constant(array) for name, array in inputs.items()}
        )
        for name, array in wanted.items():
            yield f"{signature}/{name}", difference(outputs[name], array)


def main(directory, cases, tolerance):
    loud = {name for name in sys.modules if name.split(".")[0] in ("keras", "keras_bert_zoo")}
    if loud:
        sys.exit(f"Not a fresh process: {', '.join(sorted(loud))} are loaded.")
    worst = 0.0
    for what, apart in check(directory, read_cases(cases)):
        if not apart <= float(tolerance):
            sys.exit(f"{what} differs by {apart:.3g}")
        worst = max(worst, apart)
    print(f"{worst:.3g}")


if __name__ == "__main__":
    main(*sys.argv[1:])
