"""Real data for the examples: scikit-learn's sets (extra `examples`) and Python's own texts."""

from __future__ import annotations

import numpy as np

TOPICS = ("compound", "specialnames", "strings", "formatstrings", "execmodel", "objects")


def documentation():
    """What `help("...")` prints: its characters as int32 numbers, and the alphabet."""
    from pydoc_data.topics import topics

    text = "\n".join(topics[name] for name in TOPICS if name in topics)
    # what is rare becomes a blank
    alphabet = sorted(c for c in set(text) if text.count(c) > 20)
    number = {c: n for n, c in enumerate(alphabet)}
    return np.array([number.get(c, number[" "]) for c in text], np.int32), alphabet


def _sklearn():
    try:
        import sklearn.datasets
    except ImportError:
        raise SystemExit(
            "this example needs scikit-learn's data sets: pip install 'graphc[examples]'"
        ) from None
    return sklearn.datasets


def _split(x, y, test_share=0.2, seed=0):
    """(train x, train y, test x, test y), shuffled."""
    order = np.random.default_rng(seed).permutation(len(x))
    cut = int(len(x) * (1 - test_share))
    train, test = order[:cut], order[cut:]
    return x[train], y[train], x[test], y[test]


def digits():
    """1797 images of 8 x 8 as float32 rows of 64 in [0, 1], int32 labels 0 to 9; split."""
    data = _sklearn().load_digits()
    return _split((data.data / 16).astype(np.float32), data.target.astype(np.int32))


def breast_cancer():
    """569 tumours, 30 standardised float32 features, labels 0 or 1 as float32 columns; split."""
    data = _sklearn().load_breast_cancer()
    x = (data.data - data.data.mean(0)) / data.data.std(0)
    return _split(x.astype(np.float32), data.target[:, None].astype(np.float32))


def diabetes():
    """442 patients, 10 float32 features, progression of the disease as a float32 column; split."""
    data = _sklearn().load_diabetes()
    y = (data.target - data.target.mean()) / data.target.std()
    x = data.data / data.data.std(0)
    return _split(x.astype(np.float32), y[:, None].astype(np.float32))
