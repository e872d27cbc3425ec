"""tf.keras.callbacks: what happens around epochs and batches; names come when first used."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.keras.engine.callbacks_base": """
            BaseLogger Callback CallbackList History LambdaCallback ProgbarLogger
            TerminateOnNaN""",
        "graphc.keras.engine.callbacks_logs": "CSVLogger RemoteMonitor",
        "graphc.keras.engine.callbacks_more": """
            EarlyStopping LearningRateScheduler ModelCheckpoint ReduceLROnPlateau""",
        "graphc.keras.engine.tensorboard": "TensorBoard",
    },
)
