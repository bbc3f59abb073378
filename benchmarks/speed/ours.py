"""The jobs with this package, on the backend that KERAS_BACKEND names.

Each job is a function of a size (or the name of a set) and the folder of the sets. It returns a
callable that does one round and returns how many rows, texts or models that were.
"""

import tempfile

import keras
import numpy as np
import sizes
import texts as given

import keras_bert_zoo as kbz

LABELS = ["no", "yes"]


def _backbone(size, **options):
    return kbz.BertBackbone(vocabulary_size=sizes.VOCABULARY, **sizes.SIZES[size], **options)


def inference(size, data):
    model, x = _backbone(size), sizes.dense_inputs()

    def run():
        for _ in range(sizes.BATCHES[size]):
            model.predict_on_batch(x)
        return sizes.BATCHES[size] * sizes.ROWS

    return run


def training(size, data):
    x = sizes.dense_inputs(sizes.BATCHES[size])
    model = kbz.TextClassifier(_backbone(size), labels=LABELS)
    return _trained(model, x, sizes.two_classes(len(x["token_ids"])), sizes.ROWS)


def memory(size, data, remat=False):
    x = sizes.dense_inputs(rows=sizes.LONG_ROWS, length=sizes.LONG_LENGTH)
    model = kbz.TextClassifier(_backbone(size, remat=remat), labels=LABELS)
    return _trained(model, x, sizes.two_classes(sizes.LONG_ROWS), sizes.LONG_ROWS)


def memory_with_remat(size, data):
    return memory(size, data, remat=True)


def pretraining(size, data):
    x = sizes.dense_inputs(sizes.BATCHES[size])
    rows = len(x["token_ids"])
    x["mask_positions"] = sizes.hidden_positions(rows)
    hidden = np.take_along_axis(x["token_ids"], x["mask_positions"], axis=1)
    y = {"masked_lm": hidden, "next_sentence": sizes.two_classes(rows)}
    return _trained(kbz.Pretrainer(_backbone(size)), x, y, sizes.ROWS)


def _trained(model, x, y, batch_size):
    """A round that trains once on each row."""
    model.compile(kbz.create_optimizer(1e-5, 1000))

    def run():
        model.fit(x, y, batch_size=batch_size, epochs=1, verbose=0)
        return len(x["token_ids"])

    return run


def predict(name, data):
    texts = given.of_set(data, name)
    model = kbz.TextClassifier.from_preset(sizes.minilm_folder(), labels=LABELS, max_length=512)

    def run():
        model.predict(texts, batch_size=sizes.BATCH_SIZE)
        return given.number(texts)

    return run


def fine_tuning(name, data):
    texts, y = given.sentences(data, "train", given.TRAINED)
    model = kbz.TextClassifier.from_preset(sizes.minilm_folder(), labels=LABELS, max_length=128)
    model.compile(kbz.create_optimizer(1e-5, 1000))

    def run():
        model.fit(texts, y, batch_size=sizes.BATCH_SIZE, epochs=1, verbose=0)
        return len(texts)

    return run


def embedding(name, data):
    texts = given.sentences(data, "train", given.EMBEDDED)[0]
    model = kbz.TextEmbedder.from_preset(sizes.minilm_folder())

    def run():
        model.embed(texts, batch_size=sizes.BATCH_SIZE)
        return len(texts)

    return run


def tokenization(name, data):
    texts = given.of_set(data, name, given.TOKENIZED)
    tokenizer = kbz.Tokenizer.from_preset(sizes.minilm_folder())

    def run():
        tokenizer.tokenize(texts)
        return len(texts)

    return run


def loading(size, data, written_by="export_to_transformers"):
    """From files of transformers."""
    folder = tempfile.mkdtemp()
    getattr(_backbone(size), written_by)(folder)
    x = {name: array[:1] for name, array in sizes.dense_inputs().items()}

    def run():
        model = kbz.Backbone.from_preset(folder)
        # Where nothing is compiled, `predict` is what saves the work for gradients.
        outputs = model.predict_on_batch(x) if keras.backend.backend() == "torch" else model(x)
        keras.ops.convert_to_numpy(outputs["pooled_output"])
        return 1

    return run


def loading_own_files(size, data):
    return loading(size, data, written_by="save_to_preset")


def one_request(name, data):
    return serving(name, data, together=1)


def serving(name, data, together=sizes.BATCH_SIZE):
    """Texts in requests, to a SavedModel that was loaded without this package."""
    import tensorflow as tf

    model = kbz.TextClassifier.from_preset(sizes.minilm_folder(), labels=LABELS, max_length=512)
    folder = tempfile.mkdtemp()
    model.export(folder)
    served = tf.saved_model.load(folder).signatures["serving_default"]
    requests = given.requests(data, name, together)

    def run():
        for texts in requests:
            served(text=tf.constant(texts))
        return len(requests) * together

    return run
