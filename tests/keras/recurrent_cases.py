"""Recurrent layers, wrappers and models with masks, compared with Keras 2; see layer_cases.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.keras.layer_cases import FIRST, GRU, LSTM, SEQ, Case

FRAMES, FRAMES1 = (2, 3, 5, 4, 2), (2, 3, 2, 5, 4)


def layers(L: Any) -> dict[str, Case]:
    out: dict[str, Case] = {}
    kinds = {"simple": (L.SimpleRNN, {}), "lstm": (L.LSTM, LSTM), "gru": (L.GRU, GRU),
             "gru_after": (L.GRU, {**LSTM, "reset_after": True}),
             "lstm_sigmoid": (L.LSTM, {"recurrent_activation": "sigmoid"})}  # fmt: skip
    for name, (cls, base) in kinds.items():

        def make(cls: Any = cls, base: Any = base, **kwargs: Any) -> Callable[[], Any]:
            return lambda: cls(4, **{**base, **kwargs})

        states = 2 if cls is L.LSTM else 1
        out |= {
            name: Case(make(), [SEQ]),
            f"{name}_seq_back": Case(make(return_sequences=True, go_backwards=True), [SEQ]),
            f"{name}_unroll": Case(make(return_sequences=True, unroll=True), [SEQ]),
            f"{name}_state": Case(make(return_state=True, return_sequences=True), [SEQ]),
            f"{name}_initial": Case(make(return_state=True), [SEQ, *[(2, 4)] * states]),
            f"{name}_masked": Case(make(return_state=True), [SEQ], [(2, 5)]),
            f"{name}_masked_seq": Case(make(return_sequences=True), [SEQ], [(2, 4)]),
            f"{name}_masked_back": Case(
                make(go_backwards=True, return_sequences=True), [SEQ], [(2, 4)]),
            f"{name}_masked_unroll": Case(
                make(unroll=True, return_sequences=True), [SEQ], [(2, 4)]),
            f"{name}_no_bias": Case(make(use_bias=False, activation="relu"), [SEQ]),
            f"{name}_time_major": Case(make(time_major=True, return_sequences=True), [SEQ]),
            f"{name}_two": Case(make(implementation=2), [SEQ]),
        }  # fmt: skip
    return out


def stacks(L: Any) -> dict[str, Case]:
    cells = lambda: [L.SimpleRNNCell(3), L.LSTMCell(4, **LSTM), L.GRUCell(2, **GRU)]  # noqa: E731
    bi, td = L.Bidirectional, L.TimeDistributed
    seq = {"return_sequences": True}

    def both(mode: Any, **kwargs: Any) -> Callable[[], Any]:
        return lambda: bi(L.LSTM(3, **LSTM, **kwargs), merge_mode=mode)

    out = {
        f"bidirectional_{mode}": Case(both(mode, **seq), [SEQ])
        for mode in ("concat", "sum", "mul", "ave", None)
    }
    return out | {
        "stacked": Case(lambda: L.RNN(cells()), [SEQ]),
        "stacked_seq": Case(lambda: L.RNN(cells(), return_sequences=True), [SEQ]),
        "stacked_masked": Case(lambda: L.RNN(cells(), return_sequences=True), [SEQ], [(2, 4)]),
        "stacked_unroll": Case(lambda: L.RNN(cells(), unroll=True, return_state=True), [SEQ]),
        "cell_lstm": Case(lambda: L.RNN(L.LSTMCell(4, **LSTM), go_backwards=True), [SEQ]),
        "bidirectional_last": Case(both("concat"), [SEQ]),
        "bidirectional_none_last": Case(both(None), [SEQ]),
        "bidirectional_state": Case(both("concat", return_state=True), [SEQ]),
        "bidirectional_initial": Case(both("sum"), [SEQ, *[(2, 3)] * 4]),
        "bidirectional_masked": Case(both("concat", **seq), [SEQ], [(2, 4)]),
        "bidirectional_masked_last": Case(both("ave"), [SEQ], [(2, 4)]),
        "bidirectional_two": Case(
            lambda: bi(L.LSTM(3, **LSTM, **seq),
                       backward_layer=L.GRU(2, **GRU, **seq, go_backwards=True)), [SEQ]),
        "bidirectional_gru": Case(lambda: bi(L.GRU(3, **GRU)), [SEQ]),
        "bidirectional_rnn": Case(lambda: bi(L.RNN(L.SimpleRNNCell(3))), [SEQ]),
        "time_dense": Case(lambda: td(L.Dense(4, activation="relu")), [SEQ]),
        "time_conv": Case(lambda: td(L.Conv2D(2, 3)), [(2, 2, 5, 4, 2)]),
        "time_lstm": Case(lambda: td(L.LSTM(3, **LSTM)), [(2, 2, 4, 3)]),
        "time_embedding": Case(lambda: td(L.Embedding(6, 3)), [(2, 3, 4)], integers=6),
    }  # fmt: skip


def convolutional(L: Any) -> dict[str, Case]:
    def make(cls: Any = None, size: Any = 3, **kwargs: Any) -> Callable[[], Any]:
        return lambda: (cls or L.ConvLSTM2D)(2, size, **{**LSTM, **kwargs})

    return {
        "conv_lstm": Case(make(), [FRAMES]),
        "conv_lstm_same": Case(make(padding="same", return_sequences=True), [FRAMES]),
        "conv_lstm_stride": Case(make(size=(2, 1), strides=(2, 1), use_bias=False), [FRAMES]),
        "conv_lstm_dilated": Case(make(size=2, dilation_rate=2, activation="relu"), [FRAMES]),
        "conv_lstm_state": Case(make(return_state=True, go_backwards=True), [FRAMES]),
        "conv_lstm_first": Case(make(**FIRST, return_sequences=True), [FRAMES1]),
        "conv_lstm_masked": Case(make(return_sequences=True), [FRAMES], [(2, 3)]),
        "conv_lstm_initial": Case(make(), [FRAMES, (2, 3, 2, 2), (2, 3, 2, 2)]),
        "conv_lstm_1d": Case(make(L.ConvLSTM1D, return_sequences=True), [(2, 3, 6, 2)]),
        "conv_lstm_3d": Case(make(L.ConvLSTM3D, 2), [(1, 2, 3, 4, 3, 2)]),
        "conv_lstm_both": Case(
            lambda: L.Bidirectional(L.ConvLSTM2D(2, 2, **LSTM, return_sequences=True)), [FRAMES]),
    }  # fmt: skip


def models(keras: Any) -> dict[str, Case]:
    """Graphs of layers through which masks go; masks are among the outputs."""
    L, K = keras.layers, keras.backend
    mask_of = lambda x, mask=None: K.cast(mask, "float32")  # noqa: E731

    def of(build: Callable[..., Any], *shapes: tuple[int, ...]) -> Callable[[], Any]:
        def make() -> Any:
            xs = [L.Input(s) for s in shapes]
            outs = build(*xs)
            return keras.models.Model(xs if len(xs) > 1 else xs[0], outs)

        return make

    def seen(x: Any) -> list[Any]:
        return [x, L.Lambda(mask_of)(x)]

    def masked(x: Any) -> Any:
        return L.Masking(0.5)(L.Lambda(lambda t: K.maximum(t, 0.5))(x))

    few = (4, 5, 2)
    one = (5, 2)
    return {
        "mask_dense": Case(of(lambda x: seen(L.Dense(3)(masked(x))), one), [few]),
        "mask_dropout": Case(
            of(lambda x: seen(L.Activation("relu")(L.Dropout(0.5)(masked(x)))), one), [few]),
        "mask_lstm": Case(
            of(lambda x: seen(L.LSTM(3, return_sequences=True, **LSTM)(masked(x))), one), [few]),
        "mask_lstm_chain": Case(of(lambda x: L.GRU(2, **GRU)(L.LSTM(
            3, return_sequences=True, **LSTM)(masked(x))), one), [few]),
        "mask_bidirectional": Case(of(lambda x: seen(L.Bidirectional(L.LSTM(
            3, return_sequences=True, **LSTM))(masked(x))), one), [few]),
        "mask_time": Case(of(lambda x: seen(L.TimeDistributed(L.Dense(2))(masked(x))), one), [few]),
        "mask_add": Case(
            of(lambda x, y: seen(L.Add()([masked(x), masked(y)])), one, one), [few, few]),
        "mask_concat": Case(
            of(lambda x, y: seen(L.Concatenate()([masked(x), masked(y)])), one, one), [few, few]),
        "mask_concat_time": Case(of(lambda x, y: seen(L.Concatenate(1)([masked(x), masked(y)])),
                                    one, one), [few, few]),
        "mask_multiply_one": Case(
            of(lambda x, y: L.Multiply()([masked(x), y]), one, one), [few, few]),
        "mask_average": Case(
            of(lambda x: L.GlobalAveragePooling1D()(masked(x)), one), [few]),
        "mask_norm": Case(of(lambda x: seen(L.LayerNormalization()(masked(x))), one), [few]),
        "mask_attention": Case(of(lambda x, y: seen(L.Attention()([masked(x), masked(y)])),
                                  one, one), [few, few]),
        "mask_heads": Case(of(lambda x, y: seen(L.MultiHeadAttention(2, 2)(masked(x), masked(y))),
                              one, one), [few, few]),
        "mask_heads_self": Case(of(
            lambda x: (lambda m: L.MultiHeadAttention(2, 2)(m, m, use_causal_mask=True))(masked(x)),
            one), [few]),
        "mask_embedding": Case(of(lambda x: seen(L.LSTM(3, return_sequences=True, **LSTM)(
            L.Embedding(5, 2, mask_zero=True)(x))), (6,)), [(3, 6)], integers=3),
        "mask_nested": Case(of(lambda x: seen(keras.models.Sequential([
            L.Masking(0.5, input_shape=(5, 2)), L.LSTM(2, return_sequences=True, **LSTM),
        ])(L.Lambda(lambda t: K.maximum(t, 0.5))(x))), one), [few]),
    }  # fmt: skip


def every_case(keras: Any) -> dict[str, Case]:
    from tests.keras import layer_cases as plain

    L = keras.layers
    tables = [part(L) for part in (plain.dense, plain.convolutions, plain.spatial,
                                   plain.normalization, plain.merges, plain.attention,
                                   layers, stacks, convolutional)]  # fmt: skip
    tables.append(models(keras))
    return {name: case for table in tables for name, case in table.items()}
