/*
 * The machine of park_and_split.py in Promela: what Spin searches in bench_spin.py.
 *
 * Every option of a CPU's loop is one move of that machine, and there is nothing else that a state
 * consists of, so that pan's states (-DNOREDUCE) are the states of an unreduced search, one for one.
 *
 * Modelled: CPU 0 waits for the others, fills a table by two stores that drain in any order, puts it
 * in the place of a block, flushes all TLBs and lets the others go. These leave the swapper's tables,
 * forget them by a local TLBI, count themselves, wait, and come back. A store drains when it likes,
 * a TLBI acts on each CPU when it likes, an MSR takes effect at once or with the next ISB, a TLB may
 * hold what walks have reached since a TLBI took it away (the table entry above the block, the
 * block), and may have used it early since the last ISB. With -DM10 there is no DSB after that TLBI. A violation ends
 * a run; with -DWHOLE it is no error, so that all states can be counted.
 *
 * Not modelled: everything of linear_map_split that this leaves out (stop_machine(), installing the
 * idmap, the flag's exclusives and WFE loops, loads of descriptors, faults, what is executed and
 * where). Termination is not asked about.
 */

#ifndef N
#define N 2
#endif

#define BOOT (!failed && _pid == 0)
#define OTHER (!failed && _pid != 0)
#define AT(n) (pc[_pid] == n)
#define NEXT pc[_pid]++

byte pc[N];

/* Memory, and the boot CPU's store buffer. */
byte flag = 1;
bool filled[2], linked;
bool to_fill[2], to_link, to_release;

/* Of each CPU: which tables TTBR1 may have in effect, what its TLB may hold beyond their walks. */
bool swapper[N] = true;
bool reserved[N];
bool table[N], block[N], early[N];

/* TLBIs that have not acted: its own local one, the boot CPU's broadcast; and how many of these. */
bool own[N], flush[N];
byte owed;

byte j; /* 0 between moves */

/* BBML2_NOABORT is the boot CPU's alone: nobody else may reach the pages and hold the block. */
#define BAD(i) (i != 0 && block[i] && linked && (swapper[i] || table[i]))
#ifdef WHOLE
#define CHECK(i) failed = failed || BAD(i)
#else
#define CHECK(i) assert(!BAD(i))
#endif
bool failed;

inline act() {
	early[_pid] = early[_pid] || table[_pid] || block[_pid];
	table[_pid] = false;
	block[_pid] = false
}

active [N] proctype cpu() {
end:
	do
	/* The boot CPU's program. */
	:: d_step { BOOT && AT(0) && flag == N -> NEXT }
	:: d_step { BOOT && AT(1) -> to_fill[0] = true; NEXT }
	:: d_step { BOOT && AT(2) -> to_fill[1] = true; NEXT }
	:: d_step { BOOT && AT(3) && !to_fill[0] && !to_fill[1] -> NEXT } /* dsb ishst */
	:: d_step { BOOT && AT(4) -> to_link = true; NEXT }
	:: d_step { BOOT && AT(5) && !to_link -> NEXT } /* dsb ishst */
	:: d_step { BOOT && AT(6) -> /* tlbi vmalle1is */
		for (j : 0 .. N - 1) { flush[j] = true }
		owed = N; j = 0; NEXT }
	:: d_step { BOOT && AT(7) && owed == 0 -> NEXT } /* dsb ish */
	:: d_step { BOOT && AT(8) -> to_release = true; NEXT }

	/* Its stores drain. What walks may have cached of the old descriptor stays. */
	:: d_step { BOOT && to_fill[0] -> to_fill[0] = false; filled[0] = true }
	:: d_step { BOOT && to_fill[1] -> to_fill[1] = false; filled[1] = true }
	:: d_step { BOOT && to_link -> to_link = false; linked = true;
		for (j : 0 .. N - 1) {
			block[j] = block[j] || swapper[j] || table[j];
			CHECK(j)
		}
		j = 0 }
	:: d_step { BOOT && to_release -> to_release = false; flag = 0 }

	/* The program of each of the others. */
	:: d_step { OTHER && AT(0) -> reserved[_pid] = true; NEXT } /* msr ttbr1_el1 */
	:: d_step { OTHER && AT(1) -> /* isb */
		swapper[_pid] = false; table[_pid] = true; early[_pid] = false; NEXT }
	:: d_step { OTHER && AT(2) -> own[_pid] = true; NEXT } /* tlbi vmalle1 */
#ifdef M10
	:: d_step { OTHER && AT(3) -> early[_pid] = false; pc[_pid] = 5 } /* isb */
#else
	:: d_step { OTHER && AT(3) && !own[_pid] -> NEXT } /* dsb nsh */
	:: d_step { OTHER && AT(4) -> early[_pid] = false; NEXT } /* isb */
#endif
	:: d_step { OTHER && AT(5) -> flag++; NEXT } /* ldaddal */
	:: d_step { OTHER && AT(6) && flag == 0 -> NEXT }
	:: d_step { OTHER && AT(7) -> /* msr ttbr1_el1 */
		swapper[_pid] = true; table[_pid] = false; CHECK(_pid); NEXT }
	:: d_step { OTHER && AT(8) -> reserved[_pid] = false; early[_pid] = false; NEXT } /* isb */

	/* TLBIs act. */
	:: d_step { !failed && own[_pid] -> own[_pid] = false; act() }
	:: d_step { !failed && flush[_pid] -> flush[_pid] = false; owed--; act() }
	od
}
