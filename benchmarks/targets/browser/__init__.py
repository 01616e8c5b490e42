"""A page in a browser as a target: it opens no program there, and answers over one socket."""
