"""The examples run, reach what they promise, and can be opened by the tools."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.inspect.compare import compare
from graphc.inspect.target import load_build

EXAMPLES = Path(__file__).parents[1] / "examples"
SIDES = ("fused", "unfused")
NAMES = sorted(p.stem for p in EXAMPLES.glob("*.py") if p.stem not in ("datasets", "pictures"))

pytest.importorskip("sklearn", reason="the examples' data come from scikit-learn")


@pytest.fixture(autouse=True)
def fresh_graph(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    tf.reset_default_graph()
    yield
    tf.reset_default_graph()


def example(name: str) -> Any:
    """The example as a module, imported as when it is run as a script."""
    try:
        return importlib.import_module(name)
    finally:
        sys.modules.pop(name, None)


def test_the_examples_of_the_readme_are_there() -> None:
    text = (EXAMPLES.parent / "README.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"`examples/(\w+)\.py` \|", text)) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_example_builds_for_the_tools(name: str) -> None:
    fetches, feeds = load_build(f"{EXAMPLES / name}.py:build")()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(fetches, feeds)


@pytest.mark.parametrize("name", ["linear_regression", "logistic_regression", "mlp_digits", "xor"])
def test_fused_training_steps_agree_with_unfused(name: str) -> None:
    result = compare(f"{EXAMPLES / name}.py:build", seconds=0.0, sides=SIDES)
    assert result.largest_relative <= 1e-5
    assert len(result.fused.explanation.kernels) < len(result.unfused.explanation.kernels)


def test_mlp_digits_learns_and_reports(capsys: pytest.CaptureFixture[str]) -> None:
    before = tf.stats()["plans_built"]
    accuracy = example("mlp_digits").main(plot=False)
    out = capsys.readouterr().out
    assert accuracy >= 0.97
    assert f"test accuracy {accuracy:.4f} on 360 images" in out
    assert "epoch 30/30  loss 0.0" in out
    assert "saved by fusion" in out and "not fused:" in out
    # initial values, one step for all batch sizes, the evaluation
    assert tf.stats()["plans_built"] - before == 3


def test_mlp_digits_runs_in_a_third_of_the_kernels() -> None:
    result = compare(example("mlp_digits").build, seconds=0.0, sides=SIDES)
    fused, unfused = result.fused.explanation, result.unfused.explanation
    assert 3 * len(fused.kernels) <= len(unfused.kernels)
    assert fused.bytes_saved > 0 and fused.bytes_moved < unfused.bytes_moved
    assert fused.refusals and all(r.reason and r.nbytes > 0 for r in fused.refusals)
    assert unfused.bytes_saved == 0


def test_mlp_digits_compiles_nothing_for_another_batch_size() -> None:
    module = example("mlp_digits")
    x, y, loss, _, train = module.model()
    images, labels = module.digits()[:2]
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run([loss, train], {x: images[:64], y: labels[:64]})
        before = tf.stats()
        for size in (63, 7, 128, 1000):
            sess.run([loss, train], {x: images[:size], y: labels[:size]})
        after = tf.stats()
    for count in ("modules_compiled", "kernels_compiled", "plans_built"):
        assert after[count] == before[count], count


def test_mlp_digits_is_deterministic() -> None:
    module = example("mlp_digits")
    images, labels = module.digits()[:2]
    runs = []
    for threads in (1, 2):
        with tf.Graph().as_default():
            x, y, loss, _, train = module.model()
            with tf.Session(options=tf.Config(threads=threads)) as sess:
                sess.run(tf.global_variables_initializer())
                runs.append(
                    module.fit(sess, x, y, loss, train, images, labels, epochs=1, show=False)
                )
    assert runs[0] == runs[1]


def test_mlp_digits_draws_its_losses(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    target = tmp_path / "losses.png"
    example("mlp_digits").draw([1.0, 0.5, 0.25], target)
    assert target.read_bytes().startswith(b"\x89PNG")


def test_linear_regression_finds_the_least_squares_solution() -> None:
    loss, distance = example("linear_regression").main()
    assert loss < 0.6
    assert distance < 1e-4


def test_logistic_regression_with_penalties() -> None:
    found = example("logistic_regression").main()
    assert all(accuracy >= 0.94 for accuracy, _ in found.values())
    # L1 makes weights vanish, L2 only makes them small
    assert found["L1"][1] >= 5 > found["L2"][1]


def test_xor_is_learned() -> None:
    answers = example("xor").main()
    np.testing.assert_array_equal(answers.round()[:, 0], [0, 1, 1, 0])


def test_fused_vs_unfused_prints_both(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = example("fused_vs_unfused")
    monkeypatch.setattr(module, "SIZE", 1 << 12)
    module.main()
    out = capsys.readouterr().out
    assert "-- elementwise chain" in out and "-- layer norm" in out
    assert out.count("unfused/fused") == 2


def test_char_rnn_learns_the_text(capsys: pytest.CaptureFixture[str]) -> None:
    bits = example("char_rnn").main(epochs=2)
    # log2 of the alphabet's size is 6.4; the letters' frequencies alone give about 4.7
    assert bits[0] < 5.0 and bits[1] < 3.8
    assert "an alphabet of" in capsys.readouterr().out


def test_char_lstm_learns_the_text(capsys: pytest.CaptureFixture[str]) -> None:
    bits = example("char_lstm").main(epochs=2)
    # the letters' frequencies alone give about 4.7
    assert bits[1] < bits[0] < 4.6 and bits[1] < 4.0
    out = capsys.readouterr().out
    assert f"{bits[1]:.3f} bits per character" in out
    assert len(out.split("-" * 72)[1].strip()) > 200  # the text that it writes


@pytest.mark.parametrize("name", ["cnn_digits", "vae_digits", "gan_digits"])
def test_examples_draw_pictures(name: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    example(name).main(3, tmp_path / "pictures")
    assert (tmp_path / "pictures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_pictures_need_matplotlib(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    pictures = example("pictures")
    pictures.images(tmp_path / "a.png", np.zeros((1, 1, 8, 8)))
    assert "pip install 'graphc[examples]'" in capsys.readouterr().out
    assert pictures.folder_of(["--steps", "3", "--out", "x"]) == Path("x")
    assert pictures.folder_of([]) is None
    with pytest.raises(SystemExit, match="needs a folder"):
        pictures.folder_of(["--out"])


def test_seq2seq_attention_turns_sequences_round(capsys: pytest.CaptureFixture[str]) -> None:
    greedy, beams = example("seq2seq_attention").main(steps=250)
    assert greedy >= 0.95 and beams >= 0.95
    assert "beam search: " in capsys.readouterr().out


def test_cnn_digits_learns_with_batch_normalisation() -> None:
    assert example("cnn_digits").main(200) >= 0.95


def test_vae_digits_learns_to_draw() -> None:
    first, last = example("vae_digits").main(600)
    assert last < 28.0 < first


def test_gan_digits_comes_near_to_the_data() -> None:
    before, after = example("gan_digits").main(1000)
    assert after < 0.6 * before


def test_wgan_gp_finds_the_clouds() -> None:
    share, hit, slope = example("wgan_gp").main(1000)
    assert share > 0.3 and hit >= 6
    assert 0.8 < slope < 1.2


def test_lstm_series_beats_the_naive_forecasts(capsys: pytest.CaptureFixture[str]) -> None:
    found, last, seasonal = example("lstm_series").main(epochs=12, plot=False)
    assert found < 0.6 * last and found < 0.5 * seasonal
    assert f"error of the network            {found:.3f}" in capsys.readouterr().out


def test_lstm_series_draws_its_forecast(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    target = tmp_path / "series.png"
    module = example("lstm_series")
    truth = module.series(200)
    module.draw(truth[1:], truth[:-1], target)
    assert target.read_bytes().startswith(b"\x89PNG")


def test_lstm_series_is_tested_on_what_comes_later() -> None:
    module = example("lstm_series")
    values = module.series(300)
    train_x, train_y, test_x, test_y = module.split(values)
    assert train_x.shape[1:] == test_x.shape[1:] == (module.WINDOW, 1)
    np.testing.assert_array_equal(train_y[0], values[module.WINDOW])
    np.testing.assert_array_equal(test_y[-1], values[-1])
    np.testing.assert_array_equal(test_x[1, :, 0], np.append(test_x[0, 1:], test_y[0]))


def test_keras_cnn_learns_and_keeps_the_best(capsys: pytest.CaptureFixture[str]) -> None:
    accuracy, epochs = example("keras_cnn").main(epochs=4, limit=800)
    assert accuracy >= 0.85 and epochs <= 4
    out = capsys.readouterr().out
    assert "Total params: 122,570" in out and "was the best" in out


def test_transformer_encoder_matches_brackets(capsys: pytest.CaptureFixture[str]) -> None:
    accuracy = example("transformer_encoder").main(epochs=12)
    assert accuracy >= 0.75
    assert f"test accuracy {accuracy:.4f}" in capsys.readouterr().out


def test_transformer_encoder_labels_its_strings() -> None:
    module = example("transformer_encoder")
    assert module.matches("([]())[]")
    assert not any(map(module.matches, ("([)]", "((", ")(", "(]")))
    texts, labels = module.strings(300)
    assert [module.matches(t) for t in texts] == list(labels.astype(bool))
    assert 100 < labels.sum() < 200 and {len(t) for t in texts} == set(range(2, 17, 2))
    # a string's answer does not hang on what is beside it in the batch
    codes = module.encode(["()", "([]())[]"])
    network = module.model()
    np.testing.assert_allclose(
        network.predict(codes[:1]), network.predict(codes)[:1], rtol=1e-5, atol=1e-6
    )


def test_bert_classify_learns_negation(capsys: pytest.CaptureFixture[str]) -> None:
    assert example("bert_classify").main(300) >= 0.95
    assert re.search(r"praise  .*\bnot\b|blame   .*\bnot\b", capsys.readouterr().out)
