"""What a node does with captures, deliveries and repositories: runs, cascades, restores. No process, no schedule: `node` calls.

Glossary
--------
run        datasets captured in one walk and delivered to all their receivers (`run.run_datasets`); due operations become marks
lane       one delivery within a run: its session, where its actions stand, how it ended (`run_lanes`); connecting it (`connecting`)
catch-up   a run without a scan: those who are behind get the newest finished commit
cascade    a repository's points delivered to another receiver (`cascade`)
restore    a plan of steps made of a point, then carried out (`restore`, `restore_planning`, `restore_plan`, `restore_writing`)
mount      points as folders that any program can read (`mount`)
meter      progress of a job, told a few times a second; news is what else a job tells while it runs (`running`)
"""
