"""keras.backend: values, mathematics, the session, sessions of several graphs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc import keras
from graphc.keras import backend as K
from graphc.keras import layers, models

RNG = np.random.default_rng(0)
A = RNG.normal(size=(3, 4)).astype("f")


@pytest.mark.parametrize(("fn", "want"), [
    (lambda x: K.sum(x, axis=1), A.sum(1)), (lambda x: K.mean(x), A.mean()),
    (lambda x: K.max(x, axis=-1, keepdims=True), A.max(1, keepdims=True)),
    (lambda x: K.var(x, axis=0), A.var(0)), (lambda x: K.std(x), A.std()),
    (lambda x: K.prod(x, axis=1), A.prod(1)), (lambda x: K.argmax(x), A.argmax(1)),
    (lambda x: K.any(K.greater(x, 0.0), axis=1), (A > 0).any(1)),
    (lambda x: K.mean(K.equal(x, x)), 1.0), (lambda x: K.clip(x, -0.5, 0.5), A.clip(-0.5, 0.5)),
    (lambda x: K.sqrt(x), np.sqrt(np.maximum(A, 0))),
    (lambda x: K.relu(x, alpha=0.1, max_value=1.0), np.where(A > 0, np.minimum(A, 1), 0.1 * A)),
    (lambda x: K.hard_sigmoid(x), np.clip(0.2 * A + 0.5, 0, 1)),
    (lambda x: K.softmax(x), np.exp(A) / np.exp(A).sum(1, keepdims=True)),
    (lambda x: K.dot(x, K.transpose(x)), A @ A.T),
    (lambda x: K.batch_dot(x, x, axes=1), (A * A).sum(1, keepdims=True)),
    (lambda x: K.concatenate([x, x], axis=-1), np.hstack([A, A])),
    (lambda x: K.repeat_elements(x, 2, 1), A.repeat(2, 1)),
    (lambda x: K.repeat(x, 2), np.stack([A, A], 1)), (lambda x: K.reverse(x, 1), A[:, ::-1]),
    (lambda x: K.batch_flatten(K.expand_dims(x, 1)), A),
    (lambda x: K.permute_dimensions(x, (1, 0)), A.T),
    (lambda x: K.one_hot(K.argmax(x), 4), np.eye(4)[A.argmax(1)]),
    (lambda x: K.l2_normalize(x, axis=1), A / np.linalg.norm(A, axis=1, keepdims=True)),
    (lambda x: K.switch(K.greater(x, 0.0), x, -x), np.abs(A)),
    (lambda x: K.gradients(K.sum(K.square(x)), [x])[0], 2 * A),
    (lambda x: K.arange(4), np.arange(4)), (lambda x: K.shape(x), [3, 4]),
    (lambda x: K.in_train_phase(x, -x, training=1), A), (lambda x: K.in_test_phase(x, -x), A),
])  # fmt: skip
def test_functions(fn: Any, want: Any) -> None:
    np.testing.assert_allclose(K.eval(fn(K.variable(A))), want, rtol=1e-5, atol=1e-6)


def test_values_of_variables() -> None:
    v = K.variable([[1.0, 2.0]], name="v")
    assert K.int_shape(v) == (1, 2) and K.ndim(v) == 2 and K.dtype(v) == "float32"
    assert K.get_value(v).tolist() == [[1, 2]] and K.count_params(v) == 2
    K.set_value(v, [[3, 4]])
    assert K.batch_get_value([v])[0].tolist() == [[3, 4]]
    with pytest.raises(ValueError, match="which has shape"):
        K.set_value(v, [1, 2, 3])
    run = K.function([], [v * 2], updates=[K.update_add(v, K.ones_like(v))])
    assert run([])[0].tolist() == [[6, 8]] and K.get_value(v).tolist() == [[4, 5]]
    assert K.constant([1, 2]).dtype == tf.float32 and not K.is_sparse(v)
    assert K.is_keras_tensor(layers.Input((2,))) and not K.is_keras_tensor(K.constant(1))
    with pytest.raises(ValueError, match="Expected a symbolic tensor"):
        K.is_keras_tensor(np.ones(2))


def test_settings() -> None:
    assert (K.floatx(), K.epsilon(), K.image_data_format()) == ("float32", 1e-7, "channels_last")
    K.set_floatx("float64")
    try:
        assert models.Sequential([layers.Dense(1, input_shape=(2,))]).input.dtype == tf.float64
    finally:
        K.set_floatx("float32")
    with pytest.raises(ValueError, match="Unknown floatx type"):
        K.set_floatx("int32")


def test_channels_first_gives_the_same() -> None:
    x = RNG.random((2, 5, 6, 3))
    first = layers.Conv2D(4, 3, padding="same", data_format="channels_first")
    last = layers.Conv2D(4, 3, padding="same")
    a = models.Sequential([last, layers.MaxPooling2D()])
    b = models.Sequential([first, layers.MaxPooling2D(data_format="channels_first")])
    a.build((None, 5, 6, 3))
    b.build((None, 3, 5, 6))
    b.set_weights(a.get_weights())
    got = b.predict(x.transpose(0, 3, 1, 2)).transpose(0, 2, 3, 1)
    np.testing.assert_allclose(got, a.predict(x), rtol=1e-5, atol=1e-6)


def test_sessions_are_found_or_made() -> None:
    model = models.Sequential([layers.Dense(1, input_shape=(2,))])
    own = K.get_session()
    want = model.predict(np.ones((1, 2)))
    given = tf.Session()
    K.set_session(given)
    assert K.get_session() is given
    K.set_session(own)
    assert (model.predict(np.ones((1, 2))) == want).all()
    with tf.Session() as default:
        assert K.get_session() is default


def test_models_of_several_graphs_keep_their_weights() -> None:
    one = np.ones((1, 3))
    made = []
    for _ in range(2):
        with tf.Graph().as_default():
            model = models.Sequential([layers.Dense(2, input_shape=(3,))])
            made.append((model, model.predict(one)))
    for model, want in made:
        np.testing.assert_array_equal(model.predict(one), want)


def test_the_phase_can_be_fixed() -> None:
    K.set_learning_phase(1)
    assert K.learning_phase() == 1
    model = models.Sequential([layers.Dropout(0.9, input_shape=(100,))])
    assert (model.predict(np.ones((1, 100))) == 0).any()
    with pytest.raises(ValueError, match="to be 0 or 1"):
        K.set_learning_phase(2)


def test_local_connections_have_weights_of_their_own() -> None:
    x = RNG.random((2, 5, 4, 3)).astype("f")
    local = models.Sequential([layers.LocallyConnected2D(2, 3, input_shape=(5, 4, 3))])
    shared = models.Sequential([layers.Conv2D(2, 3, input_shape=(5, 4, 3))])
    kernel, _ = shared.get_weights()
    local.set_weights([np.tile(kernel.reshape(1, -1, 2), (6, 1, 1)), np.zeros((3, 2, 2))])
    np.testing.assert_allclose(local.predict(x), shared.predict(x), rtol=1e-4, atol=1e-6)
    line = models.Sequential([layers.LocallyConnected1D(4, 2, input_shape=(6, 3))])
    assert line.output_shape == (None, 5, 4) and line.count_params() == 5 * 6 * 4 + 5 * 4


def test_output_shapes_without_a_call() -> None:
    assert layers.Conv2D(3, 3).compute_output_shape((None, 8, 8, 1)) == (None, 6, 6, 3)
    assert layers.LSTM(4).compute_output_shape((None, 5, 2)) == (None, 4)


def test_wrappers_for_scikit_learn() -> None:
    def build(width: int = 4) -> Any:
        model = models.Sequential([layers.Dense(width, activation="relu", input_shape=(2,)),
                                   layers.Dense(2, activation="softmax")])  # fmt: skip
        model.compile("adam", "categorical_crossentropy", ["accuracy"])
        return model

    wrapped = keras.wrappers.scikit_learn.KerasClassifier(build, width=8, epochs=30, verbose=0)
    x = RNG.normal(size=(60, 2))
    y = np.where(x[:, 0] > 0, "yes", "no")
    wrapped.fit(x, y)
    assert set(wrapped.predict(x)) <= {"yes", "no"} and wrapped.score(x, y) > 0.5
    assert wrapped.predict_proba(x).shape == (60, 2)
    with pytest.raises(ValueError, match="depth is not a legal parameter"):
        keras.wrappers.scikit_learn.KerasClassifier(build, depth=8)


def test_tf_contrib_keras_is_the_same_module() -> None:
    assert tf.contrib.keras is tf.keras is keras


def test_ctc_costs_decode_and_train() -> None:
    """Values of the same call in TensorFlow; then a model in the manner of the OCR example."""
    rng = np.random.RandomState(0)  # the stream that the values were made with
    p = rng.rand(3, 7, 5).astype("f")
    p /= p.sum(-1, keepdims=True)
    y = np.array([[1, 2, 0], [3, 3, 1], [2, 0, 0]])
    frames, counts = np.array([[7], [7], [5]]), np.array([[2], [3], [1]])
    cost = K.ctc_batch_cost(*(K.constant(v, "int32") if v is not p else K.constant(v)
                              for v in (y, p, frames, counts)))  # fmt: skip
    np.testing.assert_allclose(
        K.eval(cost)[:, 0], [8.232519, 8.050478, 6.2806473], rtol=1e-5
    )
    labels, chances = K.ctc_decode(K.constant(p), K.constant(frames[:, 0], "int32"))
    assert K.eval(labels[0])[0].tolist() == [1, 3, 0, 2, 1, -1, -1]
    np.testing.assert_allclose(K.eval(chances)[:, 0], [8.033602, 6.8616214, 5.530582], rtol=1e-5)

    x = layers.Input((7, 4))
    probabilities = layers.TimeDistributed(layers.Dense(5, activation="softmax"))(
        layers.LSTM(6, return_sequences=True)(x)
    )
    given = [layers.Input((3,)), *(layers.Input((1,), dtype="int64") for _ in range(2))]
    loss = layers.Lambda(
        lambda a: K.ctc_batch_cost(*a), output_shape=(1,), name="ctc"
    )([given[0], probabilities, given[1], given[2]])
    model = models.Model([x, *given], loss)
    model.compile("adam", {"ctc": lambda y_true, y_pred: y_pred})
    data = [rng.rand(3, 7, 4), y, frames, counts]
    losses = model.fit(data, np.zeros(3), epochs=15, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    assert models.Model(x, probabilities).predict(data[0]).shape == (3, 7, 5)


# ------------------------------------------------------------------ Keras beside plain graphs
def test_every_name_of_tensorflow_1_15_is_there() -> None:
    names = """abs all any arange argmax argmin backend batch_dot batch_flatten batch_get_value
        batch_normalization batch_set_value bias_add binary_crossentropy cast cast_to_floatx
        categorical_crossentropy clear_session clip concatenate constant conv1d conv2d
        conv2d_transpose conv3d cos count_params ctc_batch_cost ctc_decode ctc_label_dense_to_sparse
        cumprod cumsum depthwise_conv2d dot dropout dtype elu epsilon equal eval exp expand_dims eye
        flatten floatx foldl foldr function gather get_session get_uid get_value gradients greater
        greater_equal hard_sigmoid image_data_format in_test_phase in_top_k in_train_phase int_shape
        is_keras_tensor is_sparse l2_normalize learning_phase learning_phase_scope less less_equal
        local_conv1d local_conv2d log manual_variable_initialization map_fn max maximum mean min
        minimum moving_average_update name_scope ndim normalize_batch_in_training not_equal one_hot
        ones ones_like permute_dimensions placeholder pool2d pool3d pow print_tensor prod
        random_binomial random_normal random_normal_variable random_uniform random_uniform_variable
        relu repeat repeat_elements reset_uids reshape resize_images resize_volumes reverse rnn
        round separable_conv2d set_epsilon set_floatx set_image_data_format set_learning_phase
        set_session set_value shape sigmoid sign sin softmax softplus softsign
        sparse_categorical_crossentropy spatial_2d_padding spatial_3d_padding sqrt square squeeze
        stack std stop_gradient sum switch tanh temporal_padding tile to_dense transpose
        truncated_normal update update_add update_sub
        var variable zeros zeros_like"""
    assert [n for n in names.split() if not callable(getattr(K, n))] == []


def test_layers_on_placeholders_in_a_session() -> None:
    session = tf.Session()
    K.set_session(session)
    x, labels = tf.placeholder(tf.float32, (None, 20)), tf.placeholder(tf.float32, (None, 3))
    h = layers.Dropout(0.5)(layers.Dense(16, activation="relu")(x))
    predicted = layers.Dense(3, activation="softmax")(h)
    loss = tf.reduce_mean(keras.losses.categorical_crossentropy(labels, predicted))
    step = tf.train.GradientDescentOptimizer(0.5).minimize(loss)
    right = keras.metrics.categorical_accuracy(labels, predicted)
    session.run(tf.global_variables_initializer())
    data = RNG.random((50, 20))
    feeds = {x: data, labels: np.eye(3)[data[:, :3].argmax(1)]}
    with session.as_default():
        for _ in range(60):
            step.run(feed_dict={**feeds, K.learning_phase(): 1})
        assert right.eval(feed_dict={**feeds, K.learning_phase(): 0}).mean() > 0.6


def test_gradients_of_models() -> None:
    model = models.Sequential([layers.Dense(4, input_shape=(3,), activation="tanh"),
                               layers.Dense(2)])  # fmt: skip
    x = tf.placeholder(tf.float32, [None, 3])
    grads = tf.gradients(tf.reduce_sum(model(x)), [*model.trainable_weights, x])
    got = K.get_session().run([*grads, *model.outputs], {x: A[:, :3], model.inputs[0]: A[:, :3]})
    assert len(got) == 6 and got[-1].shape == (3, 2)
    conv = models.Sequential([layers.Conv2D(4, 3, input_shape=(8, 8, 1), name="c"),
                              layers.Flatten(), layers.Dense(3, activation="softmax")])  # fmt: skip
    last = conv.get_layer("c").output
    slopes = K.mean(K.gradients(conv.output[:, 1], last)[0], axis=(0, 1, 2))
    values = K.function([conv.input], [slopes, last[0]])([RNG.random((1, 8, 8, 1))])
    assert [v.shape for v in values] == [(4,), (6, 6, 4)]


def test_a_penalty_on_gradients() -> None:
    z, real = layers.Input((5,)), layers.Input((3,))
    inner = layers.Input((3,))
    critic = models.Model(inner, layers.Dense(1)(layers.LeakyReLU(0.2)(layers.Dense(4)(inner))))
    made = layers.Dense(3, trainable=False)(z)
    share = layers.Lambda(lambda t: 0.3 * t[0] + 0.7 * t[1])([real, made])

    def penalty(y_true: Any, y_pred: Any) -> Any:
        slopes = K.gradients(y_pred, share)[0]
        return K.mean(K.square(1 - K.sqrt(K.sum(K.square(slopes), axis=1))))

    def signed(y_true: Any, y_pred: Any) -> Any:
        return K.mean(y_true * y_pred)

    model = models.Model([real, z], [critic(real), critic(made), critic(share)])
    model.compile("rmsprop", [signed, signed, penalty], loss_weights=[1, 1, 10])
    one = np.ones((8, 1))
    losses = [
        model.train_on_batch([RNG.random((8, 3)), RNG.random((8, 5))], [-one, one, one])[-1]
        for _ in range(40)
    ]
    assert np.isfinite(losses).all() and losses[-1] < losses[0]


def test_updates_of_ones_own() -> None:
    model = models.Sequential([layers.Dense(4, activation="relu", input_shape=(3,)),
                               layers.Dropout(0.1), layers.Dense(1)])  # fmt: skip
    y = K.placeholder((None, 1))
    loss = K.mean(keras.losses.mean_squared_error(y, model.output))
    optimizer = keras.optimizers.Adam(lr=0.02)
    updates = optimizer.get_updates(params=model.trainable_weights, loss=loss)
    train = K.function([model.input, y, K.learning_phase()], [loss], updates=updates)
    x = RNG.random((20, 3))
    got = [train([x, x.sum(1, keepdims=True), 1])[0] for _ in range(100)]
    assert got[-1] < got[0] and K.get_value(optimizer.iterations) == 100
    outputs = K.function([model.input, K.learning_phase()], [n.output for n in model.layers])
    assert [v.shape for v in outputs([x, 0])] == [(20, 4), (20, 4), (20, 1)]


def test_the_phase_can_be_fed_or_not() -> None:
    x = tf.placeholder(tf.float32, [None, 100])
    y, session = layers.Dropout(0.5)(x), K.get_session()
    one = np.ones((2, 100))
    assert (session.run(y, {x: one, K.learning_phase(): True}) == 0).any()
    assert (session.run(y, {x: one, K.learning_phase(): 0}) == 1).all()
    assert (session.run(y, {x: one}) == 1).all()


def test_policy_gradients_with_the_old_order_of_arguments() -> None:
    model = models.Sequential([layers.Dense(2, activation="softmax", input_shape=(4,))])
    chosen, reward = K.placeholder((None, 2)), K.placeholder((None,))
    likely = K.sum(chosen * model.output, axis=1)
    loss = -K.sum(K.log(likely) * K.stop_gradient(reward))
    updates = keras.optimizers.RMSprop(lr=0.01).get_updates(model.trainable_weights, [], loss)
    train = K.function([model.input, chosen, reward], [], updates=updates)
    x = np.ones((1, 4))
    before = model.predict(x)[0, 0]
    for _ in range(20):
        assert train([x, [[1, 0]], [1.0]]) == []
    assert model.predict(x)[0, 0] > before


def test_names_and_random_numbers() -> None:
    assert [K.get_uid("a"), K.get_uid("a")] == [1, 2]
    K.reset_uids()
    assert K.get_uid("a") == 1 and K.backend() == "tensorflow"
    assert K.int_shape(K.placeholder(ndim=2)) == (None, None)
    assert 0.2 < K.eval(K.mean(K.random_bernoulli((1000,), p=0.3))) < 0.4
    assert abs(K.eval(K.truncated_normal((500,)))).max() <= 2
    with pytest.raises(ValueError, match="sparse placeholders are not supported"):
        K.placeholder((2,), sparse=True)


def test_updates_of_a_model_on_a_placeholder() -> None:
    x, normal = layers.Input((3,)), layers.BatchNormalization(momentum=0.5)
    model = models.Model(x, normal(x))
    fed = tf.placeholder(tf.float32, [None, 3])
    out = model(fed, training=True)
    updates, data = model.get_updates_for(fed), RNG.random((10, 3))
    assert len(updates) == 2
    K.get_session().run([out, *updates], {fed: data})
    np.testing.assert_allclose(K.get_value(normal.moving_mean), data.mean(0) * 0.5, rtol=1e-5)
