"""TensorFlow's files: checkpoints, GraphDefs, MetaGraphs, event files and TFRecords.

Lives here: the formats and their messages, without TensorFlow or protobuf. Not here: the TF1
names over them (tf1/saver.py, tf1/summary.py, tf1/graph_io.py). Imports ir, ops and errors.
"""
