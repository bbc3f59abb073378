"""Embedding with sentence-transformers, and with ONNX Runtime over sorted texts; see `ours`."""

import os
import subprocess
import sys
import tempfile

import numpy as np
import sizes
import texts as given


def sentence_transformers(name, data):
    from sentence_transformers import SentenceTransformer

    texts = given.sentences(data, "train", given.EMBEDDED)[0]
    model = SentenceTransformer(str(sizes.minilm_folder()), device="cpu")

    def run():
        model.encode(texts, batch_size=sizes.BATCH_SIZE, show_progress_bar=False)
        return len(texts)

    return run


EXPORT = """
import sys, keras_bert_zoo as kbz
model = kbz.TextEmbedder.from_preset(sys.argv[1])
model.export(sys.argv[2], format="onnx")
"""


def onnx_runtime(name, data):
    import onnxruntime
    import tokenizers

    folder = tempfile.mkdtemp()
    subprocess.run(
        [sys.executable, "-c", EXPORT, str(sizes.minilm_folder()), folder],
        env={**os.environ, "KERAS_BACKEND": "torch"},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    texts = given.sentences(data, "train", given.EMBEDDED)[0]
    engine = tokenizers.Tokenizer.from_file(f"{folder}/tokenizer.json")
    engine.no_padding()
    session = onnxruntime.InferenceSession(f"{folder}/model.onnx")

    def run():
        rows = [found.ids for found in engine.encode_batch(texts)]
        order = np.argsort([len(row) for row in rows], kind="stable")
        vectors = [None] * len(rows)
        for start in range(0, len(rows), sizes.BATCH_SIZE):
            chosen = order[start : start + sizes.BATCH_SIZE]
            ids = np.zeros((len(chosen), len(rows[chosen[-1]])), "int32")
            mask = np.zeros_like(ids)
            for row, index in enumerate(chosen):
                ids[row, : len(rows[index])] = rows[index]
                mask[row, : len(rows[index])] = 1
            feed = {"token_ids": ids, "segment_ids": np.zeros_like(ids), "padding_mask": mask}
            (found,) = session.run(None, feed)
            for index, vector in zip(chosen, found, strict=True):
                vectors[index] = vector
        return len(texts)

    return run
