"""Training steps of a classifier in bfloat16 on a GPU, dense rows: this package, and its peers.

`run.py --jobs gpu_training` runs them by turns. Like `ours`, each takes what to train (a key of
`sizes.ON_GPU`) and the folder of the sets, and returns a callable for a round. A side that finds no
GPU does not start.
"""

import numpy as np
import sizes

LEARNING_RATE = 1e-5


def ours(what, data, on_gpu=True, steps=sizes.STEPS_ON_GPU):
    """`fit` of a `TextClassifier`, weights in float32, on the backend that KERAS_BACKEND names."""
    import keras

    import keras_bert_zoo as kbz
    from keras_bert_zoo.layers.devices import is_cpu

    if on_gpu and is_cpu():
        raise RuntimeError("Keras runs on the CPU.")
    size, rows, length = sizes.ON_GPU[what]
    keras.config.set_dtype_policy("mixed_bfloat16")
    fields = {"vocabulary_size": sizes.VOCABULARY, **sizes.SIZES[size]}
    model = kbz.TextClassifier(kbz.BertBackbone(**fields), labels=["no", "yes"])
    model.compile(kbz.create_optimizer(LEARNING_RATE, 100000))
    x, y = sizes.dense_inputs(steps, rows, length), sizes.two_classes(steps * rows)

    def run():
        model.fit(x, y, batch_size=rows, epochs=1, verbose=0)
        return steps * rows

    return run


def transformers(what, data, device="cuda", steps=sizes.STEPS_ON_GPU):
    """`BertForSequenceClassification` by `torch.compile`, weights in float32, autocast."""
    import torch
    import transformers_peer
    from transformers import BertForSequenceClassification

    size, rows, length = sizes.ON_GPU[what]
    torch.set_float32_matmul_precision("high")
    model = BertForSequenceClassification(transformers_peer.config_of(size)).to(device).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, fused=True)
    compiled = torch.compile(model)
    labels = torch.from_numpy(np.asarray(sizes.two_classes(rows)))
    batches = [
        {name: tensor.to(device) for name, tensor in {**batch, "labels": labels}.items()}
        for batch in transformers_peer.batches_of(steps, rows, length)
    ]

    def run():
        for batch in batches:
            with torch.autocast(device, torch.bfloat16):
                loss = compiled(**batch).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
        loss.item()  # waits
        return steps * rows

    return run


def matrix_products(what, data, device="cuda", steps=sizes.STEPS_ON_GPU):
    """The bare products of such steps, there and back, in bfloat16."""
    import torch

    size, rows, length = sizes.ON_GPU[what]
    shapes = sizes.product_shapes(size, rows, length, pooled=True)
    kinds = {"device": device, "dtype": torch.bfloat16}
    # Products of one shape share their numbers: those of all blocks would take much memory.
    pairs = {pair: tuple(torch.randn(shape, **kinds) for shape in pair) for pair in set(shapes)}

    def run():
        with torch.inference_mode():
            for _ in range(steps):
                for pair in shapes * 3:
                    product = torch.matmul(*pairs[pair])
            product.flatten()[0].item()  # waits
        return steps * rows

    return run
