"""SavedModels: graphc reads what it wrote, and what TensorFlow wrote; and the errors."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import graphc as tf
from graphc.interop.messages import AssetFileDef, SavedModel
from graphc.interop.text_format import MessageToString, Parse, ParseError

FIXTURES = Path(__file__).parent.parent / "fixtures" / "tf"
DATA = np.arange(6, dtype=np.float32).reshape(2, 3)
KEY = tf.saved_model.signature_constants.DEFAULT_SERVING_SIGNATURE_DEF_KEY


@pytest.fixture(autouse=True)
def fresh():
    tf.reset_default_graph()


def network():
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    w = tf.get_variable("w", [3, 2], initializer=tf.random_normal_initializer(seed=1))
    return x, tf.nn.softmax(tf.matmul(x, w), name="y")


def saved(folder) -> np.ndarray:
    x, y = network()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        tf.saved_model.simple_save(sess, str(folder), inputs={"x": x}, outputs={"y": y})
        return sess.run(y, {x: DATA})


# ------------------------------------------------------------------ TensorFlow's models
@pytest.mark.parametrize("name", ["saved_model", "saved_model_resource"])
def test_load_what_simple_save_of_tensorflow_wrote(name) -> None:
    want = np.load(FIXTURES / "saved_models.npz")
    with tf.Session(graph=tf.Graph()) as sess:
        meta = tf.saved_model.loader.load(
            sess, [tf.saved_model.tag_constants.SERVING], str(FIXTURES / name)
        )
        signature = meta.signature_def[KEY]
        assert signature.method_name == "tensorflow/serving/predict"
        assert sorted(signature.outputs) == ["y", "z"]
        x = sess.graph.get_tensor_by_name(signature.inputs["x"].name)
        z = tf.saved_model.utils.get_tensor_from_tensor_info(signature.outputs["z"])
        assert z.shape.as_list() == [None, 2]
        np.testing.assert_allclose(sess.run(z, {x: want["data"]}), want[name], rtol=1e-6)
        # the main op ran, with the asset where it lies now
        path = sess.run("kept:0").decode()
        assert Path(path) == FIXTURES / name / "assets" / "vocabulary.txt"


def test_load_text_of_tensorflow_below_a_scope() -> None:
    want = np.load(FIXTURES / "saved_models.npz")
    folder = str(FIXTURES / "saved_model_text")
    with tf.Session(graph=tf.Graph()) as sess:
        meta = tf.saved_model.load(sess, ["train"], folder, import_scope="net")
        info = meta.signature_def["predict_images"].outputs["scores"]
        scores = tf.saved_model.utils.get_tensor_from_tensor_info(info, import_scope="net")
        got = sess.run(scores, {"net/x:0": want["data"]})
        np.testing.assert_allclose(got, want["saved_model_text"], rtol=1e-6)
        assert sess.run("net/kept:0").endswith(b"vocabulary.txt")
        # the other MetaGraph shares the variables' values
        tf.saved_model.load(sess, {"plain", "serve"}, folder, import_scope="two")
        np.testing.assert_array_equal(sess.run("two/w:0"), sess.run("net/w:0"))


def test_predictor_of_a_tensorflow_model() -> None:
    want = np.load(FIXTURES / "saved_models.npz")
    call = tf.contrib.predictor.from_saved_model(str(FIXTURES / "saved_model"))
    np.testing.assert_allclose(call({"x": want["data"]})["z"], want["saved_model"], rtol=1e-6)
    assert sorted(call.fetch_tensors) == ["y", "z"]
    with pytest.raises(ValueError, match=r"Got unexpected keys in input_dict: \{'images'\}"):
        call({"images": want["data"]})


# ------------------------------------------------------------------ graphc's models
def test_simple_save_and_load_in_another_graph(tmp_path) -> None:
    want = saved(tmp_path / "deep" / "model")
    folder = tmp_path / "deep" / "model"
    assert sorted(os.listdir(folder)) == ["saved_model.pb", "variables"]
    assert sorted(os.listdir(folder / "variables")) == [
        "variables.data-00000-of-00001", "variables.index",
    ]  # fmt: skip
    assert os.listdir(tmp_path / "deep") == ["model"]  # nothing beside it
    assert tf.saved_model.loader.maybe_saved_model_directory(str(folder))
    assert not tf.saved_model.loader.maybe_saved_model_directory(str(tmp_path))
    with tf.Session(graph=tf.Graph()) as sess:
        meta = tf.saved_model.loader.load(sess, ["serve"], str(folder))
        names = meta.signature_def[KEY]
        y, x = names.outputs["y"].name, names.inputs["x"].name
        np.testing.assert_array_equal(sess.run(y, {x: DATA}), want)
        # the variables are variables again, and can be saved again
        assert [v.op.name for v in tf.trainable_variables()] == ["w"]
        again = tmp_path / "again"
        tf.saved_model.simple_save(
            sess, again, {"x": sess.graph.get_tensor_by_name(x)},
            {"y": sess.graph.get_tensor_by_name(y)},
        )  # fmt: skip
    got = tf.contrib.predictor.from_saved_model(again, tags="serve")({"x": DATA})
    np.testing.assert_array_equal(got["y"], want)


def test_builder_as_scripts_use_it(tmp_path) -> None:
    x, y = network()
    vocabulary = tmp_path / "words.txt"
    vocabulary.write_text("a\nb\n")
    asset = tf.constant(str(vocabulary), name="file")
    kept = tf.Variable("", name="kept", collections=[tf.GraphKeys.LOCAL_VARIABLES])
    with tf.control_dependencies([tf.saved_model.main_op.main_op()]):
        main = tf.group(kept.assign(asset), name="main")
    folder = str(tmp_path / "export" / "1")
    builder = tf.saved_model.builder.SavedModelBuilder(folder)
    signature = tf.saved_model.signature_def_utils.build_signature_def(
        inputs={"images": tf.saved_model.utils.build_tensor_info(x)},
        outputs={"scores": tf.saved_model.utils.build_tensor_info(y)},
        method_name=tf.saved_model.signature_constants.PREDICT_METHOD_NAME,
    )
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        builder.add_meta_graph_and_variables(
            sess, ["train", "gpu"], signature_def_map={"predict_images": signature},
            assets_collection=[asset], legacy_init_op=main,
        )  # fmt: skip
        want = sess.run(y, {x: DATA})
    with tf.Graph().as_default():
        tf.square(tf.get_variable("w", [3, 2]), name="squares")
        builder.add_meta_graph(["serve"])
    assert not Path(folder).exists()  # a model appears as a whole
    assert builder.save() == os.path.join(folder, "saved_model.pb")
    assert builder.save(as_text=True) == os.path.join(folder, "saved_model.pbtxt")
    Path(folder, "saved_model.pb").unlink()
    vocabulary.unlink()
    with tf.Session(graph=tf.Graph()) as sess:
        meta = tf.saved_model.loader.load(sess, ["gpu", "train"], folder)
        assert list(meta.meta_info_def.tags) == ["train", "gpu"]
        got = sess.run("y:0", {"x:0": DATA})
        np.testing.assert_array_equal(got, want)
        assert Path(sess.run("kept:0").decode()).read_text() == "a\nb\n"
    with tf.Session(graph=tf.Graph()) as sess:
        tf.saved_model.loader.load(sess, ["serve"], folder)
        assert sess.run("squares:0").shape == (3, 2)


def test_a_graph_without_variables(tmp_path) -> None:
    x = tf.placeholder(tf.float32, [], name="x")
    with tf.Session() as sess:
        tf.saved_model.simple_save(sess, tmp_path, {"x": x}, {"y": x * 2})
    call = tf.contrib.predictor.from_saved_model(tmp_path)
    assert call({"x": 4.0}) == {"y": 8.0}


def test_assets_of_one_name_are_kept_apart(tmp_path) -> None:
    paths = []
    for k in range(3):
        (tmp_path / str(k)).mkdir()
        path = tmp_path / str(k) / "words.txt"
        path.write_text("same" if k < 2 else "other")
        paths.append(tf.constant(str(path)))
    network()
    builder = tf.saved_model.Builder(tmp_path / "out")
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        builder.add_meta_graph_and_variables(sess, ["t"], assets_collection=paths)
    builder.save()
    assert sorted(os.listdir(tmp_path / "out" / "assets")) == ["words.txt", "words.txt_1"]


# ------------------------------------------------------------------ errors
def test_errors_of_the_builder(tmp_path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("")
    with pytest.raises(AssertionError, match="already exists, and isn't empty"):
        tf.saved_model.builder.SavedModelBuilder(str(tmp_path / "full"))
    x, _ = network()
    builder = tf.saved_model.builder.SavedModelBuilder(str(tmp_path / "new"))
    with pytest.raises(AssertionError, match="Graph state including variables and assets has not"):
        builder.add_meta_graph(["serve"])
    with tf.Session() as sess:
        with pytest.raises(tf.errors.FailedPreconditionError):
            builder.add_meta_graph_and_variables(sess, ["serve"])
        sess.run(tf.global_variables_initializer())
        bad = tf.saved_model.build_signature_def({"x": type(tf.saved_model.build_tensor_info(x))()})
        with pytest.raises(AssertionError, match="'encoding' fields"):
            builder.add_meta_graph_and_variables(sess, ["serve"], {"k": bad})
        with pytest.raises(KeyError, match="reserved for initialization"):
            builder.add_meta_graph_and_variables(
                sess, ["serve"], {"__saved_model_init_op": tf.saved_model.build_signature_def()}
            )
        with pytest.raises(TypeError, match="to be an Operation"):
            builder.add_meta_graph_and_variables(sess, ["serve"], main_op=x)
        with pytest.raises(TypeError, match="must be of type constant"):
            builder.add_meta_graph_and_variables(sess, ["serve"], assets_collection=[x])
        builder.add_meta_graph_and_variables(sess, ["serve"])
        with pytest.raises(AssertionError, match="has already been saved"):
            builder.add_meta_graph_and_variables(sess, ["serve"])
    del builder
    assert os.listdir(tmp_path) == ["full"]  # a builder that never saved leaves nothing


def test_errors_of_loading(tmp_path) -> None:
    with tf.Session() as sess:
        with pytest.raises(OSError, match="SavedModel file does not exist at: "):
            tf.saved_model.load(sess, ["serve"], str(tmp_path))
        saved(tmp_path / "m")
        with pytest.raises(RuntimeError, match="associated with tags 'train' could not be found"):
            tf.saved_model.load(sess, ["train"], str(tmp_path / "m"))
        (tmp_path / "saved_model.pb").write_bytes(b"\xff\xff nonsense")
        with pytest.raises(OSError, match="Cannot parse file"):
            tf.saved_model.load(sess, ["serve"], str(tmp_path))
    with pytest.raises(ValueError, match='Got signature_def_key "no"'):
        tf.contrib.predictor.from_saved_model(tmp_path / "m", signature_def_key="no")


def test_signatures_of_examples() -> None:
    utils = tf.saved_model.signature_def_utils
    examples = tf.placeholder(tf.string, [None])
    scores = tf.placeholder(tf.float32, [None, 2])
    classify = utils.classification_signature_def(examples, tf.constant(["a", "b"]), scores)
    assert sorted(classify.outputs) == ["classes", "scores"]
    assert utils.is_valid_signature(classify)
    regress = utils.regression_signature_def(examples, scores)
    assert regress.method_name == "tensorflow/serving/regress"
    assert utils.is_valid_signature(regress)
    del regress.inputs["inputs"]
    assert not utils.is_valid_signature(regress)
    with pytest.raises(ValueError, match="must be of type string"):
        utils.regression_signature_def(scores, scores)
    with pytest.raises(ValueError, match="cannot both be None"):
        utils.classification_signature_def(examples, None, None)
    with pytest.raises(ValueError, match="Prediction `inputs` cannot be None or empty"):
        utils.predict_signature_def({}, {"y": scores})
    with_default = utils.build_signature_def(defaults={"k": tf.constant(3.0)})
    assert tf.make_ndarray(with_default.defaults["k"]) == 3.0


def test_text_of_packed_and_opaque_messages() -> None:
    text = """
    meta_graphs {
      meta_info_def { stripped_op_list { op { name: "A" attr: [{ i: -1 }] s: "x" "y" } } tags: "t" }
      collection_def { key: "k" value { any_list { value {
        [type.googleapis.com/tensorflow.AssetFileDef] { filename: "f" } } } } }
    }
    """
    model = Parse(text, SavedModel())
    meta = model.meta_graphs[0]
    assert list(meta.meta_info_def.tags) == ["t"]
    packed = meta.collection_def["k"].any_list.value[0]
    assert AssetFileDef.FromString(packed.value).filename == "f"
    assert Parse(MessageToString(model), SavedModel()) == model
    with pytest.raises(ParseError, match="no message type"):
        Parse(text.replace("AssetFileDef", "Unknown"), SavedModel())
    with pytest.raises(ParseError, match="ends within"):
        Parse("meta_graphs { object_graph_def { nodes { ", SavedModel())


def test_a_sparse_tensor_in_a_signature(tmp_path) -> None:
    sparse = tf.sparse_placeholder(tf.float32, [2, 3])
    info = tf.saved_model.utils.build_tensor_info(sparse)
    assert info.coo_sparse.values_tensor_name == sparse.values.name
    again = tf.saved_model.utils.get_tensor_from_tensor_info(info)
    assert again.indices is sparse.indices and again.dense_shape is sparse.dense_shape
    with pytest.raises(TypeError, match="a tensor is expected"):
        tf.saved_model.utils.build_tensor_info("x")


def test_a_vocabulary_file_goes_along(tmp_path) -> None:
    vocabulary = tmp_path / "words.txt"
    vocabulary.write_text("cat\ndog\nbird\n")
    x = tf.placeholder(tf.string, [None], name="x")
    table = tf.contrib.lookup.index_table_from_file(str(vocabulary), num_oov_buckets=1)
    ids = tf.identity(table.lookup(x), name="ids")
    with tf.Session() as sess:
        sess.run(tf.tables_initializer())
        tf.saved_model.simple_save(
            sess, tmp_path / "model", {"x": x}, {"ids": ids},
            legacy_init_op=tf.tables_initializer(),
        )  # fmt: skip
    vocabulary.unlink()
    call = tf.contrib.predictor.from_saved_model(tmp_path / "model")
    assert call({"x": ["dog", "fish", "cat"]})["ids"].tolist() == [1, 3, 0]
