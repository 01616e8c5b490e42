"""Pages, made of documents alone: single files that load nothing from anywhere."""
