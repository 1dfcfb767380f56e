"""One module a revision, named ``v0001_what_it_does``; the number is the revision."""
