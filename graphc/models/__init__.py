"""graphc.models: BERT and GPT-2 with their tokenizers, from local folders.

Lives here: the public names, imported when they are first used. A model is an ordinary graph:
called with NumPy arrays it runs in a session of its own, `build` puts it into the user's graph.
Weights come from safetensors files or TensorFlow checkpoints; no code of a file is ever run.
"""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.models.config": "BertConfig GPT2Config",
        "graphc.models.bert_models": """
            BertForMaskedLM BertForSequenceClassification BertModel""",
        "graphc.models.gpt2_models": "GPT2LMHeadModel GPT2Model",
        "graphc.models.bert_tokenizer": "BertTokenizer BertTokenizerFast=BertTokenizer",
        "graphc.models.gpt2_tokenizer": "GPT2Tokenizer GPT2TokenizerFast=GPT2Tokenizer",
        "graphc.interop.safetensors": "load_safetensors save_safetensors",
    },
)
