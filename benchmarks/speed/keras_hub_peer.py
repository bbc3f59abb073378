"""The jobs with KerasHub, on the same backend; see `ours`."""

import keras
import keras_hub
import numpy as np
import sizes
import texts as given

# With its defaults every row is padded to 512: a batch of sentences takes seconds, and is enough.
TEXTS = 32


def _backbone(size):
    fields = sizes.SIZES[size]
    return keras_hub.models.BertBackbone(vocabulary_size=sizes.VOCABULARY, **fields)


def inference(size, data):
    model, x = _backbone(size), sizes.dense_inputs()

    def run():
        for _ in range(sizes.BATCHES[size]):
            model.predict_on_batch(x)
        return sizes.BATCHES[size] * sizes.ROWS

    return run


def _compiled(model):
    optimizer = keras.optimizers.AdamW(1e-5, weight_decay=0.01, global_clipnorm=1.0)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=optimizer, loss=loss, metrics=["accuracy"])
    return model


def training(size, data):
    model = keras_hub.models.BertTextClassifier(_backbone(size), num_classes=2)
    _compiled(model)
    x = sizes.dense_inputs(sizes.BATCHES[size])
    y = sizes.two_classes(len(x["token_ids"]))

    def run():
        model.fit(x, y, batch_size=sizes.ROWS, epochs=1, verbose=0)
        return len(y)

    return run


def _tokenizer():
    vocabulary = (sizes.minilm_folder() / "vocab.txt").read_text(encoding="utf-8").split("\n")[:-1]
    return keras_hub.models.BertTokenizer(vocabulary, lowercase=True)


def _classifier():
    """MiniLM's shape with random weights, and a tokenizer of its vocabulary."""
    preprocessor = keras_hub.models.BertTextClassifierPreprocessor(_tokenizer())
    return keras_hub.models.BertTextClassifier(
        _backbone("minilm"), num_classes=2, preprocessor=preprocessor
    )


def predict(name, data):
    texts, model = given.of_set(data, name), _classifier()
    if isinstance(texts, tuple):
        texts = tuple(np.array(part[:TEXTS]) for part in texts)
    else:
        texts = np.array(texts[:TEXTS])

    def run():
        model.predict(texts, batch_size=sizes.BATCH_SIZE, verbose=0)
        return TEXTS

    return run


def tokenization(name, data):
    texts, tokenizer = given.of_set(data, name, given.TOKENIZED), _tokenizer()

    def run():
        tokenizer(texts)
        return len(texts)

    return run


def fine_tuning(name, data):
    texts, y = given.sentences(data, "train", TEXTS)
    model, y = _compiled(_classifier()), np.array(y)

    def run():
        model.fit(texts, y, batch_size=sizes.BATCH_SIZE, epochs=1, verbose=0)
        return len(texts)

    return run
