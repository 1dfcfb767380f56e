"""One module a revision, named ``v0001_what_it_does``; the number is the revision.

There is no way down: a release that turns out wrong is left by restoring the backup, or by a further revision.
A revision that has been released is never edited.
"""
