"""People: accounts, how they prove who they are, whom they know, and the public keys others encrypt to them with."""
