"""tf.examples.tutorials.mnist.mnist: the tutorial's network of two hidden layers.

Lives here: inference, loss, training, evaluation. Imports the TF1 surface of tf1/.
"""

from __future__ import annotations

import math
from typing import Any

from graphc.ir.dtypes import int32, int64
from graphc.ir.node import Operation, Tensor
from graphc.tf1 import api_linalg, api_math, api_nn, api_random
from graphc.tf1.api_create import zeros
from graphc.tf1.framework import name_scope
from graphc.tf1.optimizers import GradientDescentOptimizer
from graphc.tf1.variables import Variable

__all__ = [
    "IMAGE_PIXELS",
    "IMAGE_SIZE",
    "NUM_CLASSES",
    "evaluation",
    "inference",
    "loss",
    "training",
]

NUM_CLASSES = 10
IMAGE_SIZE = 28
IMAGE_PIXELS = IMAGE_SIZE * IMAGE_SIZE


def _layer(inputs: Tensor, rows: int, units: int) -> Tensor:
    start = api_random.truncated_normal([rows, units], stddev=1.0 / math.sqrt(rows))
    weights = Variable(start, name="weights")
    biases = Variable(zeros([units]), name="biases")
    return api_math.add(api_linalg.matmul(inputs, weights), biases)


def inference(images: Tensor, hidden1_units: int, hidden2_units: int) -> Tensor:
    """Logits [batch, 10] of images [batch, 784], through two layers with relu."""
    with name_scope("hidden1"):
        hidden1 = api_nn.relu(_layer(images, IMAGE_PIXELS, hidden1_units))
    with name_scope("hidden2"):
        hidden2 = api_nn.relu(_layer(hidden1, hidden1_units, hidden2_units))
    with name_scope("softmax_linear"):
        return _layer(hidden2, hidden2_units, NUM_CLASSES)


def loss(logits: Tensor, labels: Tensor) -> Tensor:
    """The mean cross entropy; labels: integers [batch]."""
    wide = api_math.cast(labels, int64)
    each = api_nn.sparse_softmax_cross_entropy_with_logits(labels=wide, logits=logits)
    return api_math.reduce_mean(each)


def training(loss: Tensor, learning_rate: Any) -> Operation:
    """One step of gradient descent; counts in the variable "global_step"."""
    step = Variable(0, name="global_step", trainable=False)
    return GradientDescentOptimizer(learning_rate).minimize(loss, global_step=step)


def evaluation(logits: Tensor, labels: Tensor) -> Tensor:
    """How many of the batch are right, int32."""
    return api_math.reduce_sum(api_math.cast(api_nn.in_top_k(logits, labels, 1), int32))
