"""The results file of `transfer.py`: read, added to, and told as Markdown."""

import json
import os
import sys

import numpy as np

STARTS = ("random", "pre-trained")
# What makes a run: two lines that agree in these are the same run.
KEYS = ("source", "set", "share", "mode", "start", "rate", "seed")
# From how many points on a gain is called one.
WORTHWHILE = 5


def read_results(path):
    """The finished runs.

    Args:
        path: Path. One JSON object a line; need not be there.

    Returns:
        dict of the values of KEYS -> the run. A line that a kill has cut short is left out, and
        named on stderr: its run counts as not done.
    """
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    found = {}
    for number, line in enumerate(lines, start=1):
        try:
            run = json.loads(line)
        except json.JSONDecodeError:
            print(f"{path}, line {number} is cut short and left out.", file=sys.stderr)
            continue
        found[tuple(run[key] for key in KEYS)] = run
    return found


def append_result(path, run):
    """Adds a line, in one write, so that several processes may share the file.

    Where the last line has no end, as a kill leaves it, the new one begins after an end of its own.
    """
    with path.open("ab+", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - 1, 0))
        cut_short = file.read(1) not in (b"", b"\n")
        file.write(b"\n" * cut_short + json.dumps(run).encode() + b"\n")


def chosen_rate(done, cell, rates):
    """The learning rate with the best dev score at seed 0.

    Args:
        done: dict. Of `read_results`.
        cell: tuple. The values of KEYS up to `start`.
        rates: tuple of float, rising. Of equal scores the lowest rate wins.

    Returns:
        float, or None where a rate has not been tried.
    """
    tried = [done.get((*cell, rate, 0)) for rate in rates]
    if None in tried:
        return None
    return max(zip(rates, tried, strict=True), key=lambda pair: pair[1]["dev"])[0]


def gain(pairs):
    """The mean difference of pairs of scores, with its 95 % interval (Student's t).

    Args:
        pairs: list of `(random, pre-trained)`, one a seed, in points.

    Returns:
        tuple of the mean and half the interval's width, in points; NaN for fewer than two pairs.
    """
    from scipy.stats import t

    gaps = np.array([after - before for before, after in pairs])
    if len(gaps) < 2:
        return float(gaps.mean()), float("nan")
    half = t.ppf(0.975, len(gaps) - 1) * gaps.std(ddof=1) / np.sqrt(len(gaps))
    return float(gaps.mean()), float(half)


def verdict(mean, half):
    """What a gain in points and its interval say, in words."""
    if np.isnan(half):
        return "one seed, no interval"
    if abs(mean) <= half:
        return f"no: holds 0{', though the mean is large' * (abs(mean) >= WORTHWHILE)}"
    if mean < 0:
        return "no: worse"
    return "yes" if mean >= WORTHWHILE else f"excludes 0, under {WORTHWHILE} points"


def steps_to_match(random, pretrained):
    """When the pre-trained start reached the best dev score of the random one.

    Args:
        random, pretrained: lists of `[steps, score]`, the curves of one seed.

    Returns:
        tuple of the random start's best score, the steps it took, and the steps that the
        pre-trained one took at most (as evaluated), or None if it never got there.
    """
    steps, best = max(random, key=lambda point: point[1])
    return best, steps, next((step for step, score in pretrained if score >= best), None)


def print_table(done, cells, rates_of):
    """Prints everything that the results tell.

    Args:
        done: dict. Of `read_results`.
        cells: list of `(source, set, share, mode)`.
        rates_of: callable of done and `(source, set, share, mode, start)` that gives the chosen
            learning rate or None.
    """
    found = {cell: runs for cell in cells if (runs := _paired_runs(done, cell, rates_of))}
    print("| set | share (examples) | trained | random | pre-trained | gain | seeds | ", end="")
    print("rates: random, pre-trained | gained, surely and 5 points? |")
    print("|---|---|---|---:|---:|---:|---:|---|---|")
    verdicts = []
    for (_, name, share, mode), runs in found.items():
        metric = runs[0][0]["metric"]
        pairs = [tuple(run["test"] for run in pair) for pair in runs]
        mean, half = gain(pairs)
        verdicts.append(verdict(mean, half))
        scores = " | ".join(f"{score:.1f}" for score in np.mean(pairs, axis=0))
        rates = ", ".join(f"{run['rate']:g}" for run in runs[0])
        interval = "" if np.isnan(half) else f" ± {half:.1f}"
        print(
            f"| {name}, {metric} | {share:.0%} ({runs[0][0]['examples']}) | {mode} | {scores} "
            f"| {mean:+.1f}{interval} | {len(runs)} | {rates} | {verdicts[-1]} |"
        )
    minutes = sum(run["seconds"] for run in done.values()) / 60
    print(f"\nOf {len(cells)} comparisons {len(found)} are there; ", end="")
    print(f"{len(done)} runs took {minutes:.0f} minutes of one core.")
    for words in sorted(set(verdicts)):
        print(f"- {words}: {verdicts.count(words)}")
    _print_steps(found)
    _print_fit(found)


def _paired_runs(done, cell, rates_of):
    """Pairs of runs, random and pre-trained, one a seed that both have."""
    by_start = []
    for start in STARTS:
        rate = rates_of(done, (*cell, start))
        runs = [run for key, run in done.items() if key[:6] == (*cell, start, rate)]
        by_start.append({run["seed"]: run for run in runs})
    random, pretrained = by_start
    return [(random[seed], pretrained[seed]) for seed in sorted(random.keys() & pretrained.keys())]


def _print_steps(found):
    print("\n| set | steps in all | best dev score from random weights | after steps | ", end="")
    print("pre-trained is there after at most | of the steps |")
    print("|---|---:|---:|---:|---:|---:|")
    for (_, name, *_), runs in found.items():
        curves = [[run["curve"] for run in pair] for pair in runs if pair[0]["curve"]]
        if not curves:
            continue
        best, steps, matched = zip(*(steps_to_match(*pair) for pair in curves), strict=True)
        line = f"| {name} | {runs[0][0]['steps']} | {np.mean(best):.1f} | {np.mean(steps):.0f} |"
        if None in matched:
            print(f"{line} never, in {matched.count(None)} of {len(matched)} seeds | |")
        else:
            shares = [few / many for few, many in zip(matched, steps, strict=True)]
            print(f"{line} {np.mean(matched):.0f} | {np.mean(shares):.0%} |")


def _print_fit(found):
    """How well each start came to know its training part: whether it was trained enough."""
    print("\n| set | share | trained | epochs | steps | ", end="")
    print("accuracy on training batches, last epoch: random | pre-trained |")
    print("|---|---|---|---:|---:|---:|---:|")
    for (_, name, share, mode), runs in found.items():
        fits = np.mean([[run["train_accuracy"] for run in pair] for pair in runs], axis=0)
        epochs, steps = (runs[0][0][key] for key in ("epochs", "steps"))
        cells = " | ".join(f"{fit:.1f}" for fit in fits)
        print(f"| {name} | {share:.0%} | {mode} | {epochs} | {steps} | {cells} |")
