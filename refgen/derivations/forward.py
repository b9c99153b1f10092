"""Cards of the forward process (FWD)."""
