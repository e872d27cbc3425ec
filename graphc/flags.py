"""tf.flags: command line flags. Names are imported when they are first used."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.tf1.flags": """
            DEFINE_alias DEFINE_bool DEFINE_boolean DEFINE_enum DEFINE_enum_class DEFINE_float
            DEFINE_integer DEFINE_list DEFINE_multi_enum DEFINE_multi_float DEFINE_multi_integer
            DEFINE_multi_string DEFINE_spaceseplist DEFINE_string DuplicateFlagError Error FLAGS
            Flag FlagValues IllegalFlagValueError UnparsedFlagAccessError UnrecognizedFlagError
            ValidationError flag_dict_to_args mark_bool_flags_as_mutual_exclusive
            mark_flag_as_required mark_flags_as_mutual_exclusive mark_flags_as_required
            multi_flags_validator register_multi_flags_validator register_validator set_default
            validator""",
    },
)
