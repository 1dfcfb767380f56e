"""Conversations: who talks with whom, under which rules. The mode of a conversation is part of its state."""
