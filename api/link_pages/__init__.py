"""The pages that mailed links lead to: small, self-contained, and silent about whose link it was."""
