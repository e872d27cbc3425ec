"""tf.random: random numbers. Names are imported when they are first used."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.tf1.api_random": """
            categorical gamma=random_gamma get_seed multinomial normal=random_normal
            poisson=random_poisson shuffle=random_shuffle truncated_normal
            uniform=random_uniform""",
        "graphc.tf1.api_sampling": """
            all_candidate_sampler fixed_unigram_candidate_sampler
            learned_unigram_candidate_sampler log_uniform_candidate_sampler
            uniform_candidate_sampler""",
        "graphc.tf1.api_stateless": """
            stateless_categorical=stateless_multinomial stateless_multinomial
            stateless_normal=stateless_random_normal stateless_truncated_normal
            stateless_uniform=stateless_random_uniform""",
        "graphc.tf1.framework": "set_random_seed",
    },
)
