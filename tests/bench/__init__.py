"""The figures of DESIGN section 9: `python -m tests.bench [--only NAME,…] [--json FILE] [--profile]`, or `make bench`.

No figure is asserted: a busy machine makes every one of them worse. What counts are ratios taken in one run; a run
whose `bare_per_s` is under 5,000 says that the machine was too busy to judge.

| part | figure (JSON) | what it is |
| --- | --- | --- |
| pipeline | `pipeline.bare_per_s` | the bare loop: aiokafka `getmany(1000)`, one upsert a message by motor \
`bulk_write` (majority, journalled), commit; HR changes that lie in the topic already, 6 partitions; mean of one run \
before and one after the services' |
| | `pipeline.per_s` | the same HR changes, 1,000 rules, 10,000 people: from the first being published to the last \
committed by assignment, its holding fact acknowledged; directory and assignment alone, in one process |
| | `pipeline.ratio` | `per_s / bare_per_s` |
| | `pipeline.separate_…` | each of the two services as its own process |
| all | `pipeline.all_…` | to the same point with every service running beside, in one process; `all_through_per_s`: \
until nobody has anything left to do |
| rules | `rules.ratio` | time to decide one person change (facets, candidates, evaluation, settling) at 10,000 rules \
over that at 10, with the same matches |
| | `rules.loop_ratio`, `rules.decide_us`, `rules.loop_us`, `rules.matches_per_s` | the whole loop in memory \
(decoding, loading, deciding, dumping, the fact); microseconds; matching alone a second and core |
| latency | `latency.quiet_p50_ms` | an HR change published -> that person's MemberAdded read from the topic; all \
services in one process, one change at a time |
| | `latency.p50_ms`, `p95_ms`, `p99_ms` | the same at 100 changes/s, from the moment each was due to be sent |
| | `latency.urgent_p99_ms` | a leaver on `hr.urgent` -> MemberRemoved of the last of their memberships, while 100,000 \
ordinary changes wait; `urgent_waiting`: how many still did when the last leaver had gone |
| http_move | `http_move.at_1000_rules_by_8` | `PATCH /users/{id}` with a new department until a read shows the person \
in the new group and out of the old one, by 1 and 8 clients, at 10 and 1,000 rules: `per_s`, `p50_ms`, `p99_ms`; \
`ratio`: to motor alone that writes and reads the same documents, durably and one after another |
| approvals | `approvals.per_s` | requests from asking to delivery, through two approvals, by 16 clients; `ratio` as \
above, each document written as often as the services do |
| list | `list.p50_ms`, `p99_ms` | 100 of 100,000 assignments with `$filter` and `$expand`, by one client; `ratio`: \
time of motor alone for the same documents over ours |
| known | `known.p99_ms` | from the answer to a write until every service that hears of it has committed it, one at a \
time; the looks take some milliseconds; `ratio`: time of one record sent, read, written and committed over ours |
| role_added | `role_added.members_per_s` | a resource role added to a package that everybody holds, until the last of \
them is a member; `ratio`: to the same documents written by motor in bulk |
| review | `review.ratio` | a review of a package that 4,000 hold (100,000 with `ARGS="--times 25"`), by their \
managers, opened (with recommendations), decided in batches, stopped and applied (a tenth is denied): items a second \
over those of motor alone, which writes the same items as often, in bulk; `open_per_s`, `decide_per_s`, `close_per_s` |
| | `review.memory_mb` | highest resident memory of the process with all services meanwhile; `memory_before_mb` |
| | `review.latency_before_p99_ms`, `latency_during_p99_ms` | an HR change -> MemberAdded, of others at 20 changes/s, \
before the review begins and while it goes on |
| memory | `memory_mb` | resident memory of the process with all services after 10,000 people joined and moved |
| start | `start_s` | `tenure run` on an empty folder, from the start of the process to the first HR change taken, \
told by its person fact; `start_again_s`: on the data of the first |

Everything runs on embedded servers in a temporary folder, the services as child processes: this process publishes and
reads, and takes no turn on their core. `cpu_s` says who used how much processor time while `per_s` was measured.
"""
