"""One live room: who is in it, what they publish, and what each of them is told of the others."""
