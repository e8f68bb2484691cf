"""The spool of one delivery: commits that a receiver could not take yet, or may lose again, kept on the source until it has them for good.

Glossary
--------
run       one commit as it was captured: its changes, and of its chunks those that neither the receiver nor an earlier run has (`run_file`)
unsent    runs that the receiver has not acknowledged
kept      runs that it holds and that no restic snapshot reaches yet: its disk may still be lost
stand     where the receiver stood when nothing was kept, and since when runs were missed (`stand`)
bundle    unsent runs that go to the receiver together: as one commit, or one after the other (`bundles`)
thinning  the oldest runs become one, so that the newer ones have room: a gap in density (`thinning`)
cipher    everything in the files is sealed by it (`cipher`)
"""
