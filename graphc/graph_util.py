"""tf.graph_util: tools on GraphDefs; imported when they are first used."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.tf1.graph_io": """
            convert_variables_to_constants extract_sub_graph must_run_on_cpu remove_training_nodes
            tensor_shape_from_node_def_name import_graph_def""",
    },
)
