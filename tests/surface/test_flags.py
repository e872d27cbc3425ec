"""tf.flags: definitions, parsing of command lines, validators, help; tf.app.run."""

from __future__ import annotations

import enum
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import graphc as tf
from graphc.tf1 import flags as module
from graphc.tf1.flag_values import FlagValues


class Own:
    """tf.flags with values of its own, so that tests do not share any."""

    def __init__(self) -> None:
        self.FLAGS = FlagValues()

    def __getattr__(self, name):
        function = getattr(module, name)
        return lambda *args, **kwargs: function(*args, flag_values=self.FLAGS, **kwargs)


@pytest.fixture
def flags():
    return Own()


@pytest.fixture
def FLAGS(flags):
    flags.DEFINE_string("data_dir", "/tmp/data", "Where the data lies.")
    flags.DEFINE_integer("steps", 100, "How many steps.")
    flags.DEFINE_float("lr", 0.5, "Learning rate.")
    flags.DEFINE_boolean("train", True, "Whether to train.")
    flags.DEFINE_bool("fake", False, "Fake data.")
    flags.DEFINE_enum("mode", "a", ["a", "b"], "A or b.")
    flags.DEFINE_list("units", ["128", "32"], "Units.")
    flags.DEFINE_multi_integer("gpu", [0], "Devices.")
    return flags.FLAGS


def test_defaults_hold_where_the_command_line_says_nothing(FLAGS):
    assert FLAGS(["prog"]) == ["prog"]
    assert FLAGS.flag_values_dict() == {
        "data_dir": "/tmp/data", "steps": 100, "lr": 0.5, "train": True, "fake": False,
        "mode": "a", "units": ["128", "32"], "gpu": [0],
    }  # fmt: skip


def test_every_kind_is_read_from_text(FLAGS):
    line = (
        "prog --data_dir=x=y --steps 7 -lr 1e-3 --notrain --fake --mode=b --units=1,2,3 "
        "--gpu=2 --gpu 0x10 rest --steps=9"
    )
    rest = FLAGS(line.split())
    assert rest == ["prog", "rest", "--steps=9"]  # flags end at the first other word
    assert (FLAGS.data_dir, FLAGS.steps, FLAGS.lr) == ("x=y", 7, 0.001)
    assert (FLAGS.train, FLAGS.fake, FLAGS.mode) == (False, True, "b")
    assert (FLAGS.units, FLAGS.gpu) == (["1", "2", "3"], [2, 16])


@pytest.mark.parametrize("text", ["true", "True", "t", "1"])
def test_booleans_have_many_texts(FLAGS, text):
    FLAGS(["prog", f"--fake={text}", f"--train={'false' if text == 'true' else '0'}"])
    assert FLAGS.fake is True
    assert FLAGS.train is False


def test_two_dashes_end_the_flags(FLAGS):
    assert FLAGS(["prog", "--steps=1", "--", "--lr=9"]) == ["prog", "--lr=9"]
    assert FLAGS.lr == 0.5


@pytest.mark.parametrize(
    ("argument", "text"),
    [
        ("--steps=1.5", "flag --steps=1.5: invalid literal for int() with base 10: '1.5'"),
        ("--lr=x", "flag --lr=x: could not convert string to float: 'x'"),
        ("--mode=c", r"flag --mode=c: value should be one of <a\|b>"),
        ("--fake=maybe", "flag --fake=maybe: .'Non-boolean argument to boolean flag', 'maybe'."),
        ("--nofake=1", "--nofake takes no value"),
    ],
)
def test_texts_of_the_wrong_kind_name_the_flag(FLAGS, argument, text):
    with pytest.raises(module.IllegalFlagValueError, match=text.replace("()", r"\(\)")):
        FLAGS(["prog", argument])


def test_a_value_that_is_missing_names_the_flag(FLAGS):
    with pytest.raises(module.Error, match="Missing value for flag --steps"):
        FLAGS(["prog", "--steps"])


def test_unknown_flags_are_an_error_or_stay(FLAGS):
    with pytest.raises(module.UnrecognizedFlagError, match=r"'step'\. Did you mean: steps"):
        FLAGS(["prog", "--step=1"])
    rest = FLAGS(["prog", "--unknown=1", "--steps=3", "--nope"], known_only=True)
    assert rest == ["prog", "--unknown=1", "--nope"]
    assert FLAGS.steps == 3
    assert FLAGS(["prog", "--unknown=1", "--undefok=unknown"]) == ["prog"]


def test_sys_argv_is_read_at_the_first_access(FLAGS, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["prog", "--steps=5", "-f", "kernel.json"])
    assert not FLAGS.is_parsed()
    assert FLAGS.steps == 5
    assert FLAGS.is_parsed()
    monkeypatch.setattr(sys, "argv", ["prog", "--steps=6"])
    assert FLAGS.steps == 5
    FLAGS.unparse_flags()
    assert FLAGS.steps == 6


def test_older_scripts_print_all_flags(FLAGS, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["prog", "--steps=5"])
    FLAGS._parse_flags()
    lines = [f"{name.upper()}={value}" for name, value in sorted(FLAGS.__flags.items())]
    assert lines[2] == "GPU=[0]"
    assert "STEPS=5" in lines
    assert FLAGS.__flags["steps"].value == 5


def test_values_are_set_as_attributes(FLAGS):
    FLAGS.steps = 3
    FLAGS.mark_as_parsed()
    assert FLAGS.steps == 3
    with pytest.raises(AttributeError, match=r"no flag --other is defined; tf\.flags.DEFINE"):
        FLAGS.other = 1
    with pytest.raises(AttributeError, match="no flag --other is defined"):
        FLAGS.other
    assert getattr(FLAGS, "other", None) is None
    del FLAGS.steps
    assert "steps" not in FLAGS
    assert "lr" in FLAGS


def test_a_second_definition_says_where_both_are(flags, FLAGS):
    with pytest.raises(module.DuplicateFlagError, match=r"The flag 'lr' is defined twice\. First"):
        flags.DEFINE_float("lr", 0.1, "Again.")
    flags.DEFINE_float("lr", 0.1, "Again.", allow_override=True)
    FLAGS.mark_as_parsed()
    assert FLAGS.lr == 0.1


def test_required_flags_and_validators(flags):
    flags.DEFINE_string("out", None, "Output.")
    flags.DEFINE_integer("n", 1, "Even or 1.")
    flags.mark_flag_as_required("out")
    flags.register_validator("n", lambda n: n == 1 or n % 2 == 0, message="must be even")
    with pytest.raises(module.Error, match="Flag --out must have a value other than None"):
        flags.FLAGS(["prog"])
    flags.FLAGS(["prog", "--out=x"])
    with pytest.raises(module.Error, match="flag --n=3: must be even"):
        flags.FLAGS.n = 3
    assert flags.FLAGS.n == 1
    with pytest.raises(module.Error, match="must be even"):
        flags.FLAGS(["prog", "--out=x", "--n=5"])


def test_flags_exclude_each_other(flags):
    flags.DEFINE_string("a", None, "")
    flags.DEFINE_string("b", None, "")
    flags.mark_flags_as_mutual_exclusive(["a", "b"], required=True)
    flags.FLAGS(["prog", "--a=1"])
    for argv in (["prog"], ["prog", "--a=1", "--b=2"]):
        flags.FLAGS.unparse_flags()
        with pytest.raises(module.Error, match=r"Exactly one of \(a, b\)"):
            flags.FLAGS(argv)


def test_bounds_say_what_they_want(flags):
    flags.DEFINE_integer("n", 1, "", lower_bound=1)
    flags.DEFINE_float("p", 0.5, "", lower_bound=0.0, upper_bound=1.0)
    with pytest.raises(module.Error, match="0 is not a positive integer"):
        flags.FLAGS(["prog", "--n=0"])
    with pytest.raises(module.Error, match=r"2.0 is not a number in the range \[0.0, 1.0\]"):
        flags.FLAGS(["prog", "--p=2"])


def test_further_kinds(flags):
    class Color(enum.Enum):
        RED = 1
        BLUE = 2

    flags.DEFINE_enum_class("color", Color.RED, Color, "")
    flags.DEFINE_spaceseplist("words", "", "")
    flags.DEFINE_multi_string("name", None, "")
    flags.DEFINE_multi_float("x", 1.5, "")
    flags.DEFINE_multi_enum("e", None, ["u", "v"], "")
    flags.DEFINE_alias("colour", "color")
    flags.FLAGS(["prog", "--colour=blue", "--words=a b", "--name=p", "--name=q", "--e=u"])
    assert flags.FLAGS.color is Color.BLUE
    assert flags.FLAGS.words == ["a", "b"]
    assert flags.FLAGS.name == ["p", "q"]
    assert flags.FLAGS.x == [1.5]
    assert flags.FLAGS.e == ["u"]


def test_a_flag_file_reads_back_what_flags_wrote(FLAGS, tmp_path: Path):
    FLAGS(["prog", "--steps=3", "--notrain", "--units=7,8", "--gpu=1", "--gpu=2"])
    (tmp_path / "f").write_text("# a comment\n" + FLAGS.flags_into_string())
    before = FLAGS.flag_values_dict()
    FLAGS.unparse_flags()
    FLAGS(["prog", f"--flagfile={tmp_path / 'f'}"])
    assert FLAGS.flag_values_dict() == before


def test_help_names_flags_defaults_and_kinds(FLAGS):
    text = FLAGS.get_help()
    assert "--data_dir: Where the data lies.\n    (default: '/tmp/data')" in text
    assert "--[no]train: Whether to train.\n    (default: 'true')" in text
    assert "--mode: <a|b>: A or b." in text


def test_old_names_of_arguments(flags):
    flags.DEFINE_string(flag_name="s", default_value="v", docstring="Text.")
    flags.FLAGS.mark_as_parsed()
    assert flags.FLAGS.s == "v"
    with pytest.raises(TypeError, match="'typo'"):
        flags.DEFINE_string("t", "v", "Text.", typo=1)


def test_the_namespaces_are_one(FLAGS):
    assert tf.app.flags is tf.flags
    assert tf.app.flags.FLAGS is tf.flags.FLAGS
    assert isinstance(tf.flags.FLAGS, FlagValues)


SCRIPT = """
    import graphc as tf

    tf.app.flags.DEFINE_integer("n", 1, "A number.")
    FLAGS = tf.app.flags.FLAGS

    def main(argv):
        print(FLAGS.n, argv[1:])
        return 3 if FLAGS.n == 3 else None

    if __name__ == "__main__":
        tf.app.run()
"""


def run_script(tmp_path: Path, *args: str, text: str = SCRIPT) -> subprocess.CompletedProcess[str]:
    path = tmp_path / "script.py"
    path.write_text(textwrap.dedent(text))
    root = Path(tf.__file__).parent.parent
    return subprocess.run(
        [sys.executable, str(path), *args], capture_output=True, text=True, cwd=root, timeout=120,
        env={**__import__("os").environ, "PYTHONPATH": str(root)},
    )  # fmt: skip


def test_run_finds_main_and_ends_with_its_result(tmp_path):
    done = run_script(tmp_path, "--n=2", "--unknown=1", "rest")
    assert (done.returncode, done.stdout) == (0, "2 ['--unknown=1', 'rest']\n"), done.stderr
    assert run_script(tmp_path, "--n=3").returncode == 3


def test_run_says_which_flag_is_wrong(tmp_path):
    done = run_script(tmp_path, "--n=x")
    assert done.returncode == 1
    assert "FATAL Flags parsing error:\n  flag --n=x: invalid literal" in done.stderr
    shown = run_script(tmp_path, "--help")
    assert shown.returncode == 1
    assert "--n: <an integer>: A number.\n    (default: '1')" in shown.stdout


def test_run_takes_main_and_argv(monkeypatch):
    got = []
    with pytest.raises(SystemExit) as end:
        tf.app.run(main=got.append, argv=["prog", "x"])
    assert end.value.code is None
    assert got == [["prog", "x"]]
    monkeypatch.setitem(sys.modules, "__main__", object())
    with pytest.raises(AttributeError, match="defines no function main"):
        tf.app.run()
