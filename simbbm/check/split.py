"""What has to hold while the linear map is split: of the protocol as transcribed, and of images."""

from __future__ import annotations

from collections.abc import Mapping

from simbbm.arm64.descriptor import Descriptor
from simbbm.arm64.registers import Regime
from simbbm.arm64.translation.view import Ranges
from simbbm.check.kinds import Property
from simbbm.check.properties import (
    all_ptes_at_end,
    context_restored,
    no_fault_on_live_map,
    no_size_change_seen,
    no_stale_translation,
    no_tlb_conflict,
    tables_linked_once,
    terminates,
    translations_preserved,
)


def split_properties(
    regime: Regime,
    tables: Mapping[int, tuple[Descriptor, ...]],
    swapper: int,
    mapped: Ranges,
    split: Ranges,
) -> tuple[Property, ...]:
    """What holds while a live linear map is split, for `Setup.properties`.

    Of a machine that begins under a `regime` with these `tables`: `swapper` is the word address of
    the root that maps the pages of `mapped` throughout; those of `split` are pages in the end. Both
    are ranges: the first page, and how many.
    """
    return (
        no_tlb_conflict,
        no_size_change_seen,
        no_fault_on_live_map(swapper, mapped),
        no_stale_translation,
        terminates,
        translations_preserved(regime, tables),
        all_ptes_at_end(regime, split),
        context_restored(regime),
        tables_linked_once(regime),
    )
