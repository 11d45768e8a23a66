"""Handwritten digits: 1,797 real images that come with scikit-learn, a fifth of them held out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...domain.data import DataSpec, content_digest_of
from ...domain.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Digits:
    """Images as rows of 64 grey values, labels 0 to 9. Nothing before the last evaluation reads the test part."""

    train_images: Any
    train_labels: Any
    test_images: Any
    test_labels: Any
    data: DataSpec


def load_digits() -> Digits:
    """The digits, split by a fixed seed. Raises ConfigError when scikit-learn is not installed."""
    try:
        from sklearn.datasets import load_digits as bundled
        from sklearn.model_selection import train_test_split
    except ImportError as error:
        raise ConfigError(
            "the demo needs scikit-learn", cure="install it: pip install 'studbook[demo]'"
        ) from error
    images, labels = bundled(return_X_y=True)
    train_images, test_images, train_labels, test_labels = train_test_split(
        images, labels, test_size=0.2, random_state=0, stratify=labels
    )
    data = DataSpec.content(
        content_digest_of((train_images, train_labels)),
        name="sklearn-digits",
        version="1",
        split={"of": "sklearn.datasets.load_digits", "part": "train", "test_size": 0.2, "seed": 0},
    )
    return Digits(train_images, train_labels, test_images, test_labels, data)
