"""What a study is: its file, its table's layout, the published numbers beside it."""
