"""tf.train: optimizers, learning rates, checkpoints; imported when they are first used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphc._lazy import attach

if TYPE_CHECKING:
    from graphc.tf1 import queue_runner as queue_runner

_attribute, _names, _public = attach(
    __name__,
    {
        "graphc.tf1.optimizer_base": "Optimizer",
        "graphc.tf1.optimizers": """
            AdadeltaOptimizer AdagradOptimizer AdamOptimizer GradientDescentOptimizer
            MomentumOptimizer RMSPropOptimizer""",
        "graphc.tf1.optimizers_linear": """
            AdagradDAOptimizer FtrlOptimizer ProximalAdagradOptimizer
            ProximalGradientDescentOptimizer""",
        "graphc.tf1.learning_rate": """
            cosine_decay cosine_decay_restarts exponential_decay inverse_time_decay
            linear_cosine_decay natural_exp_decay noisy_linear_cosine_decay piecewise_constant
            piecewise_constant_decay polynomial_decay""",
        "graphc.tf1.moving_averages": "ExponentialMovingAverage",
        "graphc.tf1.api_state": """
            assert_global_step create_global_step get_global_step get_or_create_global_step
            global_step""",
        "graphc.tf1.saver": "Saver export_meta_graph import_meta_graph",
        "graphc.tf1.checkpoint_state": """
            NewCheckpointReader checkpoint_exists generate_checkpoint_state_proto
            get_checkpoint_mtimes get_checkpoint_state latest_checkpoint list_variables
            load_checkpoint load_variable remove_checkpoint update_checkpoint_state""",
        "graphc.tf1.coordinator": "Coordinator LooperThread",
        "graphc.tf1.queue_runner": "QueueRunner add_queue_runner start_queue_runners",
        "graphc.tf1.input_producers": """
            input_producer limit_epochs match_filenames_once range_input_producer
            slice_input_producer string_input_producer""",
        "graphc.tf1.input_batches": """
            batch batch_join maybe_batch maybe_batch_join maybe_shuffle_batch
            maybe_shuffle_batch_join shuffle_batch shuffle_batch_join""",
        "graphc.tf1.checkpoint_init": "VocabInfo init_from_checkpoint warm_start",
        "graphc.tf1.evaluation": "checkpoints_iterator",
        "graphc.tf1.session_hooks": """
            SessionRunArgs SessionRunContext SessionRunHook SessionRunValues""",
        "graphc.tf1.session_hooks_basic": """
            FeedFnHook FinalOpsHook GlobalStepWaiterHook LoggingTensorHook
            NanLossDuringTrainingError NanTensorHook SecondOrStepTimer StopAtStepHook""",
        "graphc.tf1.session_hooks_save": """
            CheckpointSaverHook CheckpointSaverListener ProfilerHook StepCounterHook
            SummarySaverHook""",
        "graphc.tf1.session_manager": "SessionManager",
        "graphc.tf1.session_scaffold": """
            ChiefSessionCreator Scaffold SessionCreator WorkerSessionCreator""",
        "graphc.tf1.monitored_session": """
            MonitoredSession MonitoredTrainingSession SingularMonitoredSession""",
        "graphc.tf1.supervisor": "Supervisor basic_train_loop",
        "graphc.tf1.graph_io": "write_graph",
        "graphc.interop.messages": "QueueRunnerDef SaverDef",
        "graphc.interop.events": "summary_iterator",
        "graphc.interop.example": """
            BytesList Example Feature FeatureList FeatureLists Features FloatList Int64List
            SequenceExample""",
    },
)
__all__ = [*_public, "queue_runner"]


def __getattr__(name: str) -> Any:
    if name == "queue_runner":  # the module
        from graphc.tf1 import queue_runner

        return queue_runner
    return _attribute(name)


def __dir__() -> list[str]:
    return sorted({*_names(), "queue_runner"})
