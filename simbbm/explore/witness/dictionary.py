"""What tokens are likely to say: the preset dictionary of each version.

Parameters, properties, and the steps at which schedules of the shipped protocol differ most often
from the polite one; in version 2 also the names of twins, and the parameters that came since. A
dictionary belongs to its version: any change would make old tokens unreadable.
"""

_VERSION_1 = (
    "bbm_minimal::live_change;hardware:eager;tlb:concrete;noabort:all;noabort:none;"
    "STUCK:terminates;VIOLATED:no_panic;VIOLATED:tables_linked_once;"
    "VIOLATED:context_restored;VIOLATED:no_sleep_in_atomic;VIOLATED:all_ptes_at_end;"
    "VIOLATED:translations_preserved;VIOLATED:no_stale_translation;"
    "VIOLATED:no_fault_on_live_map;VIOLATED:no_tlb_conflict;VIOLATED:no_size_change_seen;"
    "cpu_stopper_thread/multi_cpu_stop.wait#3\tstopper/cpu_stopper_thread.wait.acquire\t"
    "cpu_stopper_thread/multi_cpu_stop.wait#2\tfill_table/set_entry#2.str\t"
    "wait_until_released/wait_for_zero.wfe\twalk_table/walk_entry.ldr\t"
    "cpu_install_idmap/local_flush_tlb_all.dsb.nshst\tstop_machine/multi_cpu_stop.wait\t"
    "fill_table/set_entry.str\tcpu_install_idmap/local_flush_tlb_all.dsb.nsh\t"
    "linear_map_split_to_ptes/on_boot_cpu.mrs.mpidr_el1\t"
    "wait_linear_map_split_to_ptes/wait_until_released.sevl\t"
    "stop_machine/multi_cpu_stop.wait#3\twait_until_released/wait_for_zero.ldxr\t"
    "wait_linear_map_split_to_ptes/idmap_cpu_set_reserved_ttbr1.dsb.nsh\t"
    "cpu_stopper_thread/multi_cpu_stop.wait\tmulti_cpu_stop/ack_state#2.ldaddal\t"
    "cpu_install_idmap/cpu_switch_mm.msr.ttbr1_el1\tstop_machine/set_state.dmb.ishst\t"
    "cpu_install_idmap/cpu_switch_mm.msr.ttbr0_el1#2\t"
    "linear_map_maybe_split_to_ptes/init_idmap_kpti_bbml2_flag.dmb.ish\t"
    "cpu_stopper_thread/multi_cpu_stop.daifset\tstop_machine/set_state.str#2\t"
    "walk_entry/split_to_ptes_pmd_entry.ldr\t"
    "wait_linear_map_split_to_ptes/idmap_cpu_set_reserved_ttbr1.isb\t"
    "wait_linear_map_split_to_ptes/idmap_cpu_set_reserved_ttbr1.msr.ttbr1_el1\t"
    "cpu_install_idmap/cpu_set_reserved_ttbr0.msr.ttbr0_el1\t"
    "cpu_install_idmap/local_flush_tlb_all.isb\t"
    "cpu_install_idmap/local_flush_tlb_all.tlbi.vmalle1\tmulti_cpu_stop/ack_state.ldaddal\t"
    "linear_map_maybe_split_to_ptes/stop_machine.stlr\t"
    "wait_linear_map_split_to_ptes/idmap_cpu_set_reserved_ttbr1.isb#2\t"
    "boot_cpu_part/wait_for_secondaries.wait.acquire\t"
    "walk_entry#2/split_to_ptes_pmd_entry.ldr\t"
    "wait_linear_map_split_to_ptes/idmap_cpu_set_reserved_ttbr1.tlbi.vmalle1\t"
    "stop_machine/multi_cpu_stop.wait#2\tack_state#2/set_state.dmb.ishst\t"
    "ack_state#2/set_state.str#2\t"
    "secondary_part/wait_linear_map_split_to_ptes.mrs.ttbr1_el1\t"
    "cpu_install_idmap/cpu_switch_mm.mrs.ttbr1_el1\t"
    "cpu_install_idmap/cpu_switch_mm.msr.ttbr0_el1\tcpu_install_idmap/cpu_switch_mm.isb\t"
    "stop_machine/set_state.str\twalk_table/walk_entry#2.ldr\t"
    "cpu_install_idmap/cpu_set_reserved_ttbr0.isb\tclear_cont/set_entry#2.str\t"
    "count_parked/increment_flag.stxr\tcount_parked/increment_flag.ldxr\t1\t"
    "dvm.cpu0 vmalle1is from cpu0: acts\t1\tdvm.cpu1 vmalle1 from cpu1: acts\t1\t"
    "dvm.cpu2 vmalle1is from cpu0: completes\t2\tcpu0.drain[new1[0]]\t2\t"
    "cpu0.drain[pmd@8[0]]\t1\tcpu0.drain[pte@10[1]]\t1\tcpu1.drain[flag]\t2\tcpu0:\t1\t"
    "cpu1:\t2\tcpu2:\t3\tcpu3:\tlinear_map_split::m01_linear_map_split::good;cpus=3;"
    "layout:mixed;geometry:scaled;noabort:boot;ets2:no;flush:all;hardware:delayed;"
    "tlb:closure;"
)

_TWINS = (
    "no_invalidation;live_change;m01_only_boot_cpu_runs_fn;m02_first_to_arrive_splits;"
    "m02_no_cpu0_test;m03_waits_for_one_less;m04_flag_starts_at_zero;"
    "m07_count_before_switch;m08_count_before_tlbi;m09_no_tlbi;m10_no_dsb_after_tlbi;"
    "m11_no_isb_before_tlbi;m12_ttbr1_not_switched;m14_plain_increment;"
    "m16_m21_release_unpublished;m20_populate_before_fill;m20_no_dsb_before_populate;"
    "m21_stores_unpublished;m22_ttbr1_not_restored;m23_flag_by_kernel_address;"
    "m29_plain_load_in_wait;m30_no_sevl;m38_sleeping_allocation;deep::"
)
_PARAMETERS = (
    ";cpus=3;layout:mixed;geometry:scaled;noabort:boot;ets2:no;flush:all;image:low;"
    "hardware:delayed;tlb:closure;window=1;VIOLATED:no_size_change_seen;"
)

DICTIONARIES = {1: _VERSION_1, 2: _TWINS + _VERSION_1 + _PARAMETERS}
"""By version of the token."""
