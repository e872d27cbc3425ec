"""tools/tf1_coverage.py on a small table of symbols."""

from __future__ import annotations

import pytest

from tools import tf1_coverage

HEAD = "symbol,scripts_of_961,greedy_rank_all,greedy_rank_core\n"


def table(tmp_path, *rows: str) -> str:
    path = tmp_path / "symbols.csv"
    path.write_text(HEAD + "".join(row + "\n" for row in rows))
    return str(path)


def test_present_excepted_and_missing(tmp_path, capsys):
    path = table(
        tmp_path,
        "tf.Session,9,1,1",
        "tf.nn.relu,8,2,2",
        "tf.GraphKeys.UPDATE_OPS,7,3,3",
        "tf.flags.FLAGS,6,5,4",
        "tf.examples.tutorials.mnist.input_data.read_data_sets,6,6,5",
        "tf.tpu.RunConfig,5,4,",
        "tf.nn.no_such_op,4,7,6",
        "tf.never_ranked,4,,",
        "tf.behind_the_limit,4,900,900",
    )
    assert tf1_coverage.main([path]) == 1
    out = capsys.readouterr().out
    assert "greedy_rank_core: 5 of the first 6 symbols exist (83.3%), 0 are unsupported" in out
    assert "greedy_rank_all: 5 of the first 7 symbols exist (71.4%), 1 are unsupported" in out
    assert "except    4  tf.tpu.RunConfig: there is no TPU" in out
    assert "miss      6  tf.nn.no_such_op (4 scripts): module 'graphc.nn' has no attr" in out
    assert "all of the first 5 exist" in out
    assert "all of the first 3 exist" in out
    assert "never_ranked" not in out and "behind" not in out


def test_everything_there_ends_with_zero(tmp_path, capsys):
    path = table(tmp_path, "tf.Session,9,1,1", "tf.tpu.x,5,2,")
    assert tf1_coverage.main([path]) == 0
    assert tf1_coverage.main([path, "--exceptions", "0"]) == 1
    assert "1 symbols are unsupported by name; at most 0 may be" in capsys.readouterr().out


def test_lists_are_cut(tmp_path, capsys):
    path = table(tmp_path, *(f"tf.nope{i},1,{i + 1},{i + 1}" for i in range(5)))
    assert tf1_coverage.main([path, "--missing", "2", "--rank", "core", "--limit", "4"]) == 1
    out = capsys.readouterr().out
    assert "0 of the first 4" in out
    assert out.count("  miss ") == 2
    assert "... and 2 more" in out
    assert "greedy_rank_all" not in out


def test_a_table_without_the_columns_is_refused(tmp_path, capsys):
    (tmp_path / "x.csv").write_text("symbol\ntf.Session\n")
    assert tf1_coverage.main([str(tmp_path / "x.csv")]) == 2
    assert "no column greedy_rank_all, greedy_rank_core" in capsys.readouterr().err
    assert tf1_coverage.main([str(tmp_path / "none.csv")]) == 2


@pytest.mark.parametrize("symbol", ["tf.train.AdamOptimizer", "tf.int32", "tf.python.<internal>"])
def test_absence_of_present_symbols_is_none(symbol):
    assert tf1_coverage.absence(symbol) is None


def test_absence_of_a_module_quotes_its_reason():
    assert "not supported by graphc" in (tf1_coverage.absence("tf.tpu.RunConfig") or "")
