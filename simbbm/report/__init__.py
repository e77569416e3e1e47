"""What readers and programs see: rows, traces and counterexamples, from results and witnesses.

Nothing here runs or judges anything. Read `told/case` first: a witness, and what is found out about
it when a form of report asks. `trace` turns steps into events (`inflight` those of instructions in
flight), `explanation` says what the counterexample needs and how likely it is. `forms` is the table
of what a case is written as: `columns` (text; `folding` leaves steps out), `html` (a page to step
through), `as_json`, and in `traces/` what other tools read. `rows` are the records that `--json`
prints, from which texts are made, `verdict_rows` those of runs and searches, `kernel/` those of
kernel images, `campaign_rows` those of campaigns that are kept, `field_rows` those of `survey` and
`cost`.
"""
