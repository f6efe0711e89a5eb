"""What a study is, and how its jobs are run, kept, judged and reported."""
