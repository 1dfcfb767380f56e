"""What keeps an eye on the process itself: event-loop stalls, process figures, traces."""
