"""BertModel, BertForMaskedLM, BertForSequenceClassification.

Lives here: their calls with arrays, and build for graphs. Not here: what is computed (bert.py).
Imports base and the functions of layers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ir.node import Tensor
from graphc.models.base import PreTrainedModel, ids_of, like_ids
from graphc.models.bert import Encoded, class_logits, encoded, pooled, word_logits
from graphc.models.config import BertConfig
from graphc.models.layers import (
    Weights,
    classification_loss,
    positions_like,
    problem_of,
    token_loss,
)
from graphc.models.outputs import BaseOutput, ClassifierOutput, LanguageOutput
from graphc.models.parameters import Parameter, bert_parameters
from graphc.ops.convert import convert_to_tensor
from graphc.tf1.api_array import ones_like, zeros_like
from graphc.tf1.framework import placeholder

__all__ = ["BertForMaskedLM", "BertForSequenceClassification", "BertModel"]

Array = np.ndarray[Any, Any]


class _Bert(PreTrainedModel):
    """What BERT's models share: inputs, and the choice of results."""

    config_class = BertConfig
    config: BertConfig

    def _outputs(self, w: Weights, found: Encoded, labels: Any, problem: str) -> Any:
        raise NotImplementedError

    def build(
        self,
        input_ids: Any,
        attention_mask: Any = None,
        token_type_ids: Any = None,
        position_ids: Any = None,
        labels: Any = None,
        training: Any = False,
    ) -> Any:
        """The model in the graph in force; variables are made at the first call, then shared.

        Args:
            input_ids: integers [batch, length]. attention_mask: 1 where a token is, 0 for padding.
            token_type_ids: 0 for the first text, 1 for the second. labels: for the loss;
                -100 leaves a position out. training: dropout; a bool or a scalar bool tensor.

        Returns:
            The outputs as tensors. Variables start with the model's weights when
            tf.global_variables_initializer() runs.
        """
        ids = convert_to_tensor(input_ids)
        with self._scope(training) as w:
            mask = ones_like(ids) if attention_mask is None else convert_to_tensor(attention_mask)
            types = zeros_like(ids) if token_type_ids is None else token_type_ids
            places = positions_like(ids) if position_ids is None else position_ids
            found = encoded(
                self.config, w, ids, mask, convert_to_tensor(types), convert_to_tensor(places)
            )
            target = None if labels is None else convert_to_tensor(labels)
            integers = target is not None and target.dtype.is_integer
            return self._outputs(w, found, target, self._problem(integers))

    def _problem(self, integers: bool) -> str:
        return problem_of(self.config.problem_type, self.config.num_labels, integers)

    def __call__(
        self,
        input_ids: Any,
        attention_mask: Any = None,
        token_type_ids: Any = None,
        position_ids: Any = None,
        labels: Any = None,
        output_hidden_states: bool = False,
        output_attentions: bool = False,
    ) -> Any:
        """The outputs as NumPy arrays; arguments as in build, as arrays or lists.

        Raises:
            ValueError: ids outside the vocabulary, or shapes that do not fit.
        """
        config = self.config
        ids = ids_of(input_ids, config.vocab_size, config.max_position_embeddings)
        places = np.broadcast_to(np.arange(ids.shape[1], dtype=np.int32), ids.shape)
        values = [
            ids,
            like_ids(attention_mask, ids, 1, "attention_mask"),
            like_ids(token_type_ids, ids, 0, "token_type_ids", config.type_vocab_size),
            like_ids(
                places if position_ids is None else position_ids, ids, 0, "position_ids",
                config.max_position_embeddings,
            ),
        ]  # fmt: skip
        wanted = None if labels is None else np.asarray(labels)
        key = None if wanted is None else (wanted.ndim, wanted.dtype.kind in "iub")
        inputs, label, outputs = self._memo(("call", key), lambda w: self._made(w, key))
        feeds = dict(zip(inputs, values))
        if wanted is not None:
            feeds[label] = wanted
        skipped = {"hidden_states": output_hidden_states, "attentions": output_attentions}
        fetches = {k: v for k, v in outputs.items() if skipped.get(k, True)}
        return type(outputs)(**self._run(fetches, feeds))

    def _made(self, w: Weights, key: tuple[int, bool] | None) -> tuple[list[Tensor], Any, Any]:
        names = ("input_ids", "attention_mask", "token_type_ids", "position_ids")
        inputs = [placeholder(np.int32, [None, None], name=name) for name in names]
        found = self._memo("encoded", lambda w: (inputs, encoded(self.config, w, *inputs)))
        inputs, label = found[0], None
        if key is not None:
            kind = np.int64 if key[1] else np.float32
            label = placeholder(kind, [None] * key[0], name="labels")
        problem = self._problem(key is not None and key[1])
        return inputs, label, self._outputs(w, found[1], label, problem)


class BertModel(_Bert):
    """The encoder with its pooler: last_hidden_state, pooler_output."""

    def _parameters(self) -> list[Parameter]:
        return bert_parameters(self.config)

    def _outputs(self, w: Weights, found: Encoded, labels: Any, problem: str) -> BaseOutput:
        if labels is not None:
            raise ValueError("BertModel has no loss: labels belong to a model with a head")
        last = found.hidden[-1]
        return BaseOutput(
            last_hidden_state=last, pooler_output=pooled(w, last), hidden_states=found.hidden,
            attentions=found.weights,
        )  # fmt: skip


class BertForMaskedLM(_Bert):
    """Words for every position: logits [batch, length, vocabulary], loss of labels."""

    def _parameters(self) -> list[Parameter]:
        return bert_parameters(self.config, pooler=False, masked_lm=True)

    def _outputs(self, w: Weights, found: Encoded, labels: Any, problem: str) -> LanguageOutput:
        logits = word_logits(self.config, w, found.hidden[-1])
        loss = None if labels is None else token_loss(labels, logits)
        return LanguageOutput(
            loss=loss, logits=logits, hidden_states=found.hidden, attentions=found.weights
        )


class BertForSequenceClassification(_Bert):
    """A class for each text: logits [batch, num_labels], loss of labels.

    Integer labels [batch] are classes; floats [batch, num_labels] are several labels at once;
    with num_labels=1 labels are numbers to be met.
    """

    def _parameters(self) -> list[Parameter]:
        return bert_parameters(self.config, classifier=True)

    def _outputs(self, w: Weights, found: Encoded, labels: Any, problem: str) -> ClassifierOutput:
        logits = class_logits(self.config, w, pooled(w, found.hidden[-1]))
        loss = None if labels is None else classification_loss(labels, logits, problem)
        return ClassifierOutput(
            loss=loss, logits=logits, hidden_states=found.hidden, attentions=found.weights
        )
