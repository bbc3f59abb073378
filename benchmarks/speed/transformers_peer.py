"""The jobs with transformers on PyTorch, as its documentation has them; see `ours`."""

import tempfile

import sizes
import texts as given
import torch
import transformers

transformers.logging.set_verbosity_error()

NAMES = {
    "token_ids": "input_ids",
    "segment_ids": "token_type_ids",
    "padding_mask": "attention_mask",
}


def config_of(size):
    fields = sizes.SIZES[size]
    return transformers.BertConfig(
        vocab_size=sizes.VOCABULARY,
        num_hidden_layers=fields["num_layers"],
        num_attention_heads=fields["num_heads"],
        hidden_size=fields["hidden_dim"],
        intermediate_size=fields["intermediate_dim"],
        attn_implementation="sdpa",
    )


def batches_of(batches=1, rows=sizes.ROWS, length=sizes.LENGTH):
    """Batches of input dicts."""
    arrays = sizes.dense_inputs(batches, rows, length)
    tensors = {NAMES[name]: torch.from_numpy(arrays[name]).long() for name in NAMES}
    return [
        {name: tensor[start : start + rows] for name, tensor in tensors.items()}
        for start in range(0, batches * rows, rows)
    ]


def inference(size, data):
    model, (x,) = transformers.BertModel(config_of(size)).eval(), batches_of()

    def run():
        with torch.inference_mode():
            for _ in range(sizes.BATCHES[size]):
                model(**x)
        return sizes.BATCHES[size] * sizes.ROWS

    return run


def training(size, data):
    batches = batches_of(sizes.BATCHES[size])
    for batch in batches:
        batch["labels"] = torch.from_numpy(sizes.two_classes(sizes.ROWS))
    return _trained(transformers.BertForSequenceClassification(config_of(size)), batches)


def memory(size, data, remat=False):
    batches = batches_of(rows=sizes.LONG_ROWS, length=sizes.LONG_LENGTH)
    batches[0]["labels"] = torch.from_numpy(sizes.two_classes(sizes.LONG_ROWS))
    model = transformers.BertForSequenceClassification(config_of(size))
    if remat:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    return _trained(model, batches)


def memory_with_remat(size, data):
    return memory(size, data, remat=True)


def pretraining(size, data):
    batches = batches_of(sizes.BATCHES[size])
    positions = torch.from_numpy(sizes.hidden_positions(len(batches) * sizes.ROWS)).long()
    for batch, where in zip(batches, positions.split(sizes.ROWS), strict=True):
        ids = batch["input_ids"]
        labels = torch.full_like(ids, -100)
        batch["labels"] = labels.scatter(1, where, ids.gather(1, where))
        batch["next_sentence_label"] = torch.from_numpy(sizes.two_classes(sizes.ROWS))
    return _trained(transformers.BertForPreTraining(config_of(size)), batches)


def _trained(model, batches):
    """A round that steps once on each batch."""
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, weight_decay=0.01)
    schedule = transformers.get_linear_schedule_with_warmup(optimizer, 100, 100000)

    def run():
        for batch in batches:
            model(**batch).loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
        return sum(len(batch["labels"]) for batch in batches)

    return run


def predict(name, data):
    texts, classify = given.of_set(data, name), _pipeline()
    if isinstance(texts, tuple):
        texts = [{"text": one, "text_pair": two} for one, two in zip(*texts, strict=True)]

    def run():
        classify(texts, batch_size=sizes.BATCH_SIZE, truncation=True)
        return len(texts)

    return run


def one_request(name, data):
    return serving(name, data, together=1)


def serving(name, data, together=sizes.BATCH_SIZE):
    requests, classify = given.requests(data, name, together), _pipeline()

    def run():
        for texts in requests:
            classify(texts, batch_size=together, truncation=True)
        return len(requests) * together

    return run


def _pipeline():
    folder = sizes.minilm_folder()
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, model_max_length=512)
    return transformers.pipeline("text-classification", model=model, tokenizer=tokenizer)


def tokenization(name, data):
    texts = given.of_set(data, name, given.TOKENIZED)
    tokenizer = transformers.AutoTokenizer.from_pretrained(sizes.minilm_folder())
    ids_alone = {"return_attention_mask": False, "return_token_type_ids": False}

    def run():
        tokenizer(texts, add_special_tokens=False, **ids_alone)
        return len(texts)

    return run


def fine_tuning(name, data):
    texts, y = given.sentences(data, "train", given.TRAINED)
    folder = sizes.minilm_folder()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2)
    settings = transformers.TrainingArguments(
        output_dir=tempfile.mkdtemp(),
        per_device_train_batch_size=sizes.BATCH_SIZE,
        num_train_epochs=1,
        learning_rate=1e-5,
        use_cpu=True,
        save_strategy="no",
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )

    def run():
        rows = tokenizer(texts, truncation=True, max_length=128)
        rows = [
            {"label": y[i], **{name: values[i] for name, values in rows.items()}}
            for i in range(len(texts))
        ]
        collator = transformers.DataCollatorWithPadding(tokenizer)
        transformers.Trainer(model, settings, data_collator=collator, train_dataset=rows).train()
        return len(texts)

    return run


def loading(size, data):
    folder = tempfile.mkdtemp()
    transformers.BertModel(config_of(size)).save_pretrained(folder)
    x = {name: tensor[:1] for name, tensor in batches_of()[0].items()}

    def run():
        model = transformers.BertModel.from_pretrained(folder)
        with torch.inference_mode():
            model(**x)
        return 1

    return run
