"""The same recipe with transformers' model and loss, and PyTorch's optimizer."""

import numpy as np
import torch
import transformers
from finetune_sets import minilm_folder

from keras_bert_zoo.data.batching import Batches
from keras_bert_zoo.tasks.feed import Feed

NAMES = {
    "token_ids": "input_ids",
    "segment_ids": "token_type_ids",
    "padding_mask": "attention_mask",
}
NO_DECAY = ("bias", "LayerNorm")


def fine_tune(task, class_name, job, train, seed, steps):
    """Trains a model of transformers on the batches that the task would see.

    Args:
        task: Task. Makes the batches; its own weights are not used.
        class_name: str. The class of transformers.
        job: Job.
        train: `(x, y)`.
        seed: int.
        steps: int. Of the whole training.

    Returns:
        callable that maps an input dict to outputs in the form of the task's `predict_on_batch`.
    """
    torch.manual_seed(seed)
    count = 2 if class_name == "BertForQuestionAnswering" else task.num_classes
    model = getattr(transformers, class_name).from_pretrained(minilm_folder(), num_labels=count)
    model.train()
    decayed, spared = [], []
    for name, weight in model.named_parameters():
        (spared if any(word in name for word in NO_DECAY) else decayed).append(weight)
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.01}, {"params": spared, "weight_decay": 0.0}],
        lr=job.rate,
        eps=1e-7,
    )
    schedule = transformers.get_linear_schedule_with_warmup(optimizer, int(0.1 * steps), steps)
    examples = Feed(task).read(*train, None, training=True)
    batches = Batches(examples, job.batch_size, "shuffled", seed)
    for _ in range(job.epochs):
        for x, y, weights in batches:
            inputs, labels = _as_theirs(x, y, weights)
            loss = model(**inputs, **labels).loss
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
        batches.on_epoch_end()
    model.eval()
    return lambda x: _predict(model, x)


def _as_theirs(x, y, weights):
    """Inputs and labels of a batch without the rows that only fill it up."""
    real = x["padding_mask"].any(axis=1)
    inputs = {NAMES[name]: torch.tensor(array[real]).long() for name, array in x.items()}
    if isinstance(y, dict):
        labels = {f"{name}_positions": values[real] for name, values in y.items()}
    elif y.ndim == 2:
        labels = {"labels": np.where(weights > 0, y, -100)[real]}
    else:
        labels = {"labels": y[real]}
    return inputs, {name: torch.tensor(values).long() for name, values in labels.items()}


def _predict(model, x):
    inputs = {NAMES[name]: torch.tensor(np.asarray(array)).long() for name, array in x.items()}
    with torch.no_grad():
        outputs = model(**inputs)
    if hasattr(outputs, "start_logits"):
        return {"start": outputs.start_logits.numpy(), "end": outputs.end_logits.numpy()}
    return outputs.logits.numpy()
