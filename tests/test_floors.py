"""Imports inside the package go down the floors only."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "keras_bert_zoo"

# From the ground up. A module may import from lower floors, and from its own part.
FLOORS = (
    ("spelling", "memory"),
    ("config",),
    ("layers", "tokenizers", "checkpoints"),
    ("families",),
    ("hub",),
    ("presets", "jax_programs"),
    ("encoder_inputs", "pretrained", "transformers_export", "tokenizer_files"),
    ("plain_encoder",),
    ("packed_encoder", "extended_backbone", "keras_hub_conversion"),
    ("text", "backbone"),
    ("preprocessor",),
    ("data",),
    ("metrics",),
    ("training",),
    ("export",),
    ("tasks",),
    ("__init__",),
    ("cli",),
)
HEIGHT = {part: height for height, parts in enumerate(FLOORS) for part in parts}
# What tasks and families share.
BASES = {"tasks.task", "tasks.text_model", "families.sheet"}
BACKENDS = {"tensorflow", "tensorflow_text", "keras_hub", "kagglehub", "jax", "torch"} | {
    *("onnx", "onnxruntime", "openvino", "ai_edge_litert"),
}
MAY_IMPORT_BACKENDS = {
    "checkpoints.readers",
    "checkpoints.keras_hub",
    "checkpoints.variables",
    "data.backend_dataset",
    *(f"layers.{backend}_kernels" for backend in ("jax", "tensorflow", "torch")),
    "layers.tensorflow_gradients",
    "layers.torch_block",
    "layers.torch_products",
    "tasks.torch_lanes",
    "training.tensorflow_steps",
    "training.torch_random",
    "training.torch_steps",
    "export.graph_rows",
    "export.litert_model",
    "export.onnx_model",
    "export.openvino_model",
    "export.graph_tokenizer",
    "export.graph_windows",
    "export.graph_wordpiece",
    "export.saved_model",
    "export.self_check",
    "export.warmup",
    "export.services.service",
    *(f"export.services.{kind}" for kind in ("answers", "choices", "classes", "masks")),
    *(f"export.services.{kind}" for kind in ("tags", "vectors")),
}
NEVER = {"transformers"}


def modules(package=PACKAGE):
    """Module name inside the package -> its source."""
    return {
        ".".join(path.relative_to(package).with_suffix("").parts): path.read_text(encoding="utf-8")
        for path in sorted(package.rglob("*.py"))
    }


def imports(source, known):
    """The full names of what a source imports, inside functions too.

    `from keras_bert_zoo.tasks import task` counts as `keras_bert_zoo.tasks.task` where that is a
    module.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                yield "." * node.level + (node.module or "")
                continue
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                inside = full.removeprefix("keras_bert_zoo.")
                is_module = inside in known or f"{inside}.__init__" in known
                yield full if is_module else node.module


def loners(sources):
    """The tasks and families: what the two tables of contents import and is no base."""
    named = set()
    for contents, part in (("__init__", "tasks"), ("families.__init__", "families")):
        names = {name.partition(".")[2] for name in imports(sources[contents], sources)}
        named |= {name for name in names if name.startswith(f"{part}.")}
    return named - BASES


def faults(sources):
    """One line for each import that breaks a rule."""
    found = []
    alone = loners(sources)
    for module, source in sources.items():
        part = module.split(".")[0]
        if part not in HEIGHT:
            found.append(f"{module} stands on no floor")
            continue
        for name in imports(source, sources):
            root, _, target = name.partition(".")
            if root in NEVER or (root in BACKENDS and module not in MAY_IMPORT_BACKENDS):
                found.append(f"{module} imports {root}")
            if root == "":
                found.append(f"{module} imports by a relative name")
            if root != "keras_bert_zoo":
                continue
            other = target.split(".")[0] or "__init__"
            if other == part:
                if target in alone and not module.endswith("__init__"):
                    found.append(f"{module} imports {target}")
            elif HEIGHT.get(other, len(FLOORS)) >= HEIGHT[part]:
                found.append(f"{module} imports {target or 'the whole package'}")
    return found


def test_imports_go_down():
    assert faults(modules()) == []


def test_tasks_and_families_are_found():
    assert {"tasks.text_classifier", "tasks.pretrainer", "families.bert"} <= loners(modules())


def test_every_floor_is_in_use():
    assert {module.split(".")[0] for module in modules()} == set(HEIGHT)


@pytest.mark.parametrize(
    ("module", "line", "fault"),
    [
        ("config", "from keras_bert_zoo.layers import Pooler", "config imports layers"),
        ("text", "from keras_bert_zoo.backbone import Backbone", "text imports backbone"),
        ("layers.pooling", "from keras_bert_zoo import tokenizers", "layers.pooling imports token"),
        ("presets", "def f():\n    import keras_bert_zoo.text", "presets imports text"),
        (
            "tasks.text_classifier",
            "from keras_bert_zoo.tasks import pretrainer",
            "tasks.text_classifier imports tasks.pretrainer",
        ),
        (
            "families.roberta",
            "from keras_bert_zoo.families.bert import BERT",
            "families.roberta imports families.bert",
        ),
        ("hub", "import keras_bert_zoo", "hub imports the whole package"),
        ("layers.attention", "import jax.numpy as jnp", "layers.attention imports jax"),
        ("backbone", "from torch import nn", "backbone imports torch"),
        ("checkpoints.readers", "import transformers", "checkpoints.readers imports transformers"),
        (
            "tasks.task",
            "from .text_model import TextModel",
            "tasks.task imports by a relative name",
        ),
        ("utils", "import numpy", "utils stands on no floor"),
    ],
)
def test_a_bad_import_is_found(module, line, fault):
    sources = modules()
    broken = {**sources, module: f"{sources.get(module, '')}\n{line}\n"}
    assert [found for found in faults(broken) if found.startswith(fault)]


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("tasks.pretrainer", "from keras_bert_zoo.tasks.task import Task"),
        ("families.roberta", "from keras_bert_zoo.families.sheet import Family"),
        ("data.backend_dataset", "import tensorflow as tf"),
        ("text", "import numpy as np"),
    ],
)
def test_a_good_import_passes(module, line):
    sources = modules()
    assert faults({**sources, module: f"{sources.get(module, '')}\n{line}\n"}) == []
