"""Runs an export beside what it should answer. A program of its own, without Keras.

    python self_check.py DIRECTORY CASES.npz

The arrays of `CASES.npz` are named `case/signature/in/name`, `…/out/name` and, for how far that
output may differ, `…/limit/name`. Prints the largest difference; what differs by more, or in its
shape, ends it with 1.
"""

import collections
import os
import sys

import numpy as np


def open_saved_model(path):
    import tensorflow as tf

    loaded = tf.saved_model.load(os.path.dirname(path))

    def run(signature, inputs):
        tensors = {name: tf.constant(array) for name, array in inputs.items()}
        return loaded.signatures[signature](**tensors)

    return run


def open_onnx(path):
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda _, inputs: dict(zip(names, session.run(names, inputs), strict=True))


def open_openvino(path):
    import openvino

    model = openvino.compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def run(_, inputs):
        found = model(inputs)
        return {output.any_name: found[output] for output in model.outputs}

    return run


def open_litert(path):
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(path).get_signature_runner()
    return lambda _, inputs: runner(**inputs)


# The file that tells what a folder holds -> what makes a function of it.
OPENERS = {
    "saved_model.pb": open_saved_model,
    "model.onnx": open_onnx,
    "model.xml": open_openvino,
    "model.tflite": open_litert,
}


def open_export(directory):
    """A function from a signature and inputs to outputs."""
    for name, opener in OPENERS.items():
        path = os.path.join(directory, name)
        if os.path.isfile(path):
            return opener(path)
    sys.exit(f"{directory} holds none of {', '.join(OPENERS)}.")


def read_cases(path):
    """Signature, inputs, outputs and limits of each case."""
    cases = collections.defaultdict(lambda: {"in": {}, "out": {}, "limit": {}})
    with np.load(path) as arrays:
        for key in arrays.files:
            case, signature, side, name = key.split("/")
            cases[case, signature][side][name] = arrays[key]
    return [(signature, *case.values()) for (_, signature), case in cases.items()]


def difference(found, wanted):
    """The largest difference of two arrays; infinite where shapes, or texts, differ."""
    found = np.asarray(found)
    if found.shape != wanted.shape:
        return np.inf
    if wanted.dtype.kind not in "fiub":
        texts = [text.decode("utf-8") for text in found.ravel().tolist()]
        return 0.0 if texts == wanted.ravel().tolist() else np.inf
    return float(np.max(np.abs(found.astype("float64") - wanted), initial=0.0))


def main(directory, path):
    loud = {name for name in sys.modules if name.split(".")[0] in ("keras", "keras_bert_zoo")}
    if loud:
        sys.exit(f"Not a fresh process: {', '.join(sorted(loud))} are loaded.")
    run = open_export(directory)
    worst = 0.0
    for signature, inputs, wanted, limits in read_cases(path):
        outputs = run(signature, inputs)
        for name, array in wanted.items():
            apart = difference(outputs[name], array)
            if not apart <= limits[name]:
                sys.exit(f"{signature}/{name} differs by {apart:.3g}")
            worst = max(worst, apart)
    print(f"{worst:.3g}")


if __name__ == "__main__":
    main(*sys.argv[1:])
