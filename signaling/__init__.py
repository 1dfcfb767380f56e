"""The socket of a room: frames, requests and their answers, and what the server says by itself."""
