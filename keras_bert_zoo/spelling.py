"""Near-name suggestions for error messages."""

import difflib


def did_you_mean(name, known):
    """A sentence that suggests the known name closest to a wrong one.

    Args:
        name: str. The name that was not found.
        known: iterable of str. The names that would have been.

    Returns:
        str. `' Did you mean "…"?'`, or the empty string where nothing is close.
    """
    near = difflib.get_close_matches(str(name), list(known), n=1, cutoff=0.6)
    return f' Did you mean "{near[0]}"?' if near else ""
