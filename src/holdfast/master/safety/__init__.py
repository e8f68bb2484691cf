"""The Master's own safety: an export of its records that both databases share, and the way back from it.

*Export*: one file with everything a Master is made of, secrets sealed, the whole of it authenticated (`export_format`). *Export key*: what
seals it, kept beside the authority (`sealing`). *Code*: the Master's recovery kit, which unwraps the export key on another machine.
*Restoration*: a Master that was made from an export; its *epoch* is higher than that of any Master before it, so that nodes know which of
two is the younger (docs/decisions/0046-the-masters-own-backup.md).
"""
