"""The studies, one file each: its jobs, its claims and the rules that judge them."""
