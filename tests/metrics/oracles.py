"""The measures once more, straight from their definitions: plain Python, pixel by pixel, slow.

Images are arrays (H, W); (x, y) is (column, row), because the original tools order pixels by x, then y.
"""

from __future__ import annotations

import math
from collections import Counter, deque

import numpy as np

FOUR = ((-1, 0), (0, -1), (1, 0), (0, 1))  # left, up, right, down as (dx, dy)
EIGHT = tuple((dx, dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1) if (dx, dy) != (0, 0))


def thresholds(maximum):
    values, t = [], 0.0
    while t <= maximum:
        values.append(t)
        t += 0.1
    return values


def f_score(tp, fp, fn):
    if any(math.isnan(x) for x in (tp, fp, fn)):
        return 0.0
    p = 1.0 if fp == 0 else tp / (tp + fp)
    r = 1.0 if fn == 0 else tp / (tp + fn)
    return 2 * p * r / (p + r) if p + r else 0.0


def pixels_of(image):
    height, width = image.shape
    return [(x, y) for x in range(width) for y in range(height)]


def as_set(mask):
    return {(x, y) for x, y in pixels_of(mask) if mask[y, x]}


def components(pixels, steps=FOUR):
    """List of connected components of a set of pixels."""
    left, found = set(pixels), []
    while left:
        queue, part = [left.pop()], set()
        while queue:
            x, y = queue.pop()
            part.add((x, y))
            for dx, dy in steps:
                if (q := (x + dx, y + dy)) in left:
                    left.remove(q)
                    queue.append(q)
        found.append(part)
    return found


def ids(parts):
    """Pixel -> number of its component, from 1."""
    return {p: number for number, part in enumerate(parts, 1) for p in part}


def best(values, pick):
    index = values.index(pick(values))
    return values[index], thresholds(1.0)[index]


def pixel_error(labels, proposals):
    scores = []
    for t in thresholds(1.0):
        tp = fp = fn = 0
        for label, proposal in zip(labels, proposals, strict=True):
            for x, y in pixels_of(label):
                truth, found = label[y, x] > 0, float(proposal[y, x]) > t
                tp, fp, fn = tp + (truth and found), fp + (found and not truth), fn + (truth and not found)
        scores.append(f_score(tp, fp, fn))
    value, threshold = best(scores, max)
    return 1 - value, threshold


def pair_counts(truth, segments):
    """Ordered pixel pairs in one object and one segment; a pixel outside all segments is paired with itself alone."""
    if not truth:
        return math.nan, math.nan, math.nan
    tp = fp = fn = 0
    for p in truth:
        for q in truth:
            object_ = truth[p] == truth[q]
            segment = p == q or (segments.get(p, 0) == segments.get(q, 0) != 0)
            tp, fp, fn = tp + (object_ and segment), fp + (segment and not object_), fn + (object_ and not segment)
    return tp, fp, fn


def rand_error(labels, proposals):
    scores = []
    for t in thresholds(1.0):
        counts = [
            pair_counts(ids(components(as_set(a > 0))), ids(components(as_set(b.astype(float) > t))))
            for a, b in zip(labels, proposals, strict=True)
        ]
        scores.append(f_score(*(sum(c) for c in zip(*counts, strict=True))))
    value, threshold = best(scores, max)
    return 1 - value, threshold


def thinned(mask):
    """Watershed on two levels, as a dictionary of pixels."""
    lab, queue = dict.fromkeys(pixels_of(mask), "init"), deque()
    regions, flag = 0, False

    def around(p):
        return [q for dx, dy in FOUR if (q := (p[0] + dx, p[1] + dy)) in lab]

    for level in (True, False):
        here = [(x, y) for x, y in lab if bool(mask[y, x]) is level]
        for p in here:
            lab[p] = "mask"
            if any(isinstance(lab[q], int) for q in around(p)):
                lab[p] = "queued"
                queue.append(p)
        while queue:
            p = queue.popleft()
            for q in around(p):
                if lab[q] == "mask":
                    lab[q] = "queued"
                    queue.append(q)
                elif lab[q] == 0 and lab[p] == "queued":
                    lab[p], flag = 0, True
                elif isinstance(lab[q], int) and lab[q] > 0:
                    if lab[p] == "queued" or (lab[p] == 0 and flag):
                        lab[p] = lab[q]
                    elif lab[p] != 0 and lab[p] != lab[q]:
                        lab[p], flag = 0, False
        for part in sorted(components([p for p in here if lab[p] == "mask"]), key=min):
            regions += 1
            lab.update(dict.fromkeys(part, regions))
    return lab


def information_f(truth, segments):
    n = len(truth)

    def entropy(names):
        return -sum(c / n * math.log(c / n) for c in Counter(names).values()) if n else 0.0

    a = [truth[p] for p in truth]
    b = [segments.get(p, 0) or p for p in truth]
    h_a, h_b, h_ab = entropy(a), entropy(b), entropy(list(zip(a, b, strict=True)))
    if h_a == 0 or h_b == 0:
        return 0.0
    return 2 * (h_a + h_b - h_ab) / (h_a + h_b)


def v_score(labels, proposals, f):
    means = []
    for t in thresholds(1.0):
        scores = [
            f(ids(components(as_set(a > 0))), thinned(b.astype(float) > t))
            for a, b in zip(labels, proposals, strict=True)
        ]
        means.append(sum(scores) / len(scores))
    return best(means, max)


def v_rand(labels, proposals):
    return v_score(labels, proposals, lambda a, b: f_score(*pair_counts(a, b)))


def v_info(labels, proposals):
    return v_score(labels, proposals, information_f)


def simple(foreground, p):
    ring = [(p[0] + dx, p[1] + dy) for dx, dy in EIGHT]
    parts = components([q for q in ring if q in foreground])
    touching = [part for part in parts if any((p[0] + dx, p[1] + dy) in part for dx, dy in FOUR)]
    return len(touching) == 1 and len(components([q for q in ring if q not in foreground], EIGHT)) == 1


def warp(source, target, proposal, t):
    """Label after the flips, and the mismatches that are left."""
    before = None
    while len(wrong := source ^ target) not in (0, before):
        before = len(wrong)
        for p in sorted(sorted(wrong), key=lambda p: -np.float32(abs(float(proposal[p[1], p[0]]) - t))):
            if simple(source, p):
                source = source ^ {p}
    return source, wrong


def splits_and_mergers(source, wrong, shape, radius):
    numbers = ids(components(source))
    splits = mergers = 0
    for x, y in wrong:
        inside = [(x + dx, y + dy) for dx, dy in EIGHT if 0 <= x + dx < shape[1] and 0 <= y + dy < shape[0]]
        around = {numbers.get(q, 0) for q in inside}
        if len(around) > 2:
            mergers, splits = (mergers, splits + 1) if (x, y) in source else (mergers + 1, splits)
        elif len(around) == 2 and (x, y) in source:
            window = {q for q in source if abs(q[0] - x) <= radius and abs(q[1] - y) <= radius} - {(x, y)}
            parts = ids(components(window))
            splits += len({parts.get((x + dx, y + dy), 0) for dx, dy in EIGHT}) > 2
    return splits, mergers


def warping_error(labels, proposals, radius):
    """Error, threshold, split pixels, merger pixels."""
    size = sum(label.size for label in labels)
    totals = []
    for t in thresholds(0.9):
        found = []
        for label, proposal in zip(labels, proposals, strict=True):
            source, wrong = warp(as_set(label > 0), as_set(proposal.astype(float) > t), proposal, t)
            found.append(splits_and_mergers(source, wrong, label.shape, radius))
        totals.append(tuple(map(sum, zip(*found, strict=True))))
    errors = [(splits + mergers) / size for splits, mergers in totals]
    value, threshold = best(errors, min)
    return value, threshold, *totals[errors.index(value)]


def seg(labels, predictions):
    jaccard = []
    for label, prediction in zip(labels, predictions, strict=True):
        for number in set(label.ravel().tolist()) - {0}:
            reference, score = as_set(label == number), 0.0
            for other in set(prediction.ravel().tolist()) - {0}:
                found = as_set(prediction == other)
                if 2 * len(reference & found) > len(reference):
                    score = len(reference & found) / len(reference | found)
            jaccard.append(score)
    return sum(jaccard) / len(jaccard), len(jaccard)
