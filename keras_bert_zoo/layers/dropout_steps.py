"""How finely dropout is drawn: by 16 random bits for each number."""

# A rate is kept to a 65,536th: 0.1 is 0.100006.
STEPS = 2**16


def scale_of(steps):
    """The factor on what is kept where `steps` of `STEPS` values are dropped."""
    return STEPS / (STEPS - steps)
