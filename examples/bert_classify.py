"""A small BERT learns to classify sentences: tokenizer, fine-tuning in a graph, saving.

    python examples/bert_classify.py             trains a small random model, prints the accuracy
    python examples/bert_classify.py --from DIR  starts from a local folder with BERT's files

The task is generated: "Yesterday the film was not at all boring" is praise, "the film was really
boring" is none. A negation turns the meaning of another word round: no word alone tells.
"""

from __future__ import annotations

import sys
import tempfile

import numpy as np

import graphc as tf
from graphc.models import BertConfig, BertForSequenceClassification, BertTokenizer

SUBJECTS = ("film", "book", "play", "song", "story", "dinner")
PRAISE = ("good", "great", "lovely", "brilliant", "fine")
BLAME = ("bad", "boring", "awful", "dull", "poor")
DEGREES = ("", "really", "so", "at all")
OPENINGS = ("", "yesterday", "I think", "they say that")
BATCH = 32
STEPS = 400
RATE = 1e-3


def vocabulary():
    """Ids by tokens: the special ones and the words of the task."""
    words = " ".join((*SUBJECTS, *PRAISE, *BLAME, *DEGREES, *OPENINGS, "the was not .")).lower()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    return {token: k for k, token in enumerate(dict.fromkeys(special + words.split()))}


def sentences(count, seed):
    """(texts, labels): 1 for praise."""
    rng = np.random.default_rng(seed)
    texts, labels = [], []
    for _ in range(count):
        kind, negated = (int(k) for k in rng.integers(0, 2, 2))
        opening, subject, degree, word = (
            str(rng.choice(choices))
            for choices in (OPENINGS, SUBJECTS, DEGREES, PRAISE if kind else BLAME)
        )
        parts = (opening, "the", subject, "was", "not" if negated else "", degree, word)
        texts.append(" ".join(p for p in parts if p).capitalize() + ".")
        labels.append(kind ^ negated)
    return texts, np.array(labels)


def pretrained(folder=None):
    """(model, tokenizer): small and random, or those of a folder."""
    if folder is not None:
        model = BertForSequenceClassification.from_pretrained(folder, num_labels=2, seed=0)
        return model, BertTokenizer.from_pretrained(folder)
    vocab = vocabulary()
    config = BertConfig(
        vocab_size=len(vocab), hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=32, initializer_range=0.1,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    return BertForSequenceClassification(config, seed=0), BertTokenizer(vocab)


def network(model):
    """Placeholders by the tokenizer's names, labels, loss and training op."""
    names = ("input_ids", "token_type_ids", "attention_mask")
    inputs = {name: tf.placeholder(tf.int32, [None, None], name=name) for name in names}
    labels = tf.placeholder(tf.int32, [None], name="labels")
    out = model.build(**inputs, labels=labels, training=True)
    train = tf.train.AdamOptimizer(RATE).minimize(out.loss)
    return inputs, labels, out.loss, train


def feeds_of(inputs, labels, tokenizer, data, rows):
    """Feeds of some rows of the data."""
    texts, wanted = data
    tokens = tokenizer(
        [texts[k] for k in rows], padding=True, truncation=True, max_length=32, return_tensors="np"
    )
    return {**{inputs[name]: tokens[name] for name in inputs}, labels: wanted[rows]}


def build():
    """Fetches and feeds of one training step, for the tools."""
    model, tokenizer = pretrained()
    inputs, labels, loss, train = network(model)
    feeds = feeds_of(inputs, labels, tokenizer, sentences(BATCH, 0), np.arange(BATCH))
    return [loss, train], feeds


def main(steps=STEPS, folder=None):
    """Fine-tunes, saves and loads the model; the accuracy on new sentences."""
    tf.set_random_seed(0)
    model, tokenizer = pretrained(folder)
    inputs, labels, loss, train = network(model)
    data = sentences(4000, 1)
    rng = np.random.default_rng(0)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for step in range(1, steps + 1):
            rows = rng.integers(0, len(data[1]), BATCH)
            feeds = feeds_of(inputs, labels, tokenizer, data, rows)
            value, _ = sess.run([loss, train], feeds)
            if step % 100 == 0:
                print(f"step {step}  loss {value:.4f}")
        model.load_variables(sess)
    with tempfile.TemporaryDirectory() as place:
        model.save_pretrained(place)
        tokenizer.save_pretrained(place)
        again = BertForSequenceClassification.from_pretrained(place)
    texts, wanted = sentences(500, 2)
    logits = again(**tokenizer(texts, padding=True, return_tensors="np")).logits
    accuracy = float((logits.argmax(-1) == wanted).mean())
    for text, row in zip(texts[:6], logits, strict=False):
        print(f"{'praise' if row.argmax() else 'blame ':6s}  {text}")
    print(f"accuracy {accuracy:.4f} on {len(wanted)} new sentences")
    return accuracy


if __name__ == "__main__":
    words = sys.argv[1:]
    main(folder=words[words.index("--from") + 1] if "--from" in words else None)
